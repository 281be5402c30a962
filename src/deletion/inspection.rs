//! Deletions as operators see them: which are open, why one doesn't go on, and a retry without waiting.
//!
//! Knows the tables of deletions and retention, and the queue. Knows nothing of what steps do, and returns nothing
//! about the person: a Clerk user id finds a deletion and is in no result.

use time::OffsetDateTime;
use uuid::Uuid;

use super::failure::Failure;
use super::reference::{self, Reference};
use super::retention::RetryPurges;
use super::step::{Status, Step};
use super::wake::wake;
use crate::audit::{self, AuditEvent};
use crate::receipt_code::ReceiptCode;
use crate::{Error, Lethe, Result};

/// How a deletion stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Steps remain, and nothing says that an operator must look at it.
    Open,
    /// Operators were alerted: a step of an open deletion kept failing, or afterwards a purge or a recheck does.
    Attention,
    /// Every step is done.
    Completed,
}

impl State {
    const ALL: [Self; 3] = [Self::Open, Self::Attention, Self::Completed];

    /// Those of deletions of which something remains to be done.
    pub const UNFINISHED: &'static [Self] = &[Self::Open, Self::Attention];

    /// Returns the name in queries and in the output of commands.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Attention => "attention",
            Self::Completed => "completed",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A deletion in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletionSummary {
    /// Identifies it in alerts and in the log.
    pub request: Uuid,
    /// Opens the receipt.
    pub receipt: ReceiptCode,
    /// When it was requested.
    pub requested_at: OffsetDateTime,
    /// The deadline for the deletion (GDPR 12(3)).
    pub due_at: OffsetDateTime,
    /// When it was completed.
    pub finished_at: Option<OffsetDateTime>,
    /// How it stands.
    pub state: State,
    /// Since when an operator holds it, and why.
    pub hold: Option<OperatorHold>,
    /// The first step that isn't done; if all are, the purge or recheck that has failed most often of those that operators
    /// were alerted to. `None` if there is neither.
    pub current: Option<Unfinished>,
}

/// An operator's decision that a deletion waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorHold {
    /// Since when.
    pub since: OffsetDateTime,
    /// The operator's reason.
    pub reason: String,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The deletions, the oldest first.
    pub deletions: Vec<DeletionSummary>,
    /// The last one's id, if there are more after it.
    pub next: Option<Uuid>,
}

/// What a deletion waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// A step, a purge or a recheck.
    pub work: Work,
    /// How many times it was started.
    pub attempts: u32,
    /// The time of the next attempt after a failure. `None` if none is scheduled: it is due, or being executed.
    pub next_attempt_at: Option<OffsetDateTime>,
    /// Why the last attempt failed. `None` if none has failed.
    pub failure: Option<Failure>,
}

/// A part of a deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// A step.
    Step(Step),
    /// The purge of the rows of this table, schema included.
    Purge(String),
    /// The search for rows that came late.
    Recheck,
}

/// A deletion with all its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletionDetails {
    /// The deletion in one line.
    pub summary: DeletionSummary,
    /// Every step, in order.
    pub steps: Vec<StepDetails>,
    /// Tables of which rows stay for a time and aren't purged yet, in the order of their purges.
    pub retention: Vec<RetentionDetails>,
    /// When the data is looked for again, or was, in order.
    pub rechecks: Vec<RecheckDetails>,
}

/// A step, its state and its failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepDetails {
    /// Which step.
    pub step: Step,
    /// Its state.
    pub status: Status,
    /// How many times it was started.
    pub attempts: u32,
    /// The time of the next attempt after a failure. `None` if none is scheduled.
    pub next_attempt_at: Option<OffsetDateTime>,
    /// When it was finished.
    pub finished_at: Option<OffsetDateTime>,
    /// Why the last attempt failed. `None` if none has failed, or the step is done.
    pub failure: Option<Failure>,
}

/// Rows of one table that are purged later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionDetails {
    /// Schema and table.
    pub table: String,
    /// When its rows are purged.
    pub due_at: OffsetDateTime,
    /// How many times the purge has failed.
    pub attempts: u32,
    /// The time of the next attempt after a failure. `None` if none has failed, or the next one is due.
    pub next_attempt_at: Option<OffsetDateTime>,
    /// Why the last attempt failed.
    pub failure: Option<Failure>,
}

/// A search for rows that came late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecheckDetails {
    /// When it is due.
    pub due_at: OffsetDateTime,
    /// When it was done.
    pub finished_at: Option<OffsetDateTime>,
    /// How many rows it erased.
    pub rows: u64,
    /// How many times it has failed.
    pub attempts: u32,
    /// The time of the next attempt after a failure. `None` if none has failed, or the next one is due.
    pub next_attempt_at: Option<OffsetDateTime>,
    /// Why the last attempt failed.
    pub failure: Option<Failure>,
}

/// What a retry made due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The deletion, as it was before the retry.
    pub summary: DeletionSummary,
    /// The step whose next attempt is due now. `None` if every step is done, or an operator holds the deletion.
    pub step: Option<Step>,
    /// How many failed purges are due now.
    pub purges: u64,
    /// How many failed rechecks are due now.
    pub rechecks: u64,
}

/// A row of the query behind [`DeletionSummary`].
struct SummaryRow {
    id: Uuid,
    receipt_code: String,
    requested_at: OffsetDateTime,
    due_at: OffsetDateTime,
    finished_at: Option<OffsetDateTime>,
    state: String,
    held_at: Option<OffsetDateTime>,
    hold_reason: Option<String>,
    step: Option<String>,
    table_name: Option<String>,
    attempts: Option<i32>,
    next_attempt_at: Option<OffsetDateTime>,
    failure: Option<String>,
}

/// Returns deletions in these states, the oldest first: `limit` at most, after the one with the id `after`.
pub async fn list(lethe: &Lethe, states: &[State], after: Option<Uuid>, limit: u32) -> Result<Page> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut deletions = summaries(lethe, states, None, after, limit.saturating_add(1)).await?;
    let has_more = deletions.len() > limit;
    deletions.truncate(limit);
    let next = deletions.last().filter(|_| has_more).map(|last| last.request);
    Ok(Page { deletions, next })
}

/// Returns how many deletions need attention.
pub async fn count_attention(lethe: &Lethe) -> Result<u64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from lethe.deletion_request request
        where (finished_at is null and attention_since is not null) or exists (
            select from lethe.retention
            where request_id = request.id and finished_at is null and attention_since is not null
        )"#,
    )
    .fetch_one(&lethe.database)
    .await?;
    Ok(count.unsigned_abs())
}

/// Returns everything about a deletion, or `None` if there is none.
pub async fn details(lethe: &Lethe, reference: &Reference) -> Result<Option<DeletionDetails>> {
    let Some(summary) = summary(lethe, reference).await? else { return Ok(None) };
    let steps = sqlx::query!(
        "select step, status, attempts, next_attempt_at, finished_at, failure from lethe.deletion_step
        where request_id = $1 order by position",
        summary.request,
    )
    .fetch_all(&lethe.database)
    .await?;
    let steps = steps.into_iter().map(|row| -> Result<StepDetails> {
        let status = Status::from_name(&row.status).ok_or(Error::Internal("unknown step status in the database"))?;
        Ok(StepDetails {
            step: step_from_name(&row.step)?,
            status,
            attempts: row.attempts.unsigned_abs(),
            next_attempt_at: row.next_attempt_at.filter(|_| is_waiting(status)),
            finished_at: row.finished_at,
            failure: row.failure.as_deref().map(Failure::from_name),
        })
    });
    let retention = sqlx::query!(
        "select table_name, due_at, attempts, next_attempt_at, failure from lethe.retention
        where request_id = $1 and finished_at is null order by due_at, id",
        summary.request,
    )
    .fetch_all(&lethe.database)
    .await?;
    let retention = retention.into_iter().map(|row| RetentionDetails {
        table: row.table_name,
        due_at: row.due_at,
        attempts: row.attempts.unsigned_abs(),
        next_attempt_at: row.next_attempt_at,
        failure: row.failure.as_deref().map(Failure::from_name),
    });
    let rechecks = sqlx::query!(
        "select due_at, finished_at, rows_erased, attempts, next_attempt_at, failure from lethe.recheck
        where request_id = $1 order by position",
        summary.request,
    )
    .fetch_all(&lethe.database)
    .await?;
    let rechecks = rechecks.into_iter().map(|row| RecheckDetails {
        due_at: row.due_at,
        finished_at: row.finished_at,
        rows: row.rows_erased.unwrap_or_default().unsigned_abs(),
        attempts: row.attempts.unsigned_abs(),
        next_attempt_at: row.next_attempt_at.filter(|_| row.finished_at.is_none()),
        failure: row.failure.as_deref().map(Failure::from_name),
    });
    let (retention, rechecks) = (retention.collect(), rechecks.collect());
    Ok(Some(DeletionDetails { steps: steps.collect::<Result<_>>()?, retention, rechecks, summary }))
}

/// Makes the next attempt of a deletion due now, and those of its failed purges and rechecks, and wakes the worker. Returns what is
/// due, or `None` if there is no such deletion.
///
/// A step that is being executed is left alone: the process that has it goes on.
pub async fn retry(lethe: &Lethe, reference: &Reference) -> Result<Option<Retry>> {
    let Some(summary) = summary(lethe, reference).await? else { return Ok(None) };
    let request = summary.request;
    let mut transaction = lethe.database.begin().await?;
    let step = if summary.hold.is_none() { wake(lethe, &mut transaction, request).await? } else { None };
    let purges = sqlx::query!(
        "update lethe.retention set next_attempt_at = null
        where request_id = $1 and finished_at is null and failure is not null",
        request,
    )
    .execute(&mut *transaction)
    .await?
    .rows_affected();
    if purges > 0 {
        lethe.queue().enqueue(&mut transaction, RetryPurges { request }).await?;
    }
    // A schedule runs them within a minute.
    let rechecks = sqlx::query!(
        "update lethe.recheck set next_attempt_at = null
        where request_id = $1 and finished_at is null and failure is not null",
        request,
    )
    .execute(&mut *transaction)
    .await?
    .rows_affected();
    if step.is_some() || purges > 0 || rechecks > 0 {
        audit::append(lethe, &mut transaction, None, AuditEvent::DeletionRetried { request }).await?;
    }
    transaction.commit().await?;
    Ok(Some(Retry { summary, step, purges, rechecks }))
}

async fn summary(lethe: &Lethe, reference: &Reference) -> Result<Option<DeletionSummary>> {
    let Some(request) = reference::find(lethe, reference).await? else { return Ok(None) };
    Ok(summaries(lethe, &State::ALL, Some(request), None, 1).await?.pop())
}

/// Returns the deletions in these states, or of them the one with this id, or those after the one with the id `after`.
async fn summaries(
    lethe: &Lethe,
    states: &[State],
    request: Option<Uuid>,
    after: Option<Uuid>,
    limit: usize,
) -> Result<Vec<DeletionSummary>> {
    let states: Vec<String> = states.iter().map(|state| state.name().to_owned()).collect();
    let rows = sqlx::query_as!(
        SummaryRow,
        r#"select request.id, request.receipt_code, request.requested_at, request.due_at, request.finished_at,
            state.name as "state!", request.held_at, request.hold_reason, step.step as "step?", late.table_name as "table_name?",
            coalesce(step.attempts, late.attempts) as "attempts?",
            case when step.step is null then late.next_attempt_at else step.next_attempt_at end as "next_attempt_at?",
            case when step.step is null then late.failure else step.failure end as "failure?"
        from lethe.deletion_request request
        left join lateral (
            select step, attempts, failure,
                case when status in ('retrying', 'blocked') then next_attempt_at end as next_attempt_at
            from lethe.deletion_step where request_id = request.id and status <> 'done' order by position limit 1
        ) step on true
        left join lateral (
            select * from (
                select id, table_name, attempts, failure, next_attempt_at from lethe.retention
                where request_id = request.id and finished_at is null and attention_since is not null
                union all
                select 0, null, attempts, failure, next_attempt_at from lethe.recheck
                where request_id = request.id and finished_at is null and attention_since is not null
            ) late
            order by attempts desc, id limit 1
        ) late on true
        cross join lateral (
            select case
                when request.finished_at is null and request.attention_since is not null then 'attention'
                when late.attempts is not null then 'attention'
                when request.finished_at is null then 'open'
                else 'completed'
            end as name
        ) state
        where state.name = any($1) and ($2::uuid is null or request.id = $2)
          and ($3::uuid is null or (request.requested_at, request.id)
            > (select earlier.requested_at, earlier.id from lethe.deletion_request earlier where earlier.id = $3))
        order by request.requested_at, request.id limit $4"#,
        &states,
        request,
        after,
        i64::try_from(limit).unwrap_or(i64::MAX),
    )
    .fetch_all(&lethe.database)
    .await?;
    rows.into_iter().map(DeletionSummary::from_row).collect()
}

impl DeletionSummary {
    fn from_row(row: SummaryRow) -> Result<Self> {
        let work = match (row.step, row.table_name) {
            (Some(step), _) => Some(Work::Step(step_from_name(&step)?)),
            (None, Some(table)) => Some(Work::Purge(table)),
            (None, None) => row.attempts.map(|_| Work::Recheck),
        };
        let current = work.map(|work| Unfinished {
            work,
            attempts: row.attempts.unwrap_or_default().unsigned_abs(),
            next_attempt_at: row.next_attempt_at,
            failure: row.failure.as_deref().map(Failure::from_name),
        });
        Ok(Self {
            request: row.id,
            receipt: ReceiptCode::from_database(row.receipt_code),
            requested_at: row.requested_at,
            due_at: row.due_at,
            finished_at: row.finished_at,
            state: State::from_name(&row.state).ok_or(Error::Internal("unknown state of a deletion"))?,
            hold: row.held_at.map(|since| OperatorHold { since, reason: row.hold_reason.unwrap_or_default() }),
            current,
        })
    }
}

/// Whether a step waits after a failure. In other states the stored time of an attempt is that of an earlier one.
const fn is_waiting(status: Status) -> bool {
    matches!(status, Status::Retrying | Status::Blocked)
}

fn step_from_name(name: &str) -> Result<Step> {
    Step::from_name(name).ok_or(Error::Internal("unknown step in the database"))
}
