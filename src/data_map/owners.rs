//! Finds the owners of each table's rows: follows every path to a column that holds the Clerk user id.

use std::collections::BTreeSet;

use super::catalog::{Column, PgCatalog};
use super::erase::Removal;
use super::error::Problems;
use super::index::{IndexedVec, TableIndex};
use super::lifetimes::report_outlives;
use super::mapped::{MappedTable, MappedTables};
use super::path::{OwnerPath, PathTarget};
use super::rules::{DataMap, Owner};
use super::version::Version;

/// How a row leads to people, with the tables that a path names found. Nothing is quoted.
#[derive(Clone, Debug)]
pub(super) enum FoundPath {
    UserId(String),
    Parent { columns: Vec<String>, table: TableIndex, target: Vec<String> },
    Child { columns: Vec<String>, table: TableIndex, referencing: Vec<String> },
}

/// The paths of one table's owner entries, in their order.
pub(super) struct FoundOwners {
    pub(super) paths: Vec<FoundPath>,
    /// Whether a row can have several owners.
    pub(super) is_shareable: bool,
}

pub(super) type Owners = IndexedVec<TableIndex, FoundOwners>;

impl FoundPath {
    /// Returns the columns of the table itself by which rows lead to somebody.
    fn columns(&self) -> &[String] {
        match self {
            Self::UserId(column) => std::slice::from_ref(column),
            Self::Parent { columns, .. } => columns,
            Self::Child { .. } => &[],
        }
    }

    pub(super) fn table(&self) -> Option<TableIndex> {
        match self {
            Self::UserId(_) => None,
            Self::Parent { table, .. } | Self::Child { table, .. } => Some(*table),
        }
    }
}

/// Finds the paths of every table. Where some aren't valid, problems say so, and the result must not be used.
pub(super) fn resolve(
    map: &DataMap,
    mapped: &MappedTables<'_>,
    catalog: &PgCatalog,
    problems: &mut Problems,
) -> Option<Owners> {
    let finder = PathFinder { version: map.version, mapped, catalog };
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
        }
    }
    Some(owners)
}

/// Finds the tables and columns that paths name.
pub(super) struct PathFinder<'a> {
    pub(super) version: Version,
    pub(super) mapped: &'a MappedTables<'a>,
    pub(super) catalog: &'a PgCatalog,
}

impl PathFinder<'_> {
    /// Returns `None` after a problem.
    pub(super) fn find(&self, table: &MappedTable<'_>, path: &OwnerPath, problems: &mut Problems) -> Option<FoundPath> {
        let unknown: Vec<&String> =
            path.columns().iter().filter(|column| table.relation.column(column).is_none()).collect();
        if !unknown.is_empty() {
            let key = if table.rule.subject { "key" } else { "owner" };
            for column in unknown {
                problems.add_unknown_column(&table.rule.name, column, key);
            }
            return None;
        }
        match path {
            OwnerPath::Column(column) => self.find_user_id(table, column, problems),
            OwnerPath::Parent { columns, target } => self.find_parent(table, columns, target, problems),
            OwnerPath::Child { columns, target } => self.find_child(table, columns, target, problems),
        }
    }

    /// A foreign key shows what the values of its column are.
    fn find_user_id(&self, table: &MappedTable<'_>, column: &str, problems: &mut Problems) -> Option<FoundPath> {
        let keys = self.catalog.foreign_keys_of(table.relation_index).filter(|key| key.columns == [column]);
        for key in keys {
            let Some(parent) = self.mapped.of_relation(key.parent) else { continue };
            let target = &key.parent_columns[0];
            let holds_user_id = parent.rule.owners.iter().any(|owner| owner.path == OwnerPath::Column(target.clone()));
            if !holds_user_id {
                problems.add_for_column(
                    &table.rule.name,
                    column,
                    format!(
                        "the foreign key {} says that it holds values of {}.{target}, which aren't Clerk user ids",
                        key.name, parent.rule.name
                    ),
                    format!("Write the path: \"{column} -> {}\"", parent.rule.name),
                );
                return None;
            }
        }
        Some(FoundPath::UserId(column.to_owned()))
    }

    fn find_parent(
        &self,
        child: &MappedTable<'_>,
        columns: &[String],
        target: &PathTarget,
        problems: &mut Problems,
    ) -> Option<FoundPath> {
        let (index, named) = self.find_target(child, &columns[0], target, problems)?;
        let parent = &self.mapped[index];
        let foreign_key = self.catalog.foreign_keys_of(child.relation_index).find(|key| {
            key.parent == parent.relation_index
                && key.columns == columns
                && (named.is_empty() || key.parent_columns == named)
        });
        if let Some(key) = foreign_key {
            let target = key.parent_columns.clone();
            return Some(FoundPath::Parent { columns: columns.to_vec(), table: index, target });
        }
        let is_named = !named.is_empty();
        let target = if named.is_empty() { parent.relation.primary_key.clone() } else { named };
        let table = &parent.rule.name;
        if self.version == Version::Second && !is_named {
            problems.add_for_column(
                &child.rule.name,
                &columns[0],
                format!("no foreign key says which column of {table} the path leads to"),
                format!(
                    "Name it: \"{} -> {table}({})\", if its values are these",
                    columns.join(", "),
                    target.join(", ")
                ),
            );
            return None;
        }
        if !are_comparable(child, columns, parent, &target) {
            problems.add_for_column(
                &child.rule.name,
                &columns[0],
                format!("no foreign key leads from here to {table}, and its primary key isn't one column of this type"),
                "Add the foreign key, or name the column that has one",
            );
            return None;
        }
        if !parent.relation.is_unique_key(&target) {
            problems.add_for_column(
                &child.rule.name,
                &columns[0],
                format!("the path leads to {table}({}), which isn't unique", target.join(", ")),
                "Name the columns of a unique index",
            );
            return None;
        }
        Some(FoundPath::Parent { columns: columns.to_vec(), table: index, target })
    }

    fn find_child(
        &self,
        parent: &MappedTable<'_>,
        columns: &[String],
        target: &PathTarget,
        problems: &mut Problems,
    ) -> Option<FoundPath> {
        let table = &parent.rule.name;
        let first = columns.first().or(parent.relation.primary_key.first()).cloned().unwrap_or_default();
        let (index, referencing) = self.find_target(parent, &first, target, problems)?;
        let child = &self.mapped[index];
        let foreign_key = self.catalog.foreign_keys_of(child.relation_index).find(|key| {
            key.parent == parent.relation_index
                && key.columns == referencing
                && (columns.is_empty() || key.parent_columns == columns)
        });
        let columns = match foreign_key {
            Some(key) => key.parent_columns.clone(),
            None if columns.is_empty() => parent.relation.primary_key.clone(),
            None => columns.to_vec(),
        };
        if foreign_key.is_none() && !are_comparable(parent, &columns, child, &referencing) {
            problems.add_for_column(
                table,
                &first,
                format!("{} doesn't reference this table by {}", child.rule.name, referencing.join(", ")),
                "Name the columns that reference it, or name this table's own: \"key <- public.messages(content_key)\"",
            );
            return None;
        }
        Some(FoundPath::Child { columns, table: index, referencing })
    }

    /// Returns the table that a path names, and the columns if it names them.
    fn find_target(
        &self,
        table: &MappedTable<'_>,
        column: &str,
        target: &PathTarget,
        problems: &mut Problems,
    ) -> Option<(TableIndex, Vec<String>)> {
        let by_name = |name: &str| self.mapped.position(|table| table.rule.name == name);
        let found = by_name(&target.table).map(|index| (index, target.columns.clone())).or_else(|| {
            let (table, column) = target.with_column()?;
            Some((by_name(table)?, vec![column.to_owned()]))
        });
        let Some((index, columns)) = found else {
            problems.add_for_column(
                &table.rule.name,
                column,
                format!("the path leads to {target}, which has no rule"),
                "Add a rule for that table, or correct the path",
            );
            return None;
        };
        let other = &self.mapped[index];
        if let Some(unknown) = columns.iter().find(|column| other.relation.column(column).is_none()) {
            problems.add_for_column(
                &table.rule.name,
                column,
                format!("the path leads to {}({unknown}), which the table doesn't have", other.rule.name),
                "Correct the name of the column",
            );
            return None;
        }
        Some((index, columns))
    }
}

/// Whether values of these columns can be compared with those.
fn are_comparable(table: &MappedTable<'_>, columns: &[String], other: &MappedTable<'_>, others: &[String]) -> bool {
    let is_integer = |column: &Column| matches!(column.base_type.as_str(), "int2" | "int4" | "int8");
    let is_comparable = |(column, other): (&Column, &Column)| {
        column.base_type == other.base_type
            || (column.is_text() && other.is_text())
            || (is_integer(column) && is_integer(other))
    };
    columns.len() == others.len()
        && !columns.is_empty()
        && columns.iter().zip(others).all(|(here, there)| {
            table.relation.column(here).zip(other.relation.column(there)).is_some_and(is_comparable)
        })
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

/// Whether finding the owner of rows needs rows that reference them, or what they lead to.
fn is_found_by_children(table: TableIndex, owners: &Owners) -> bool {
    owners[table].paths.iter().any(|path| match path {
        FoundPath::UserId(_) => false,
        FoundPath::Parent { table, .. } => is_found_by_children(*table, owners),
        FoundPath::Child { .. } => true,
    })
}

/// Whether a row of the table can have several owners. The paths have no cycle.
fn is_shareable(table: TableIndex, mapped: &MappedTables<'_>, paths: &IndexedVec<TableIndex, Vec<FoundPath>>) -> bool {
    has_several_owners(&mapped[table].rule.owners)
        || paths[table].iter().any(|path| match path {
            FoundPath::UserId(_) => false,
            FoundPath::Parent { table, .. } => is_shareable(*table, mapped, paths),
            FoundPath::Child { .. } => true,
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
    if let (Removal::After(period), Some(column)) = (removal, overwritten) {
        problems.add_for_column(
            &child.rule.name,
            column,
            format!("once it is overwritten, nobody knows whose rows must be deleted after {period}"),
            "Leave this column, or let the rows stay for good (without `for`)",
        );
    }
    match path {
        FoundPath::UserId(_) => {}
        FoundPath::Parent { columns, table, .. } => {
            let parent = &mapped[*table];
            let has_foreign_key = catalog
                .foreign_keys_of(child.relation_index)
                .any(|key| key.parent == parent.relation_index && key.columns == *columns);
            let parent_erase = parent.rule.erase.strategy();
            if !has_foreign_key && overwritten.is_none() && removal.sort_key() > parent_erase.removal().sort_key() {
                report_outlives(child, parent, &columns[0], "their owner could no longer be found", problems);
            }
            let parent_key = parent.rule.owner_columns().find(|column| parent_erase.overwrites(column));
            if let Some(overwritten) = parent_key.filter(|_| removal != Removal::Immediate && overwritten.is_none()) {
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
