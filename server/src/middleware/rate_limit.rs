//! How often one person or one address may do what is dear. Counts in memory, per process.

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
use crate::problem::Problem;

/// All limits of this process.
#[derive(Clone, Debug)]
pub struct RateLimits {
    /// Exports, by person.
    pub exports: RateLimit<ClerkUserId>,
    /// Deletions asked for, by person.
    pub deletions: RateLimit<ClerkUserId>,
    /// Writes without a session, by address.
    pub anonymous_writes: RateLimit<IpAddr>,
    /// Webhooks whose signature is wrong, by address.
    pub rejected_webhooks: RateLimit<IpAddr>,
}

/// One limit.
#[derive(Clone, Debug)]
pub struct RateLimit<Key: Clone + Eq + Hash>(Arc<DefaultKeyedRateLimiter<Key>>);

impl RateLimits {
    /// Fresh counters.
    #[must_use]
    pub fn new(settings: &LimitConfig) -> Self {
        let per_hour = |count: NonZeroU32| Quota::per_hour(count);
        let per_minute = |count: NonZeroU32| Quota::per_minute(count);
        Self {
            exports: RateLimit::new(per_hour(settings.exports_per_hour)),
            deletions: RateLimit::new(per_hour(settings.deletions_per_hour)),
            anonymous_writes: RateLimit::new(per_minute(settings.anonymous_writes_per_minute)),
            rejected_webhooks: RateLimit::new(per_minute(settings.anonymous_writes_per_minute)),
        }
    }

    /// Drops the counters of those who have been quiet, so that memory doesn't grow with visitors.
    pub fn evict_idle(&self) {
        self.exports.0.retain_recent();
        self.deletions.0.retain_recent();
        self.anonymous_writes.0.retain_recent();
        self.rejected_webhooks.0.retain_recent();
    }
}

impl<Key: Clone + Eq + Hash> RateLimit<Key> {
    fn new(quota: Quota) -> Self {
        Self(Arc::new(RateLimiter::keyed(quota)))
    }

    /// Counts one, or refuses it with the time to wait.
    pub fn check(&self, key: &Key) -> Result<(), Problem> {
        self.0.check_key(key).map_err(|refused| {
            let wait = refused.wait_time_from(DefaultClock::default().now());
            // Rounded up: who comes back after that many seconds is let in.
            Problem::too_many_requests(wait + Duration::from_millis(999))
        })
    }
}

impl RateLimit<IpAddr> {
    /// Counts one by its address. What has no address (in tests) isn't limited.
    pub fn check_ip(&self, address: Option<IpAddr>) -> Result<(), Problem> {
        match address {
            Some(address) => self.check(&client_ip::rate_limit_key(address)),
            None => Ok(()),
        }
    }
}
