//! The reference model: what a data map means, without SQL. It follows the definition paragraph by paragraph and takes no
//! short cut; `tests` has an example for each paragraph.

mod erasure;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::map::{Entry, Export, Map, Owner, Path};
use crate::schema::{ForeignKey, Schema};
use crate::value::{Row, Rows, Value};

pub(crate) use self::erasure::Now;

/// Clerk ids.
pub(crate) type People = BTreeSet<String>;

/// A map, and the rows that it is about.
#[derive(Clone, Copy)]
pub(crate) struct Model<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) map: &'a Map,
    pub(crate) rows: &'a Rows,
}

impl<'a> Model<'a> {
    /// Returns the owners of a row: over the entries whose `where` holds, the people that their paths lead to.
    pub(crate) fn owners(&self, table: &str, row: &Row) -> People {
        if self.is_ghost(table, row) {
            return People::new();
        }
        let entries = self.map.entry(table).owners.iter().filter(|owner| owner.applies_to(row));
        entries.flat_map(|owner| self.leads_to(table, row, &owner.path)).collect()
    }

    /// Returns the people that a path leads to.
    pub(crate) fn leads_to(&self, table: &str, row: &Row, path: &Path) -> People {
        let (columns, other, other_columns) = match path {
            Path::Column(column) => return self.people_named(&row[column]),
            Path::To { columns, table: parent, .. } => (columns.clone(), parent, self.target_columns(table, path)),
            Path::From { table: child, columns, .. } => (self.key_columns(table, path), child, columns.clone()),
        };
        let key = values(row, &columns);
        if key.iter().any(Value::is_null) {
            return People::new();
        }
        let referenced = self.rows_of(other).iter().filter(|row| values(row, &other_columns) == key);
        referenced.flat_map(|row| self.owners(other, row)).collect()
    }

    /// Returns the person whose Clerk id the value is. NULL is no person, and neither is the ghost.
    fn people_named(&self, value: &Value) -> People {
        let is_ghost = |id: &String| {
            self.map.ghosts.iter().any(|(table, key)| {
                let owners = self.map.entry(table).owners.iter();
                let mut columns = owners.filter_map(|owner| match &owner.path {
                    Path::Column(column) => Some(column),
                    Path::To { .. } | Path::From { .. } => None,
                });
                let ghost = self.rows_of(table).iter().find(|row| has_key(row, key));
                ghost.is_some_and(|ghost| columns.any(|column| ghost[column].text().as_ref() == Some(id)))
            })
        };
        value.text().into_iter().filter(|id| !is_ghost(id)).collect()
    }

    /// Returns the columns that a path from `table` compares with its own: those that it names, those that the foreign key
    /// references, or the primary key.
    fn target_columns(&self, table: &str, path: &Path) -> Vec<String> {
        let Path::To { columns, table: parent, target } = path else { unreachable!("only such a path has a target") };
        if !target.is_empty() {
            return target.clone();
        }
        let mut foreign_keys = self.schema.table(table).foreign_keys.iter();
        let key = foreign_keys.find(|key| key.parent == *parent && key.columns == *columns);
        key.map_or_else(|| self.schema.table(parent).primary_key.clone(), |key| key.parent_columns.clone())
    }

    /// Returns the own columns of a path from the parent's side: those that it names, those that the foreign key references,
    /// or the primary key.
    fn key_columns(&self, table: &str, path: &Path) -> Vec<String> {
        let Path::From { key, table: child, columns } = path else { unreachable!("only such a path has a key") };
        if !key.is_empty() {
            return key.clone();
        }
        let mut foreign_keys = self.schema.table(child).foreign_keys.iter();
        let key = foreign_keys.find(|key| key.parent == table && key.columns == *columns);
        key.map_or_else(|| self.schema.table(table).primary_key.clone(), |key| key.parent_columns.clone())
    }

    /// Returns the person's own rows of each exported table, shared ones as well, with the exported columns.
    pub(crate) fn export(&self, person: &str) -> BTreeMap<String, Vec<Row>> {
        let exported = self.map.entries.iter().filter(|entry| !matches!(entry.export, Export::Nothing));
        let own_rows = |entry: &Entry| {
            let is_own = |row: &&Row| self.owners(&entry.table, row).contains(person);
            let exported = |row: &Row| row.clone().into_iter().filter(|(name, _)| entry.export.has(name)).collect();
            self.rows_of(&entry.table).iter().filter(is_own).map(exported).collect()
        };
        exported.map(|entry| (entry.table.clone(), own_rows(entry))).collect()
    }

    pub(crate) fn rows_of(&self, table: &str) -> &'a [Row] {
        self.rows.get(table).map_or(&[], Vec::as_slice)
    }

    fn is_ghost(&self, table: &str, row: &Row) -> bool {
        self.map.ghosts.get(table).is_some_and(|key| has_key(row, key))
    }

    /// Returns the row of the parent that a foreign key references.
    fn referenced_row(&self, row: &Row, key: &ForeignKey) -> Option<(usize, &'a Row)> {
        let wanted = values(row, &key.columns);
        if wanted.iter().any(Value::is_null) {
            return None;
        }
        self.rows_of(&key.parent).iter().enumerate().find(|(_, row)| values(row, &key.parent_columns) == wanted)
    }
}

impl Owner {
    /// Whether `where` holds: each named column has one of the listed texts.
    pub(crate) fn applies_to(&self, row: &Row) -> bool {
        self.conditions.iter().all(|(column, listed)| row[column].text().is_some_and(|text| listed.contains(&text)))
    }
}

impl Export {
    pub(crate) fn has(&self, column: &String) -> bool {
        match self {
            Self::All => true,
            Self::Only(columns) => columns.contains(column),
            Self::Except(columns) => !columns.contains(column),
            Self::Nothing => false,
        }
    }
}

pub(crate) fn values(row: &Row, columns: &[String]) -> Vec<Value> {
    columns.iter().map(|column| row[column].clone()).collect()
}

fn has_key(row: &Row, key: &Row) -> bool {
    key.iter().all(|(column, value)| row[column] == *value)
}
