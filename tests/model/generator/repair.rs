//! Removes what no database would accept: references that lead nowhere, and second rows with the same key.

use std::collections::BTreeSet;

use crate::model::values;
use crate::schema::{Schema, Table};
use crate::value::{Row, Rows, Value};

/// Sets columns to NULL, or removes rows, until every key is fine.
pub(crate) fn repair(schema: &Schema, rows: &mut Rows) {
    loop {
        let mut is_changed = false;
        for table in &schema.tables {
            is_changed |= repair_uniques(table, rows.entry(table.full_name()).or_default());
            is_changed |= repair_references(table, rows);
        }
        if !is_changed {
            return;
        }
    }
}

fn repair_uniques(table: &Table, rows: &mut Vec<Row>) -> bool {
    let mut is_changed = false;
    for key in std::iter::once(&table.primary_key).chain(&table.uniques).filter(|key| !key.is_empty()) {
        let mut used = BTreeSet::new();
        rows.retain_mut(|row| {
            let value = values(row, key);
            if value.iter().any(Value::is_null) || used.insert(value) {
                return true;
            }
            is_changed = true;
            set_null(table, key, row)
        });
    }
    is_changed
}

fn repair_references(table: &Table, rows: &mut Rows) -> bool {
    let mut is_changed = false;
    for key in &table.foreign_keys {
        let parents: BTreeSet<Vec<Value>> =
            rows.get(&key.parent).into_iter().flatten().map(|row| values(row, &key.parent_columns)).collect();
        rows.entry(table.full_name()).or_default().retain_mut(|row| {
            let Some(value) = key.columns.iter().map(|column| row.get(column).cloned()).collect::<Option<Vec<Value>>>()
            else {
                return set_null(table, &key.columns, row);
            };
            if value.iter().any(Value::is_null) || parents.contains(&value) {
                return true;
            }
            is_changed = true;
            set_null(table, &key.columns, row)
        });
    }
    is_changed
}

/// Sets one of the columns to NULL. Returns whether one allows it.
fn set_null(table: &Table, columns: &[String], row: &mut Row) -> bool {
    let column = columns.iter().find(|column| table.column(column).nullable);
    if let Some(column) = column {
        row.insert(column.clone(), Value::Null);
    }
    column.is_some()
}
