//! Keeps calls within Clerk's rate limits, which Lethe shares with the application.
//!
//! An instance has a budget of calls in ten seconds. A fifth of it may be used in a burst, the rest is refilled
//! evenly, so that no window of ten seconds exceeds the budget. Batch calls pass a narrower limit first, which
//! leaves room for interactive calls.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::time::Instant;

use crate::ids::ClerkUserId;

const WINDOW_SECONDS: u32 = 10;
/// Clerk's limit for changes of one user's metadata in a window.
const METADATA_CHANGES_PER_USER: u32 = 10;
/// Above this number of tracked users, those who are not near their limit are dropped.
const MAX_TRACKED_USERS: usize = 4_096;

/// How long a call may wait, and how much of the budget it may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Priority {
    /// A user is waiting for the result.
    Interactive,
    /// Work on many users, which can wait.
    Batch,
}

impl Priority {
    /// The longest wait for a permit. Beyond it, an error is better.
    pub(super) const fn max_wait(self) -> Duration {
        match self {
            Self::Interactive => Duration::from_secs(5),
            Self::Batch => Duration::from_mins(2),
        }
    }
}

pub(super) struct Limiter {
    all_calls: DefaultDirectRateLimiter,
    batch_calls: DefaultDirectRateLimiter,
    metadata: DefaultKeyedRateLimiter<ClerkUserId>,
    /// Until when what Clerk refused is not sent again, by what the refusal concerns.
    paused_until: Mutex<HashMap<String, Instant>>,
}

impl Limiter {
    /// `budget` is in calls per ten seconds.
    pub(super) fn new(budget: NonZeroU32) -> Self {
        Self {
            all_calls: RateLimiter::direct(quota(budget, 80, 20)),
            batch_calls: RateLimiter::direct(quota(budget, 50, 10)),
            metadata: RateLimiter::keyed(quota(at_least_one(METADATA_CHANGES_PER_USER), 50, 50)),
            paused_until: Mutex::default(),
        }
    }

    /// Waits until a call may be made, `scope` being what a refusal of it concerns. The error is how long that would have
    /// taken at least.
    pub(super) async fn acquire(&self, priority: Priority, scope: &str) -> Result<(), Duration> {
        let max_wait = priority.max_wait();
        if let Some(remaining) = self.remaining_pause(scope) {
            if remaining > max_wait {
                return Err(remaining);
            }
            tokio::time::sleep(remaining).await;
        }
        let permits = async {
            if priority == Priority::Batch {
                self.batch_calls.until_ready().await;
            }
            self.all_calls.until_ready().await;
        };
        tokio::time::timeout(max_wait, permits).await.map_err(|_elapsed| max_wait)
    }

    /// Waits until the metadata of this user may be changed.
    pub(super) async fn acquire_metadata(&self, user_id: &ClerkUserId, priority: Priority) -> Result<(), Duration> {
        if self.metadata.len() > MAX_TRACKED_USERS {
            self.metadata.retain_recent();
        }
        let max_wait = priority.max_wait();
        tokio::time::timeout(max_wait, self.metadata.until_key_ready(user_id)).await.map_err(|_elapsed| max_wait)
    }

    /// Makes calls of this scope wait for `time`, since Clerk asked for it. Others go on: if they are refused too, they wait
    /// as well.
    pub(super) fn pause(&self, scope: &str, time: Duration) {
        let now = Instant::now();
        let mut paused = self.paused_until.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        paused.retain(|_, until| *until > now);
        let until = paused.entry(scope.to_owned()).or_insert(now);
        *until = (*until).max(now + time);
    }

    fn remaining_pause(&self, scope: &str) -> Option<Duration> {
        let paused = self.paused_until.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let left = paused.get(scope)?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}

/// Refills `steady` per cent of the budget evenly over the window and allows a burst of `burst` per cent.
fn quota(budget: NonZeroU32, steady: u32, burst: u32) -> Quota {
    let share = |percent: u32| at_least_one(budget.get().saturating_mul(percent) / 100);
    let interval = Duration::from_secs(u64::from(WINDOW_SECONDS)) / share(steady).get();
    Quota::with_period(interval.max(Duration::from_nanos(1)))
        .expect("the interval is at least a nanosecond")
        .allow_burst(share(burst))
}

fn at_least_one(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(budget: u32) -> Limiter {
        Limiter::new(NonZeroU32::new(budget).unwrap())
    }

    #[test]
    fn burst_and_refill_of_a_window_stay_within_the_budget() {
        for budget in [1, 10, 100, 1_000, 5_000] {
            let quota = quota(NonZeroU32::new(budget).unwrap(), 80, 20);
            let flow = 10_000_000_000 / quota.replenish_interval().as_nanos();
            let most = u128::from(quota.burst_size().get()) + flow;
            assert!(most <= u128::from(budget.max(2)), "{budget}: {most}");
        }
    }

    #[tokio::test]
    async fn interactive_calls_proceed_while_batch_calls_wait() {
        let limiter = std::sync::Arc::new(limiter(100));
        let batch: Vec<_> = (0..40)
            .map(|_| {
                let limiter = limiter.clone();
                tokio::spawn(async move { limiter.acquire(Priority::Batch, "user").await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let started = Instant::now();
        limiter.acquire(Priority::Interactive, "user").await.unwrap();
        assert!(started.elapsed() < Duration::from_millis(50), "{:?}", started.elapsed());
        assert!(batch.iter().any(|task| !task.is_finished()), "batch calls were to wait");
        batch.iter().for_each(tokio::task::JoinHandle::abort);
    }

    #[tokio::test]
    async fn long_pause_fails_at_once_and_short_pause_is_waited_for() {
        let limiter = limiter(1_000);
        limiter.pause("user", Duration::from_mins(1));
        assert!(limiter.acquire(Priority::Interactive, "user").await.unwrap_err() > Duration::from_secs(50));

        let started = Instant::now();
        limiter.acquire(Priority::Interactive, "sessions").await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(1), "what Clerk didn't refuse goes on");

        let limiter = self::limiter(1_000);
        limiter.pause("user", Duration::from_millis(80));
        let started = Instant::now();
        limiter.acquire(Priority::Interactive, "user").await.unwrap();
        assert!(started.elapsed() >= Duration::from_millis(70));
    }
}
