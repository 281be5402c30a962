//! Makes due what failed or waited: for a data map that fits the database, or until an operator asks for it.

use sqlx::PgConnection;
use uuid::Uuid;

use super::failure::Failure;
use super::retention::RetryPurges;
use super::wake::wake;
use crate::data_map::PlanHash;
use crate::{Lethe, Result};

/// How much is due now that had failed or waited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Woken {
    /// Deletions.
    pub deletions: u64,
    /// Purges of what deletions left for a time.
    pub purges: u64,
    /// Rechecks for late rows.
    pub rechecks: u64,
}

/// Wakes the deletions that waited for a data map which fits the database, and those that waited for the plan that it gives;
/// purges and rechecks too. With `is_new`, the map wasn't in force before: rows that its predecessor left no rule for may have
/// one now.
pub async fn wake_waiting(lethe: &Lethe, plan: &PlanHash, is_new: bool) -> Result<Woken> {
    let mut transaction = lethe.database.begin().await?;
    let waiting = sqlx::query_scalar!(
        "select request.id from lethe.deletion_request request
        join lethe.deletion_step step on step.request_id = request.id
        where request.finished_at is null and step.status = 'blocked'
          and (step.failure = $1 or (step.failure = $2 and request.plan_hash = $3) or (step.failure = $4 and $5))
        order by request.requested_at",
        Failure::DataMapMismatch.name(),
        Failure::PlanChanged.name(),
        plan.as_str(),
        Failure::RowsRemaining.name(),
        is_new,
    )
    .fetch_all(&mut *transaction)
    .await?;
    for request in &waiting {
        wake(lethe, &mut transaction, *request).await?;
    }
    let others = wake_purges_and_rechecks(lethe, &mut transaction, None, Some(Failure::DataMapMismatch)).await?;
    transaction.commit().await?;
    Ok(Woken { deletions: waiting.len() as u64, ..others })
}

/// Makes failed purges and rechecks due, within the caller's transaction: those of `request`, or of every deletion. With
/// `cause`, only those that failed because of it and wait for their next attempt.
pub(super) async fn wake_purges_and_rechecks(
    lethe: &Lethe,
    connection: &mut PgConnection,
    request: Option<Uuid>,
    cause: Option<Failure>,
) -> Result<Woken> {
    let cause = cause.map(Failure::name);
    let purges = sqlx::query_scalar!(
        "update lethe.retention set next_attempt_at = null
        where finished_at is null and failure is not null and ($1::uuid is null or request_id = $1)
          and ($2::text is null or (failure = $2 and next_attempt_at is not null))
        returning request_id",
        request,
        cause,
    )
    .fetch_all(&mut *connection)
    .await?;
    // One job purges everything that is due.
    if let Some(request) = purges.first() {
        lethe.queue().enqueue(connection, RetryPurges { request: *request }).await?;
    }
    // A schedule runs these within a minute.
    let rechecks = sqlx::query!(
        "update lethe.recheck set next_attempt_at = null
        where finished_at is null and failure is not null and ($1::uuid is null or request_id = $1)
          and ($2::text is null or (failure = $2 and next_attempt_at is not null))",
        request,
        cause,
    )
    .execute(connection)
    .await?
    .rows_affected();
    Ok(Woken { deletions: 0, purges: purges.len() as u64, rechecks })
}
