//! How often one person or one address may do what is dear. Counts in memory, per process.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use lethe::SubjectId;

use super::address;
use crate::problem::Problem;
use crate::settings::LimitSettings;

/// All limits of this process.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Exports, by person.
    pub exports: Limit<SubjectId>,
    /// Deletions asked for, by person.
    pub deletions: Limit<SubjectId>,
    /// Writes without a session, by address.
    pub anonymous_writes: Limit<IpAddr>,
    /// Webhooks whose signature is wrong, by address.
    pub forged_webhooks: Limit<IpAddr>,
}

/// One limit.
#[derive(Clone, Debug)]
pub struct Limit<Key: Clone + Eq + Hash>(Arc<DefaultKeyedRateLimiter<Key>>);

impl Limits {
    /// Fresh counters.
    #[must_use]
    pub fn new(settings: &LimitSettings) -> Self {
        let per_hour = |count: NonZeroU32| Quota::per_hour(count);
        let per_minute = |count: NonZeroU32| Quota::per_minute(count);
        Self {
            exports: Limit::new(per_hour(settings.exports_per_hour)),
            deletions: Limit::new(per_hour(settings.deletions_per_hour)),
            anonymous_writes: Limit::new(per_minute(settings.anonymous_writes_per_minute)),
            forged_webhooks: Limit::new(per_minute(settings.anonymous_writes_per_minute)),
        }
    }

    /// Drops the counters of those who have been quiet, so that memory doesn't grow with visitors.
    pub fn forget_quiet(&self) {
        self.exports.0.retain_recent();
        self.deletions.0.retain_recent();
        self.anonymous_writes.0.retain_recent();
        self.forged_webhooks.0.retain_recent();
    }
}

impl<Key: Clone + Eq + Hash> Limit<Key> {
    fn new(quota: Quota) -> Self {
        Self(Arc::new(RateLimiter::keyed(quota)))
    }

    /// Counts one, or refuses it with the time to wait.
    pub fn check(&self, key: &Key) -> Result<(), Problem> {
        self.0.check_key(key).map_err(|refused| {
            let wait = refused.wait_time_from(DefaultClock::default().now());
            // Rounded up: who comes back after that many seconds is let in.
            Problem::too_many(wait + Duration::from_millis(999))
        })
    }
}

impl Limit<IpAddr> {
    /// Counts one by its address. What has no address (in tests) isn't limited.
    pub fn check_address(&self, address: Option<IpAddr>) -> Result<(), Problem> {
        match address {
            Some(address) => self.check(&address::counted(address)),
            None => Ok(()),
        }
    }
}
