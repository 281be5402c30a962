//! The client's settings, and what all clones of a client share.

use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::breaker::Breaker;
use super::limiter::{Limiter, Priority};
use super::{API_VERSION, Error, Kind};
use crate::platform::is_loopback;

static CLERK: LazyLock<Url> = LazyLock::new(|| Url::parse("https://api.clerk.com").expect("a constant URL"));
const VERSION: HeaderName = HeaderName::from_static("clerk-api-version");

/// Where Clerk's Backend API is, and how to call it.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// Base URL of the Backend API, without `/v1`.
    pub api_url: Url,
    /// `sk_live_…` or `sk_test_…`.
    pub secret_key: SecretString,
    /// Timeout of one attempt, from connecting to the last byte.
    pub timeout: Duration,
    /// Calls in ten seconds. By default 1000 with a production key and 100 with a development key, the limits that
    /// Clerk publishes.
    pub budget: Option<NonZeroU32>,
}

impl ClientSettings {
    /// Settings for `https://api.clerk.com`, with a timeout of five seconds.
    #[must_use]
    pub fn new(secret_key: SecretString) -> Self {
        Self { api_url: CLERK.clone(), secret_key, timeout: Duration::from_secs(5), budget: None }
    }

    fn budget(&self) -> NonZeroU32 {
        const PRODUCTION: NonZeroU32 = NonZeroU32::new(1_000).expect("not zero");
        const DEVELOPMENT: NonZeroU32 = NonZeroU32::new(100).expect("not zero");
        let by_key = if self.secret_key.expose_secret().starts_with("sk_live_") { PRODUCTION } else { DEVELOPMENT };
        self.budget.unwrap_or(by_key)
    }
}

/// A client of Clerk's Backend API. Cheap to clone; clones share connections, rate limits and the circuit breaker.
#[derive(Clone)]
pub struct Client {
    pub(super) shared: Arc<Shared>,
    pub(super) priority: Priority,
}

pub(super) struct Shared {
    pub(super) http: reqwest::Client,
    pub(super) base: String,
    pub(super) limiter: Limiter,
    pub(super) breaker: Breaker,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Client")
            .field("base", &self.shared.base)
            .field("urgency", &self.priority)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Creates a client. Connects to nothing yet.
    pub fn new(settings: &ClientSettings) -> Result<Self, Error> {
        let misconfigured = || Error::new("setup", Kind::Misconfigured);
        let mut key = HeaderValue::try_from(format!("Bearer {}", settings.secret_key.expose_secret()))
            .map_err(|_invalid| misconfigured().with_code("secret_key"))?;
        key.set_sensitive(true);
        let headers = HeaderMap::from_iter([(AUTHORIZATION, key), (VERSION, HeaderValue::from_static(API_VERSION))]);
        if settings.api_url.host().is_none() || !matches!(settings.api_url.scheme(), "http" | "https") {
            return Err(misconfigured().with_code("api_url"));
        }
        let mut http = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(concat!("lethe/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls().map_err(|error| misconfigured().with_cause(&error))?)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(settings.timeout.min(Duration::from_secs(3)))
            .timeout(settings.timeout)
            .pool_idle_timeout(Duration::from_mins(1))
            .tcp_keepalive(Duration::from_secs(30));
        // No proxy from the environment leads back to this machine.
        if settings.api_url.host_str().is_some_and(is_loopback) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| misconfigured().with_cause(&error))?;
        let base = settings.api_url.as_str().trim_end_matches('/').trim_end_matches("/v1").to_owned();
        let shared = Shared {
            http,
            base: format!("{base}/v1"),
            limiter: Limiter::new(settings.budget()),
            breaker: Breaker::new(),
        };
        Ok(Self { shared: Arc::new(shared), priority: Priority::Interactive })
    }

    /// Returns the same client for work on many users: it waits longer and leaves room in the rate limit for calls
    /// that a user is waiting for.
    #[must_use]
    pub fn batch(&self) -> Self {
        Self { shared: self.shared.clone(), priority: Priority::Batch }
    }

    /// Whether Clerk responded to the last calls. While it doesn't, calls fail at once, but for one every two seconds.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        self.shared.breaker.is_closed()
    }
}

/// TLS with Mozilla's root certificates compiled in, so that a container needs none.
pub(super) fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(key: &str) -> ClientSettings {
        ClientSettings::new(SecretString::from(key))
    }

    #[test]
    fn budget_follows_the_key_kind_unless_set() {
        assert_eq!(settings("sk_live_a").budget().get(), 1_000);
        assert_eq!(settings("sk_test_a").budget().get(), 100);
        let set = ClientSettings { budget: NonZeroU32::new(7), ..settings("sk_live_a") };
        assert_eq!(set.budget().get(), 7);
    }

    #[test]
    fn debug_output_holds_no_key() {
        let settings = settings("sk_test_POISON");
        let client = Client::new(&settings).unwrap();
        assert!(!format!("{settings:?} {client:?} {:?}", client.shared.http).contains("POISON"));
    }

    #[test]
    fn unusable_settings_are_refused() {
        assert_eq!(Client::new(&settings("sk_test_\n")).unwrap_err().code(), Some("secret_key"));
        let elsewhere = ClientSettings { api_url: Url::parse("file:///etc").unwrap(), ..settings("sk_test_a") };
        assert_eq!(Client::new(&elsewhere).unwrap_err().code(), Some("api_url"));
    }

    #[test]
    fn base_url_ends_with_one_version() {
        for url in ["https://api.clerk.com", "https://api.clerk.com/", "https://api.clerk.com/v1/"] {
            let client =
                Client::new(&ClientSettings { api_url: Url::parse(url).unwrap(), ..settings("sk_test_a") }).unwrap();
            assert_eq!(client.shared.base, "https://api.clerk.com/v1");
        }
    }
}
