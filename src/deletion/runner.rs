//! Executes deletions step by step. Each step takes a lease, does its work, records it, and enqueues the next step.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::PgTransaction;
use uuid::Uuid;

use super::failure::Failure;
use super::lease::{LEASE_DURATION, Lease, StepError};
use super::notice::SendAlert;
use super::progress::{Progress, progress};
use super::retry::retry_delay;
use super::step::{Status, Step};
use super::step_actions::{self, OpenDeletion};
use crate::audit::{self, AuditEvent};
use crate::platform::queue::Job;
use crate::{Error, Lethe, Result};

/// Operators are alerted when a step has failed this many times.
const ATTEMPTS_BEFORE_ALERT: i32 = 5;
/// How long to wait before trying again to take a step that another process executes.
const LEASE_POLL_INTERVAL: Duration = Duration::from_millis(25);

/// The result of one call of [`advance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// A step was finished; more follow.
    StepDone,
    /// Every step is done.
    Finished,
    /// The step failed, or its next attempt isn't due yet.
    RetryLater,
    /// Another process executes the step.
    LeasedElsewhere,
}

/// Executes the first unfinished step of a deletion.
///
/// A failure of the step is recorded and scheduled for a retry, not returned: errors are only those of the recording.
pub async fn advance(lethe: &Lethe, request: Uuid) -> Result<Advance> {
    let Some(lease) = Lease::acquire(lethe, request).await? else { return idle_reason(lethe, request).await };
    advance_leased(lethe, &lease).await
}

#[tracing::instrument(
    name = "deletion_step", skip_all, fields(request = %lease.request, step = lease.step.name(), attempt = lease.attempt)
)]
async fn advance_leased(lethe: &Lethe, lease: &Lease) -> Result<Advance> {
    let outcome = tokio::select! {
        outcome = execute_step(lethe, lease) => outcome,
        error = lease.keep(lethe) => Err(error),
    };
    match outcome {
        Ok(advance) => Ok(advance),
        Err(StepError::LeaseLost) => Ok(Advance::LeasedElsewhere),
        Err(StepError::Failed(error)) => {
            record_failure(lethe, lease, &error).await?;
            Ok(Advance::RetryLater)
        }
    }
}

/// Executes a step: first what is outside of the database, then the rest together with its record in one transaction.
async fn execute_step(lethe: &Lethe, lease: &Lease) -> Result<Advance, StepError> {
    let deletion = OpenDeletion::load(lethe, lease.request).await?;
    let external = step_actions::run_external(lethe, &deletion, lease.step).await?;
    let mut transaction = lethe.database.begin().await?;
    let detail = step_actions::run_in_transaction(lethe, &mut transaction, &deletion, lease.step, external).await?;
    lease.complete(lethe, &mut transaction).await?;
    let (request, step) = (lease.request, lease.step.name().to_owned());
    let finished = AuditEvent::DeletionStepFinished { detail, request, step };
    audit::append(lethe, &mut transaction, None, finished).await?;
    let is_last = lease.step == Step::Receipt;
    if !is_last {
        lethe.queue().enqueue(&mut transaction, AdvanceDeletion { request }).await?;
    }
    transaction.commit().await?;
    count_step(lease.step, "done");
    if !is_last {
        return Ok(Advance::StepDone);
    }
    // The worker seals the log every second; this only saves the receipt that wait.
    if let Err(error) = audit::seal(lethe).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "sealing the audit log failed; the worker will retry");
    }
    Ok(Advance::Finished)
}

fn count_step(step: Step, outcome: &'static str) {
    metrics::counter!("lethe_deletion_steps_total", "step" => step.name(), "outcome" => outcome).increment(1);
}

async fn record_failure(lethe: &Lethe, lease: &Lease, error: &Error) -> Result<()> {
    let failure = Failure::of(error);
    let blocked = failure.is_blocking();
    count_step(lease.step, "failed");
    tracing::warn!(blocked, error = error as &dyn std::error::Error, "deletion step failed; it will be retried");
    let delay = retry_delay(lease.attempt, blocked, lethe.random.bytes::<1>()[0]);
    let status = if blocked { Status::Blocked } else { Status::Retrying };
    let mut transaction = lethe.database.begin().await?;
    if !lease.fail(lethe, &mut transaction, failure, status, delay).await? {
        return Ok(());
    }
    if blocked || lease.attempt >= ATTEMPTS_BEFORE_ALERT {
        escalate(lethe, &mut transaction, lease, failure).await?;
    }
    lethe.queue().enqueue_in(&mut transaction, AdvanceDeletion { request: lease.request }, delay).await?;
    transaction.commit().await?;
    Ok(())
}

/// Alerts operators: once for each deletion, however often its steps fail after that.
async fn escalate(lethe: &Lethe, transaction: &mut PgTransaction<'_>, lease: &Lease, failure: Failure) -> Result<()> {
    let request = lease.request;
    let first = sqlx::query!(
        "update lethe.deletion_request set attention_since = $2 where id = $1 and attention_since is null",
        request,
        lethe.clock.now(),
    )
    .execute(&mut **transaction)
    .await?;
    if first.rows_affected() == 1 {
        let (failure, step) = (failure.name().to_owned(), lease.step.name().to_owned());
        let needs_attention = AuditEvent::DeletionNeedsAttention { failure, request, step };
        audit::append(lethe, transaction, None, needs_attention).await?;
        lethe.queue().enqueue(transaction, SendAlert { request }).await?;
    }
    Ok(())
}

/// Returns why no step could be taken.
async fn idle_reason(lethe: &Lethe, request: Uuid) -> Result<Advance> {
    let unfinished = sqlx::query!(
        "select next_attempt_at from lethe.deletion_step where request_id = $1 and status <> 'done' order by position limit 1",
        request,
    )
    .fetch_optional(&lethe.database)
    .await?;
    Ok(match unfinished {
        None => Advance::Finished,
        Some(step) if step.next_attempt_at.is_some_and(|at| at > lethe.clock.now()) => Advance::RetryLater,
        // Another process has the step, or had it until a moment ago.
        Some(_) => Advance::LeasedElsewhere,
    })
}

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

/// Executes the next step for the queue. The step itself enqueues the one after it.
pub(crate) async fn advance_by_job(lethe: &Lethe, AdvanceDeletion { request }: AdvanceDeletion) -> Result<()> {
    if advance(lethe, request).await? == Advance::LeasedElsewhere {
        // The other process may have crashed: look again when its lease has ended.
        let mut connection = lethe.database.acquire().await?;
        lethe.queue().enqueue_unless_waiting(&mut connection, AdvanceDeletion { request }, LEASE_DURATION).await?;
    }
    Ok(())
}

/// Enqueues every open deletion for the time at which its next step may be executed. Returns their number.
pub async fn resume_all(lethe: &Lethe) -> Result<u64> {
    let now = lethe.clock.now();
    let open = sqlx::query!(
        r#"select request.id, greatest(step.leased_until, step.next_attempt_at) as "due"
        from lethe.deletion_request request
        join lateral (
            select leased_until, next_attempt_at from lethe.deletion_step
            where request_id = request.id and status <> 'done' order by position limit 1
        ) step on true
        where request.finished_at is null order by request.requested_at"#,
    )
    .fetch_all(&lethe.database)
    .await?;
    let mut connection = lethe.database.acquire().await?;
    for request in &open {
        let delay = request.due.map_or(Duration::ZERO, |due| (due - now).try_into().unwrap_or_default());
        lethe.queue().enqueue_unless_waiting(&mut connection, AdvanceDeletion { request: request.id }, delay).await?;
    }
    Ok(open.len() as u64)
}

/// Executes a deletion in this process until it is finished, a step fails, or `timeout` has passed. The queue continues
/// it in any case.
pub async fn run(lethe: &Lethe, request: Uuid, timeout: Duration) -> Result<Progress> {
    let steps = async {
        loop {
            match advance(lethe, request).await? {
                Advance::StepDone => {}
                Advance::LeasedElsewhere => tokio::time::sleep(LEASE_POLL_INTERVAL).await,
                Advance::Finished | Advance::RetryLater => return Ok::<_, Error>(()),
            }
        }
    };
    // If a step is interrupted here, the queue executes it again when its lease has ended.
    if let Ok(result) = tokio::time::timeout(timeout, steps).await {
        result?;
    }
    progress(lethe, request).await
}
