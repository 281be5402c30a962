//! Notices that Clerk is down, so that nobody waits for what won't come and nobody makes it worse.
//!
//! After a few failures in a row that only mean "down" (no connection, no answer in time, 5xx), calls
//! are refused at once, without connecting. Every two seconds one call goes through and finds out. An
//! answer of any other kind, a refusal too, says that Clerk is there.
//!
//! Sixty lines of our own: the crates for it wrap one call each and can't be asked how things stand,
//! which readiness and pages want to know.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row after which Clerk is taken for down.
const FAILURE_THRESHOLD: u32 = 5;
/// How long calls are refused before one finds out.
const OPEN_FOR: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Breaker {
    state: Mutex<State>,
    open_for: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Calls go through; so many in a row have failed.
    Closed(u32),
    /// Calls are refused until then.
    Open(Instant),
    /// Calls are refused; one is on its way to find out.
    Probing,
}

/// The call isn't to be made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BreakerOpen;

/// Permission for one call, whose end is to be told. Dropped before, the call told nothing.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
    reported: bool,
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self::with_open_for(OPEN_FOR)
    }

    fn with_open_for(open_for: Duration) -> Self {
        set_gauge(true);
        Self { state: Mutex::new(State::Closed(0)), open_for }
    }

    /// Whether Clerk answers, as far as is known.
    pub(super) fn is_closed(&self) -> bool {
        matches!(*self.state(), State::Closed(_))
    }

    /// Asks whether a call may be made.
    pub(super) fn try_acquire(&self) -> Result<Permit<'_>, BreakerOpen> {
        let mut state = self.state();
        let is_probe = match *state {
            State::Closed(_) => false,
            State::Open(until) if until <= Instant::now() => true,
            State::Open(_) | State::Probing => return Err(BreakerOpen),
        };
        if is_probe {
            *state = State::Probing;
        }
        Ok(Permit { breaker: self, is_probe, reported: false })
    }

    /// For a call that is made in any case, since somebody stands at the door: it finds out as well.
    pub(super) fn force_permit(&self) -> Permit<'_> {
        Permit { breaker: self, is_probe: false, reported: false }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// Clerk answered, whatever it said.
    pub(super) fn responded(mut self) {
        self.reported = true;
        let was = std::mem::replace(&mut *self.breaker.state(), State::Closed(0));
        if !matches!(was, State::Closed(_)) {
            tracing::info!("Clerk answers again");
            set_gauge(true);
        }
    }

    /// Clerk is down, as this call saw it.
    pub(super) fn failed(mut self) {
        self.reported = true;
        let mut state = self.breaker.state();
        match *state {
            State::Closed(failures) if failures + 1 < FAILURE_THRESHOLD => *state = State::Closed(failures + 1),
            State::Closed(_) => {
                *state = State::Open(Instant::now() + self.breaker.open_for);
                tracing::warn!("Clerk is down; calls are refused at once until it answers again");
                set_gauge(false);
            }
            State::Probing if self.is_probe => *state = State::Open(Instant::now() + self.breaker.open_for),
            // One that began before the others were refused tells nothing new.
            State::Open(_) | State::Probing => {}
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.is_probe && !self.reported {
            *self.breaker.state() = State::Open(Instant::now());
        }
    }
}

fn set_gauge(reachable: bool) {
    metrics::gauge!("lethe_clerk_reachable").set(if reachable { 1.0 } else { 0.0 });
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    fn fail(breaker: &Breaker, times: u32) {
        for _ in 0..times {
            breaker.try_acquire().expect("calls go through").failed();
        }
    }

    #[tokio::test]
    async fn consecutive_failures_open_the_breaker_and_a_response_closes_it() {
        let breaker = Breaker::with_open_for(SHORT);
        fail(&breaker, FAILURE_THRESHOLD - 1);
        breaker.try_acquire().unwrap().responded();
        fail(&breaker, FAILURE_THRESHOLD - 1);
        assert!(breaker.is_closed(), "they were not in a row");
        fail(&breaker, 1);
        assert!(!breaker.is_closed());
        assert_eq!(breaker.try_acquire().unwrap_err(), BreakerOpen);

        tokio::time::sleep(SHORT * 2).await;
        let probe = breaker.try_acquire().unwrap();
        assert_eq!(breaker.try_acquire().unwrap_err(), BreakerOpen, "one finds out, not all");
        probe.responded();
        assert!(breaker.is_closed() && breaker.try_acquire().is_ok());
    }

    #[tokio::test]
    async fn failed_or_dropped_probe_leaves_the_breaker_open() {
        let breaker = Breaker::with_open_for(SHORT);
        fail(&breaker, FAILURE_THRESHOLD);
        tokio::time::sleep(SHORT * 2).await;
        fail(&breaker, 1);
        assert_eq!(breaker.try_acquire().unwrap_err(), BreakerOpen, "it rests again");
        tokio::time::sleep(SHORT * 2).await;
        drop(breaker.try_acquire().unwrap());
        assert!(!breaker.is_closed());
        breaker.try_acquire().expect("the next one finds out at once").responded();
        assert!(breaker.is_closed());
    }

    #[tokio::test]
    async fn forced_call_closes_the_breaker_when_clerk_responds() {
        let breaker = Breaker::with_open_for(Duration::from_hours(1));
        fail(&breaker, FAILURE_THRESHOLD);
        breaker.force_permit().failed();
        assert!(!breaker.is_closed());
        breaker.force_permit().responded();
        assert!(breaker.is_closed() && breaker.try_acquire().is_ok());
    }

    #[tokio::test]
    async fn late_failure_does_not_disturb_the_probe() {
        let breaker = Breaker::with_open_for(SHORT);
        let late = breaker.try_acquire().unwrap();
        fail(&breaker, FAILURE_THRESHOLD);
        tokio::time::sleep(SHORT * 2).await;
        let probe = breaker.try_acquire().unwrap();
        late.failed();
        assert_eq!(breaker.try_acquire().unwrap_err(), BreakerOpen);
        probe.responded();
        assert!(breaker.is_closed());
    }
}
