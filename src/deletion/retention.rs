//! Retention: deletes what a deletion left behind for a time, when that time is over.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::alert::{self, Repeat, Topic};
use super::failure::Failure;
use super::misfit::map_error;
use super::notice::SendRetentionAlert;
use super::purge::purge;
use crate::audit::{self, AuditEvent};
use crate::identifiers::Identifiers;
use crate::ids::ClerkUserId;
use crate::platform::connection::TimeLimits;
use crate::platform::queue::Job;
use crate::{Error, Lethe, Result, data_map, error_chain, map_alert};

/// Operators are alerted when an entry has failed this many times.
const ATTEMPTS_BEFORE_ALERT: i32 = 3;
/// The longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_hours(24);

/// What one run deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Expired retention periods: each is one table of one person.
    pub expired: u64,
    /// Deleted rows.
    pub rows: u64,
    /// Entries that failed. Each is retried by itself.
    pub failed: u64,
}

/// A retention period that has expired.
struct DueRetention {
    id: i64,
    request: Uuid,
    table: String,
    subject: ClerkUserId,
    attempts: i32,
}

/// Deletes the rows of every expired retention period, each in a transaction of its own. One that fails holds up no
/// other: it is tried again after a pause, and operators are alerted.
#[tracing::instrument(skip_all)]
pub async fn purge_expired(lethe: &Lethe) -> Result<Purged> {
    let mut purged = Purged::default();
    while let Some(due) = next_expired(lethe).await? {
        match purge_one(lethe, &due).await {
            Ok(rows) => {
                purged.rows += rows;
                purged.expired += 1;
            }
            Err(error) => {
                record_failure(lethe, &due, &error).await?;
                purged.failed += 1;
            }
        }
    }
    Ok(purged)
}

/// The job that purges at once what a retry made due.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RetryPurges {
    pub(crate) request: Uuid,
}

impl Job for RetryPurges {
    const NAME: &'static str = "retry_purges";

    fn id(&self) -> Uuid {
        self.request
    }
}

/// Purges everything that is due. Not only what the job is about: purges have an order, which their due times keep.
pub(crate) async fn purge_by_job(lethe: &Lethe, _job: RetryPurges) -> Result<()> {
    purge_expired(lethe).await.map(drop)
}

/// Returns the oldest one whose attempt is due. Children come before their parents, because they were stored in that
/// order.
async fn next_expired(lethe: &Lethe) -> Result<Option<DueRetention>> {
    let row = sqlx::query!(
        r#"select id, request_id, table_name, clerk_id as "clerk_id!", attempts from lethe.retention
        where finished_at is null and due_at <= now() and (next_attempt_at is null or next_attempt_at <= now())
        order by due_at, id limit 1"#,
    )
    .fetch_optional(&lethe.database)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let subject =
        ClerkUserId::parse(&row.clerk_id).map_err(|_| Error::Internal("invalid Clerk user id in the database"))?;
    let (request, table, attempts) = (row.request_id, row.table_name, row.attempts);
    Ok(Some(DueRetention { id: row.id, request, table, subject, attempts }))
}

#[tracing::instrument(name = "purge", skip_all, fields(request = %due.request, table = due.table))]
async fn purge_one(lethe: &Lethe, due: &DueRetention) -> Result<u64> {
    let mut transaction = TimeLimits::ERASURE.begin(&lethe.database).await?;
    let unfinished =
        sqlx::query!("select from lethe.retention where id = $1 and finished_at is null for update", due.id)
            .fetch_optional(&mut *transaction)
            .await?;
    if unfinished.is_none() {
        return Ok(0);
    }
    let rows = if table_exists(&mut transaction, &due.table).await? {
        let resolved = data_map::resolve(&lethe.data_map, &mut transaction).await?;
        purge(&resolved, &mut transaction, &due.table, &Identifiers::from(&due.subject)).await?
    } else {
        // The application dropped it, and the rows with it.
        0
    };
    sqlx::query!(
        "update lethe.retention set finished_at = $2, clerk_id = null, rows_erased = $3, failure = null where id = $1",
        due.id,
        lethe.clock.now(),
        i64::try_from(rows).unwrap_or(i64::MAX),
    )
    .execute(&mut *transaction)
    .await?;
    alert::clear(&mut transaction, Topic::Purge, &due.id.to_string()).await?;
    let ended = AuditEvent::RetentionEnded { request: due.request, rows, table: due.table.clone() };
    audit::append(lethe, &mut transaction, None, ended).await?;
    transaction.commit().await?;
    Ok(rows)
}

async fn table_exists(connection: &mut PgConnection, table: &str) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (
            select from pg_class class join pg_namespace namespace on namespace.oid = class.relnamespace
            where namespace.nspname || '.' || class.relname = $1
        ) as "exists!""#,
        table,
    )
    .fetch_one(connection)
    .await?)
}

/// Schedules the next attempt, with a pause that grows, and alerts operators after some.
async fn record_failure(lethe: &Lethe, due: &DueRetention, error: &Error) -> Result<()> {
    let attempts = due.attempts + 1;
    tracing::warn!(
        request = %due.request, table = due.table, attempts, error = error_chain(error),
        "a purge failed; it will be retried"
    );
    metrics::counter!("lethe_purges_failed_total").increment(1);
    let doublings = u32::try_from(attempts.clamp(1, 10) - 1).unwrap_or_default();
    let pause = (Duration::from_mins(10) * (1 << doublings)).min(MAX_PAUSE);
    let map_error = map_error(lethe, error).await?;
    let mut transaction = lethe.database.begin().await?;
    let needs_alert = sqlx::query_scalar!(
        r#"update lethe.retention
        set attempts = $2::int4, next_attempt_at = now() + make_interval(secs => $3), failure = $4,
            attention_since = case when $2::int4 >= $5::int4 then coalesce(attention_since, now()) end
        where id = $1 and finished_at is null
        returning attention_since is not null as "needs_alert!""#,
        due.id,
        attempts,
        pause.as_secs_f64(),
        Failure::of(error).name(),
        ATTEMPTS_BEFORE_ALERT,
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let reference = due.id.to_string();
    let cause = Failure::of(error).name();
    // One alert about the map, and not one for each purge that waits for it.
    if let Some(error) = map_error {
        map_alert::report(lethe, &mut transaction, error).await?;
    } else if needs_alert == Some(true)
        && alert::is_due(lethe, &mut transaction, Topic::Purge, &reference, cause, Repeat::Growing).await?
    {
        lethe.queue().enqueue(&mut transaction, SendRetentionAlert { request: due.request }).await?;
    }
    transaction.commit().await?;
    Ok(())
}
