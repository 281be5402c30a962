//! The values that travel between server and browser. Dates, counts and outcomes travel as text: the server puts
//! them into words, which keeps the browser's bundle small.

use lethe_error_code::ErrorCode;
use serde::{Deserialize, Serialize};

/// What has to be typed to confirm a deletion.
pub const CONFIRMATION: &str = "delete my account";

/// Whether `typed` is the confirmation. The server decides by the same rule (`lethe::deletion::confirms`).
#[must_use]
pub fn confirms(typed: &str) -> bool {
    let is_around = |letter: char| letter.is_ascii_whitespace() || "\"'.‘’“”".contains(letter);
    let typed = typed.trim_matches(is_around).to_ascii_lowercase();
    typed.split_ascii_whitespace().eq(CONFIRMATION.split(' '))
}

/// A keyed digest of a user's id. It tells the users of one browser apart without naming them: forms carry it to
/// show for whom they were rendered, and the browser's storage is keyed by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserHandle(String);

impl UserHandle {
    /// Wraps the digest that `lethe::Keys::user_handle` computes.
    #[must_use]
    pub const fn new(digest: String) -> Self {
        Self(digest)
    }

    /// Returns the digest, in hexadecimal.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A user's consent state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preferences {
    /// One entry per purpose, in the configured order.
    pub purposes: Vec<PurposeChoice>,
    /// Identifies this state: it changes with every change of the state.
    pub revision: String,
    /// When the state last changed. `None` before the first choice.
    pub changed: Option<Time>,
}

/// A purpose and the user's choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurposeChoice {
    /// The purpose's key, e.g. `thirdParty`.
    pub key: String,
    /// The purpose's name.
    pub title: String,
    /// One sentence that explains it.
    pub text: String,
    /// Identifies title and text: a form carries it, so that the ledger records what was read.
    pub text_id: String,
    /// Whether the user consents.
    pub granted: bool,
    /// When that was decided, in RFC 3339; empty if it never was.
    pub since: String,
    /// The choice and its date, e.g. `On since 3 March 2026`.
    #[serde(rename = "standing")]
    pub status: String,
    /// What there is to say about an earlier choice that no longer counts.
    pub note: Option<String>,
    /// The heading under which it is shown.
    pub group: Option<String>,
    /// Whether the browser's opt-out signal keeps the purpose off.
    pub locked: bool,
}

/// A time. The browser shows it in the reader's zone and language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Time {
    /// RFC 3339 in UTC. Later times are greater strings.
    pub timestamp: String,
    /// In words, in UTC, e.g. `22 November 2026, 09:58 UTC`.
    pub text: String,
}

/// What a deletion would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionPreview {
    /// The plan's hash, which the user confirms. Empty while nobody can say what would happen.
    pub plan: String,
    /// Identifies the attempt to delete, so that it counts once.
    #[serde(rename = "attempt")]
    pub idempotency_key: String,
    /// The code of the receipt that the attempt would get.
    pub receipt: String,
    /// The table of what would happen, as markup. Empty without a plan.
    pub table: String,
    /// Whether the deletion would wait for an operator before its first step.
    pub is_obstructed: bool,
    /// Why the user can't start the deletion now.
    pub refused: Option<ErrorCode>,
}

/// A new attempt to delete, after one that never arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionAttempt {
    /// Identifies it, so that it counts once.
    #[serde(rename = "attempt")]
    pub idempotency_key: String,
    /// The code of the receipt that it would get.
    pub receipt: String,
}

/// One kind of data, and what a deletion does to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRow {
    /// The kind, as the data map labels it.
    pub label: String,
    /// The language of the label and the reason, where it isn't that of the pages.
    pub language: Option<String>,
    /// The number of rows, e.g. `1,904`.
    pub rows: String,
    /// The day of the oldest, e.g. `3 March 2026`, where it is known.
    pub since: Option<String>,
    /// What happens to them, e.g. `deleted`.
    #[serde(rename = "becomes")]
    pub outcome: String,
    /// Why something stays.
    #[serde(rename = "why")]
    pub reason: Option<String>,
    /// Whether what stays still has the user's id.
    pub keeps_user_id: bool,
    /// Whether the rows are deleted or stay, which decides their color.
    #[serde(rename = "tone")]
    pub disposition: Disposition,
}

/// One kind of data for which something else would happen than the user confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanChangeRow {
    /// The kind, as the data map labels it.
    pub label: String,
    /// What the user confirmed.
    pub confirmed: String,
    /// What would happen now.
    pub current: String,
}

/// What a deletion does with rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// Deleted now.
    Deleted,
    /// Hidden now, deleted at a fixed date.
    DeletedLater,
    /// Something stays.
    Retained,
}

/// A deletion that has started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionStarted {
    /// Path of the receipt's page.
    pub receipt: String,
}

/// The progress of a deletion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionProgress {
    /// Whether all steps are done.
    pub finished: bool,
    /// Whether a step keeps failing.
    pub is_overdue: bool,
    /// What there is to say about the whole.
    pub status: String,
    /// The steps, in order, as markup.
    pub steps: String,
}

/// Markup that replaces what a page displays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldDataTable {
    /// The table of what is held.
    pub table: String,
}

/// Markup that replaces what a page displays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityList {
    /// The newest entries.
    pub list: String,
}

/// The progress of one step of a deletion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepProgress {
    /// What the step does, or did once it is done.
    pub title: String,
    /// How far it is.
    pub state: StepState,
    /// Time of day at which it was done, in UTC, e.g. `09:57:58`.
    pub at: Option<String>,
}

/// The state of a deletion's step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Not started.
    Pending,
    /// Running, or retried after a failure.
    Running,
    /// Can't continue before the operator removes an obstacle.
    Blocked,
    /// Paused by the operator.
    Held,
    /// Can't continue before the user confirms again.
    Unconfirmed,
    /// Done.
    Done,
}

/// A finished export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletedExport {
    /// When it finished. It also tells exports apart.
    pub at: Time,
    /// What it contained, e.g. `1,204 items, 1.2 MB`.
    pub content: String,
}

/// Something that the user did, or that was done for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityItem {
    /// Orders the items: later ones have greater numbers.
    pub id: i64,
    /// When it happened.
    pub at: Time,
    /// What happened. Titles of purposes are isolated.
    pub text: String,
    /// What the user read then, isolated, where it isn't what the page says now.
    pub earlier_texts: Vec<String>,
    /// The language tag of what the operator wrote.
    pub language: Option<String>,
}
