//! Rate limits per user, counted in the database, and per IP address, counted in memory by each process.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use lethe::rate_limit::RateLimit;

use super::client_ip;
use crate::config::LimitConfig;
use crate::error::Problem;

/// All limits.
#[derive(Clone, Debug)]
pub struct RateLimits {
    /// Exports, per user.
    pub exports: RateLimit,
    /// Deletion requests, per user.
    pub deletions: RateLimit,
    /// Changes of consent, per user.
    pub consent_changes: RateLimit,
    /// Counts of what is stored, which query every mapped table, per user.
    pub previews: RateLimit,
    /// Writes without a session, per IP address.
    pub anonymous_writes: AddressLimit,
    /// Webhooks whose signature is wrong, per IP address.
    pub rejected_webhooks: AddressLimit,
}

/// A limit per IP address.
#[derive(Clone, Debug)]
pub struct AddressLimit(Arc<DefaultKeyedRateLimiter<IpAddr>>);

impl RateLimits {
    /// Creates the limits with empty counters.
    #[must_use]
    pub fn new(config: &LimitConfig) -> Self {
        Self {
            exports: RateLimit::per_hour("export", config.exports_per_hour),
            deletions: RateLimit::per_hour("deletion", config.deletions_per_hour),
            consent_changes: RateLimit::per_minute("consent", config.consent_changes_per_minute),
            previews: RateLimit::per_minute("preview", config.previews_per_minute),
            anonymous_writes: AddressLimit::per_minute(config.anonymous_writes_per_minute),
            rejected_webhooks: AddressLimit::per_minute(config.anonymous_writes_per_minute),
        }
    }

    /// Removes the counters of idle addresses, so that memory doesn't grow with visitors.
    pub fn evict_idle(&self) {
        self.anonymous_writes.0.retain_recent();
        self.rejected_webhooks.0.retain_recent();
    }
}

impl AddressLimit {
    fn per_minute(count: NonZeroU32) -> Self {
        Self(Arc::new(RateLimiter::keyed(Quota::per_minute(count))))
    }

    /// Counts a request by its address, or refuses it with the time to wait. A request without an address (in tests)
    /// isn't limited.
    pub fn check(&self, address: Option<IpAddr>) -> Result<(), Problem> {
        let Some(address) = address else { return Ok(()) };
        self.0.check_key(&client_ip::rate_limit_key(address)).map_err(|refused| {
            let wait = refused.wait_time_from(DefaultClock::default().now());
            // Rounded up, so that a request after that many seconds is accepted.
            Problem::too_many_requests(wait + Duration::from_millis(999))
        })
    }
}
