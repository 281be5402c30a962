//! What operators see of a deletion.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::deletion::content_search::FoundContent;
use crate::deletion::failure::Failure;
use crate::deletion::step::{Status, Step};
use crate::receipt_code::ReceiptCode;

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
    pub(super) const ALL: [Self; 3] = [Self::Open, Self::Attention, Self::Completed];

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

    pub(super) fn from_name(name: &str) -> Option<Self> {
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
    /// Texts that still have the Clerk user id or an address of the person, which no rule erases.
    pub found: Vec<FoundContent>,
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
