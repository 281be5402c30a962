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

use crate::guards::headers::Policy;
use crate::guards::limits::Limits;
use crate::people::People;
use crate::settings::TrustedProxies;

/// A serving process.
#[derive(Clone)]
pub struct Server(Arc<Parts>);

/// Its parts.
pub struct Parts {
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
    pub people: People,
    /// How often is too often.
    pub limits: Limits,
    /// The headers that every answer carries.
    pub policy: Policy,
    /// Peers whose forwarding headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// The numbers for `/metrics`.
    pub metrics: PrometheusHandle,
    /// Opens `/metrics` to other machines.
    pub metrics_token: Option<SecretString>,
}

impl Server {
    /// Takes the parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for Server {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
