//! The islands: the parts of pages that also run in the browser. This module and what it uses is the whole bundle.
//!
//! Their markup stays as it is: they change texts, attributes and what the server renders anew, never which elements there
//! are. So there is little to hydrate, and no values travel to the browser beside the markup. What the server knows stands
//! in attributes of the section around the island.

mod activity;
mod browser;
mod deletion;
mod export;
mod held_data;
mod http;
mod preferences;
mod progress;

#[cfg(feature = "hydrate")]
pub use browser::restore_markup;

#[cfg(feature = "ssr")]
pub(crate) use {
    activity::RecentActivity,
    browser::FirstText,
    deletion::DeletionDialog,
    export::ExportButton,
    held_data::HeldData,
    preferences::{BOXES_ID, PreferenceForm, TEXTS_NAME, box_id},
    progress::ReceiptProgress,
};
