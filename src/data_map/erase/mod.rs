//! The erase strategies: what a deletion does with a person's rows of one table.
//!
//! One strategy is one file with all that it needs: how it is written in the map, what the database must allow,
//! the SQL, and what plan and receipt say. [`Erase`] is the only place that lists the strategies; their keys are
//! in the grammar.

mod delete;
mod keep;
mod outcome;
mod scrub;
mod stamp;
mod strategy;

use serde::Serialize;

use super::grammar::{EntryError, EraseEntry, KeywordOr};

pub use keep::Keep;
pub use outcome::Outcome;
pub use scrub::{Scrub, ScrubValue};
pub use stamp::Stamp;
pub(crate) use strategy::{EraseTarget, Removal, RowAction, Strategy};

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

impl Erase {
    pub(super) fn parse(entry: KeywordOr<EraseEntry>) -> Result<Self, EntryError> {
        let mut entry = match entry {
            KeywordOr::Keyword(keyword) if keyword == delete::KEYWORD => return Ok(Self::Delete),
            KeywordOr::Keyword(keyword) => {
                return Err(EntryError::new(format!("`{keyword}` is no erase strategy"), remedy()));
            }
            KeywordOr::Table(entry) => entry,
        };
        // `scrub` comes before `stamp`, as its table may have the key `stamp` too.
        let erase = if let Some(keep) = Keep::parse(&mut entry)? {
            Some(Self::Keep(keep))
        } else if let Some(scrub) = Scrub::parse(&mut entry)? {
            Some(Self::Scrub(scrub))
        } else {
            Stamp::parse(&mut entry)?.map(Self::Stamp)
        };
        let is_complete = entry == EraseEntry::default();
        let erase = erase.filter(|_| is_complete);
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
