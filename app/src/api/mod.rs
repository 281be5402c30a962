//! The wire between pages and browser: types, closed errors and the server functions.
//!
//! Knows `lethe` where it is compiled for the server, and nothing of HTTP beyond status codes.

mod consent;
#[cfg(feature = "ssr")]
pub mod context;
mod deletion;
mod dto;
mod error;
mod export;
#[cfg(feature = "ssr")]
pub(crate) mod respond;
#[cfg(feature = "ssr")]
pub mod resume;
#[cfg(feature = "ssr")]
pub(crate) mod view_model;

pub use consent::{SavePreferences, save_preferences};
pub use deletion::{
    DeletionProgressOf, PreviewDeletion, RequestDeletion, deletion_progress_of, preview_deletion, request_deletion,
};
pub use dto::{
    CONFIRMATION, CompletedExport, DeletionPreview, DeletionProgress, DeletionStarted, Disposition, PlanRow,
    Preferences, PurposeChoice, StepProgress, StepState,
};
pub use error::{ErrorCode, PublicError};
pub use export::{LatestExport, latest_export};
