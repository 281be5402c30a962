//! `erase = { keep = "reason and basis", for = "2 years" }`: the rows stay as they are, for a time or for good.

use serde::Serialize;
use time::OffsetDateTime;

use super::outcome::Outcome;
use super::strategy::{Removal, RowAction, Strategy};
use crate::data_map::catalog::Relation;
use crate::data_map::entry::{EntryError, non_empty_reason, parse_period};
use crate::data_map::period::Period;
use crate::data_map::sql::Parameters;
use crate::data_map::value::ReferencedGhosts;

pub(super) const SYNTAX: &str = "{ keep = \"reason and basis\", for = \"2 years\" }";

/// Rows that stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Keep {
    /// Why they stay, and on what legal basis.
    pub reason: String,
    /// After which they are deleted; `None` keeps them for good.
    pub period: Option<Period>,
}

impl Keep {
    pub(super) fn parse(reason: String, period: Option<String>) -> Result<Self, EntryError> {
        let reason = non_empty_reason(reason, "keep")?;
        let period = period.map(|period| parse_period(&period)).transpose()?;
        Ok(Self { reason, period })
    }
}

impl Strategy for Keep {
    fn removal(&self) -> Removal {
        self.period.map_or(Removal::Never, Removal::After)
    }

    fn outcome(&self, now: OffsetDateTime) -> Outcome {
        Outcome::Retained { reason: self.reason.clone(), until: self.period.map(|period| period.after(now)) }
    }

    fn action(&self, _relation: &Relation, _ghosts: &ReferencedGhosts, _parameters: &mut Parameters) -> RowAction {
        RowAction::Leave
    }
}
