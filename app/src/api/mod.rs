//! The wire between pages and browser: types, closed errors and the server functions.
//!
//! Knows `lethe` where it is compiled for the server, and nothing of HTTP beyond status codes.

#[cfg(feature = "ssr")]
pub(crate) mod answer;
mod consent;
#[cfg(feature = "ssr")]
pub mod context;
mod deletion;
#[cfg(feature = "ssr")]
pub mod errand;
mod error;
mod export;
#[cfg(feature = "ssr")]
pub(crate) mod load;
mod wire;

pub use consent::{SavePreferences, save_preferences};
pub use deletion::{
    DeletionProgressOf, PreviewDeletion, RequestDeletion, deletion_progress_of, preview_deletion, request_deletion,
};
pub use error::{Code, PublicError};
pub use export::{LatestExport, latest_export};
pub use wire::{
    Begun, CONFIRMATION, DeletionProgress, Download, Line, Preferences, Preview, Purpose, StepProgress, StepState, Tone,
};
