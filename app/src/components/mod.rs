//! What pages are made of. Islands act in the browser as well; everything else is only rendered.

mod browser;
mod deletion;
mod draft_store;
mod export;
mod icon;
mod plan_table;
mod preferences;
mod progress;

#[cfg(feature = "ssr")]
pub(crate) use {
    deletion::DeletionDialog, export::ExportButton, icon::Check, plan_table::PlanTable, preferences::PreferenceForm,
    progress::ReceiptProgress,
};
