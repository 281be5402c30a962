//! How long a failed step waits for its next attempt.

use std::time::Duration;

use super::failure::Failure;

/// The longest delay between two attempts.
const MAX_DELAY: Duration = Duration::from_mins(15);
/// The delay while a privilege is missing: once it is granted, nobody should have to do more.
const DELAY_WITHOUT_PRIVILEGE: Duration = Duration::from_mins(1);
/// The longest delay after another transaction held a lock.
const MAX_DELAY_WHILE_LOCKED: Duration = Duration::from_secs(30);

/// Returns one second, doubled with each attempt, 15 minutes at most, or half a minute for locks. Jitter adds up to a
/// quarter, so that many deletions don't retry at the same moment. A blocked step always waits for the longest delay, or for a
/// minute where a privilege is missing.
pub(super) fn retry_delay(attempt: i32, failure: Failure, jitter: u8) -> Duration {
    if failure == Failure::MissingPrivilege {
        return DELAY_WITHOUT_PRIVILEGE;
    }
    if failure.is_blocking() {
        return MAX_DELAY;
    }
    let longest = if failure == Failure::Locked { MAX_DELAY_WHILE_LOCKED } else { MAX_DELAY };
    let doublings = u32::try_from(attempt.clamp(1, 12) - 1).unwrap_or_default();
    let delay = Duration::from_secs(1 << doublings).min(longest);
    delay + delay.mul_f64(f64::from(jitter) / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delay_doubles_up_to_a_quarter_of_an_hour() {
        let seconds: Vec<_> =
            [1, 2, 3, 5, 10, 11, 1_000_000].map(|attempt| retry_delay(attempt, Failure::Clerk, 0).as_secs()).into();
        assert_eq!(seconds, [1, 2, 4, 16, 512, 900, 900]);
    }

    #[test]
    fn delay_of_a_blocked_step_is_the_longest() {
        assert_eq!(retry_delay(1, Failure::PlanChanged, 255), MAX_DELAY);
        assert_eq!(retry_delay(50, Failure::MissingPrivilege, 255), DELAY_WITHOUT_PRIVILEGE);
    }

    #[test]
    fn delay_of_a_locked_step_is_short() {
        assert_eq!(retry_delay(50, Failure::Locked, 0), MAX_DELAY_WHILE_LOCKED);
    }

    #[test]
    fn jitter_adds_at_most_a_quarter() {
        assert!(retry_delay(3, Failure::Clerk, 255) < Duration::from_secs(5));
    }
}
