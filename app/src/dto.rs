//! The values that travel between server and browser. Dates, counts and outcomes travel as text: the server puts
//! them into words, which keeps the browser's bundle small.

use lethe_error_code::ErrorCode;
use serde::{Deserialize, Serialize};

/// What has to be typed to confirm a deletion.
pub const CONFIRMATION: &str = "delete my account";

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
    /// When the state last changed, e.g. `22 November 2026, 09:58 UTC`. `None` before the first choice.
    pub changed: Option<String>,
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
    /// Whether the user consents.
    pub granted: bool,
    /// The choice and its date, e.g. `on since 3 March 2026`.
    #[serde(rename = "standing")]
    pub status: String,
    /// Whether the browser's opt-out signal keeps the purpose off.
    pub locked: bool,
}

/// What a deletion would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionPreview {
    /// The plan's hash, which the user confirms.
    pub plan: String,
    /// When the rows were counted.
    #[serde(rename = "counted")]
    pub counted_at: String,
    /// One row per kind of data.
    pub lines: Vec<PlanRow>,
    /// Why the user can't start the deletion now.
    pub refused: Option<ErrorCode>,
}

/// One kind of data, and what a deletion does to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRow {
    /// The kind, as the data map labels it.
    pub label: String,
    /// The number of rows, e.g. `1,904`.
    pub rows: String,
    /// What happens to them, e.g. `deleted`.
    #[serde(rename = "becomes")]
    pub outcome: String,
    /// Why something stays.
    #[serde(rename = "why")]
    pub reason: Option<String>,
    /// Whether the rows go or stay, which decides their color.
    #[serde(rename = "tone")]
    pub disposition: Disposition,
}

/// Whether a deletion removes rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// Removed now, or at a fixed date.
    #[serde(rename = "goes")]
    Removed,
    /// Retained.
    #[serde(rename = "stays")]
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
    /// Whether a step keeps failing and the operator was alerted.
    pub attention: bool,
    /// The steps, in order.
    pub steps: Vec<StepProgress>,
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
    /// Done.
    Done,
}

/// A finished export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletedExport {
    /// Identifies the export. Later exports have greater ids.
    pub id: String,
    /// When it finished.
    pub at: String,
    /// What it contained, e.g. `1,204 rows, 1.2 MB`.
    pub content: String,
}
