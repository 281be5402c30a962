//! `erase = "delete"`: the rows are deleted.

use time::OffsetDateTime;

use super::outcome::Outcome;
use super::strategy::{Removal, RowAction, Strategy};
use crate::data_map::catalog::Relation;
use crate::data_map::sql::Parameters;
use crate::data_map::value::ReferencedGhosts;

pub(super) const KEYWORD: &str = "delete";
pub(super) const SYNTAX: &str = "\"delete\"";

pub(super) struct Delete;

impl Strategy for Delete {
    fn removal(&self) -> Removal {
        Removal::Immediate
    }

    fn outcome(&self, _now: OffsetDateTime) -> Outcome {
        Outcome::Deleted
    }

    fn action(&self, _relation: &Relation, _ghosts: &ReferencedGhosts, _parameters: &mut Parameters) -> RowAction {
        RowAction::Delete
    }
}
