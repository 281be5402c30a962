//! The one runner. It claims the first unfinished step, does it, records it and enqueues itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::PgTransaction;
use time::OffsetDateTime;
use uuid::Uuid;

use super::notice::SendAlert;
use super::step::{Progress, Status, Step, StepStatus};
use super::step_actions::{self, OpenDeletion};
use crate::audit::{self, AuditEvent};
use crate::clerk;
use crate::platform::queue::Job;
use crate::{Error, ErrorCode, Lethe, Result};

/// How long a step is held without a sign of life. Whoever dies loses it after this.
const LEASE_DURATION: Duration = Duration::from_secs(10);
/// How often a sign of life is given.
const LEASE_RENEWAL_INTERVAL: Duration = Duration::from_secs(3);
/// The longest pause between two attempts.
const MAX_RETRY_DELAY: Duration = Duration::from_mins(15);
/// A step that has failed so often needs attention.
const ATTEMPTS_BEFORE_ATTENTION: i32 = 5;

/// What became of one call of [`advance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// A step was finished; there are more.
    StepDone,
    /// Everything is done.
    Finished,
    /// The step failed, or it isn't time yet to try it again.
    RetryLater,
    /// Somebody else works on it.
    LeasedElsewhere,
}

/// A step that this process holds.
struct Claim {
    step: Step,
    attempt: i32,
}

/// Runs the first unfinished step of a deletion. A failure of the step is recorded and scheduled
/// anew, not answered; errors are only those of the record itself.
pub async fn advance(lethe: &Lethe, request: Uuid) -> Result<Advance> {
    let Some(claim) = claim(lethe, request).await? else { return idle_reason(lethe, request).await };
    let outcome = tokio::select! {
        outcome = execute_step(lethe, request, &claim) => outcome,
        error = keep_lease(lethe, request, &claim) => Err(error),
    };
    match outcome {
        Ok(advance) => Ok(advance),
        Err(Error::Internal(LOST)) => Ok(Advance::LeasedElsewhere),
        Err(error) => {
            record_failure(lethe, request, &claim, &error).await?;
            Ok(Advance::RetryLater)
        }
    }
}

/// The lease ran out and somebody else took the step.
const LOST: &str = "the lease was lost";

async fn claim(lethe: &Lethe, request: Uuid) -> Result<Option<Claim>> {
    let now = lethe.clock.now();
    let claimed = sqlx::query!(
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
    let Some(claimed) = claimed else { return Ok(None) };
    let step = Step::from_name(&claimed.step).ok_or(Error::Internal("a step has an unknown name"))?;
    Ok(Some(Claim { step, attempt: claimed.attempts }))
}

/// Gives signs of life until it is dropped; returns only when the lease can't be kept.
async fn keep_lease(lethe: &Lethe, request: Uuid, claim: &Claim) -> Error {
    loop {
        tokio::time::sleep(LEASE_RENEWAL_INTERVAL).await;
        let renewed = sqlx::query!(
            "update lethe.deletion_step set leased_until = $4
            where request_id = $1 and position = $2 and attempts = $3 and status = 'running'",
            request,
            claim.step.position(),
            claim.attempt,
            lethe.clock.now() + LEASE_DURATION,
        )
        .execute(&lethe.database)
        .await;
        match renewed {
            Ok(done) if done.rows_affected() == 1 => {}
            Ok(_) => return Error::Internal(LOST),
            Err(error) => return error.into(),
        }
    }
}

/// Does the step: first what is outside the database, then the rest with its record in one
/// transaction.
async fn execute_step(lethe: &Lethe, request: Uuid, claim: &Claim) -> Result<Advance> {
    let deletion = OpenDeletion::load(lethe, request).await?;
    let outside = step_actions::run_external(lethe, &deletion, claim.step).await?;
    let mut transaction = lethe.database.begin().await?;
    let detail = step_actions::run_in_transaction(lethe, &mut transaction, &deletion, claim.step, outside).await?;
    let finished = sqlx::query!(
        "update lethe.deletion_step set status = 'done', finished_at = $4, leased_until = null, failure = null
        where request_id = $1 and position = $2 and attempts = $3 and status = 'running'",
        request,
        claim.step.position(),
        claim.attempt,
        lethe.clock.now(),
    )
    .execute(&mut *transaction)
    .await?;
    if finished.rows_affected() != 1 {
        return Err(Error::Internal(LOST));
    }
    let step = claim.step.name().to_owned();
    let finished = AuditEvent::DeletionStepFinished { detail, request, step };
    audit::append(lethe, &mut transaction, None, finished).await?;
    let last = claim.step == Step::Receipt;
    if !last {
        lethe.queue().enqueue(&mut transaction, AdvanceDeletion { request }).await?;
    }
    transaction.commit().await?;
    metrics::counter!("lethe_deletion_steps_total", "step" => claim.step.name(), "outcome" => "done").increment(1);
    if last {
        // The chain goes on by itself; this only spares the receipt a second of waiting.
        if let Err(error) = audit::seal(lethe).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the audit log will be sealed later");
        }
        return Ok(Advance::Finished);
    }
    Ok(Advance::StepDone)
}

/// Why a step failed, as one closed word, and whether only a person can mend it.
fn failure_code(error: &Error) -> (&'static str, bool) {
    match error {
        Error::Clerk(error) if error.kind() == clerk::Kind::ManagedByScim => ("clerk_user_managed_by_scim", true),
        Error::Clerk(_) => ("clerk_failed", false),
        Error::Map(_) => ("data_map_mismatch", true),
        Error::Refused(ErrorCode::PlanChanged) => ("plan_changed", true),
        Error::RowsRemaining(_) => ("rows_left_behind", true),
        Error::Storage(_) => ("archive_store_failed", false),
        Error::Database(_) => ("database_failed", false),
        _ => ("failed", false),
    }
}

async fn record_failure(lethe: &Lethe, request: Uuid, claim: &Claim, error: &Error) -> Result<()> {
    let (word, blocked) = failure_code(error);
    let step = claim.step.name();
    metrics::counter!("lethe_deletion_steps_total", "step" => step, "outcome" => "failed").increment(1);
    tracing::warn!(
        %request, step, attempt = claim.attempt, blocked,
        error = error as &dyn std::error::Error, "a deletion step failed and will be tried again"
    );
    let pause = retry_delay(claim.attempt, blocked, lethe.random.bytes::<1>()[0]);
    let status = if blocked { Status::Blocked } else { Status::Retrying };
    let now = lethe.clock.now();
    let mut transaction = lethe.database.begin().await?;
    let recorded = sqlx::query!(
        "update lethe.deletion_step set status = $4, failure = $5, leased_until = null, next_attempt_at = $6
        where request_id = $1 and position = $2 and attempts = $3 and status = 'running'",
        request,
        claim.step.position(),
        claim.attempt,
        status.name(),
        word,
        now + pause,
    )
    .execute(&mut *transaction)
    .await?;
    if recorded.rows_affected() != 1 {
        return Ok(());
    }
    if blocked || claim.attempt >= ATTEMPTS_BEFORE_ATTENTION {
        escalate(lethe, &mut transaction, request, step, word, now).await?;
    }
    lethe.queue().enqueue_in(&mut transaction, AdvanceDeletion { request }, pause).await?;
    transaction.commit().await?;
    Ok(())
}

/// Hands the deletion to a person: once, however often the step fails after that.
async fn escalate(
    lethe: &Lethe,
    transaction: &mut PgTransaction<'_>,
    request: Uuid,
    step: &str,
    word: &str,
    now: OffsetDateTime,
) -> Result<()> {
    let first = sqlx::query!(
        "update lethe.deletion_request set attention_since = $2 where id = $1 and attention_since is null",
        request,
        now,
    )
    .execute(&mut **transaction)
    .await?;
    if first.rows_affected() == 1 {
        let (failure, step) = (word.to_owned(), step.to_owned());
        let needs_attention = AuditEvent::DeletionNeedsAttention { failure, request, step };
        audit::append(lethe, transaction, None, needs_attention).await?;
        lethe.queue().enqueue(transaction, SendAlert { request }).await?;
    }
    Ok(())
}

/// One second, then twice as long each time, 15 minutes at most, with up to a quarter more so
/// that many don't come back at once. A blocked step waits for the longest.
fn retry_delay(attempt: i32, blocked: bool, jitter: u8) -> Duration {
    if blocked {
        return MAX_RETRY_DELAY;
    }
    let doublings = u32::try_from(attempt.clamp(1, 12) - 1).unwrap_or_default();
    let pause = Duration::from_secs(1 << doublings).min(MAX_RETRY_DELAY);
    pause + pause.mul_f64(f64::from(jitter) / 1024.0)
}

/// Why nothing could be claimed.
async fn idle_reason(lethe: &Lethe, request: Uuid) -> Result<Advance> {
    let open = sqlx::query!(
        "select next_attempt_at from lethe.deletion_step where request_id = $1 and status <> 'done' order by position limit 1",
        request,
    )
    .fetch_optional(&lethe.database)
    .await?;
    Ok(match open {
        None => Advance::Finished,
        Some(step) if step.next_attempt_at.is_some_and(|at| at > lethe.clock.now()) => Advance::RetryLater,
        // Somebody holds it, or has just let it go.
        Some(_) => Advance::LeasedElsewhere,
    })
}

/// The job that runs the next step of a deletion.
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

/// What the queue does with a deletion. The step enqueues the next one itself.
pub(crate) async fn advance_by_job(lethe: &Lethe, AdvanceDeletion { request }: AdvanceDeletion) -> Result<()> {
    if advance(lethe, request).await? == Advance::LeasedElsewhere {
        // Whoever holds it may have died: look again when the lease is over.
        let mut connection = lethe.database.acquire().await?;
        lethe.queue().enqueue_at_latest(&mut connection, AdvanceDeletion { request }, LEASE_DURATION).await?;
    }
    Ok(())
}

/// Enqueues every open deletion at the time when its next step may be tried.
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
        lethe.queue().enqueue_at_latest(&mut connection, AdvanceDeletion { request: request.id }, delay).await?;
    }
    Ok(open.len() as u64)
}

/// Drives a deletion in this process until it is finished, a step has failed, or `patience` is
/// over. The queue goes on by itself in any case.
pub async fn run(lethe: &Lethe, request: Uuid, timeout: Duration) -> Result<Progress> {
    let driven = async {
        loop {
            match advance(lethe, request).await? {
                Advance::StepDone => {}
                Advance::LeasedElsewhere => tokio::time::sleep(Duration::from_millis(25)).await,
                Advance::Finished | Advance::RetryLater => return Ok::<_, Error>(()),
            }
        }
    };
    // A step that is cut off here is taken up again by the queue when its lease is over.
    if let Ok(ended) = tokio::time::timeout(timeout, driven).await {
        ended?;
    }
    progress(lethe, request).await
}

/// How far a deletion is.
pub async fn progress(lethe: &Lethe, request: Uuid) -> Result<Progress> {
    let rows = sqlx::query!(
        "select step.step, step.status, step.finished_at, step.attempts, request.attention_since
        from lethe.deletion_step step join lethe.deletion_request request on request.id = step.request_id
        where step.request_id = $1 order by step.position",
        request,
    )
    .fetch_all(&lethe.database)
    .await?;
    if rows.is_empty() {
        return Err(ErrorCode::NotFound.into());
    }
    let attention = rows.iter().any(|row| row.attention_since.is_some());
    let steps = rows
        .into_iter()
        .map(|row| {
            Ok(StepStatus {
                step: Step::from_name(&row.step).ok_or(Error::Internal("a step has an unknown name"))?,
                status: Status::from_name(&row.status),
                finished_at: row.finished_at,
                attempts: row.attempts.unsigned_abs(),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let finished = steps.iter().all(|step| step.status == Status::Done);
    Ok(Progress { finished, steps, needs_attention: attention && !finished })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_quarter_of_an_hour_and_never_end() {
        let seconds: Vec<_> =
            [1, 2, 3, 5, 10, 11, 1_000_000].map(|attempt| retry_delay(attempt, false, 0).as_secs()).into();
        assert_eq!(seconds, [1, 2, 4, 16, 512, 900, 900]);
        assert_eq!(retry_delay(1, true, 255), MAX_RETRY_DELAY);
        assert!(retry_delay(3, false, 255) < Duration::from_secs(5));
    }
}
