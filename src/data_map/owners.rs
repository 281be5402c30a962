//! Finds the owners of each table's rows: follows every path to a column that holds the Clerk user id.

use std::collections::BTreeSet;

use super::catalog::PgCatalog;
use super::column_names;
use super::erase::{PathTargetColumn, Removal};
use super::error::Problems;
use super::index::{IndexedVec, TableIndex};
use super::lifetimes::report_outlives;
use super::mapped::{MappedTable, MappedTables};
use super::path_finder::{FoundPath, PathFinder};
use super::rules::{DataMap, Owner};
use super::version::Version;

/// The paths of one table's owner entries, in their order.
pub(super) struct FoundOwners {
    pub(super) paths: Vec<FoundPath>,
    /// Whether a row can have several owners.
    pub(super) is_shareable: bool,
}

pub(super) type Owners = IndexedVec<TableIndex, FoundOwners>;

/// Finds the paths of every table. Where some aren't valid, problems say so, and the result must not be used.
pub(super) fn resolve(
    map: &DataMap,
    mapped: &MappedTables<'_>,
    catalog: &PgCatalog,
    problems: &mut Problems,
) -> Option<Owners> {
    let finder = PathFinder { version: map.version, key: "owner", mapped, catalog };
    let paths: Vec<Option<Vec<FoundPath>>> = mapped
        .iter()
        .map(|table| table.rule.owners.iter().map(|owner| finder.find(table, &owner.path, problems)).collect())
        .collect();
    let paths: IndexedVec<TableIndex, Vec<FoundPath>> =
        paths.into_iter().collect::<Option<Vec<_>>>()?.into_iter().collect();
    for (index, table) in mapped.enumerate() {
        if leads_back(index, &paths) {
            problems.add_for_table(
                &table.rule.name,
                "its path of ownership is a cycle and never reaches a Clerk user id",
                "Give one of the tables an owner column that holds the Clerk user id",
            );
            return None;
        }
    }
    let shareable: Vec<bool> = mapped.indices().map(|index| is_shareable(index, mapped, &paths)).collect();
    let owners: Owners =
        paths.into_iter().zip(shareable).map(|(paths, is_shareable)| FoundOwners { paths, is_shareable }).collect();
    for (index, child) in mapped.enumerate() {
        if is_found_by_children(index, &owners) && child.relation.row_key().is_empty() {
            problems.add_for_table(
                &child.rule.name,
                "its rows are found by rows that are deleted before, and no key tells them apart",
                "Add a primary key, or a unique index on columns that are NOT NULL",
            );
        }
        for (owner, path) in child.rule.owners.iter().zip(&owners[index].paths) {
            check_lifetimes(child, owner, path, mapped, catalog, problems);
            if map.version == Version::Second {
                check_type(child, owner, path, catalog, problems);
            }
        }
        let is_purged = matches!(child.rule.erase.strategy().removal(), Removal::After(_));
        if is_purged && is_found_by_address(index, &owners) {
            problems.add_for_table(
                &child.rule.name,
                "its rows are found by an address, which nobody knows any more when their time is over",
                "Delete these rows at once, or keep them for good (without a period)",
            );
        }
    }
    Some(owners)
}

/// Returns the columns of a table by which rows of others are found without a foreign key.
pub(super) fn path_targets(
    table: TableIndex,
    owners: &Owners,
    mapped: &MappedTables<'_>,
    catalog: &PgCatalog,
) -> Vec<PathTargetColumn> {
    let mut found = Vec::new();
    for (index, child) in mapped.enumerate() {
        for path in &owners[index].paths {
            let FoundPath::Parent { columns, table: parent, target } = path else { continue };
            let mut keys = catalog.foreign_keys_of(child.relation_index);
            if *parent != table || keys.any(|key| key.columns == *columns) {
                continue;
            }
            let goes_before =
                child.rule.erase.strategy().removal() == Removal::Immediate && !owners[index].is_shareable;
            found.extend(target.iter().map(|column| PathTargetColumn {
                column: column.clone(),
                table: child.rule.name.clone(),
                goes_before,
            }));
        }
    }
    found
}

/// Whether the paths from a table lead back to it.
fn leads_back(table: TableIndex, paths: &IndexedVec<TableIndex, Vec<FoundPath>>) -> bool {
    let mut seen = BTreeSet::new();
    let mut next: Vec<TableIndex> = paths[table].iter().filter_map(FoundPath::table).collect();
    while let Some(current) = next.pop() {
        if current == table {
            return true;
        }
        if seen.insert(current) {
            next.extend(paths[current].iter().filter_map(FoundPath::table));
        }
    }
    false
}

/// Whether rows of the table can be found by an address alone.
fn is_found_by_address(table: TableIndex, owners: &Owners) -> bool {
    owners[table].paths.iter().any(|path| match path {
        FoundPath::UserId(_) => false,
        FoundPath::Address { .. } => true,
        FoundPath::Parent { table, .. } | FoundPath::Child { table, .. } => is_found_by_address(*table, owners),
    })
}

/// Whether finding the owner of rows needs rows that reference them, or what they lead to.
fn is_found_by_children(table: TableIndex, owners: &Owners) -> bool {
    owners[table].paths.iter().any(|path| match path {
        FoundPath::UserId(_) | FoundPath::Address { .. } => false,
        FoundPath::Parent { table, .. } => is_found_by_children(*table, owners),
        FoundPath::Child { .. } => true,
    })
}

/// Whether a row of the table can have several owners. The paths have no cycle.
fn is_shareable(table: TableIndex, mapped: &MappedTables<'_>, paths: &IndexedVec<TableIndex, Vec<FoundPath>>) -> bool {
    has_several_owners(&mapped[table].rule.owners)
        || paths[table].iter().any(|path| match path {
            FoundPath::UserId(_) | FoundPath::Address { .. } => false,
            FoundPath::Parent { table, .. } => is_shareable(*table, mapped, paths),
            // One row at most references it where the referencing columns are unique: a profile above a login.
            FoundPath::Child { table, referencing, .. } => {
                !mapped[*table].relation.is_unique_key(referencing) || is_shareable(*table, mapped, paths)
            }
        })
}

/// Whether several of the entries can count for the same row: not where a column has other values for each.
pub(super) fn has_several_owners(owners: &[Owner]) -> bool {
    let exclude_each_other = |one: &Owner, other: &Owner| {
        one.filter.iter().any(|(column, values)| {
            other.filter.get(column).is_some_and(|others| values.iter().all(|value| !others.contains(value)))
        })
    };
    owners
        .iter()
        .enumerate()
        .any(|(position, owner)| owners[position + 1..].iter().any(|other| !exclude_each_other(owner, other)))
}

/// Returns the column of a path without a foreign key, and another one that seems to say of which table its values are.
pub(super) fn type_column<'a>(
    child: &MappedTable<'_>,
    path: &'a FoundPath,
    catalog: &PgCatalog,
) -> Option<(&'a String, String)> {
    let FoundPath::Parent { columns, .. } = path else { return None };
    let [column] = columns.as_slice() else { return None };
    if catalog.foreign_keys_of(child.relation_index).any(|key| key.columns == *columns) {
        return None;
    }
    let names = child.relation.columns.iter().map(|column| &column.name);
    Some((column, column_names::type_column(column, names)?))
}

/// Reports a path without a foreign key whose values another column seems to give a meaning: `owner_id` beside `owner_type`.
fn check_type(child: &MappedTable<'_>, owner: &Owner, path: &FoundPath, catalog: &PgCatalog, problems: &mut Problems) {
    if let Some((column, type_column)) = type_column(child, path, catalog).filter(|_| owner.filter.is_empty()) {
        let message =
            format!("{type_column} seems to say what its values are, and the path would count for all of them");
        let remedy =
            format!("Add where = {{ {type_column} = [..] }} to this owner, with every value for which the path counts");
        problems.add_for_column(&child.rule.name, column, message, remedy);
    }
}

/// Reports rows of others that would belong to nobody, because what they lead to is deleted with somebody else's rows.
fn report_rows_without_owner(child: &MappedTable<'_>, owning: &MappedTable<'_>, problems: &mut Problems) {
    if owning.rule.deletes_rows_of_others() {
        let message = format!(
            "other people's rows are deleted with the person's, and the rows of {} that are found by them would belong to nobody",
            child.rule.name
        );
        let remedy = "Let no rows of others be deleted here: use \"detach\", \"null\" or \"none\"";
        problems.add_for_table(&owning.rule.name, message, remedy);
    }
}

/// Reports rows that would lose their owner before they are erased.
fn check_lifetimes(
    child: &MappedTable<'_>,
    owner: &Owner,
    path: &FoundPath,
    mapped: &MappedTables<'_>,
    catalog: &PgCatalog,
    problems: &mut Problems,
) {
    let erase = child.rule.erase.strategy();
    let removal = erase.removal();
    let overwritten = path.columns().iter().find(|column| erase.overwrites(column));
    let filter = owner.filter.keys().find(|column| erase.overwrites(column));
    if let Some(column) = filter.filter(|_| overwritten.is_none()) {
        problems.add_for_column(
            &child.rule.name,
            column,
            "once it is overwritten, `where` no longer says whose the row is, but the row still leads to them",
            format!("Leave this column, or scrub {} as well", path.columns().join(", ")),
        );
    }
    if let (Removal::After(period), Some(column)) = (removal, overwritten) {
        problems.add_for_column(
            &child.rule.name,
            column,
            format!("once it is overwritten, nobody knows whose rows must be deleted after {period}"),
            "Leave this column, or let the rows stay for good (without `for`)",
        );
    }
    match path {
        FoundPath::UserId(_) | FoundPath::Address { .. } => {}
        FoundPath::Parent { columns, table, .. } => {
            let parent = &mapped[*table];
            let has_foreign_key = catalog
                .foreign_keys_of(child.relation_index)
                .any(|key| key.parent == parent.relation_index && key.columns == *columns);
            let parent_erase = parent.rule.erase.strategy();
            if !has_foreign_key {
                report_rows_without_owner(child, parent, problems);
            }
            if !has_foreign_key && overwritten.is_none() && removal.sort_key() > parent_erase.removal().sort_key() {
                report_outlives(child, parent, &columns[0], "their owner could no longer be found", problems);
            }
            let parent_key = parent.rule.owner_columns().find(|column| parent_erase.overwrites(column));
            // What stays for good as it is needs no owner: nothing happens to it any more.
            let is_found_again = removal != Removal::Immediate && (removal != Removal::Never || erase.updates_rows());
            if let Some(overwritten) = parent_key.filter(|_| is_found_again && overwritten.is_none()) {
                problems.add_for_column(
                    &parent.rule.name,
                    overwritten,
                    format!("scrubbing it would leave rows of {} without an owner", child.rule.name),
                    "Leave this column, or delete those rows",
                );
            }
        }
        FoundPath::Child { table, referencing: columns, .. } => {
            let referencing = &mapped[*table];
            report_rows_without_owner(child, referencing, problems);
            let referencing_erase = referencing.rule.erase.strategy();
            let ends_at_once = referencing_erase.removal() == Removal::Immediate
                || columns.iter().any(|column| referencing_erase.cuts(column));
            if removal != Removal::Immediate || !ends_at_once {
                problems.add_for_table(
                    &child.rule.name,
                    format!(
                        "its rows are found by rows of {} (owner = \"{}\"), so these can't stay longer or less long than they do",
                        referencing.rule.name, owner.path
                    ),
                    format!("Write erase = \"delete\" for both, or scrub {} with \"null\"", columns.join(", ")),
                );
            }
        }
    }
}
