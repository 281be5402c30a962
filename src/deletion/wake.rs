//! The job that executes the next step of a deletion, and what makes a waiting one due.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::failure::Failure;
use super::step::Step;
use crate::data_map::PlanHash;
use crate::platform::queue::Job;
use crate::{Error, Lethe, Result};

/// The job that executes the next step of a deletion.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AdvanceDeletion {
    pub(crate) request: Uuid,
}

impl Job for AdvanceDeletion {
    const NAME: &'static str = "advance_deletion";

    fn id(&self) -> Uuid {
        self.request
    }
}

/// Makes the next attempt of the first unfinished step due now, within the caller's transaction, and wakes the worker. Returns
/// the step, or `None` if every step is done. A step that is being executed is left alone.
pub(super) async fn wake(lethe: &Lethe, connection: &mut PgConnection, request: Uuid) -> Result<Option<Step>> {
    let step = sqlx::query_scalar!(
        "update lethe.deletion_step set next_attempt_at = null
        where request_id = $1
          and position = (select min(position) from lethe.deletion_step where request_id = $1 and status <> 'done')
          and status <> 'done'
        returning step",
        request,
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(step) = step else { return Ok(None) };
    // It replaces the job that waits for the next attempt.
    lethe.queue().enqueue(connection, AdvanceDeletion { request }).await?;
    Step::from_name(&step).map(Some).ok_or(Error::Internal("unknown step in the database"))
}

/// Wakes the deletions that waited for a data map which fits the database, and those that waited for the plan that it gives.
/// Returns their number.
pub async fn wake_waiting(lethe: &Lethe, plan: &PlanHash) -> Result<u64> {
    let mut transaction = lethe.database.begin().await?;
    let waiting = sqlx::query_scalar!(
        "select request.id from lethe.deletion_request request
        join lethe.deletion_step step on step.request_id = request.id
        where request.finished_at is null and step.status = 'blocked'
          and (step.failure = $1 or (step.failure = $2 and request.plan_hash = $3))
        order by request.requested_at",
        Failure::DataMapMismatch.name(),
        Failure::PlanChanged.name(),
        plan.as_str(),
    )
    .fetch_all(&mut *transaction)
    .await?;
    for request in &waiting {
        wake(lethe, &mut transaction, *request).await?;
    }
    transaction.commit().await?;
    Ok(waiting.len() as u64)
}
