//! Watches when deletions must be completed (GDPR 12(3)), and says how things stand in numbers.

use sqlx::PgConnection;
use time::Duration;
use uuid::Uuid;

use super::alert::{self, Repeat, Topic};
use super::clerk_events;
use super::operator_notice::{Notice, send_later};
use super::wake::AdvanceDeletion;
use crate::platform::queue::{self, Job as _};
use crate::{Lethe, Result};

/// How long before the due date operators are alerted.
const NOTICE_PERIOD: Duration = Duration::days(7);
/// How long before the due date they are alerted again.
const LAST_DAY: Duration = Duration::days(1);
/// A job that has failed so often waits since an hour: the queue doubles its pauses and more.
const ATTEMPTS_OF_AN_HOUR: i32 = 8;
/// How late a purge or a recheck may be before it counts as overdue: purges start every hour.
const GRACE_PERIOD: Duration = Duration::hours(2);

/// Alerts operators to deletions that are due within seven days, within a day, and overdue: at once for each, and again while
/// a deletion is overdue. Also alerts them again to events that wait for them. Returns how many deletions are new in the
/// e-mail.
#[tracing::instrument(skip_all)]
pub async fn watch_due_dates(lethe: &Lethe) -> Result<u64> {
    let now = lethe.clock.now();
    let mut transaction = lethe.database.begin().await?;
    let due = sqlx::query!(
        "select id, due_at from lethe.deletion_request where finished_at is null and due_at <= $1",
        now + NOTICE_PERIOD,
    )
    .fetch_all(&mut *transaction)
    .await?;
    let mut reported = 0;
    for request in due {
        let (cause, repeat) = match request.due_at - now {
            left if left.is_negative() => ("overdue", Repeat::Growing),
            left if left <= LAST_DAY => ("due_within_a_day", Repeat::Never),
            _ => ("due_within_seven_days", Repeat::Never),
        };
        let reference = request.id.to_string();
        if alert::is_due(lethe, &mut transaction, Topic::DueDate, &reference, cause, repeat).await? {
            reported += 1;
        }
    }
    if reported > 0 {
        send_later(lethe, &mut transaction, Notice::DueDates).await?;
    }
    if clerk_events::waiting(lethe).await? > 0 {
        clerk_events::alert(lethe, &mut transaction).await?;
    }
    watch_jobs(lethe, &mut transaction).await?;
    transaction.commit().await?;
    Ok(reported)
}

/// Alerts operators to jobs that keep failing: receipts that no mail server takes, consent that Clerk refuses.
async fn watch_jobs(lethe: &Lethe, connection: &mut PgConnection) -> Result<()> {
    for (name, jobs) in queue::failing(connection, ATTEMPTS_OF_AN_HOUR).await? {
        // Deletions have alerts of their own.
        if name != AdvanceDeletion::NAME
            && alert::is_due(lethe, connection, Topic::Jobs, &name, "failing", Repeat::Growing).await?
        {
            send_later(lethe, connection, Notice::JobsFailing { name, jobs }).await?;
        }
    }
    Ok(())
}

/// Deletions that must be completed soon.
#[derive(Clone, Copy)]
pub(super) struct Soonest {
    pub(super) overdue: i64,
    pub(super) within_a_day: i64,
    pub(super) within_seven_days: i64,
    /// The first.
    pub(super) earliest: Uuid,
}

/// Returns `None` if no deletion is due within seven days.
pub(super) async fn soonest(lethe: &Lethe) -> Result<Option<Soonest>> {
    let now = lethe.clock.now();
    let row = sqlx::query!(
        r#"select count(*) filter (where due_at < $1) as "overdue!",
            count(*) filter (where due_at >= $1 and due_at <= $2) as "within_a_day!",
            count(*) filter (where due_at > $2) as "within_seven_days!",
            (array_agg(id order by due_at))[1] as earliest
        from lethe.deletion_request where finished_at is null and due_at <= $3"#,
        now,
        now + LAST_DAY,
        now + NOTICE_PERIOD,
    )
    .fetch_one(&lethe.database)
    .await?;
    Ok(row.earliest.map(|earliest| Soonest {
        overdue: row.overdue,
        within_a_day: row.within_a_day,
        within_seven_days: row.within_seven_days,
        earliest,
    }))
}

/// How things stand, for monitoring. Ages are in seconds and 0 where there is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Deletions that aren't completed.
    pub open: i64,
    /// Those of them that operators were alerted to.
    pub attention: i64,
    /// Those of them whose due date has passed.
    pub overdue: i64,
    /// The age of the oldest of them.
    pub oldest_seconds: f64,
    /// Purges and rechecks that should have been done two hours ago.
    pub late_purges: i64,
    /// Events of Clerk that wait for an operator.
    pub waiting_clerk_events: i64,
    /// The age of the oldest audit entry that isn't part of the chain.
    pub unsealed_seconds: f64,
}

/// Returns how things stand.
pub async fn figures(lethe: &Lethe) -> Result<Figures> {
    let now = lethe.clock.now();
    let figures = sqlx::query_as!(
        Figures,
        r#"select open.*,
            (select count(*) from lethe.retention where finished_at is null and due_at < $2)
                + (select count(*) from lethe.recheck where finished_at is null and due_at < $2) as "late_purges!",
            (select count(*) from lethe.held_clerk_event) as "waiting_clerk_events!",
            coalesce(extract(epoch from $1 - (
                select recorded_at from lethe.audit_entry
                where id = (select min(entry_id) from lethe.audit_pending)
            ))::float8, 0) as "unsealed_seconds!"
        from (
            select count(*) as "open!", count(*) filter (where attention_since is not null) as "attention!",
                count(*) filter (where due_at < $1) as "overdue!",
                coalesce(extract(epoch from $1 - min(requested_at))::float8, 0) as "oldest_seconds!"
            from lethe.deletion_request where finished_at is null
        ) open"#,
        now,
        now - GRACE_PERIOD,
    )
    .fetch_one(&lethe.database)
    .await?;
    Ok(figures)
}
