//! How far a deletion is.

use time::OffsetDateTime;
use uuid::Uuid;

use super::failure::Failure;
use super::step::{Status, Step};
use crate::receipt_code::ReceiptCode;
use crate::{Error, ErrorCode, Lethe, Result};

/// How far a deletion is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Whether every step is done.
    pub finished: bool,
    /// Every step, in order.
    pub steps: Vec<StepStatus>,
    /// Whether operators were alerted because a step keeps failing, and it isn't finished yet.
    pub needs_attention: bool,
    /// What it waits for before the application's data is deleted, apart from a retry.
    pub waiting: Option<Waiting>,
    /// The deadline for the deletion (GDPR 12(3)).
    pub due_at: OffsetDateTime,
}

/// What a deletion waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// An operator holds it.
    Hold,
    /// The data map doesn't fit the database.
    DataMap,
    /// What would happen isn't what the person confirmed, and they are asked again.
    Confirmation,
}

/// A step and its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepStatus {
    /// Which step.
    pub step: Step,
    /// Its state.
    pub status: Status,
    /// When it was finished.
    pub finished_at: Option<OffsetDateTime>,
    /// How many times it was started.
    pub attempts: u32,
}

/// A row of `lethe.deletion_step` with what its request adds.
struct StepRow {
    step: String,
    status: String,
    finished_at: Option<OffsetDateTime>,
    attempts: i32,
    failure: Option<String>,
    attention_since: Option<OffsetDateTime>,
    held_at: Option<OffsetDateTime>,
    due_at: OffsetDateTime,
}

/// Returns how far the deletion `request` is. Refused with [`ErrorCode::NotFound`] if there is none.
pub async fn progress(lethe: &Lethe, request: Uuid) -> Result<Progress> {
    let rows = sqlx::query_as!(
        StepRow,
        "select step.step, step.status, step.finished_at, step.attempts, step.failure, request.attention_since,
            request.held_at, request.due_at
        from lethe.deletion_step step join lethe.deletion_request request on request.id = step.request_id
        where step.request_id = $1 order by step.position",
        request,
    )
    .fetch_all(&lethe.database)
    .await?;
    from_rows(&rows)
}

/// Returns how far the deletion with this receipt is, for pages that poll. Refused with [`ErrorCode::NotFound`] if there
/// is none.
pub async fn progress_of(lethe: &Lethe, code: &ReceiptCode) -> Result<Progress> {
    let rows = sqlx::query_as!(
        StepRow,
        "select step.step, step.status, step.finished_at, step.attempts, step.failure, request.attention_since,
            request.held_at, request.due_at
        from lethe.deletion_request request join lethe.deletion_step step on step.request_id = request.id
        where request.receipt_code = $1 order by step.position",
        code.as_str(),
    )
    .fetch_all(&lethe.database)
    .await?;
    from_rows(&rows)
}

fn from_rows(rows: &[StepRow]) -> Result<Progress> {
    let due_at = rows.first().ok_or(ErrorCode::NotFound)?.due_at;
    let was_escalated = rows.iter().any(|row| row.attention_since.is_some());
    let steps = rows.iter().map(StepStatus::from_row).collect::<Result<Vec<_>>>()?;
    let finished = steps.iter().all(|step| step.status == Status::Done);
    Ok(Progress { finished, steps, needs_attention: was_escalated && !finished, waiting: waiting(rows), due_at })
}

fn waiting(rows: &[StepRow]) -> Option<Waiting> {
    let current = rows.iter().find(|row| row.status != Status::Done.name())?;
    if current.held_at.is_some() {
        return Some(Waiting::Hold);
    }
    let failure = current.failure.as_deref().filter(|_| current.step == Step::ApplicationData.name())?;
    match Failure::from_name(failure) {
        Failure::DataMapMismatch => Some(Waiting::DataMap),
        Failure::PlanChanged => Some(Waiting::Confirmation),
        _ => None,
    }
}

impl StepStatus {
    fn from_row(row: &StepRow) -> Result<Self> {
        Ok(Self {
            step: Step::from_name(&row.step).ok_or(Error::Internal("unknown step in the database"))?,
            status: Status::from_name(&row.status).ok_or(Error::Internal("unknown step status in the database"))?,
            finished_at: row.finished_at,
            attempts: row.attempts.unsigned_abs(),
        })
    }
}
