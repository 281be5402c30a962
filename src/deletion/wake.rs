//! The job that executes the next step of a deletion, and what makes its next attempt due.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::step::Step;
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
