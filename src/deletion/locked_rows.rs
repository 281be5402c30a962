//! The rows that a statement concerns are decided before anything is changed. Where statements that are executed earlier change
//! what its condition reads, its rows are found by their keys.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use super::statements::{Effect, PlannedStatement, purge_statements, statements_in_order};
use crate::data_map::{self, DeletionSet, Removal, Resolved, TableIndex};

/// The rows of one statement, locked.
pub(super) struct LockedRows {
    pub(super) count: u64,
    /// For each column of the table's key the texts of its values; `None` where the statement's condition still finds the rows.
    pub(super) keys: Option<Vec<Vec<String>>>,
}

impl LockedRows {
    pub(super) fn with_keys(keys: Vec<Vec<String>>) -> Self {
        let count = keys.first().map_or(0, Vec::len) as u64;
        Self { count, keys: Some(keys) }
    }

    /// Returns the rows of several statements on one table, all of which have keys.
    pub(super) fn joined<'a>(rows: impl Iterator<Item = &'a Self>) -> Self {
        let mut joined: Vec<Vec<String>> = Vec::new();
        for keys in rows.filter_map(|rows| rows.keys.as_ref()) {
            joined.resize(keys.len(), Vec::new());
            for (column, values) in joined.iter_mut().zip(keys) {
                column.extend_from_slice(values);
            }
        }
        Self::with_keys(joined)
    }
}

/// Whether the statement's rows are found by their keys, because its condition may no longer find them when it is its turn.
pub(super) fn needs_keys(statement: &PlannedStatement<'_>, all: &[PlannedStatement<'_>], resolved: &Resolved) -> bool {
    is_affected(statement, all, resolved) && !statement.table.row_key.is_empty()
}

/// Fails if rows of a table without a key couldn't be found any more when it is their turn, in a deletion or in a purge.
pub fn check_keys(resolved: &Resolved) -> Result<(), data_map::Error> {
    let timed = resolved.tables.enumerate().filter(|(_, table)| matches!(table.removal(), Removal::After(_)));
    let purges = timed.map(|(index, _)| purge_statements(resolved, &DeletionSet::purge(resolved, index)));
    let deletion = statements_in_order(resolved, &DeletionSet::deletion(resolved), OffsetDateTime::UNIX_EPOCH);
    std::iter::once(deletion).chain(purges).try_for_each(|statements| check_keys_of(&statements, resolved))
}

/// The same for the statements of one run, in their order.
pub(super) fn check_keys_of(statements: &[PlannedStatement<'_>], resolved: &Resolved) -> Result<(), data_map::Error> {
    let without_key = statements.iter().filter(|statement| statement.table.row_key.is_empty());
    let lost: BTreeSet<TableIndex> = without_key
        .filter(|statement| is_affected(statement, statements, resolved))
        .map(|statement| statement.table_index)
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    let problem = |table: TableIndex| {
        resolved.tables[table].problem(
            "an erasure changes by what its rows are found before it is their turn, and no key tells them apart",
            "Add a primary key, or a unique index on columns that are NOT NULL",
        )
    };
    Err(data_map::Error::Mismatch(lost.into_iter().map(problem).collect()))
}

/// Whether statements that are executed earlier change what the condition reads.
fn is_affected(statement: &PlannedStatement<'_>, all: &[PlannedStatement<'_>], resolved: &Resolved) -> bool {
    if statement.effect == Effect::Nothing {
        return false;
    }
    if statement.effect == Effect::Delete && !statement.table.unlink_columns.is_empty() {
        return true;
    }
    let read = resolved.tables_read(statement.table_index);
    let is_other = |other: &&PlannedStatement<'_>| !std::ptr::eq(*other, statement);
    let position = all.iter().position(|other| std::ptr::eq(other, statement));
    all.iter().enumerate().filter(|(_, other)| is_other(other)).any(|(other_position, other)| {
        let is_same_table = other.table_index == statement.table_index;
        let is_earlier =
            (!other.is_detaching(), other_position) < (!statement.is_detaching(), position.unwrap_or_default());
        let is_read = read.contains(&other.table_index);
        let reads_written = is_same_table && statement.own_columns_read().any(|column| other.writes(column))
            || is_read && statement.other_columns_read().any(|column| other.writes(column));
        match other.effect {
            Effect::Delete if is_same_table => {
                statement.effect == Effect::Delete && (statement.table.references_itself || is_read)
            }
            // Its rows are gone then. Before, columns of theirs become NULL where they close a cycle.
            Effect::Delete => is_read && is_earlier || !statement.is_detaching() && reads_written,
            Effect::Detach(_) | Effect::Update(_) | Effect::Forget(_) => is_earlier && reads_written,
            Effect::Nothing => false,
        }
    })
}

/// Returns the positions of all deletions from the same table whose rows are found by keys. Empty if this one's aren't.
pub(super) fn deleted_together(
    statements: &[PlannedStatement<'_>],
    locked: &[LockedRows],
    position: usize,
) -> Vec<usize> {
    let table = statements[position].table_index;
    if statements[position].effect != Effect::Delete || locked[position].keys.is_none() {
        return Vec::new();
    }
    let same = statements.iter().enumerate().filter(|(_, other)| other.table_index == table);
    let deletions = same.filter(|(position, other)| other.effect == Effect::Delete && locked[*position].keys.is_some());
    deletions.map(|(position, _)| position).collect()
}
