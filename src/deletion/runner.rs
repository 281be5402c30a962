//! Executes deletions step by step. Each step takes a lease, does its work, records it, and enqueues the next step.

use std::pin::pin;
use std::time::Duration;

use sqlx::PgTransaction;
use tokio::time::Instant;
use tracing::Instrument as _;
use uuid::Uuid;

use super::alert::{self, Repeat, Topic};
use super::failure::Failure;
use super::hold;
use super::lease::{LEASE_DURATION, Lease, StepError};
use super::misfit::map_error;
use super::notice::{AskAgain, SendAlert};
use super::progress::{Progress, progress};
use super::retry::retry_delay;
use super::step::{Status, Step};
use super::step_actions::{self, OpenDeletion};
use super::wake::AdvanceDeletion;
use crate::audit::{self, AuditEvent};
use crate::platform::connection::TimeLimits;
use crate::platform::queue::Job;
use crate::{Error, Lethe, Result, error_chain, map_alert};

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
    if hold::is_held(lethe, request).await? {
        return Ok(Advance::RetryLater);
    }
    let Some(lease) = Lease::acquire(lethe, request).await? else { return idle_reason(lethe, request).await };
    advance_leased(lethe, &lease).await
}

#[tracing::instrument(
    name = "deletion_step", skip_all, fields(request = %lease.request, step = lease.step.name(), attempt = lease.attempt)
)]
async fn advance_leased(lethe: &Lethe, lease: &Lease) -> Result<Advance> {
    let mut step = pin!(execute_step(lethe, lease));
    // A step that loses its lease isn't dropped: its statement would go on all the same. It ends with `LeaseLost` unless
    // nobody has taken it over.
    let outcome = tokio::select! {
        outcome = &mut step => outcome,
        error = lease.keep(lethe) => {
            if let StepError::Failed(error) = error {
                tracing::warn!(error = error_chain(&error), "a lease couldn't be renewed, and ends before its step");
            }
            step.await
        }
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
    let mut deletion = OpenDeletion::load(lethe, lease.request).await?;
    let external = step_actions::run_external(lethe, &deletion, lease.step).await?;
    let mut transaction = TimeLimits::ERASURE.begin(&lethe.database).await?;
    if lease.step == Step::ApplicationData {
        // An operator may have decided to hold it, or somebody on another plan. From here on they have to wait.
        if hold::is_held_locked(&mut transaction, lease.request).await? {
            lease.give_back(&mut transaction).await?;
            transaction.commit().await?;
            return Ok(Advance::RetryLater);
        }
        deletion = OpenDeletion::load_on(lethe, &mut transaction, lease.request).await?;
    }
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
        tracing::warn!(error = error_chain(&error), "sealing the audit log failed; the worker will retry");
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
    tracing::warn!(blocked, error = error_chain(error), "deletion step failed; it will be retried");
    let delay = retry_delay(lease.attempt, failure, lethe.random.bytes::<1>()[0]);
    let status = if blocked { Status::Blocked } else { Status::Retrying };
    let map_error = map_error(lethe, error).await?;
    let mut transaction = lethe.database.begin().await?;
    if !lease.fail(&mut transaction, failure, status, delay).await? {
        return Ok(());
    }
    if blocked || lease.attempt >= failure.attempts_before_alert() {
        // A map that doesn't fit has an alert of its own: one, and not one for each deletion that waits for it.
        escalate(lethe, &mut transaction, lease, failure, map_error.is_none()).await?;
    }
    if let Some(error) = map_error {
        map_alert::report(lethe, &mut transaction, error).await?;
    }
    if failure == Failure::PlanChanged {
        lethe.queue().enqueue(&mut transaction, AskAgain { request: lease.request }).await?;
    }
    lethe.queue().enqueue_in(&mut transaction, AdvanceDeletion { request: lease.request }, delay).await?;
    transaction.commit().await?;
    Ok(())
}

/// Records that a deletion needs attention. With `sends_alert`, operators are alerted: at once for every new cause, and again
/// with growing pauses while the step fails.
async fn escalate(
    lethe: &Lethe,
    transaction: &mut PgTransaction<'_>,
    lease: &Lease,
    failure: Failure,
    sends_alert: bool,
) -> Result<()> {
    let request = lease.request;
    sqlx::query!(
        "update lethe.deletion_request set attention_since = $2 where id = $1 and attention_since is null",
        request,
        lethe.clock.now(),
    )
    .execute(&mut **transaction)
    .await?;
    let (reference, cause) = (request.to_string(), format!("{}:{}", lease.step.name(), failure.name()));
    if alert::is_due(lethe, transaction, Topic::Deletion, &reference, &cause, Repeat::Growing).await? {
        let (failure, step) = (failure.name().to_owned(), lease.step.name().to_owned());
        let needs_attention = AuditEvent::DeletionNeedsAttention { failure, request, step };
        audit::append(lethe, transaction, None, needs_attention).await?;
        if sends_alert {
            lethe.queue().enqueue(transaction, SendAlert { request }).await?;
        }
    }
    Ok(())
}

/// Returns why no step could be taken.
async fn idle_reason(lethe: &Lethe, request: Uuid) -> Result<Advance> {
    let unfinished = sqlx::query!(
        r#"select coalesce(next_attempt_at > clock_timestamp(), false) as "waits!" from lethe.deletion_step
        where request_id = $1 and status <> 'done' order by position limit 1"#,
        request,
    )
    .fetch_optional(&lethe.database)
    .await?;
    Ok(match unfinished {
        None => Advance::Finished,
        Some(step) if step.waits => Advance::RetryLater,
        // Another process has the step, or had it until a moment ago.
        Some(_) => Advance::LeasedElsewhere,
    })
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

/// Enqueues every open deletion that no job continues, for the time at which its next step may be executed. Returns their
/// number.
pub async fn resume_all(lethe: &Lethe) -> Result<u64> {
    // One query, and no job is added that exists: thousands of deletions can wait for Clerk. Not checked at build time: the
    // queue's schema doesn't exist there. A job that runs counts as long as its step is leased.
    let lost: Vec<(Uuid, Option<f64>)> = sqlx::query_as(
        "select request.id,
            extract(epoch from greatest(step.leased_until, step.next_attempt_at) - clock_timestamp())::float8
        from lethe.deletion_request request
        join lateral (
            select leased_until, next_attempt_at from lethe.deletion_step
            where request_id = request.id and status <> 'done' order by position limit 1
        ) step on true
        where request.finished_at is null and not exists (
            select from lethe_jobs.jobs job
            where job.key = $1 || ':' || request.id and case
                when job.locked_at is null then
                    job.run_at <= greatest(step.leased_until, step.next_attempt_at, now()) + interval '1 minute'
                else step.leased_until > now()
            end
        )
        order by request.requested_at",
    )
    .bind(AdvanceDeletion::NAME)
    .fetch_all(&lethe.database)
    .await?;
    let mut connection = lethe.database.acquire().await?;
    for (request, delay) in &lost {
        // Negative where it is due already.
        let delay = Duration::try_from_secs_f64(delay.unwrap_or_default()).unwrap_or_default();
        lethe.queue().enqueue_unless_waiting(&mut connection, AdvanceDeletion { request: *request }, delay).await?;
    }
    Ok(lost.len() as u64)
}

/// Whether the step of any deletion waits after a call to Clerk has failed.
pub(crate) async fn waits_for_clerk(lethe: &Lethe) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (
            select from lethe.deletion_request request join lethe.deletion_step step on step.request_id = request.id
            where request.finished_at is null and step.status = 'retrying' and step.failure = $1
        ) as "exists!""#,
        Failure::Clerk.name(),
    )
    .fetch_one(&lethe.database)
    .await?)
}

/// Makes the next attempt of every step due that waits after a call to Clerk has failed. Returns their number.
pub(crate) async fn make_clerk_failures_due(lethe: &Lethe) -> Result<u64> {
    let mut transaction = lethe.database.begin().await?;
    let requests = sqlx::query_scalar!(
        "update lethe.deletion_step step set next_attempt_at = null
        from lethe.deletion_request request
        where request.id = step.request_id and request.finished_at is null
          and step.status = 'retrying' and step.failure = $1
        returning step.request_id",
        Failure::Clerk.name(),
    )
    .fetch_all(&mut *transaction)
    .await?;
    let jobs: Vec<_> = requests.into_iter().map(|request| AdvanceDeletion { request }).collect();
    lethe.queue().make_due(&mut transaction, &jobs, 0).await?;
    transaction.commit().await?;
    Ok(jobs.len() as u64)
}

/// Executes a deletion in this process until it is finished, a step fails, or `timeout` has passed. The queue continues
/// it in any case.
///
/// A step that has begun by then is finished in the background: whoever waits sets no limit to an erasure.
pub async fn run(lethe: &Lethe, request: Uuid, timeout: Duration) -> Result<Progress> {
    let deadline = Instant::now() + timeout;
    let steps = tokio::spawn(advance_until(lethe.clone(), request, deadline).in_current_span());
    if let Ok(joined) = tokio::time::timeout_at(deadline, steps).await {
        joined.unwrap_or(Err(Error::Internal("the task of a deletion failed")))?;
    }
    progress(lethe, request).await
}

/// Begins no step after `deadline`.
async fn advance_until(lethe: Lethe, request: Uuid, deadline: Instant) -> Result<()> {
    while Instant::now() < deadline {
        match advance(&lethe, request).await? {
            Advance::StepDone => {}
            Advance::LeasedElsewhere => tokio::time::sleep(LEASE_POLL_INTERVAL).await,
            Advance::Finished | Advance::RetryLater => break,
        }
    }
    Ok(())
}
