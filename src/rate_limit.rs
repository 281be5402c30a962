//! How often a user may do what is expensive. Counted in the database, so that several processes share one count.
//!
//! What is limited needs the database itself, so a count that can't be taken refuses it like every other failure of the
//! database does.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::{ClerkUserId, Error, Lethe, Result};

/// A limit for each user: so many at once, and as many again in each period (GCRA).
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    action: &'static str,
    interval: Duration,
    burst: NonZeroU32,
}

impl RateLimit {
    /// At most `count` in an hour. `action` is the counter's name.
    #[must_use]
    pub fn per_hour(action: &'static str, count: NonZeroU32) -> Self {
        Self { action, interval: Duration::from_hours(1) / count.get(), burst: count }
    }

    /// At most `count` in a minute. `action` is the counter's name.
    #[must_use]
    pub fn per_minute(action: &'static str, count: NonZeroU32) -> Self {
        Self { action, interval: Duration::from_mins(1) / count.get(), burst: count }
    }

    /// Counts one for `subject`, or fails with [`Error::RateLimited`] and counts nothing.
    pub async fn check(&self, lethe: &Lethe, subject: &ClerkUserId) -> Result<()> {
        let interval = self.interval.as_secs_f64();
        // Half an interval is left for the rounding of times to microseconds.
        let tolerance = (f64::from(self.burst.get()) - 0.5) * interval;
        let user_handle = lethe.keys.user_handle(subject);
        let counted = sqlx::query!(
            r#"with counted as (
                insert into lethe.rate_limit as stored (action, user_handle, used_until)
                values ($1, $2, now() + make_interval(secs => $3))
                on conflict (action, user_handle) do update
                set used_until = greatest(stored.used_until, now()) + make_interval(secs => $3)
                where stored.used_until <= now() + make_interval(secs => $4)
                returning true
            )
            select exists (select from counted) as "is_within!",
                (select extract(epoch from used_until - now())::float8 from lethe.rate_limit
                where action = $1 and user_handle = $2) as used_for"#,
            self.action,
            user_handle.as_str(),
            interval,
            tolerance,
        )
        .fetch_one(&lethe.database)
        .await?;
        if counted.is_within {
            return Ok(());
        }
        let wait = counted.used_for.unwrap_or_default() - tolerance;
        Err(Error::RateLimited(Duration::try_from_secs_f64(wait.max(0.0)).unwrap_or(self.interval)))
    }
}

impl RateLimit {
    /// Takes back one that [`RateLimit::check`] counted, because the fault was the server's.
    pub async fn give_back(&self, lethe: &Lethe, subject: &ClerkUserId) -> Result<()> {
        let user_handle = lethe.keys.user_handle(subject);
        sqlx::query!(
            "update lethe.rate_limit set used_until = used_until - make_interval(secs => $3)
            where action = $1 and user_handle = $2",
            self.action,
            user_handle.as_str(),
            self.interval.as_secs_f64(),
        )
        .execute(&lethe.database)
        .await?;
        Ok(())
    }
}

/// Deletes counters that say nothing any more, the leases of exports whose process died, ended sessions whose tokens have
/// all expired, and idempotency keys of requests that can't arrive any more.
pub async fn remove_idle(lethe: &Lethe) -> Result<()> {
    sqlx::query!(
        "with idle as (delete from lethe.rate_limit where used_until < now()),
            expired as (delete from lethe.ended_session where ended_at < now() - interval '1 hour'),
            forgotten as (delete from lethe.invalid_idempotency_key where invalidated_at < now() - interval '1 day')
        delete from lethe.running_export where expires_at < now()"
    )
    .execute(&lethe.database)
    .await?;
    Ok(())
}
