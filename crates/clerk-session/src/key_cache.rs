//! Caches the instance's keys: fetched once, then every five minutes in the background, and sooner when a token names
//! an unknown key. However many requests need keys at once, Clerk is called once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::backend::BackendApi;
use crate::keys::{KeyMiss, KeyRing};

/// When keys are fetched.
#[derive(Clone, Copy)]
pub(crate) struct Intervals {
    /// Keys older than this are fetched again in the background; the old ones stay in use meanwhile.
    pub(crate) stale_after: Duration,
    /// Keys older than this are fetched again before they are used: there was no request for a while. If that fails, the old
    /// ones stay in use.
    pub(crate) wait_after: Duration,
    /// Keys older than this are no longer used, even if Clerk cannot be reached.
    pub(crate) expire_after: Duration,
    /// The shortest time between two fetches, however many tokens name unknown keys.
    pub(crate) min_refresh_interval: Duration,
    /// The shortest time between a failed fetch and the next one.
    pub(crate) retry_after_failure: Duration,
}

pub(crate) const INTERVALS: Intervals = Intervals {
    stale_after: Duration::from_mins(5),
    wait_after: Duration::from_mins(10),
    expire_after: Duration::from_hours(1),
    min_refresh_interval: Duration::from_secs(10),
    retry_after_failure: Duration::from_secs(2),
};

#[derive(Clone)]
pub(crate) struct KeyCache(Arc<Shared>);

struct Shared {
    backend: Arc<dyn BackendApi>,
    intervals: Intervals,
    state: Mutex<State>,
    /// Held while keys are fetched.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    ring: Arc<KeyRing>,
    fetched_at: Option<Instant>,
    last_attempt: Option<Attempt>,
    /// A background task is fetching.
    is_refreshing: bool,
}

#[derive(Clone, Copy)]
struct Attempt {
    at: Instant,
    succeeded: bool,
}

impl KeyCache {
    pub(crate) fn new(backend: Arc<dyn BackendApi>, intervals: Intervals) -> Self {
        let state = Mutex::default();
        Self(Arc::new(Shared { backend, intervals, state, fetching: tokio::sync::Mutex::new(()) }))
    }

    /// The keys to use now. When they are stale, starts to fetch new ones in the background.
    pub(crate) fn ring(&self) -> Arc<KeyRing> {
        let mut state = self.state();
        let Some(fetched_at) = state.fetched_at else { return state.ring.clone() };
        let age = fetched_at.elapsed();
        if age > self.0.intervals.expire_after {
            state.ring = Arc::default();
            state.fetched_at = None;
        } else if age > self.0.intervals.stale_after && !state.is_refreshing && self.may_refresh(&state) {
            state.is_refreshing = true;
            let cache = self.clone();
            tokio::spawn(async move {
                let _guard = cache.0.fetching.lock().await;
                cache.refresh().await;
                cache.state().is_refreshing = false;
            });
        }
        state.ring.clone()
    }

    /// Fetches keys that are too old to be used before they were. Once that has failed, it is left to the background until
    /// it succeeds again, so that nobody waits for a service that is down.
    pub(crate) async fn renew_outdated(&self) {
        let is_outdated = || {
            let state = self.state();
            let is_old = state.fetched_at.is_some_and(|at| at.elapsed() > self.0.intervals.wait_after);
            is_old && state.last_attempt.is_some_and(|attempt| attempt.succeeded)
        };
        if !is_outdated() {
            return;
        }
        let _guard = self.0.fetching.lock().await;
        if is_outdated() {
            self.refresh().await;
        }
    }

    /// Fetches the keys because `ring` lacks one, unless they have been replaced since or were fetched just now.
    /// Returns what it means when the key is still missing.
    pub(crate) async fn refresh_for(&self, ring: &KeyRing) -> KeyMiss {
        let _guard = self.0.fetching.lock().await;
        let is_replaced = !std::ptr::eq(Arc::as_ptr(&self.state().ring), ring);
        if !is_replaced && self.may_refresh(&self.state()) {
            self.refresh().await;
        }
        match self.state().last_attempt {
            Some(Attempt { succeeded: false, .. }) => KeyMiss::Unavailable,
            _ => KeyMiss::Unknown,
        }
    }

    async fn refresh(&self) {
        let fetched = self.0.backend.jwks().await;
        let mut state = self.state();
        let now = Instant::now();
        let ring = fetched.map(|jwks| KeyRing::new(&jwks));
        state.last_attempt = Some(Attempt { at: now, succeeded: matches!(&ring, Ok(ring) if !ring.is_empty()) });
        match ring {
            Ok(ring) if !ring.is_empty() => {
                state.ring = Arc::new(ring);
                state.fetched_at = Some(now);
            }
            Ok(_) => tracing::error!("Clerk returned no key that session tokens can be verified with"),
            Err(error) => tracing::warn!(%error, "the keys for verifying session tokens could not be fetched"),
        }
    }

    fn may_refresh(&self, state: &State) -> bool {
        let Intervals { min_refresh_interval, retry_after_failure, .. } = self.0.intervals;
        state.last_attempt.is_none_or(|attempt| {
            let pause = if attempt.succeeded { min_refresh_interval } else { retry_after_failure };
            attempt.at.elapsed() >= pause
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use futures::FutureExt;
    use futures::future::BoxFuture;
    use serde_json::json;

    use super::*;
    use crate::backend::{BackendError, RefreshRequest};
    use crate::jwks::Jwks;

    #[derive(Default)]
    struct FakeBackend {
        calls: AtomicUsize,
        is_down: AtomicBool,
    }

    impl BackendApi for FakeBackend {
        fn jwks(&self) -> BoxFuture<'_, Result<Jwks, BackendError>> {
            async move {
                self.calls.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
                let keys = if self.is_down.load(Ordering::SeqCst) {
                    json!([])
                } else {
                    json!([{"kid": "present", "kty": "RSA", "n": "AQAB", "e": "AQAB"}])
                };
                Ok(serde_json::from_value(json!({"keys": keys})).unwrap())
            }
            .boxed()
        }

        fn handshake_payload<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, BackendError>> {
            unreachable!("the cache fetches keys only")
        }

        fn refresh_session<'a>(
            &'a self,
            _: &'a str,
            _: RefreshRequest,
        ) -> BoxFuture<'a, Result<Vec<String>, BackendError>> {
            unreachable!("the cache fetches keys only")
        }
    }

    fn cache() -> (KeyCache, Arc<FakeBackend>) {
        let backend = Arc::new(FakeBackend::default());
        (KeyCache::new(backend.clone(), SHORT), backend)
    }

    const SHORT: Intervals = Intervals {
        stale_after: Duration::from_millis(200),
        wait_after: Duration::from_millis(500),
        expire_after: Duration::from_secs(1),
        min_refresh_interval: Duration::from_millis(150),
        retry_after_failure: Duration::from_millis(50),
    };

    /// Waits a little longer than `time`.
    async fn pass(time: Duration) {
        tokio::time::sleep(time + Duration::from_millis(20)).await;
    }

    #[tokio::test]
    async fn thousand_unknown_keys_cause_one_fetch_in_an_interval() {
        let (cache, backend) = cache();
        let miss = || async {
            let ring = cache.ring();
            cache.refresh_for(&ring).await
        };
        for round in 1..=3 {
            let misses = futures::future::join_all((0..1_000).map(|_| miss())).await;
            assert!(misses.iter().all(|miss| *miss == KeyMiss::Unknown));
            assert_eq!(backend.calls.load(Ordering::SeqCst), round);
            pass(SHORT.min_refresh_interval).await;
        }
    }

    #[tokio::test]
    async fn keys_are_refreshed_in_the_background_and_survive_an_outage_for_a_while() {
        let (cache, backend) = cache();
        assert!(cache.ring().is_empty());
        assert_eq!(cache.refresh_for(&cache.ring()).await, KeyMiss::Unknown);
        assert!(cache.ring().get("present").is_some());

        pass(SHORT.stale_after).await;
        assert!(cache.ring().get("present").is_some(), "stale keys stay in use");
        pass(Duration::from_millis(50)).await;
        assert_eq!(backend.calls.load(Ordering::SeqCst), 2);

        backend.is_down.store(true, Ordering::SeqCst);
        pass(SHORT.stale_after).await;
        assert!(cache.ring().get("present").is_some());
        pass(SHORT.stale_after).await;
        assert!(backend.calls.load(Ordering::SeqCst) > 2);
        assert!(cache.ring().get("present").is_some(), "an outage signs nobody out");
        pass(SHORT.expire_after).await;
        let ring = cache.ring();
        assert!(ring.is_empty());
        assert_eq!(cache.refresh_for(&ring).await, KeyMiss::Unavailable);

        backend.is_down.store(false, Ordering::SeqCst);
        pass(SHORT.retry_after_failure).await;
        cache.refresh_for(&cache.ring()).await;
        assert!(cache.ring().get("present").is_some());
    }

    #[tokio::test]
    async fn keys_of_an_idle_application_are_renewed_before_they_are_used() {
        let (cache, backend) = cache();
        cache.refresh_for(&cache.ring()).await;
        cache.renew_outdated().await;
        assert_eq!(backend.calls.load(Ordering::SeqCst), 1, "they are new");
        pass(SHORT.wait_after).await;
        futures::future::join_all((0..10).map(|_| cache.renew_outdated())).await;
        assert_eq!(backend.calls.load(Ordering::SeqCst), 2, "once for all requests");
        backend.is_down.store(true, Ordering::SeqCst);
        pass(SHORT.wait_after).await;
        for _ in 0..3 {
            cache.renew_outdated().await;
        }
        assert_eq!(backend.calls.load(Ordering::SeqCst), 3, "nobody waits again for a service that is down");
        assert!(cache.ring().get("present").is_some());
    }
}
