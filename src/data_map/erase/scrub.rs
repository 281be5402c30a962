//! `erase = { scrub = { email = "null" }, stamp = [..], leave = [..], reason = "..", for = ".." }`: columns are overwritten, and
//! the rows stay, for a time or for good.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::outcome::Outcome;
use super::stamp;
use super::strategy::{EraseTarget, Removal, RowAction, Strategy};
use crate::data_map::catalog::{Column, Relation};
use crate::data_map::column_names;
use crate::data_map::entry::{EntryError, KeywordOr, parse_period};
use crate::data_map::error::Problems;
use crate::data_map::period::Period;
use crate::data_map::sql::Parameters;
use crate::data_map::update;
use crate::data_map::value::{self, NewValue, NewValues, ReferencedGhosts, ValueEntry};
use crate::data_map::within;

pub(super) const SYNTAX: &str =
    "{ scrub = { column = \"null\" }, stamp = [..], leave = [..] or \"rest\", reason = \"..\", for = \"..\" }";
const REST: &str = "rest";

/// Rows that stay, with new values in some columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Scrub {
    /// The new value of each column.
    pub columns: NewValues,
    /// Columns that are set to the time. The first one is NULL in rows that aren't stamped yet.
    pub stamp: Vec<String>,
    /// Columns that stay as they are.
    pub leave: Vec<String>,
    /// Whether all columns stay that aren't named.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub leave_rest: bool,
    /// Why they stay.
    pub reason: Option<String>,
    /// After which the rows are deleted; `None` keeps them for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
}

/// `leave = [..]` or `leave = "rest"` in the map.
#[derive(PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum LeaveEntry {
    Columns(Vec<String>),
    Rest(String),
}

/// The keys of the strategy.
pub(super) struct ScrubEntry {
    pub(super) columns: BTreeMap<String, KeywordOr<ValueEntry>>,
    pub(super) stamp: Vec<String>,
    pub(super) leave: Option<LeaveEntry>,
    pub(super) reason: Option<String>,
    pub(super) period: Option<String>,
}

impl Scrub {
    pub(super) fn parse(entry: ScrubEntry) -> Result<Self, EntryError> {
        let ScrubEntry { columns, stamp, leave, reason, period } = entry;
        if columns.is_empty() {
            return Err(EntryError::new("scrub names no column", format!("Write {SYNTAX}")));
        }
        let (leave, leave_rest) = match leave {
            None => (Vec::new(), false),
            Some(LeaveEntry::Columns(columns)) => (columns, false),
            Some(LeaveEntry::Rest(keyword)) if keyword == REST => (Vec::new(), true),
            Some(LeaveEntry::Rest(keyword)) => {
                return Err(EntryError::new(format!("`{keyword}` can't be left"), format!("Write {SYNTAX}")));
            }
        };
        let leaves = leave_rest || !leave.is_empty();
        let has_reason = reason.as_ref().is_some_and(|reason| !reason.trim().is_empty());
        if leaves != has_reason {
            return Err(EntryError::new("leave and reason belong together", format!("Write {SYNTAX}")));
        }
        let period = period.map(|period| parse_period(&period)).transpose()?;
        Ok(Self { columns: value::parse_values(columns)?, stamp, leave, leave_rest, reason, period })
    }
}

impl Strategy for Scrub {
    fn removal(&self) -> Removal {
        self.period.map_or(Removal::Never, Removal::After)
    }

    fn outcome(&self, now: OffsetDateTime) -> Outcome {
        Outcome::Scrubbed {
            columns: self.columns.keys().cloned().collect(),
            stamped: self.stamp.clone(),
            left: self.leave.clone(),
            left_rest: self.leave_rest,
            reason: self.reason.clone(),
            until: self.period.map(|period| period.after(now)),
        }
    }

    fn action(&self, relation: &Relation, ghosts: &ReferencedGhosts, parameters: &mut Parameters) -> RowAction {
        let columns = update::assignments(&self.columns, relation, ghosts, parameters);
        let inside = within::json_assignments(&self.columns, relation, parameters);
        RowAction::Update(columns.into_iter().chain(inside).chain(stamp::assignments(&self.stamp, relation)).collect())
    }

    fn check(&self, target: &EraseTarget<'_>, problems: &mut Problems) {
        stamp::check(&self.stamp, target, problems);
        for (name, value) in &self.columns {
            if let Some((column, _)) = within::parse_json_path(name, target.relation) {
                target.check_json(&column, value, problems);
                continue;
            }
            target.value_target().check("scrub", name, value, problems);
            target.check_identifies_no_row(name, problems);
            target.check_leads_to_no_row(name, false, problems);
        }
        self.check_left_columns(target, problems);
    }

    fn updates_rows(&self) -> bool {
        true
    }

    fn overwrites(&self, column: &str) -> bool {
        self.columns.contains_key(column)
    }

    fn reports_as_left(&self, column: &str) -> bool {
        self.leave.iter().any(|left| left == column)
            || self.leave_rest
                && !self.columns.keys().any(|changed| changed == column || within::is_inside(changed, column))
    }

    fn cuts(&self, column: &str) -> bool {
        matches!(self.columns.get(column), Some(NewValue::Null | NewValue::Ghost))
    }
}

/// Whether a column says nothing about a person: a generated key, or when the row was written.
fn says_nothing(column: &Column, relation: &Relation) -> bool {
    let is_key = relation.primary_key.contains(&column.name);
    let is_generated = !column.contains_text() || column_names::is_generated_key(&column.name);
    is_key && is_generated || column.is_time() && column_names::is_time_of_change(&column.name)
}

impl Scrub {
    /// A scrubbed row stays, so the map must say what becomes of each of its columns.
    fn check_left_columns(&self, target: &EraseTarget<'_>, problems: &mut Problems) {
        let EraseTarget { name: table, relation, .. } = target;
        let is_changed = |name: &String| self.columns.contains_key(name) || self.stamp.contains(name);
        let is_changed_inside = |name: &String| {
            let mut paths = self.columns.keys().filter_map(|path| within::parse_json_path(path, relation));
            paths.any(|(column, _)| column == *name)
        };
        for name in &self.leave {
            if relation.column(name).is_none() {
                problems.add_unknown_column(table, name, "leave");
            } else if is_changed(name) {
                problems.add_for_column(table, name, "the column is both left and changed", "Name it once");
            }
        }
        for column in &relation.columns {
            let name = &column.name;
            let is_decided = is_changed(name)
                || is_changed_inside(name)
                || self.leave_rest
                || self.leave.contains(name)
                || target.owner_columns.contains(&name.as_str())
                || says_nothing(column, relation);
            if !is_decided {
                problems.add_for_column(
                    table,
                    name,
                    "the row stays, and the map doesn't say what becomes of this column",
                    format!("Add it to scrub, or add leave = [\"{name}\"] (or leave = \"rest\") and a reason to erase"),
                );
            }
        }
    }
}
