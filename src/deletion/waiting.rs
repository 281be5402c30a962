//! Wakes what waited for a data map that fits the database.

use sqlx::PgConnection;

use super::failure::Failure;
use super::retention::RetryPurges;
use super::wake::wake;
use crate::data_map::PlanHash;
use crate::{Lethe, Result};

/// Wakes the deletions that waited for a data map which fits the database, and those that waited for the plan that it gives;
/// purges and rechecks too. With `is_new`, the map wasn't in force before: rows that its predecessor left no rule for may have
/// one now. Returns their number.
pub async fn wake_waiting(lethe: &Lethe, plan: &PlanHash, is_new: bool) -> Result<u64> {
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
    let others = wake_purges_and_rechecks(lethe, &mut transaction).await?;
    transaction.commit().await?;
    Ok(waiting.len() as u64 + others)
}

/// Makes the purges and rechecks due that failed because the map didn't fit.
async fn wake_purges_and_rechecks(lethe: &Lethe, connection: &mut PgConnection) -> Result<u64> {
    let mismatch = Failure::DataMapMismatch.name();
    let purges = sqlx::query_scalar!(
        "update lethe.retention set next_attempt_at = null
        where finished_at is null and failure = $1 and next_attempt_at is not null returning request_id",
        mismatch,
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
        where finished_at is null and failure = $1 and next_attempt_at is not null",
        mismatch,
    )
    .execute(connection)
    .await?
    .rows_affected();
    Ok(purges.len() as u64 + rechecks)
}
