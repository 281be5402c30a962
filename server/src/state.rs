//! What the handlers of a serving process share. Cheap to clone.

use std::ops::Deref;
use std::sync::Arc;

use clerk_session::Authenticator;
use lethe::Lethe;
use lethe::clerk::webhook;
use lethe_app::server::context::Site;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::SecretString;
use url::Url;

use crate::config::TrustedProxies;
use crate::connections::ConnectionLimits;
use crate::maintenance::Maintenance;
use crate::middleware::rate_limit::RateLimits;
use crate::middleware::security_headers::SecurityHeaders;
use crate::profile_cache::ProfileCache;

/// The state of the router.
#[derive(Clone)]
pub struct AppState(Arc<AppStateInner>);

/// Its fields.
pub struct AppStateInner {
    /// The operations.
    pub lethe: Lethe,
    /// What all pages share.
    pub site: Site,
    /// Verifies session tokens.
    pub authenticator: Authenticator,
    /// Verifies webhooks.
    pub webhook_secret: webhook::Secret,
    /// Public URL of this installation.
    pub public_url: Url,
    /// Names and e-mail addresses of recent users.
    pub profiles: ProfileCache,
    /// Rate limits.
    pub rate_limits: RateLimits,
    /// Whether nothing may be served.
    pub maintenance: Maintenance,
    /// The security headers of every response.
    pub security_headers: Arc<SecurityHeaders>,
    /// What connections may take up.
    pub connection_limits: ConnectionLimits,
    /// Peers whose forwarding headers are trusted.
    pub trusted_proxies: TrustedProxies,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
    /// Bearer token for `/metrics` from other machines.
    pub metrics_token: Option<SecretString>,
    /// Bearer token for the operators' routes, which don't exist without it.
    pub operator_token: Option<SecretString>,
}

impl AppState {
    /// Wraps the fields.
    #[must_use]
    pub fn new(inner: AppStateInner) -> Self {
        Self(Arc::new(inner))
    }
}

impl Deref for AppState {
    type Target = AppStateInner;

    fn deref(&self) -> &AppStateInner {
        &self.0
    }
}
