//! Ghost rows: each stands for everybody who left, and rows that must reference somebody reference it.

use super::catalog::PgCatalog;
use super::error::Problems;
use super::index::TableIndex;
use super::mapped::{MappedTable, MappedTables};
use super::owners::Owners;
use super::path_finder::FoundPath;
use super::rules::DataMap;
use super::value::ReferencedGhosts;

/// Returns the keys of the ghosts that the columns of a table can reference, by foreign keys and by its paths.
pub(super) fn referenced_by<'a>(
    table: &MappedTable<'_>,
    paths: impl Iterator<Item = &'a FoundPath>,
    map: &DataMap,
    mapped: &MappedTables<'_>,
    catalog: &PgCatalog,
) -> ReferencedGhosts {
    let mut ghosts = ReferencedGhosts::new();
    let mut add = |parent: &str, columns: &[String], targets: &[String]| {
        let Some(key) = map.ghosts.get(parent) else { return };
        for (column, target) in columns.iter().zip(targets) {
            if let Some(value) = key.get(target) {
                ghosts.insert(column.clone(), value.clone());
            }
        }
    };
    for key in catalog.foreign_keys_of(table.relation_index) {
        if let Some(parent) = mapped.of_relation(key.parent) {
            add(&parent.rule.name, &key.columns, &key.parent_columns);
        }
    }
    for path in paths {
        if let FoundPath::Parent { columns, table, target } = path {
            add(&mapped[*table].rule.name, columns, target);
        }
    }
    ghosts
}

/// Reports ghosts that no row can be.
pub(super) fn check(map: &DataMap, mapped: &MappedTables<'_>, owners: &Owners, problems: &mut Problems) {
    for (name, key) in &map.ghosts {
        let Some(index) = mapped.position(|table| table.rule.name == *name) else {
            problems.add_for_table(
                name,
                "[ghost] names a table that has no rule",
                "Add a rule for it, or remove the ghost",
            );
            continue;
        };
        let columns: Vec<String> = key.keys().cloned().collect();
        if let Some(unknown) = columns.iter().find(|column| mapped[index].relation.column(column).is_none()) {
            problems.add_unknown_column(name, unknown, "ghost");
        } else if !mapped[index].relation.is_unique_key(&columns) {
            problems.add_for_table(
                name,
                format!("the ghost is named by {}, which isn't a unique key", columns.join(", ")),
                "Name the ghost row by its primary key",
            );
        } else if owners[index].is_shareable {
            problems.add_for_table(
                name,
                "rows of this table can have several owners, and a ghost none",
                "Remove the ghost",
            );
        }
    }
}

/// Returns the ghost's key: columns with values. Empty where the table has no ghost.
pub(super) fn key<'a>(map: &'a DataMap, mapped: &MappedTables<'_>, index: TableIndex) -> Vec<(&'a str, &'a str)> {
    let key = map.ghosts.get(&mapped[index].rule.name).into_iter().flatten();
    key.map(|(column, value)| (column.as_str(), value.as_str())).collect()
}
