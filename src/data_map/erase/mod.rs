//! The erase strategies: what a deletion does with a person's rows of one table.
//!
//! One strategy is one file with all that it needs: what its keys in the map mean, what the database must allow, the
//! SQL, and what plan and receipt say. This file alone lists the strategies and their keys.

mod delete;
mod keep;
mod outcome;
mod scrub;
mod stamp;
mod strategy;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::scrub::{LeaveEntry, ScrubEntry};
use super::entry::{EntryError, KeywordOr};
use super::value::ValueEntry;

pub use keep::Keep;
pub use outcome::{Disposition, Outcome};
pub use scrub::Scrub;
pub use stamp::Stamp;
pub(crate) use strategy::{EraseTarget, PathTargetColumn, Removal, RowAction, Strategy};

/// What a deletion does with a person's rows of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Erase {
    /// The rows are deleted.
    Delete,
    /// Columns are set to the time of the deletion; the rows are deleted later or never.
    Stamp(Stamp),
    /// Columns are set to NULL or overwritten; the rows stay.
    Scrub(Scrub),
    /// The rows stay as they are, for a time or for good.
    Keep(Keep),
}

/// The keys of `erase` in the map.
#[derive(Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EraseEntry {
    stamp: Option<Vec<String>>,
    purge_after: Option<String>,
    scrub: Option<BTreeMap<String, KeywordOr<ValueEntry>>>,
    leave: Option<LeaveEntry>,
    reason: Option<String>,
    keep: Option<String>,
    #[serde(rename = "for")]
    period: Option<String>,
}

impl Erase {
    /// Returns the columns that get the time of the deletion.
    pub(super) fn stamped_columns(&self) -> &[String] {
        match self {
            Self::Stamp(stamp) => &stamp.columns,
            Self::Scrub(scrub) => &scrub.stamp,
            Self::Delete | Self::Keep(_) => &[],
        }
    }

    pub(super) fn parse(entry: KeywordOr<EraseEntry>) -> Result<Self, EntryError> {
        let mut entry = match entry {
            KeywordOr::Keyword(keyword) if keyword == delete::KEYWORD => return Ok(Self::Delete),
            KeywordOr::Keyword(keyword) => {
                return Err(EntryError::new(format!("`{keyword}` is no erase strategy"), remedy()));
            }
            KeywordOr::Table(entry) => entry,
        };
        // Each strategy takes its keys out of the entry. `scrub` comes before `stamp`, which it may contain.
        let erase = if let Some(reason) = entry.keep.take() {
            Some(Self::Keep(Keep::parse(reason, entry.period.take())?))
        } else if let Some(columns) = entry.scrub.take() {
            let (stamp, leave) = (entry.stamp.take().unwrap_or_default(), entry.leave.take());
            let (reason, period) = (entry.reason.take(), entry.period.take());
            Some(Self::Scrub(Scrub::parse(ScrubEntry { columns, stamp, leave, reason, period })?))
        } else if let Some(columns) = entry.stamp.take() {
            Some(Self::Stamp(Stamp::parse(columns, entry.purge_after.take())?))
        } else {
            None
        };
        let nothing_is_left = entry == EraseEntry::default();
        let erase = erase.filter(|_| nothing_is_left);
        erase.ok_or_else(|| EntryError::new("these keys of erase don't go together", remedy()))
    }

    /// Returns the implementation of the strategy, with the settings of the map.
    pub(crate) fn strategy(&self) -> &dyn Strategy {
        match self {
            Self::Delete => &delete::Delete,
            Self::Stamp(stamp) => stamp,
            Self::Scrub(scrub) => scrub,
            Self::Keep(keep) => keep,
        }
    }
}

fn remedy() -> String {
    format!("Write {}, {}, {} or {}", delete::SYNTAX, stamp::SYNTAX, scrub::SYNTAX, keep::SYNTAX)
}
