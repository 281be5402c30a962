//! The lease by which one process at a time executes a step. Its times are those of the database's clock: the clocks of
//! servers may differ.

use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::Instant;
use uuid::Uuid;

use super::failure::Failure;
use super::step::{Status, Step};
use crate::{Error, Lethe, Result, error_chain};

/// How long a lease lasts without renewal. After a crash another process can take the step over when it ends.
pub(super) const LEASE_DURATION: Duration = Duration::from_secs(10);
const RENEWAL_INTERVAL: Duration = Duration::from_secs(3);
/// The pause after a renewal failed.
const RENEWAL_RETRY_PAUSE: Duration = Duration::from_millis(500);

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
        let row = sqlx::query!(
            "update lethe.deletion_step
            set status = 'running', attempts = attempts + 1,
                leased_until = clock_timestamp() + make_interval(secs => $2),
                started_at = coalesce(started_at, clock_timestamp())
            where request_id = $1
              and position = (
                select min(position) from lethe.deletion_step where request_id = $1 and status <> 'done'
              )
              and status <> 'done'
              and (leased_until is null or leased_until < clock_timestamp())
              and (next_attempt_at is null or next_attempt_at <= clock_timestamp())
            returning step, attempts",
            request,
            LEASE_DURATION.as_secs_f64(),
        )
        .fetch_optional(&lethe.database)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let step = Step::from_name(&row.step).ok_or(Error::Internal("unknown step in the database"))?;
        Ok(Some(Self { request, step, attempt: row.attempts }))
    }

    /// Renews the lease until it is dropped. Returns only when it is lost, or can't be renewed before it ends: one error of
    /// the database ends no erasure that takes minutes.
    pub(super) async fn keep(&self, lethe: &Lethe) -> StepError {
        let mut renewed_at = Instant::now();
        let mut pause = RENEWAL_INTERVAL;
        loop {
            tokio::time::sleep(pause).await;
            let started_at = Instant::now();
            match tokio::time::timeout(RENEWAL_INTERVAL, self.renew(lethe))
                .await
                .unwrap_or(Err(sqlx::Error::PoolTimedOut))
            {
                Ok(true) => (renewed_at, pause) = (started_at, RENEWAL_INTERVAL),
                Ok(false) => return StepError::LeaseLost,
                Err(error) if renewed_at.elapsed() + RENEWAL_INTERVAL + RENEWAL_RETRY_PAUSE >= LEASE_DURATION => {
                    return error.into();
                }
                Err(error) => {
                    tracing::warn!(error = error_chain(&error), "a lease wasn't renewed; trying again");
                    pause = RENEWAL_RETRY_PAUSE;
                }
            }
        }
    }

    /// Returns whether the lease was still held.
    async fn renew(&self, lethe: &Lethe) -> Result<bool, sqlx::Error> {
        let renewed = sqlx::query!(
            "update lethe.deletion_step set leased_until = clock_timestamp() + make_interval(secs => $4)
            where request_id = $1 and position = $2 and attempts = $3 and status = 'running'",
            self.request,
            self.step.position(),
            self.attempt,
            LEASE_DURATION.as_secs_f64(),
        )
        .execute(&lethe.database)
        .await?;
        Ok(renewed.rows_affected() == 1)
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

    /// Ends the lease without an attempt having been made.
    pub(super) async fn give_back(&self, connection: &mut PgConnection) -> Result<(), StepError> {
        sqlx::query!(
            "update lethe.deletion_step set status = 'pending', attempts = attempts - 1, leased_until = null
            where request_id = $1 and position = $2 and attempts = $3 and status = 'running'",
            self.request,
            self.step.position(),
            self.attempt,
        )
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Records that the step failed, and ends the lease. Returns whether it was still held.
    pub(super) async fn fail(
        &self,
        connection: &mut PgConnection,
        failure: Failure,
        status: Status,
        delay: Duration,
    ) -> Result<bool> {
        let recorded = sqlx::query!(
            "update lethe.deletion_step set status = $4, failure = $5, leased_until = null,
                next_attempt_at = clock_timestamp() + make_interval(secs => $6)
            where request_id = $1 and position = $2 and attempts = $3 and status = 'running'",
            self.request,
            self.step.position(),
            self.attempt,
            status.name(),
            failure.name(),
            delay.as_secs_f64(),
        )
        .execute(connection)
        .await?;
        Ok(recorded.rows_affected() == 1)
    }
}
