//! Decides which pooled connections are checked before they are used, and which are replaced.
//!
//! A session that was opened while the server took no changes goes on refusing them when others are taken again, and one of a
//! server that became a standby leads to the wrong server. Checks find both, also on connections that are never idle.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use sqlx::pool::PoolConnectionMetadata;

/// How long a connection may be idle before it is checked, which costs a round trip.
const UNCHECKED_IDLE_TIME: Duration = Duration::from_millis(500);
/// Of connections that aren't idle, one is checked after each interval.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);
/// After a session refused changes, every connection is checked for as long as this.
const ALERT_TIME: Duration = Duration::from_secs(10);
/// A session that refuses changes is used for as long as this, so that a standby isn't flooded with connections.
const MIN_AGE_OF_REPLACED: Duration = Duration::from_secs(2);

/// The checks of one pool.
#[derive(Debug, Default)]
pub(super) struct SessionCheck(Mutex<LatestChecks>);

#[derive(Clone, Copy, Debug, Default)]
struct LatestChecks {
    any: Option<Instant>,
    read_only: Option<Instant>,
}

impl SessionCheck {
    /// Whether the connection can be used. An error means that it is broken.
    pub(super) async fn accepts(
        &self,
        connection: &mut PgConnection,
        usage: PoolConnectionMetadata,
    ) -> Result<bool, sqlx::Error> {
        if !self.is_due(usage.idle_for, Instant::now()) {
            return Ok(true);
        }
        let is_read_only: bool =
            sqlx::query_scalar("select current_setting('transaction_read_only') = 'on'").fetch_one(connection).await?;
        if is_read_only {
            self.latest(|latest| latest.read_only = Some(Instant::now()));
        }
        Ok(!is_read_only || usage.age < MIN_AGE_OF_REPLACED)
    }

    fn is_due(&self, idle_for: Duration, now: Instant) -> bool {
        let is_over = |since: Option<Instant>, time| since.is_none_or(|since| now.duration_since(since) >= time);
        self.latest(|latest| {
            let is_due = idle_for >= UNCHECKED_IDLE_TIME
                || is_over(latest.any, CHECK_INTERVAL)
                || !is_over(latest.read_only, ALERT_TIME);
            if is_due {
                latest.any = Some(now);
            }
            is_due
        })
    }

    fn latest<T>(&self, with: impl FnOnce(&mut LatestChecks) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_connections_are_checked_now_and_then_and_all_of_them_after_a_refusal() {
        let check = SessionCheck::default();
        let start = Instant::now();
        let is_due = |idle, after| check.is_due(Duration::from_millis(idle), start + Duration::from_millis(after));
        assert!(is_due(0, 0), "the first");
        assert!(!is_due(1, 100));
        assert!(is_due(500, 110), "an idle one");
        assert!(!is_due(1, 300));
        assert!(is_due(1, 360), "one in each interval");
        check.latest(|latest| latest.read_only = Some(start + Duration::from_millis(360)));
        assert!(is_due(1, 361) && is_due(1, 10_000));
        assert!(is_due(1, 11_000) && !is_due(1, 11_001));
    }
}
