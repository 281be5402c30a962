//! Limits for calls to Clerk that anyone can cause, and for what is logged about them. Knows neither what is called nor what
//! the caller does instead.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use ring::digest::{Context, SHA256};
use tokio::time::Instant;

use crate::reason::RefreshFailure;

/// How many calls may be caused, per second and at once. Anyone can make up nonces, and a former session's expired token can
/// be sent for ever: without limits, one of them could use up the instance's rate limit for everybody.
///
/// The client's limit is checked first, so that one client can't use up what all share.
const NONCES_PER_CLIENT: Quota = quota(2, 20);
const NONCES: Quota = quota(40, 100);
const REFRESHES_PER_CLIENT: Quota = quota(10, 50);
/// A session is refreshed about once a minute, and in each of its tabs.
const REFRESHES_PER_SESSION: Quota = quota(1, 10);

/// Warnings that anyone can cause. Beyond this they are logged at the level `debug`.
const WARNINGS: Quota = Quota::per_minute(NonZeroU32::new(10).expect("not zero"));
/// How long Clerk's refusal of a refresh is believed.
const REFUSAL_LIFETIME: Duration = Duration::from_mins(1);
/// Above this number of refusals all are forgotten.
const MAX_REFUSALS: usize = 10_000;

const fn quota(per_second: u32, burst: u32) -> Quota {
    let per_second = NonZeroU32::new(per_second).expect("not zero");
    Quota::per_second(per_second).allow_burst(NonZeroU32::new(burst).expect("not zero"))
}

pub(crate) struct CallLimits {
    nonces_per_client: DefaultKeyedRateLimiter<IpAddr>,
    nonces: DefaultDirectRateLimiter,
    refreshes_per_client: DefaultKeyedRateLimiter<IpAddr>,
    refreshes_per_session: DefaultKeyedRateLimiter<String>,
    warnings: DefaultDirectRateLimiter,
    refusals: Mutex<HashMap<RefreshKey, (Instant, RefreshFailure)>>,
}

/// The hash of a session's id and a refresh token.
type RefreshKey = [u8; 32];

impl CallLimits {
    pub(crate) fn new() -> Self {
        Self {
            nonces_per_client: RateLimiter::keyed(NONCES_PER_CLIENT),
            nonces: RateLimiter::direct(NONCES),
            refreshes_per_client: RateLimiter::keyed(REFRESHES_PER_CLIENT),
            refreshes_per_session: RateLimiter::keyed(REFRESHES_PER_SESSION),
            warnings: RateLimiter::direct(WARNINGS),
            refusals: Mutex::default(),
        }
    }

    /// Counts a nonce. A client without an address has no limit of its own.
    pub(crate) fn allows_nonce(&self, client: Option<IpAddr>) -> bool {
        is_within(&self.nonces_per_client, client.as_ref()) && self.nonces.check().is_ok()
    }

    /// Counts a refresh of a session.
    pub(crate) fn allows_refresh(&self, client: Option<IpAddr>, session_id: &str) -> bool {
        is_within(&self.refreshes_per_client, client.as_ref())
            && is_within(&self.refreshes_per_session, Some(&session_id.to_owned()))
    }

    /// Why Clerk refused to refresh this session with this token just now, if it did.
    pub(crate) fn refusal(&self, session_id: &str, refresh_token: &str) -> Option<RefreshFailure> {
        let refusals = self.refusals();
        let (at, failure) = refusals.get(&refresh_key(session_id, refresh_token))?;
        (at.elapsed() < REFUSAL_LIFETIME).then(|| failure.clone())
    }

    /// Keeps a refusal in mind.
    pub(crate) fn refuse(&self, session_id: &str, refresh_token: &str, failure: &RefreshFailure) {
        let mut refusals = self.refusals();
        if refusals.len() >= MAX_REFUSALS {
            refusals.clear();
        }
        refusals.insert(refresh_key(session_id, refresh_token), (Instant::now(), failure.clone()));
    }

    /// Counts a warning.
    pub(crate) fn allows_warning(&self) -> bool {
        self.warnings.check().is_ok()
    }

    fn refusals(&self) -> MutexGuard<'_, HashMap<RefreshKey, (Instant, RefreshFailure)>> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the counters of idle clients and sessions.
    pub(crate) fn evict_idle(&self) {
        self.refusals().retain(|_, (at, _)| at.elapsed() < REFUSAL_LIFETIME);
        self.nonces_per_client.retain_recent();
        self.refreshes_per_client.retain_recent();
        self.refreshes_per_session.retain_recent();
    }
}

fn is_within<Key: std::hash::Hash + Eq + Clone>(limiter: &DefaultKeyedRateLimiter<Key>, key: Option<&Key>) -> bool {
    key.is_none_or(|key| limiter.check_key(key).is_ok())
}

fn refresh_key(session_id: &str, refresh_token: &str) -> RefreshKey {
    let mut context = Context::new(&SHA256);
    // The id has no zero byte.
    for part in [session_id.as_bytes(), &[0], refresh_token.as_bytes()] {
        context.update(part);
    }
    let mut key = [0; 32];
    key.copy_from_slice(context.finish().as_ref());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_uses_up_its_own_limit_only() {
        let limits = CallLimits::new();
        let (one, other) = (Some(IpAddr::from([203, 0, 113, 1])), Some(IpAddr::from([203, 0, 113, 2])));
        let allowed = (0..1000).filter(|_| limits.allows_nonce(one)).count();
        // Twenty at once, and two more for each second that the loop takes.
        assert!((20..60).contains(&allowed), "{allowed}");
        assert!(limits.allows_nonce(other));
    }

    #[test]
    fn one_session_uses_up_its_own_limit_only() {
        let limits = CallLimits::new();
        let allowed = (0..1000_u16)
            .filter(|number| limits.allows_refresh(Some(IpAddr::from([10, 0, 0, (number % 200) as u8])), "sess_1"))
            .count();
        assert!((10..40).contains(&allowed), "{allowed}");
        assert!(limits.allows_refresh(Some(IpAddr::from([10, 0, 0, 1])), "sess_2"));
    }
}
