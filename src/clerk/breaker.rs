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
const FAILURES: u32 = 5;
/// How long calls are refused before one finds out.
const REST: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Breaker {
    state: Mutex<State>,
    rest: Duration,
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
pub(super) struct Refused;

/// Permission for one call, whose end is to be told. Dropped before, the call told nothing.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
    told: bool,
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self::with_rest(REST)
    }

    fn with_rest(rest: Duration) -> Self {
        show(true);
        Self { state: Mutex::new(State::Closed(0)), rest }
    }

    /// Whether Clerk answers, as far as is known.
    pub(super) fn is_closed(&self) -> bool {
        matches!(*self.state(), State::Closed(_))
    }

    /// Asks whether a call may be made.
    pub(super) fn pass(&self) -> Result<Pass<'_>, Refused> {
        let mut state = self.state();
        let is_probe = match *state {
            State::Closed(_) => false,
            State::Open(until) if until <= Instant::now() => true,
            State::Open(_) | State::Probing => return Err(Refused),
        };
        if is_probe {
            *state = State::Probing;
        }
        Ok(Pass { breaker: self, is_probe, told: false })
    }

    /// For a call that is made in any case, since somebody stands at the door: it finds out as well.
    pub(super) fn pass_anyway(&self) -> Pass<'_> {
        Pass { breaker: self, is_probe: false, told: false }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Clerk answered, whatever it said.
    pub(super) fn answered(mut self) {
        self.told = true;
        let was = std::mem::replace(&mut *self.breaker.state(), State::Closed(0));
        if !matches!(was, State::Closed(_)) {
            tracing::info!("Clerk answers again");
            show(true);
        }
    }

    /// Clerk is down, as this call saw it.
    pub(super) fn failed(mut self) {
        self.told = true;
        let mut state = self.breaker.state();
        match *state {
            State::Closed(failures) if failures + 1 < FAILURES => *state = State::Closed(failures + 1),
            State::Closed(_) => {
                *state = State::Open(Instant::now() + self.breaker.rest);
                tracing::warn!("Clerk is down; calls are refused at once until it answers again");
                show(false);
            }
            State::Probing if self.is_probe => *state = State::Open(Instant::now() + self.breaker.rest),
            // One that began before the others were refused tells nothing new.
            State::Open(_) | State::Probing => {}
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_probe && !self.told {
            *self.breaker.state() = State::Open(Instant::now());
        }
    }
}

fn show(reachable: bool) {
    metrics::gauge!("lethe_clerk_reachable").set(if reachable { 1.0 } else { 0.0 });
}

#[cfg(test)]
mod tests {
    use super::*;

    const A_MOMENT: Duration = Duration::from_millis(50);

    fn fail(breaker: &Breaker, times: u32) {
        for _ in 0..times {
            breaker.pass().expect("calls go through").failed();
        }
    }

    #[tokio::test]
    async fn failures_in_a_row_open_it_and_one_answer_closes_it() {
        let breaker = Breaker::with_rest(A_MOMENT);
        fail(&breaker, FAILURES - 1);
        breaker.pass().unwrap().answered();
        fail(&breaker, FAILURES - 1);
        assert!(breaker.is_closed(), "they were not in a row");
        fail(&breaker, 1);
        assert!(!breaker.is_closed());
        assert_eq!(breaker.pass().unwrap_err(), Refused);

        tokio::time::sleep(A_MOMENT * 2).await;
        let probe = breaker.pass().unwrap();
        assert_eq!(breaker.pass().unwrap_err(), Refused, "one finds out, not all");
        probe.answered();
        assert!(breaker.is_closed() && breaker.pass().is_ok());
    }

    #[tokio::test]
    async fn a_probe_that_fails_or_is_given_up_leaves_it_open() {
        let breaker = Breaker::with_rest(A_MOMENT);
        fail(&breaker, FAILURES);
        tokio::time::sleep(A_MOMENT * 2).await;
        fail(&breaker, 1);
        assert_eq!(breaker.pass().unwrap_err(), Refused, "it rests again");
        tokio::time::sleep(A_MOMENT * 2).await;
        drop(breaker.pass().unwrap());
        assert!(!breaker.is_closed());
        breaker.pass().expect("the next one finds out at once").answered();
        assert!(breaker.is_closed());
    }

    #[tokio::test]
    async fn a_call_that_is_made_in_any_case_finds_out_too() {
        let breaker = Breaker::with_rest(Duration::from_hours(1));
        fail(&breaker, FAILURES);
        breaker.pass_anyway().failed();
        assert!(!breaker.is_closed());
        breaker.pass_anyway().answered();
        assert!(breaker.is_closed() && breaker.pass().is_ok());
    }

    #[tokio::test]
    async fn a_late_failure_does_not_disturb_the_one_that_finds_out() {
        let breaker = Breaker::with_rest(A_MOMENT);
        let late = breaker.pass().unwrap();
        fail(&breaker, FAILURES);
        tokio::time::sleep(A_MOMENT * 2).await;
        let probe = breaker.pass().unwrap();
        late.failed();
        assert_eq!(breaker.pass().unwrap_err(), Refused);
        probe.answered();
        assert!(breaker.is_closed());
    }
}
