//! The lease by which one process at a time executes a step.

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use super::failure::Failure;
use super::step::{Status, Step};
use crate::{Error, Lethe, Result};

/// How long a lease lasts without renewal. After a crash another process can take the step over when it ends.
pub(super) const LEASE_DURATION: Duration = Duration::from_secs(10);
const RENEWAL_INTERVAL: Duration = Duration::from_secs(3);

/// A step that this process executes. A later attempt by another process invalidates it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) request: Uuid,
    pub(super) step: Step,
    pub(super) attempt: i32,
}

/// Why a step wasn't finished.
#[derive(Debug)]
pub(super) enum StepError {
    /// The lease ended, and another process may have taken the step over.
    LeaseLost,
    /// The step failed.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for StepError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Lease {
    /// Takes the first unfinished step, if no other process has it and its next attempt is due.
    pub(super) async fn acquire(lethe: &Lethe, request: Uuid) -> Result<Option<Self>> {
        let now = lethe.clock.now();
        let row = sqlx::query!(
            "update lethe.deletion_step
            set status = 'running', attempts = attempts + 1, leased_until = $3, started_at = coalesce(started_at, $2)
            where request_id = $1
              and position = (
                select min(position) from lethe.deletion_step where request_id = $1 and status <> 'done'
              )
              and status <> 'done'
              and (leased_until is null or leased_until < $2)
              and (next_attempt_at is null or next_attempt_at <= $2)
            returning step, attempts",
            request,
            now,
            now + LEASE_DURATION,
        )
        .fetch_optional(&lethe.database)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let step = Step::from_name(&row.step).ok_or(Error::Internal("unknown step in the database"))?;
        Ok(Some(Self { request, step, attempt: row.attempts }))
    }

    /// Renews the lease until it is dropped. Returns only when that fails.
    pub(super) async fn keep(&self, lethe: &Lethe) -> StepError {
        loop {
            tokio::time::sleep(RENEWAL_INTERVAL).await;
            let renewed = sqlx::query!(
                "update lethe.deletion_step set leased_until = $4
                where request_id = $1 and position = $2 and attempts = $3 and status = 'running'",
                self.request,
                self.step.position(),
                self.attempt,
                lethe.clock.now() + LEASE_DURATION,
            )
            .execute(&lethe.database)
            .await;
            match renewed {
                Ok(done) if done.rows_affected() == 1 => {}
                Ok(_) => return StepError::LeaseLost,
                Err(error) => return error.into(),
            }
        }
    }

    /// Records that the step is done, within the transaction of its effects, and ends the lease.
    pub(super) async fn complete(&self, lethe: &Lethe, connection: &mut PgConnection) -> Result<(), StepError> {
        let completed = sqlx::query!(
            "update lethe.deletion_step set status = 'done', finished_at = $4, leased_until = null, failure = null
            where request_id = $1 and position = $2 and attempts = $3 and status = 'running'",
            self.request,
            self.step.position(),
            self.attempt,
            lethe.clock.now(),
        )
        .execute(connection)
        .await?;
        if completed.rows_affected() == 1 { Ok(()) } else { Err(StepError::LeaseLost) }
    }

    /// Records that the step failed, and ends the lease. Returns whether it was still held.
    pub(super) async fn fail(
        &self,
        lethe: &Lethe,
        connection: &mut PgConnection,
        failure: Failure,
        status: Status,
        delay: Duration,
    ) -> Result<bool> {
        let recorded = sqlx::query!(
            "update lethe.deletion_step set status = $4, failure = $5, leased_until = null, next_attempt_at = $6
            where request_id = $1 and position = $2 and attempts = $3 and status = 'running'",
            self.request,
            self.step.position(),
            self.attempt,
            status.name(),
            failure.name(),
            lethe.clock.now() + delay,
        )
        .execute(connection)
        .await?;
        Ok(recorded.rows_affected() == 1)
    }
}
