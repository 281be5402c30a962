//! Keeps within Clerk's rate limits, which the whole application shares with Lethe.
//!
//! In every ten seconds an instance has a budget. A fifth of it may be used at once, the rest
//! flows evenly, so that no window of ten seconds sees more than the budget. Bulk work passes a
//! narrower gate before it stands in the common queue: people always find room.

use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::time::Instant;

use crate::subject::SubjectId;

const WINDOW_SECONDS: u32 = 10;
/// Clerk's own limit for changes to one user's metadata in a window.
const CHANGES_PER_PERSON: u32 = 10;
/// Remembered people above which those who are not near their limit are forgotten.
const REMEMBERED_PEOPLE: usize = 4_096;

/// Who is waiting for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// A person.
    Person,
    /// Work on many people, which has all night.
    Bulk,
}

impl Urgency {
    /// The longest wait for one's turn that is better than an error.
    pub(super) const fn patience(self) -> Duration {
        match self {
            Self::Person => Duration::from_secs(5),
            Self::Bulk => Duration::from_mins(2),
        }
    }
}

pub(super) struct Limiter {
    everyone: DefaultDirectRateLimiter,
    bulk: DefaultDirectRateLimiter,
    metadata: DefaultKeyedRateLimiter<SubjectId>,
    paused_until: Mutex<Option<Instant>>,
}

impl Limiter {
    /// `budget`: requests in ten seconds.
    pub(super) fn new(budget: NonZeroU32) -> Self {
        Self {
            everyone: RateLimiter::direct(quota(budget, 80, 20)),
            bulk: RateLimiter::direct(quota(budget, 50, 10)),
            metadata: RateLimiter::keyed(quota(at_least_one(CHANGES_PER_PERSON), 50, 50)),
            paused_until: Mutex::new(None),
        }
    }

    /// Waits for a turn. An error says how long one would have had to wait.
    pub(super) async fn turn(&self, urgency: Urgency) -> Result<(), Duration> {
        let patience = urgency.patience();
        if let Some(pause) = self.pause() {
            if pause > patience {
                return Err(pause);
            }
            tokio::time::sleep(pause).await;
        }
        let turn = async {
            if urgency == Urgency::Bulk {
                self.bulk.until_ready().await;
            }
            self.everyone.until_ready().await;
        };
        tokio::time::timeout(patience, turn).await.map_err(|_elapsed| patience)
    }

    /// Waits until this person's metadata may be changed again.
    pub(super) async fn metadata_turn(&self, subject: &SubjectId, urgency: Urgency) -> Result<(), Duration> {
        if self.metadata.len() > REMEMBERED_PEOPLE {
            self.metadata.retain_recent();
        }
        let patience = urgency.patience();
        tokio::time::timeout(patience, self.metadata.until_key_ready(subject)).await.map_err(|_elapsed| patience)
    }

    /// Clerk said that it wants to be left alone: that holds for all calls, not for one.
    pub(super) fn hold(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut paused = self.paused_until.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if paused.is_none_or(|earlier| earlier < until) {
            *paused = Some(until);
        }
    }

    fn pause(&self) -> Option<Duration> {
        let paused = *self.paused_until.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let left = paused?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}

/// `steady` per cent of the budget flow evenly over the window, `burst` per cent may come at once.
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
    fn a_burst_and_the_flow_of_a_window_stay_within_the_budget() {
        for budget in [1, 10, 100, 1_000, 5_000] {
            let quota = quota(NonZeroU32::new(budget).unwrap(), 80, 20);
            let flow = 10_000_000_000 / quota.replenish_interval().as_nanos();
            let most = u128::from(quota.burst_size().get()) + flow;
            assert!(most <= u128::from(budget.max(2)), "{budget}: {most}");
        }
    }

    #[tokio::test]
    async fn people_find_room_while_bulk_work_waits() {
        let limiter = std::sync::Arc::new(limiter(100));
        let bulk: Vec<_> = (0..40)
            .map(|_| {
                let limiter = limiter.clone();
                tokio::spawn(async move { limiter.turn(Urgency::Bulk).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let started = Instant::now();
        limiter.turn(Urgency::Person).await.unwrap();
        assert!(started.elapsed() < Duration::from_millis(50), "{:?}", started.elapsed());
        assert!(bulk.iter().any(|task| !task.is_finished()), "bulk work was to wait");
        bulk.iter().for_each(tokio::task::JoinHandle::abort);
    }

    #[tokio::test]
    async fn a_long_pause_is_told_at_once_and_a_short_one_is_waited_for() {
        let limiter = limiter(1_000);
        limiter.hold(Duration::from_mins(1));
        assert!(limiter.turn(Urgency::Person).await.unwrap_err() > Duration::from_secs(50));

        let limiter = self::limiter(1_000);
        limiter.hold(Duration::from_millis(80));
        let started = Instant::now();
        limiter.turn(Urgency::Person).await.unwrap();
        assert!(started.elapsed() >= Duration::from_millis(70));
    }
}
