//! The configuration, as the caller writes it.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use url::Url;

use crate::clock::{self, Clock};
use crate::publishable_key::PublishableKeyError;

/// Decides whether the `X-Forwarded-Host` and `X-Forwarded-Proto` of a request can be trusted.
pub type TrustForwarded = Arc<dyn Fn(&Parts) -> bool + Send + Sync>;

/// Returns the address of the client that sent a request, as far as it can be trusted.
pub type ClientAddress = Arc<dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync>;

/// The configuration. [`Config::new`] has the defaults; the names are those of Clerk's SDK where it has the option.
#[derive(Clone)]
pub struct Config {
    /// `pk_test_…` or `pk_live_…`.
    pub publishable_key: String,
    /// The application's address as browsers see it. Handshakes lead back to its origin; `Host` is not trusted.
    pub public_url: Url,
    /// The Frontend API's address, if a proxy serves it.
    pub proxy_url: Option<Url>,
    /// The instance's public key in PEM. With it, keys are never fetched.
    pub jwt_key: Option<String>,
    /// The origins whose tokens are accepted (`azp`). Empty: all origins, which lets every application of the instance
    /// present its tokens here. Default: the origin of `public_url`.
    pub authorized_parties: Vec<String>,
    /// Accepts tokens without `azp` although `authorized_parties` is not empty. Default: false, as in the SDK.
    pub accept_missing_authorized_party: bool,
    /// The issuers that are accepted (`iss`). Empty: all, which is safe, since only this instance's keys verify.
    pub issuers: Vec<String>,
    /// The audiences that are accepted: a token with `aud` must name one of them; one without `aud` is accepted.
    /// Clerk's session tokens have no `aud` unless you add it. Empty: `aud` is not checked.
    pub audiences: Vec<String>,
    /// The sign-in page. Default: the Account Portal's.
    pub sign_in_url: Option<Url>,
    /// Makes the application a satellite, whose users sign in at another domain, the primary one. Needs `sign_in_url`
    /// and either `domain` or `proxy_url`.
    pub is_satellite: bool,
    /// The satellite's own domain. In production the Frontend API is at its subdomain `clerk`.
    pub domain: Option<String>,
    /// Asks the primary domain for the session even of browsers without any cookie of Clerk's. Default: false.
    pub satellite_auto_sync: bool,
    /// Whether a request came from a reverse proxy of yours, so that its `X-Forwarded-Host` and `X-Forwarded-Proto`
    /// replace the origin of `public_url`. Default: never.
    pub trust_forwarded: TrustForwarded,
    /// The client's address, by which calls to Clerk are limited that anyone can cause. An IPv6 address should be that of
    /// the client's network. Default: none, so that only the limits for all clients count.
    pub client_address: ClientAddress,
    /// The current time. Default: the operating system's clock.
    pub clock: Clock,
}

impl Config {
    /// Accepts tokens made for the origin of `public_url`, fetches the keys from Clerk, and trusts no proxy.
    #[must_use]
    pub fn new(publishable_key: &str, public_url: Url) -> Self {
        Self {
            publishable_key: publishable_key.to_owned(),
            authorized_parties: vec![public_url.origin().ascii_serialization()],
            public_url,
            proxy_url: None,
            jwt_key: None,
            accept_missing_authorized_party: false,
            issuers: Vec::new(),
            audiences: Vec::new(),
            sign_in_url: None,
            is_satellite: false,
            domain: None,
            satellite_auto_sync: false,
            trust_forwarded: Arc::new(|_request| false),
            client_address: Arc::new(|_request| None),
            clock: clock::system(),
        }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Config")
            .field("publishable_key", &self.publishable_key)
            .field("public_url", &self.public_url.as_str())
            .field("authorized_parties", &self.authorized_parties)
            .finish_non_exhaustive()
    }
}

/// A configuration that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The publishable key is damaged.
    #[error(transparent)]
    PublishableKey(#[from] PublishableKeyError),
    /// The named URL is not an http or https URL with a host.
    #[error("{0} must be an http or https URL with a host")]
    Url(&'static str),
    /// The named part of a satellite's configuration is missing.
    #[error("a satellite needs {0}")]
    Satellite(&'static str),
    /// The named text is empty, or the named list has an empty one.
    #[error("{0} must not be empty")]
    Empty(&'static str),
    /// The PEM is not readable.
    #[error("the JWT key must be an RSA public key in PEM, as Clerk's dashboard shows it")]
    JwtKey,
}
