//! The instance's keys, fetched seldom: once, then every five minutes in the background, and
//! sooner when a token names a key that isn't there. However many ask at once, Clerk is asked once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use lethe::clerk::{Error, Jwks};
use tokio::time::Instant;

use super::keys::{Absent, KeyRing};

/// How often Clerk is asked.
#[derive(Clone, Copy)]
pub(super) struct Intervals {
    /// Keys older than this are fetched again, while they go on being used.
    pub(super) fresh: Duration,
    /// Keys older than this aren't used any more, although Clerk can't be reached.
    pub(super) usable: Duration,
    /// A token with an unknown key makes us look at most this often.
    pub(super) between_looks: Duration,
    /// After a failure it is tried again this soon.
    pub(super) after_failure: Duration,
}

pub(super) const INTERVALS: Intervals = Intervals {
    fresh: Duration::from_mins(5),
    usable: Duration::from_hours(1),
    between_looks: Duration::from_secs(10),
    after_failure: Duration::from_secs(2),
};

/// Fetches the keys.
pub(super) type Fetch = Arc<dyn Fn() -> BoxFuture<'static, Result<Jwks, Error>> + Send + Sync>;

#[derive(Clone)]
pub(super) struct KeyCache(Arc<Shared>);

struct Shared {
    fetch: Fetch,
    intervals: Intervals,
    known: Mutex<Known>,
    /// Held by whoever is fetching.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    ring: Arc<KeyRing>,
    fetched_at: Option<Instant>,
    /// The last attempt, and whether it brought keys.
    attempt: Option<(Instant, bool)>,
    /// Somebody is on the way already.
    renewing: bool,
}

impl KeyCache {
    pub(super) fn new(fetch: Fetch, intervals: Intervals) -> Self {
        let known = Mutex::default();
        Self(Arc::new(Shared { fetch, intervals, known, fetching: tokio::sync::Mutex::new(()) }))
    }

    /// The keys that may be used now. When they are no longer fresh, new ones are fetched
    /// meanwhile.
    pub(super) fn ring(&self) -> Arc<KeyRing> {
        let mut known = self.known();
        let Some(fetched_at) = known.fetched_at else { return known.ring.clone() };
        let age = fetched_at.elapsed();
        if age > self.0.intervals.usable {
            known.ring = Arc::default();
            known.fetched_at = None;
        } else if age > self.0.intervals.fresh && !known.renewing && self.may_look(&known) {
            known.renewing = true;
            let cache = self.clone();
            tokio::spawn(async move {
                let _held = cache.0.fetching.lock().await;
                cache.look().await;
                cache.known().renewing = false;
            });
        }
        known.ring.clone()
    }

    /// Fetches the keys because `wanted` isn't among them, unless that was tried just now. Tells
    /// what it means if it still isn't.
    pub(super) async fn look_for(&self, wanted: &KeyRing) -> Absent {
        let _held = self.0.fetching.lock().await;
        let is_new = !std::ptr::eq(Arc::as_ptr(&self.known().ring), wanted);
        if !is_new && self.may_look(&self.known()) {
            self.look().await;
        }
        match self.known().attempt {
            Some((_, false)) => Absent::Unavailable,
            _ => Absent::Unknown,
        }
    }

    async fn look(&self) {
        let fetched = (self.0.fetch)().await;
        let mut known = self.known();
        let now = Instant::now();
        let ring = fetched.map(|jwks| KeyRing::new(&jwks));
        known.attempt = Some((now, matches!(&ring, Ok(ring) if !ring.is_empty())));
        match ring {
            Ok(ring) if !ring.is_empty() => {
                known.ring = Arc::new(ring);
                known.fetched_at = Some(now);
            }
            Ok(_) => tracing::error!("Clerk gave no key that sessions could be verified with"),
            Err(error) => tracing::warn!(%error, "the keys for verifying sessions couldn't be fetched"),
        }
    }

    fn may_look(&self, known: &Known) -> bool {
        let Intervals { between_looks, after_failure, .. } = self.0.intervals;
        let rest = |succeeded| if succeeded { between_looks } else { after_failure };
        known.attempt.is_none_or(|(at, succeeded)| at.elapsed() >= rest(succeeded))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use futures::FutureExt;
    use serde_json::json;

    use super::*;

    struct Clerk {
        calls: AtomicUsize,
        is_down: AtomicBool,
    }

    fn cache() -> (KeyCache, Arc<Clerk>) {
        let clerk = Arc::new(Clerk { calls: AtomicUsize::new(0), is_down: AtomicBool::new(false) });
        let counted = clerk.clone();
        let fetch: Fetch = Arc::new(move || {
            let clerk = counted.clone();
            async move {
                clerk.calls.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
                let keys = if clerk.is_down.load(Ordering::SeqCst) {
                    json!([])
                } else {
                    json!([{"kid": "here", "kty": "RSA", "n": "AQAB", "e": "AQAB"}])
                };
                Ok(serde_json::from_value(json!({"keys": keys})).unwrap())
            }
            .boxed()
        });
        (KeyCache::new(fetch, SHORT), clerk)
    }

    const SHORT: Intervals = Intervals {
        fresh: Duration::from_millis(200),
        usable: Duration::from_secs(1),
        between_looks: Duration::from_millis(150),
        after_failure: Duration::from_millis(50),
    };

    async fn pass(time: Duration) {
        tokio::time::sleep(time + Duration::from_millis(20)).await;
    }

    #[tokio::test]
    async fn a_thousand_unknown_keys_cause_one_fetch_in_an_interval() {
        let (cache, clerk) = cache();
        let ask = || async {
            let ring = cache.ring();
            cache.look_for(&ring).await
        };
        for round in 1..=3 {
            let answers = futures::future::join_all((0..1_000).map(|_| ask())).await;
            assert!(answers.iter().all(|absent| *absent == Absent::Unknown));
            assert_eq!(clerk.calls.load(Ordering::SeqCst), round);
            pass(SHORT.between_looks).await;
        }
    }

    #[tokio::test]
    async fn keys_are_renewed_in_the_background_and_outlive_an_outage_for_a_while() {
        let (cache, clerk) = cache();
        assert!(cache.ring().is_empty());
        assert_eq!(cache.look_for(&cache.ring()).await, Absent::Unknown);
        assert!(cache.ring().get("here").is_some());

        pass(SHORT.fresh).await;
        assert!(cache.ring().get("here").is_some(), "the old keys hold meanwhile");
        pass(Duration::from_millis(50)).await;
        assert_eq!(clerk.calls.load(Ordering::SeqCst), 2);

        clerk.is_down.store(true, Ordering::SeqCst);
        pass(SHORT.fresh).await;
        assert!(cache.ring().get("here").is_some());
        pass(SHORT.fresh).await;
        assert!(clerk.calls.load(Ordering::SeqCst) > 2);
        assert!(cache.ring().get("here").is_some(), "an outage doesn't sign anybody out");
        pass(SHORT.usable).await;
        let ring = cache.ring();
        assert!(ring.is_empty());
        assert_eq!(cache.look_for(&ring).await, Absent::Unavailable);

        clerk.is_down.store(false, Ordering::SeqCst);
        pass(SHORT.after_failure).await;
        cache.look_for(&cache.ring()).await;
        assert!(cache.ring().get("here").is_some());
    }
}
