//! The islands: the parts of pages that also run in the browser. This module and what it uses is the whole bundle.

mod browser;
mod deletion;
mod export;
mod preferences;
mod progress;

#[cfg(feature = "ssr")]
pub(crate) use {
    deletion::DeletionDialog, export::ExportButton, preferences::PreferenceForm, progress::ReceiptProgress,
};
