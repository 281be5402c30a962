//! `erase = { scrub = { email = "null" }, stamp = [..], leave = [..], reason = ".." }`: columns are set to NULL or
//! overwritten, and the rows stay.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::outcome::Outcome;
use super::stamp;
use super::strategy::{EraseTarget, Removal, RowAction, Strategy};
use crate::data_map::catalog::{Column, Relation};
use crate::data_map::entry::{EntryError, KeywordOr};
use crate::data_map::error::Problems;
use crate::data_map::sql::{Parameters, quote_identifier};

pub(super) const SYNTAX: &str = "{ scrub = { column = \"null\" }, stamp = [..], leave = [..], reason = \"..\" }";

/// Rows that stay, with new values in some columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Scrub {
    /// The new value of each column.
    pub columns: BTreeMap<String, ScrubValue>,
    /// Columns that are set to the time. The first one is NULL in rows that aren't stamped yet.
    pub stamp: Vec<String>,
    /// Columns that keep their values.
    pub leave: Vec<String>,
    /// Why they keep them.
    pub reason: Option<String>,
}

/// The new value of a scrubbed column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScrubValue {
    /// NULL.
    Null,
    /// A value in the notation of the column's type.
    Value(String),
}

/// `{ value = ".." }` in the map.
#[derive(PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ValueEntry {
    value: String,
}

impl Scrub {
    pub(super) fn parse(
        columns: BTreeMap<String, KeywordOr<ValueEntry>>,
        stamp: Vec<String>,
        leave: Vec<String>,
        reason: Option<String>,
    ) -> Result<Self, EntryError> {
        if columns.is_empty() {
            return Err(EntryError::new("scrub names no column", format!("Write {SYNTAX}")));
        }
        if leave.is_empty() != reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) {
            return Err(EntryError::new("leave and reason belong together", format!("Write {SYNTAX}")));
        }
        let columns =
            columns.into_iter().map(|(column, entry)| Ok((column, parse_value(entry)?))).collect::<Result<_, _>>()?;
        Ok(Self { columns, stamp, leave, reason })
    }
}

fn parse_value(entry: KeywordOr<ValueEntry>) -> Result<ScrubValue, EntryError> {
    match entry {
        KeywordOr::Keyword(keyword) if keyword == "null" => Ok(ScrubValue::Null),
        KeywordOr::Table(ValueEntry { value }) => Ok(ScrubValue::Value(value)),
        KeywordOr::Keyword(keyword) => Err(EntryError::new(
            format!("`{keyword}` isn't what a column can be scrubbed with"),
            "Write \"null\" or { value = \"..\" }",
        )),
    }
}

impl Strategy for Scrub {
    fn removal(&self) -> Removal {
        Removal::Never
    }

    fn outcome(&self, _now: OffsetDateTime) -> Outcome {
        Outcome::Scrubbed {
            columns: self.columns.keys().cloned().collect(),
            stamped: self.stamp.clone(),
            left: self.leave.clone(),
            reason: self.reason.clone(),
        }
    }

    fn action(&self, relation: &Relation, parameters: &mut Parameters) -> RowAction {
        let (mut assignments, mut not_yet_erased) = (Vec::new(), Vec::new());
        for (name, value) in &self.columns {
            let Some(Column { type_name, .. }) = relation.column(name) else { continue };
            let column = quote_identifier(name);
            match value {
                ScrubValue::Null => {
                    assignments.push(format!("{column} = NULL"));
                    not_yet_erased.push(format!("t.{column} IS NOT NULL"));
                }
                ScrubValue::Value(value) => {
                    let value = format!("CAST(${} AS {type_name})", parameters.add(value));
                    assignments.push(format!("{column} = {value}"));
                    not_yet_erased.push(format!("t.{column}::text IS DISTINCT FROM {value}::text"));
                }
            }
        }
        assignments.extend(stamp::assignments(&self.stamp, relation));
        not_yet_erased.extend(stamp::not_yet_stamped(&self.stamp));
        RowAction::Update { assignments: assignments.join(", "), not_yet_erased: not_yet_erased.join(" OR ") }
    }

    fn check(&self, target: &EraseTarget<'_>, problems: &mut Problems) {
        stamp::check(&self.stamp, target, problems);
        for (name, value) in &self.columns {
            check_scrubbed_column(name, value, target, problems);
        }
        self.check_left_columns(target, problems);
    }

    fn updates_rows(&self) -> bool {
        true
    }

    fn overwrites(&self, column: &str) -> bool {
        self.columns.contains_key(column)
    }

    fn sets_null(&self, column: &str) -> bool {
        self.columns.get(column) == Some(&ScrubValue::Null)
    }
}

fn check_scrubbed_column(name: &str, value: &ScrubValue, target: &EraseTarget<'_>, problems: &mut Problems) {
    let EraseTarget { name: table, relation, .. } = target;
    let Some(column) = relation.column(name) else {
        return problems.add_unknown_column(table, name, "scrub");
    };
    target.check_writable(column, "scrubbed", problems);
    if *value == ScrubValue::Null && !column.nullable {
        problems.add_for_column(
            table,
            name,
            "the column is NOT NULL and can't be set to NULL",
            format!(
                "Write {{ value = \"..\" }}, or ALTER TABLE {} ALTER {} DROP NOT NULL",
                relation.quoted_name(),
                quote_identifier(name)
            ),
        );
    }
    if matches!(value, ScrubValue::Value(_)) && relation.unique_columns.contains(&column.name) {
        problems.add_for_column(
            table,
            name,
            "the column is unique, so a second person couldn't get the same value",
            "Scrub it with \"null\"",
        );
    }
    if relation.primary_key.contains(&column.name) || target.catalog.is_referenced(target.relation_index, name) {
        problems.add_for_column(
            table,
            name,
            "other rows reference this column, so it can't be scrubbed",
            "Delete the rows, or leave this column",
        );
    }
}

impl Scrub {
    /// A scrubbed row stays, so the map must say what becomes of each of its columns.
    fn check_left_columns(&self, target: &EraseTarget<'_>, problems: &mut Problems) {
        let EraseTarget { name: table, relation, .. } = target;
        let is_changed = |name: &String| self.columns.contains_key(name) || self.stamp.contains(name);
        for name in &self.leave {
            if relation.column(name).is_none() {
                problems.add_unknown_column(table, name, "leave");
            } else if is_changed(name) {
                problems.add_for_column(table, name, "the column is both left and changed", "Name it once");
            }
        }
        for Column { name, base_type, .. } in &relation.columns {
            let is_decided = is_changed(name)
                || self.leave.contains(name)
                || target.owner_column == name
                || relation.primary_key.contains(name)
                || matches!(base_type.as_str(), "timestamptz" | "timestamp");
            if !is_decided {
                problems.add_for_column(
                    table,
                    name,
                    "the row stays, and the map doesn't say what becomes of this column",
                    format!("Add it to scrub, or add leave = [\"{name}\"] and a reason to erase"),
                );
            }
        }
    }
}
