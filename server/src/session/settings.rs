//! The settings of the session layer, and what the publishable key tells.

use std::net::IpAddr;
use std::sync::Arc;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use ring::digest;
use url::Url;

/// The settings. [`Settings::new`] has the defaults.
#[derive(Clone)]
pub struct Settings {
    /// `pk_test_…` or `pk_live_…`.
    pub publishable_key: String,
    /// Where this installation is, for people. Its origin is what handshakes come back to.
    pub public_url: Url,
    /// The Frontend API, where it is reached through a proxy.
    pub proxy_url: Option<Url>,
    /// The instance's public key in PEM. With it no key is ever fetched.
    pub jwt_key: Option<String>,
    /// Origins whose tokens are accepted (`azp`). Empty: any.
    pub authorized_parties: Vec<String>,
    /// Accepts tokens that don't say for which origin they were made, although origins are set.
    pub accept_missing_authorized_party: bool,
    /// Issuers that are accepted (`iss`). Empty: any, as the signature tells enough.
    pub issuers: Vec<String>,
    /// Audiences of which a token that names any must name one. Empty: not checked.
    pub audiences: Vec<String>,
    /// Where people sign in. Without it, the instance's hosted page.
    pub sign_in_url: Option<Url>,
    /// Makes this a satellite: an application on another domain than the one where people sign in.
    /// Needs [`Settings::sign_in_url`], and a domain or a proxy.
    pub is_satellite: bool,
    /// A satellite's own domain; in production the Frontend API is at `clerk.` and this.
    pub domain: Option<String>,
    /// Asks the primary domain also about people of whom nothing is known here.
    pub satellite_auto_sync: bool,
    /// Whether `X-Forwarded-Host` and `X-Forwarded-Proto` of this peer are believed.
    pub trusted_proxy: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

impl Settings {
    /// Tokens made for `public_url`'s origin, keys fetched from Clerk, no proxies.
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
            trusted_proxy: Arc::new(|_peer| false),
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Settings")
            .field("publishable_key", &self.publishable_key)
            .field("public_url", &self.public_url.as_str())
            .field("authorized_parties", &self.authorized_parties)
            .finish_non_exhaustive()
    }
}

/// Settings that can't work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// It isn't `pk_test_…` or `pk_live_…`.
    #[error("the publishable key must begin with pk_test_ or pk_live_ and have no further underscore")]
    PublishableKeyForm,
    /// What follows isn't base64.
    #[error("the publishable key is damaged: what follows pk_test_ or pk_live_ isn't base64")]
    PublishableKeyEncoding,
    /// The base64 isn't a host and a dollar sign.
    #[error("the publishable key is damaged: it must hold the Frontend API's host and one dollar sign at its end")]
    PublishableKeyHost,
    /// The public URL or the proxy's isn't one of a web server.
    #[error("{0} must be an http or https URL with a host")]
    Url(&'static str),
    /// A satellite lacks something.
    #[error("a satellite needs {0}")]
    Satellite(&'static str),
    /// The PEM can't be read.
    #[error("the JWT key must be an RSA public key in PEM, as Clerk's dashboard shows it")]
    JwtKey,
}

/// What kind of instance it is; sessions are told to the server in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceKind {
    /// `pk_test_…`: the browser is known by a token in the URL.
    Development,
    /// `pk_live_…`: the browser is known by cookies of the common domain.
    Production,
}

/// A publishable key, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishableKey {
    /// The kind of the instance.
    pub kind: InstanceKind,
    /// The Frontend API's host, with a port if it has one.
    pub frontend_api: String,
    /// What the names of this instance's cookies end in.
    pub cookie_suffix: String,
}

impl PublishableKey {
    /// Takes a key apart.
    pub fn parse(key: &str) -> Result<Self, SettingsError> {
        let (kind, encoded) = if let Some(rest) = key.strip_prefix("pk_test_") {
            (InstanceKind::Development, rest)
        } else if let Some(rest) = key.strip_prefix("pk_live_") {
            (InstanceKind::Production, rest)
        } else {
            return Err(SettingsError::PublishableKeyForm);
        };
        if encoded.is_empty() || encoded.contains('_') {
            return Err(SettingsError::PublishableKeyForm);
        }
        let decoded = BASE64_NOPAD
            .decode(encoded.trim_end_matches('=').as_bytes())
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or(SettingsError::PublishableKeyEncoding)?;
        let host = decoded.strip_suffix('$').ok_or(SettingsError::PublishableKeyHost)?;
        let is_host = |host: &str| {
            let url = Url::parse(&format!("https://{host}/")).ok();
            url.is_some_and(|url| url.path() == "/" && url.query().is_none() && url.username().is_empty())
        };
        if host.contains('$') || !host.contains('.') || !is_host(host) {
            return Err(SettingsError::PublishableKeyHost);
        }
        let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
        let mut cookie_suffix = BASE64URL_NOPAD.encode(digest.as_ref());
        cookie_suffix.truncate(8);
        Ok(Self { kind, frontend_api: host.to_owned(), cookie_suffix })
    }

    /// The origin of the instance's hosted pages.
    #[must_use]
    pub fn account_portal(&self) -> String {
        let host = &self.frontend_api;
        let portal = match host.find("clerk.") {
            Some(at) => {
                let (before, rest) = (&host[..at], &host[at + "clerk.".len()..]);
                if rest.starts_with("accounts.") || rest.starts_with("accountsstage.") {
                    format!("{before}{rest}")
                } else {
                    format!("{before}accounts.{rest}")
                }
            }
            None => host.clone(),
        };
        format!("https://{portal}")
    }
}
