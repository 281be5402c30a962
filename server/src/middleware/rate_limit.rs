//! Rate limits per user and per IP address. The counters are in memory, per process.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use lethe::ClerkUserId;

use super::client_ip;
use crate::config::LimitConfig;
use crate::error::Problem;

/// All limits of this process.
#[derive(Clone, Debug)]
pub struct RateLimits {
    /// Exports, per user.
    pub exports: RateLimit<ClerkUserId>,
    /// Deletion requests, per user.
    pub deletions: RateLimit<ClerkUserId>,
    /// Changes of consent, per user.
    pub consent_changes: RateLimit<ClerkUserId>,
    /// Counts of what is stored, which query every mapped table, per user.
    pub previews: RateLimit<ClerkUserId>,
    /// Writes without a session, per IP address.
    pub anonymous_writes: RateLimit<IpAddr>,
    /// Webhooks whose signature is wrong, per IP address.
    pub rejected_webhooks: RateLimit<IpAddr>,
}

/// One limit.
#[derive(Clone, Debug)]
pub struct RateLimit<Key: Clone + Eq + Hash>(Arc<DefaultKeyedRateLimiter<Key>>);

impl RateLimits {
    /// Creates the limits with empty counters.
    #[must_use]
    pub fn new(config: &LimitConfig) -> Self {
        let per_hour = |count: NonZeroU32| Quota::per_hour(count);
        let per_minute = |count: NonZeroU32| Quota::per_minute(count);
        Self {
            exports: RateLimit::new(per_hour(config.exports_per_hour)),
            deletions: RateLimit::new(per_hour(config.deletions_per_hour)),
            consent_changes: RateLimit::new(per_minute(config.consent_changes_per_minute)),
            previews: RateLimit::new(per_minute(config.previews_per_minute)),
            anonymous_writes: RateLimit::new(per_minute(config.anonymous_writes_per_minute)),
            rejected_webhooks: RateLimit::new(per_minute(config.anonymous_writes_per_minute)),
        }
    }

    /// Removes the counters of idle users and addresses, so that memory doesn't grow with visitors.
    pub fn evict_idle(&self) {
        self.exports.0.retain_recent();
        self.deletions.0.retain_recent();
        self.consent_changes.0.retain_recent();
        self.previews.0.retain_recent();
        self.anonymous_writes.0.retain_recent();
        self.rejected_webhooks.0.retain_recent();
    }
}

impl<Key: Clone + Eq + Hash> RateLimit<Key> {
    fn new(quota: Quota) -> Self {
        Self(Arc::new(RateLimiter::keyed(quota)))
    }

    /// Counts a request, or refuses it with the time to wait.
    pub fn check(&self, key: &Key) -> Result<(), Problem> {
        self.0.check_key(key).map_err(|refused| {
            let wait = refused.wait_time_from(DefaultClock::default().now());
            // Rounded up, so that a request after that many seconds is accepted.
            Problem::too_many_requests(wait + Duration::from_millis(999))
        })
    }
}

impl RateLimit<IpAddr> {
    /// Counts a request by its address. A request without one (in tests) isn't limited.
    pub fn check_ip(&self, address: Option<IpAddr>) -> Result<(), Problem> {
        match address {
            Some(address) => self.check(&client_ip::rate_limit_key(address)),
            None => Ok(()),
        }
    }
}
