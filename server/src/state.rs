//! What every handler of a serving process can reach. Cheap to clone.

use std::ops::Deref;
use std::sync::Arc;

use app::api::context::Site;
use clerk_session::Authenticator;
use lethe::Lethe;
use lethe::clerk::webhook;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::SecretString;
use url::Url;

use crate::config::TrustedProxies;
use crate::middleware::rate_limit::RateLimits;
use crate::middleware::security_headers::SecurityHeaders;
use crate::profile_cache::ProfileCache;

/// A serving process.
#[derive(Clone)]
pub struct AppState(Arc<AppStateInner>);

/// Its parts.
pub struct AppStateInner {
    /// Every rule.
    pub lethe: Lethe,
    /// What every page shares.
    pub site: Site,
    /// Decides who asks.
    pub authenticator: Authenticator,
    /// Verifies webhooks.
    pub webhook_secret: webhook::Secret,
    /// Public base of this installation.
    pub public_url: Url,
    /// Names and addresses of the people who were here lately.
    pub profiles: ProfileCache,
    /// How often is too often.
    pub limits: RateLimits,
    /// The headers that every answer carries.
    pub security_headers: SecurityHeaders,
    /// Peers whose forwarding headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// The numbers for `/metrics`.
    pub metrics: PrometheusHandle,
    /// Opens `/metrics` to other machines.
    pub metrics_token: Option<SecretString>,
}

impl AppState {
    /// Takes the parts.
    #[must_use]
    pub fn new(parts: AppStateInner) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for AppState {
    type Target = AppStateInner;

    fn deref(&self) -> &AppStateInner {
        &self.0
    }
}
