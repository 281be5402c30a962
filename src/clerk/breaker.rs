//! A circuit breaker: while Clerk is down, calls fail at once, which keeps users from waiting and Clerk from
//! being overloaded.
//!
//! After some consecutive failures that mean an outage (no connection, no response in time, 5xx) the breaker
//! opens. Every two seconds one call is let through as a probe. Any response, a refusal too, closes the breaker.
//!
//! Written here because the readiness endpoint and the pages ask whether Clerk is reachable, and because calls
//! that a sign-in depends on bypass the breaker and still report their result to it. The crates for circuit
//! breakers wrap a call as a whole.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Consecutive failures after which the breaker opens.
const FAILURE_THRESHOLD: u32 = 5;
/// How long calls are refused before one is let through as a probe.
const OPEN_FOR: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Calls are let through; this many in a row have failed.
    Closed(u32),
    /// Calls are refused until this time.
    Open(Instant),
    /// Calls are refused while one is probing.
    Probing,
}

/// The call must not be made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BreakerOpen;

/// Permission for one call, which reports the call's result. Dropped without a report, it counts for nothing.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
    reported: bool,
}

impl Breaker {
    pub(super) fn new() -> Self {
        set_gauge(true);
        Self(Mutex::new(State::Closed(0)))
    }

    /// Whether Clerk responded lately, as far as is known.
    pub(super) fn is_closed(&self) -> bool {
        matches!(*self.state(), State::Closed(_))
    }

    /// Returns a permit unless the breaker is open at the time `now`.
    pub(super) fn try_acquire(&self, now: Instant) -> Result<Permit<'_>, BreakerOpen> {
        let mut state = self.state();
        let is_probe = match *state {
            State::Closed(_) => false,
            State::Open(until) if until <= now => true,
            State::Open(_) | State::Probing => return Err(BreakerOpen),
        };
        if is_probe {
            *state = State::Probing;
        }
        Ok(Permit { breaker: self, is_probe, reported: false })
    }

    /// Returns a permit for a call that bypasses the breaker, since a user is waiting for it.
    pub(super) fn force_permit(&self) -> Permit<'_> {
        Permit { breaker: self, is_probe: false, reported: false }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// Reports that Clerk responded, whatever the response was.
    pub(super) fn responded(mut self) {
        self.reported = true;
        let was = std::mem::replace(&mut *self.breaker.state(), State::Closed(0));
        if !matches!(was, State::Closed(_)) {
            tracing::info!("Clerk responds again");
            set_gauge(true);
        }
    }

    /// Reports a failure that means an outage, at the time `now`.
    pub(super) fn failed(mut self, now: Instant) {
        self.reported = true;
        let mut state = self.breaker.state();
        match *state {
            State::Closed(failures) if failures + 1 < FAILURE_THRESHOLD => *state = State::Closed(failures + 1),
            State::Closed(_) => {
                *state = State::Open(now + OPEN_FOR);
                tracing::warn!("Clerk is down; calls fail at once until it responds again");
                set_gauge(false);
            }
            State::Probing if self.is_probe => *state = State::Open(now + OPEN_FOR),
            // The call began before the breaker opened and says nothing new.
            State::Open(_) | State::Probing => {}
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.is_probe && !self.reported {
            // In the past, so that the next call probes.
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

    fn fail(breaker: &Breaker, times: u32, now: Instant) {
        for _ in 0..times {
            breaker.try_acquire(now).expect("calls are let through").failed(now);
        }
    }

    #[test]
    fn consecutive_failures_open_the_breaker_and_a_response_closes_it() {
        let (breaker, now) = (Breaker::new(), Instant::now());
        fail(&breaker, FAILURE_THRESHOLD - 1, now);
        breaker.try_acquire(now).unwrap().responded();
        fail(&breaker, FAILURE_THRESHOLD - 1, now);
        assert!(breaker.is_closed(), "they were not consecutive");
        fail(&breaker, 1, now);
        assert!(!breaker.is_closed());
        let just_before = now + Duration::from_millis(1_999);
        assert_eq!(breaker.try_acquire(just_before).unwrap_err(), BreakerOpen);

        let later = now + OPEN_FOR;
        let probe = breaker.try_acquire(later).unwrap();
        assert_eq!(breaker.try_acquire(later).unwrap_err(), BreakerOpen, "one call probes, not all");
        probe.responded();
        assert!(breaker.is_closed() && breaker.try_acquire(later).is_ok());
    }

    #[test]
    fn failed_or_dropped_probe_leaves_the_breaker_open() {
        let (breaker, now) = (Breaker::new(), Instant::now());
        fail(&breaker, FAILURE_THRESHOLD, now);
        fail(&breaker, 1, now + OPEN_FOR);
        let later = now + OPEN_FOR * 2;
        assert_eq!(breaker.try_acquire(now + Duration::from_millis(3_999)).unwrap_err(), BreakerOpen, "open again");
        drop(breaker.try_acquire(later).unwrap());
        assert!(!breaker.is_closed());
        breaker.try_acquire(later).expect("the next call probes at once").responded();
        assert!(breaker.is_closed());
    }

    #[test]
    fn forced_call_closes_the_breaker_when_clerk_responds() {
        let (breaker, now) = (Breaker::new(), Instant::now());
        fail(&breaker, FAILURE_THRESHOLD, now);
        breaker.force_permit().failed(now);
        assert!(!breaker.is_closed());
        breaker.force_permit().responded();
        assert!(breaker.is_closed() && breaker.try_acquire(now).is_ok());
    }

    #[test]
    fn late_failure_does_not_disturb_the_probe() {
        let (breaker, now) = (Breaker::new(), Instant::now());
        let late = breaker.try_acquire(now).unwrap();
        fail(&breaker, FAILURE_THRESHOLD, now);
        let later = now + OPEN_FOR;
        let probe = breaker.try_acquire(later).unwrap();
        late.failed(later);
        assert_eq!(breaker.try_acquire(later).unwrap_err(), BreakerOpen);
        probe.responded();
        assert!(breaker.is_closed());
    }
}
