//! What travels between server and browser. Dates, counts and outcomes travel as the words that
//! the page shows: they are put together on the server, so that the browser's part stays small.

use serde::{Deserialize, Serialize};

use super::ErrorCode;

/// What has to be typed to confirm a deletion.
pub const CONFIRMATION: &str = "delete my account";

/// A person's choices, as the server has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preferences {
    /// One entry a purpose, in the catalogue's order.
    pub purposes: Vec<PurposeChoice>,
    /// Names this state of the record; another state has another one.
    pub revision: String,
    /// When the record last changed, e.g. `22 November 2026, 09:58 UTC`.
    pub changed: Option<String>,
}

/// A purpose and what was chosen for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurposeChoice {
    /// The purpose's key, e.g. `thirdParty`.
    pub key: String,
    /// Its name.
    pub title: String,
    /// One sentence of what it means.
    pub text: String,
    /// Whether it is allowed.
    pub granted: bool,
    /// Since when, e.g. `on since 3 March 2026`.
    #[serde(rename = "standing")]
    pub status: String,
    /// Whether the browser's opt-out signal holds it off.
    pub locked: bool,
}

/// What a deletion would do, counted a moment ago.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionPreview {
    /// The plan's hash: what is confirmed.
    pub plan: String,
    /// When it was counted.
    #[serde(rename = "counted")]
    pub counted_at: String,
    /// One line a kind of data.
    pub lines: Vec<PlanRow>,
    /// Why the person couldn't begin it now.
    pub refused: Option<ErrorCode>,
}

/// What becomes of one kind of data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRow {
    /// The kind, in the application's words.
    pub label: String,
    /// How many, e.g. `1,904`.
    pub rows: String,
    /// What they become.
    #[serde(rename = "becomes")]
    pub outcome: String,
    /// Why, where they stay.
    #[serde(rename = "why")]
    pub reason: Option<String>,
    /// How it is coloured.
    #[serde(rename = "tone")]
    pub disposition: Disposition,
}

/// Whether something goes or stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// It goes, at once or at a date.
    #[serde(rename = "goes")]
    Removed,
    /// It stays.
    #[serde(rename = "stays")]
    Retained,
}

/// A deletion that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionStarted {
    /// Path of its receipt.
    pub receipt: String,
}

/// How far a deletion is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionProgress {
    /// Whether everything is done.
    pub finished: bool,
    /// Whether somebody was called to help.
    pub attention: bool,
    /// The steps, in order.
    pub steps: Vec<StepProgress>,
}

/// How far one step of a deletion is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepProgress {
    /// What the step does, as long as it isn't done, and what it did, once it is.
    pub title: String,
    /// How far it is.
    pub state: StepState,
    /// Time of day at which it was done, in UTC, e.g. `09:57:58`.
    pub at: Option<String>,
}

/// A step's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Not begun.
    Pending,
    /// Under way, or tried again after a failure.
    Running,
    /// Waits for somebody to remove what is in its way.
    Blocked,
    /// Done.
    Done,
}

/// A finished export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletedExport {
    /// Names this export; a later one has a greater name.
    pub id: String,
    /// When it was finished.
    pub at: String,
    /// What it held, e.g. `1,204 rows, 1.2 MB`.
    pub content: String,
}
