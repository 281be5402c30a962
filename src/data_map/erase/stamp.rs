//! `erase = { stamp = ["deleted_at"], purge_after = "30 days" }`: columns are set to the time of the deletion,
//! and with `purge_after` the rows are deleted later.

use serde::Serialize;
use time::OffsetDateTime;

use super::outcome::Outcome;
use super::strategy::{EraseTarget, Removal, RowAction, Strategy};
use crate::data_map::catalog::Relation;
use crate::data_map::entry::{EntryError, parse_period};
use crate::data_map::error::Problems;
use crate::data_map::period::Period;
use crate::data_map::sql::{Parameters, quote_identifier};
use crate::data_map::update::Assignment;
use crate::data_map::value::ReferencedGhosts;

pub(super) const SYNTAX: &str = "{ stamp = [..], purge_after = \"30 days\" }";

/// Rows that get the time of the deletion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stamp {
    /// Columns that are set to the time. The first one is NULL in rows that aren't stamped yet.
    pub columns: Vec<String>,
    /// After which stamped rows are deleted; `None` keeps them.
    pub purge_after: Option<Period>,
}

impl Stamp {
    pub(super) fn parse(columns: Vec<String>, purge_after: Option<String>) -> Result<Self, EntryError> {
        if columns.is_empty() {
            return Err(EntryError::new("stamp names no column", format!("Write {SYNTAX}")));
        }
        let purge_after = purge_after.map(|period| parse_period(&period)).transpose()?;
        Ok(Self { columns, purge_after })
    }
}

impl Strategy for Stamp {
    fn removal(&self) -> Removal {
        self.purge_after.map_or(Removal::Never, Removal::After)
    }

    fn outcome(&self, now: OffsetDateTime) -> Outcome {
        let purge_at = self.purge_after.map(|period| period.after(now));
        Outcome::Stamped { columns: self.columns.clone(), purge_at }
    }

    fn action(&self, relation: &Relation, _ghosts: &ReferencedGhosts, _parameters: &mut Parameters) -> RowAction {
        RowAction::Update(assignments(&self.columns, relation).into_iter().collect())
    }

    fn check(&self, target: &EraseTarget<'_>, problems: &mut Problems) {
        check(&self.columns, target, problems);
    }

    fn updates_rows(&self) -> bool {
        true
    }

    fn purge_condition(&self, alias: &str) -> Option<String> {
        self.columns.first().map(|column| format!("{alias}.{} IS NOT NULL", quote_identifier(column)))
    }
}

pub(super) fn check(columns: &[String], target: &EraseTarget<'_>, problems: &mut Problems) {
    let EraseTarget { name: table, relation, .. } = target;
    for (position, name) in columns.iter().enumerate() {
        let Some(column) = relation.column(name) else {
            problems.add_unknown_column(table, name, "stamp");
            continue;
        };
        target.check_writable(column, "stamped", problems);
        if !column.is_time() {
            problems.add_for_column(
                table,
                name,
                format!("the column is {} and can't hold a time", column.type_name),
                "Stamp a column of type timestamptz",
            );
        }
        if position == 0 && !column.nullable {
            problems.add_for_column(
                table,
                name,
                "the first stamped column must be NULL until a row is stamped, but this one is NOT NULL",
                "Put a nullable column first, for example deleted_at",
            );
        }
    }
}

/// Returns what sets the columns. Rows that are stamped already keep their time.
pub(super) fn assignments(columns: &[String], relation: &Relation) -> Vec<Assignment> {
    let first = columns.first().map(|column| quote_identifier(column)).unwrap_or_default();
    let columns = columns.iter().filter_map(|name| relation.column(name));
    columns
        .map(|column| {
            let now = match column.base_type.as_str() {
                "timestamptz" => "$2",
                "date" => "($2 AT TIME ZONE 'UTC')::date",
                _ => "($2 AT TIME ZONE 'UTC')",
            };
            let name = quote_identifier(&column.name);
            Assignment {
                set: format!("{name} = CASE WHEN t.{first} IS NULL THEN {now} ELSE t.{name} END"),
                pending: format!("t.{first} IS NULL"),
            }
        })
        .collect()
}
