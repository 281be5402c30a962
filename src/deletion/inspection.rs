//! Deletions as operators see them: which are open, why one doesn't go on, and a retry without waiting.
//!
//! Knows the tables of deletions and retention, and the queue. Knows nothing of what steps do, and returns nothing
//! about the person: a Clerk user id finds a deletion and is in no result.

use time::OffsetDateTime;
use uuid::Uuid;

use super::failure::Failure;
use super::retention::RetryPurges;
use super::runner::AdvanceDeletion;
use super::step::{Status, Step};
use crate::ids::ClerkUserId;
use crate::receipt_code::ReceiptCode;
use crate::{Error, Lethe, Result};

/// What an operator finds a deletion by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The code of its receipt.
    Receipt(ReceiptCode),
    /// The person. Finds only a deletion that isn't completed, since a completed one has no link to the person.
    Subject(ClerkUserId),
    /// Its id, which alerts and the log have.
    Request(Uuid),
}

/// The text is nothing that a deletion is found by.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a receipt code nor a Clerk user id nor the id in an alert")]
pub struct InvalidReference;

impl Reference {
    /// Reads a receipt code, a Clerk user id or the id of a deletion.
    ///
    /// ```
    /// use lethe::deletion::inspection::Reference;
    ///
    /// assert!(matches!(Reference::parse("user_2abcDEF0123456789"), Ok(Reference::Subject(_))));
    /// assert!(matches!(Reference::parse("7q2m9kxa41td0000abcd"), Ok(Reference::Receipt(_))));
    /// assert!(Reference::parse("ada@example.org").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, InvalidReference> {
        let text = text.trim();
        if let Ok(subject) = ClerkUserId::parse(text) {
            return Ok(Self::Subject(subject));
        }
        if let Ok(request) = Uuid::try_parse(text) {
            return Ok(Self::Request(request));
        }
        ReceiptCode::parse(text).map(Self::Receipt).map_err(|_| InvalidReference)
    }
}

/// How a deletion stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Steps remain, and nothing says that an operator must look at it.
    Open,
    /// Operators were alerted: a step of an open deletion kept failing, or a purge of what it left behind does.
    Attention,
    /// Every step is done.
    Completed,
}

impl State {
    const ALL: [Self; 3] = [Self::Open, Self::Attention, Self::Completed];

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
    /// The first step that isn't done; if all are, the purge that has failed most often of those that operators were
    /// alerted to. `None` if there is neither.
    pub current: Option<Unfinished>,
}

/// What a deletion waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// A step or a purge.
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

/// What a retry made due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The deletion, as it was before the retry.
    pub summary: DeletionSummary,
    /// The step whose next attempt is due now. `None` if every step is done.
    pub step: Option<Step>,
    /// How many failed purges are due now.
    pub purges: u64,
}

/// A row of the query behind [`DeletionSummary`].
struct SummaryRow {
    id: Uuid,
    receipt_code: String,
    requested_at: OffsetDateTime,
    due_at: OffsetDateTime,
    finished_at: Option<OffsetDateTime>,
    state: String,
    step: Option<String>,
    table_name: Option<String>,
    attempts: Option<i32>,
    next_attempt_at: Option<OffsetDateTime>,
    failure: Option<String>,
}

/// Returns the deletions in these states, the oldest first.
pub async fn list(lethe: &Lethe, states: &[State]) -> Result<Vec<DeletionSummary>> {
    summaries(lethe, states, None).await
}

/// Returns everything about a deletion, or `None` if there is none.
pub async fn details(lethe: &Lethe, reference: &Reference) -> Result<Option<DeletionDetails>> {
    let Some(summary) = find(lethe, reference).await? else { return Ok(None) };
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
    Ok(Some(DeletionDetails { steps: steps.collect::<Result<_>>()?, retention: retention.collect(), summary }))
}

/// Makes the next attempt of a deletion due now, and those of its failed purges, and wakes the worker. Returns what is
/// due, or `None` if there is no such deletion.
///
/// A step that is being executed is left alone: the process that has it goes on.
pub async fn retry(lethe: &Lethe, reference: &Reference) -> Result<Option<Retry>> {
    let Some(summary) = find(lethe, reference).await? else { return Ok(None) };
    let request = summary.request;
    let mut transaction = lethe.database.begin().await?;
    let step = sqlx::query_scalar!(
        "update lethe.deletion_step set next_attempt_at = null
        where request_id = $1
          and position = (select min(position) from lethe.deletion_step where request_id = $1 and status <> 'done')
          and status <> 'done'
        returning step",
        request,
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let step = step.map(|step| step_from_name(&step)).transpose()?;
    if step.is_some() {
        // It replaces the job that waits for the next attempt.
        lethe.queue().enqueue(&mut transaction, AdvanceDeletion { request }).await?;
    }
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
    transaction.commit().await?;
    Ok(Some(Retry { summary, step, purges }))
}

async fn find(lethe: &Lethe, reference: &Reference) -> Result<Option<DeletionSummary>> {
    let (receipt, subject, request) = match reference {
        Reference::Receipt(code) => (Some(code.as_str()), None, None),
        Reference::Subject(subject) => (None, Some(subject.as_str()), None),
        Reference::Request(request) => (None, None, Some(*request)),
    };
    let request = sqlx::query_scalar!(
        "select id from lethe.deletion_request where receipt_code = $1 or clerk_id = $2 or id = $3",
        receipt,
        subject,
        request,
    )
    .fetch_optional(&lethe.database)
    .await?;
    let Some(request) = request else { return Ok(None) };
    Ok(summaries(lethe, &State::ALL, Some(request)).await?.pop())
}

/// Returns the deletions in these states, or of them the one with this id.
async fn summaries(lethe: &Lethe, states: &[State], request: Option<Uuid>) -> Result<Vec<DeletionSummary>> {
    let states: Vec<String> = states.iter().map(|state| state.name().to_owned()).collect();
    let rows = sqlx::query_as!(
        SummaryRow,
        r#"select request.id, request.receipt_code, request.requested_at, request.due_at, request.finished_at,
            state.name as "state!", step.step as "step?", purge.table_name as "table_name?",
            coalesce(step.attempts, purge.attempts) as "attempts?",
            case when step.step is null then purge.next_attempt_at else step.next_attempt_at end as "next_attempt_at?",
            case when step.step is null then purge.failure else step.failure end as "failure?"
        from lethe.deletion_request request
        left join lateral (
            select step, attempts, failure,
                case when status in ('retrying', 'blocked') then next_attempt_at end as next_attempt_at
            from lethe.deletion_step where request_id = request.id and status <> 'done' order by position limit 1
        ) step on true
        left join lateral (
            select table_name, attempts, failure, next_attempt_at from lethe.retention
            where request_id = request.id and finished_at is null and attention_since is not null
            order by attempts desc, id limit 1
        ) purge on true
        cross join lateral (
            select case
                when request.finished_at is null and request.attention_since is not null then 'attention'
                when purge.table_name is not null then 'attention'
                when request.finished_at is null then 'open'
                else 'completed'
            end as name
        ) state
        where state.name = any($1) and ($2::uuid is null or request.id = $2)
        order by request.requested_at, request.id"#,
        &states,
        request,
    )
    .fetch_all(&lethe.database)
    .await?;
    rows.into_iter().map(DeletionSummary::from_row).collect()
}

impl DeletionSummary {
    fn from_row(row: SummaryRow) -> Result<Self> {
        let work = match (row.step, row.table_name) {
            (Some(step), _) => Some(Work::Step(step_from_name(&step)?)),
            (None, table) => table.map(Work::Purge),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reference_is_read_by_its_form() {
        let id = "00000000-0000-0000-0000-000000000007";
        assert_eq!(Reference::parse(id), Ok(Reference::Request(Uuid::from_u128(7))));
        assert_eq!(
            Reference::parse(" 7q2m9kxa41td0000abcd "),
            Ok(Reference::Receipt(ReceiptCode::from_database(ReceiptCode::EXAMPLE.to_owned())))
        );
        for wrong in ["", "ada@example.org", "org_2abc", "7Q2M"] {
            assert_eq!(Reference::parse(wrong), Err(InvalidReference), "{wrong}");
        }
    }

    #[test]
    fn debug_output_of_a_reference_names_no_person_and_no_receipt() {
        for text in ["user_2abcDEF0123456789", ReceiptCode::EXAMPLE] {
            let output = format!("{:?}", Reference::parse(text).unwrap());
            assert!(!output.contains("2abc") && !output.contains("7Q2M"), "{output}");
        }
    }
}
