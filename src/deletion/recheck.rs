//! Rechecks: after a deletion is completed, its data is looked for again, since a token that outlives the account by a
//! minute, or a job of the application that was running, can write a row late. What is found is erased by the same rules.
//!
//! Until the last recheck the Clerk user id and the addresses are stored, encrypted, beside the id of the deletion. They lead to the
//! receipt, but not to what the person chose and did.

use std::time::Duration;

use sqlx::PgTransaction;
use time::OffsetDateTime;
use uuid::Uuid;

use super::alert::{self, Repeat, Topic};
use super::failure::Failure;
use super::late_rows::erase_late;
use super::misfit::map_error;
use super::notice::SendRetentionAlert;
use crate::audit::{self, AuditEvent};
use crate::identifiers::Identifiers;
use crate::platform::connection::TimeLimits;
use crate::{Error, Lethe, Result, error_chain, map_alert};

/// When the data is looked for again, counted from the completion: after the longest life of a session token, a minute and
/// the leeway of five seconds for clocks, and when the application's background jobs have ended too.
const DELAYS: [Duration; 2] = [Duration::from_secs(65), Duration::from_hours(24)];
/// Operators are alerted when a recheck has failed this many times.
const ATTEMPTS_BEFORE_ALERT: i32 = 3;
/// The longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_hours(1);

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rechecked {
    /// Rechecks that were done.
    pub done: u64,
    /// Rows that had been written late and were erased.
    pub rows: u64,
    /// Rechecks that failed. Each is retried by itself.
    pub failed: u64,
}

/// One recheck as the receipt shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recheck {
    /// When it is due.
    pub due_at: OffsetDateTime,
    /// When it was done.
    pub finished_at: Option<OffsetDateTime>,
    /// How many rows were found and erased.
    pub rows_erased: u64,
}

/// A recheck that is due.
struct DueRecheck {
    request: Uuid,
    position: i16,
    attempts: i32,
}

/// Stores when the data of a completed deletion is looked for again.
pub(super) async fn schedule(
    lethe: &Lethe,
    transaction: &mut PgTransaction<'_>,
    request: Uuid,
    subject: &Identifiers,
) -> Result<()> {
    for (position, delay) in (0_i16..).zip(DELAYS) {
        sqlx::query!(
            "insert into lethe.recheck (request_id, position, clerk_id, due_at)
            values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))
            on conflict on constraint recheck_pkey do nothing",
            request,
            position,
            lethe.keys.seal_identifiers(request, subject, &lethe.random),
            delay.as_secs_f64(),
        )
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

/// Returns the rechecks of a deletion, in their order.
pub(super) async fn rechecks_of(lethe: &Lethe, request: Uuid) -> Result<Vec<Recheck>> {
    let rows = sqlx::query!(
        "select due_at, finished_at, rows_erased from lethe.recheck where request_id = $1 order by position",
        request,
    )
    .fetch_all(&lethe.database)
    .await?;
    let recheck = rows.into_iter().map(|row| Recheck {
        due_at: row.due_at,
        finished_at: row.finished_at,
        rows_erased: row.rows_erased.unwrap_or_default().unsigned_abs(),
    });
    Ok(recheck.collect())
}

/// Looks again for the data of every deletion whose recheck is due, each in a transaction of its own. One that fails holds up
/// no other: it is tried again after a pause, and operators are alerted.
#[tracing::instrument(skip_all)]
pub async fn recheck_due(lethe: &Lethe) -> Result<Rechecked> {
    let mut rechecked = Rechecked::default();
    loop {
        let mut transaction = TimeLimits::ERASURE.begin(&lethe.database).await?;
        let Some((due, clerk_id)) = next_due(&mut transaction).await? else { return Ok(rechecked) };
        match recheck_one(lethe, transaction, &due, &clerk_id).await {
            Ok(rows) => {
                rechecked.done += 1;
                rechecked.rows += rows;
            }
            Err(error) => {
                record_failure(lethe, &due, &error).await?;
                rechecked.failed += 1;
            }
        }
    }
}

/// Locks the oldest one whose attempt is due. Those that another process works on are left out.
async fn next_due(transaction: &mut PgTransaction<'_>) -> Result<Option<(DueRecheck, Vec<u8>)>> {
    let row = sqlx::query!(
        r#"select request_id, position, clerk_id as "clerk_id!", attempts from lethe.recheck
        where finished_at is null and due_at <= now() and (next_attempt_at is null or next_attempt_at <= now())
        order by due_at, request_id limit 1 for update skip locked"#,
    )
    .fetch_optional(&mut **transaction)
    .await?;
    let due = row.map(|row| {
        (DueRecheck { request: row.request_id, position: row.position, attempts: row.attempts }, row.clerk_id)
    });
    Ok(due)
}

#[tracing::instrument(name = "recheck", skip_all, fields(request = %due.request))]
async fn recheck_one(
    lethe: &Lethe,
    mut transaction: PgTransaction<'_>,
    due: &DueRecheck,
    clerk_id: &[u8],
) -> Result<u64> {
    let subject = lethe.keys.open_identifiers(due.request, clerk_id);
    let subject = subject.ok_or(Error::Internal("sealed identifiers can't be opened with the configured secrets"))?;
    let rows = erase_late(lethe, &mut transaction, due.request, &subject).await?;
    sqlx::query!(
        "update lethe.recheck
        set finished_at = $3, clerk_id = null, rows_erased = $4, failure = null, attention_since = null
        where request_id = $1 and position = $2",
        due.request,
        due.position,
        lethe.clock.now(),
        i64::try_from(rows).unwrap_or(i64::MAX),
    )
    .execute(&mut *transaction)
    .await?;
    alert::clear(&mut transaction, Topic::Recheck, &due.request.to_string()).await?;
    let rechecked = AuditEvent::DeletionRechecked { request: due.request, rows };
    audit::append(lethe, &mut transaction, None, rechecked).await?;
    transaction.commit().await?;
    metrics::counter!("lethe_late_rows_total").increment(rows);
    Ok(rows)
}

/// Records a failed attempt and when the next one is.
async fn record_failure(lethe: &Lethe, due: &DueRecheck, error: &Error) -> Result<()> {
    let (failure, attempts) = (Failure::of(error), due.attempts.saturating_add(1));
    tracing::warn!(
        request = %due.request, attempts, error = error_chain(error),
        "a recheck failed; it will be retried"
    );
    let doublings = u32::try_from(attempts.clamp(1, 7) - 1).unwrap_or_default();
    let pause = (Duration::from_mins(1) * (1 << doublings)).min(MAX_PAUSE);
    let needs_attention = failure.is_blocking() || attempts >= ATTEMPTS_BEFORE_ALERT;
    let map_error = map_error(lethe, error).await?;
    let mut transaction = lethe.database.begin().await?;
    let recorded = sqlx::query!(
        "update lethe.recheck set attempts = $3, next_attempt_at = now() + make_interval(secs => $4), failure = $5,
            attention_since = case when $6 then coalesce(attention_since, now()) end
        where request_id = $1 and position = $2 and finished_at is null and attempts = $3 - 1",
        due.request,
        due.position,
        attempts,
        pause.as_secs_f64(),
        failure.name(),
        needs_attention,
    )
    .execute(&mut *transaction)
    .await?;
    let is_recorded = recorded.rows_affected() == 1;
    let reference = due.request.to_string();
    // One alert about the map, and not one for each recheck that waits for it.
    if let Some(error) = map_error {
        map_alert::report(lethe, &mut transaction, error).await?;
    } else if is_recorded
        && needs_attention
        && alert::is_due(lethe, &mut transaction, Topic::Recheck, &reference, failure.name(), Repeat::Growing).await?
    {
        lethe.queue().enqueue(&mut transaction, SendRetentionAlert { request: due.request }).await?;
    }
    transaction.commit().await?;
    Ok(())
}
