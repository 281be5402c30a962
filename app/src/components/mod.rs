//! What pages and islands are made of. Only what the islands use goes into the browser's bundle; the server renders the
//! rest, also where a script asks for it.

#[cfg(feature = "ssr")]
mod activity_entry;
mod confirmation_phrase;
#[cfg(feature = "ssr")]
mod error_notice;
mod icon;
mod live_text;
#[cfg(feature = "ssr")]
mod operator_text;
#[cfg(feature = "ssr")]
mod plan_table;
#[cfg(feature = "ssr")]
mod steps;

pub(crate) use confirmation_phrase::{WithPhrase, quoted_phrase};
pub(crate) use icon::Check;
pub(crate) use live_text::LiveText;
#[cfg(feature = "ssr")]
pub(crate) use {
    activity_entry::ActivityEntry, error_notice::ErrorNotice, operator_text::OperatorText, plan_table::PlanTable,
    steps::Steps,
};
