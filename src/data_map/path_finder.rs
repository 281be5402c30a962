//! Finds the tables and columns that a path names.

use super::address::AddressKind;
use super::catalog::{Column, PgCatalog};
use super::error::Problems;
use super::index::TableIndex;
use super::mapped::{MappedTable, MappedTables};
use super::path::{OwnerPath, PathTarget};
use super::version::Version;

/// How a row leads to people, with the tables that a path names found. Nothing is quoted.
#[derive(Clone, Debug)]
pub(super) enum FoundPath {
    UserId(String),
    Address { column: String, kind: AddressKind },
    Parent { columns: Vec<String>, table: TableIndex, target: Vec<String> },
    Child { columns: Vec<String>, table: TableIndex, referencing: Vec<String> },
}

impl FoundPath {
    /// Returns the columns of the table itself by which rows lead to somebody.
    pub(super) fn columns(&self) -> &[String] {
        match self {
            Self::UserId(column) | Self::Address { column, .. } => std::slice::from_ref(column),
            Self::Parent { columns, .. } => columns,
            Self::Child { .. } => &[],
        }
    }

    pub(super) fn table(&self) -> Option<TableIndex> {
        match self {
            Self::UserId(_) | Self::Address { .. } => None,
            Self::Parent { table, .. } | Self::Child { table, .. } => Some(*table),
        }
    }
}

fn find_address(table: &MappedTable<'_>, name: &str, kind: AddressKind, problems: &mut Problems) -> Option<FoundPath> {
    let column = table.relation.column(name).filter(|column| !column.is_text());
    if let Some(column) = column {
        let message = format!("the column is {} and can't hold an address", column.type_name);
        problems.add_for_column(&table.rule.name, name, message, "Name a text column");
        return None;
    }
    Some(FoundPath::Address { column: name.to_owned(), kind })
}

/// Finds the tables and columns that paths name.
pub(super) struct PathFinder<'a> {
    pub(super) version: Version,
    /// What the map calls the paths: `owner` or `mention`.
    pub(super) key: &'static str,
    pub(super) mapped: &'a MappedTables<'a>,
    pub(super) catalog: &'a PgCatalog,
}

impl PathFinder<'_> {
    /// Returns `None` after a problem.
    pub(super) fn find(&self, table: &MappedTable<'_>, path: &OwnerPath, problems: &mut Problems) -> Option<FoundPath> {
        let unknown: Vec<&String> =
            path.columns().iter().filter(|column| table.relation.column(column).is_none()).collect();
        if !unknown.is_empty() {
            let key = if table.rule.subject && self.key == "owner" { "key" } else { self.key };
            if let Some(inside) = unknown.iter().find(|column| column.ends_with("[]") || column.contains("->'")) {
                let message = format!("`{key}` names keys of rows inside {inside}, which no path reaches");
                let remedy =
                    "Erase there by other means; a mention of Clerk ids inside has no arrow to a table: \"viewers[]\"";
                problems.add_for_table(&table.rule.name, message, remedy);
                return None;
            }
            for column in unknown {
                problems.add_unknown_column(&table.rule.name, column, key);
            }
            return None;
        }
        match path {
            OwnerPath::Column(column) => self.find_user_id(table, column, problems),
            OwnerPath::Address { column, kind } => find_address(table, column, *kind, problems),
            OwnerPath::Parent { columns, target } => self.find_parent(table, columns, target, problems),
            OwnerPath::Child { columns, target } => self.find_child(table, columns, target, problems),
            OwnerPath::Within { column, .. } => {
                problems.add_for_column(
                    &table.rule.name,
                    column,
                    "an id inside JSON or an array can't be an owner",
                    "Write it as a mention: [[table.mention]] columns = [..]",
                );
                None
            }
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
        let mut elsewhere = self.catalog.foreign_keys_of(child.relation_index).filter(|key| key.columns == columns);
        if let Some(key) = elsewhere.next().filter(|_| self.version == Version::Second) {
            problems.add_for_column(
                &child.rule.name,
                &columns[0],
                format!(
                    "the path leads to {}, but the foreign key {} says that the values are those of {}",
                    parent.rule.name,
                    key.name,
                    self.catalog.relations[key.parent].name()
                ),
                "Correct the path",
            );
            return None;
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
        if target.len() != columns.len() {
            problems.add_for_column(
                &child.rule.name,
                &columns[0],
                format!("no foreign key leads from here to {table}, and its primary key has another number of columns"),
                "Add the foreign key, or name the column that has one",
            );
            return None;
        }
        if !are_comparable(child, columns, parent, &target) {
            problems.add_for_column(
                &child.rule.name,
                &columns[0],
                format!(
                    "the path leads from {} to {table}: {}; these types can't be compared",
                    typed(child, columns),
                    typed(parent, &target)
                ),
                "Add the foreign key, or name columns of the same type",
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
        // A name may look like a name with columns.
        let whole = by_name(&target.to_string()).map(|index| (index, Vec::new()));
        let found = whole.or_else(|| Some((by_name(&target.table)?, target.columns.clone()))).or_else(|| {
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

/// Returns columns with their types: `email citext`.
fn typed(table: &MappedTable<'_>, columns: &[String]) -> String {
    let typed = columns.iter().map(|name| match table.relation.column(name) {
        Some(column) => format!("{name} {}", column.type_name),
        None => name.clone(),
    });
    typed.collect::<Vec<_>>().join(", ")
}

/// Whether values of these columns can be compared with those.
fn are_comparable(table: &MappedTable<'_>, columns: &[String], other: &MappedTable<'_>, others: &[String]) -> bool {
    const COMPARABLE: [&[&str]; 2] = [&["int2", "int4", "int8"], &["text", "varchar"]];
    let is_comparable = |(column, other): (&Column, &Column)| {
        let (here, there) = (column.base_type.as_str(), other.base_type.as_str());
        here == there || COMPARABLE.iter().any(|types| types.contains(&here) && types.contains(&there))
    };
    columns.len() == others.len()
        && !columns.is_empty()
        && columns.iter().zip(others).all(|(here, there)| {
            table.relation.column(here).zip(other.relation.column(there)).is_some_and(is_comparable)
        })
}
