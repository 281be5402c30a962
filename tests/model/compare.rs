//! Compares rows of the database with those of the model.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as JsonValue;

use crate::model::{MENTIONS, is_unique_text};
use crate::value::{Row, Value};

/// Returns the rows by the names that an export gives the tables: without the schema where that is unambiguous.
pub(crate) fn names_in_file(exported: BTreeMap<String, Vec<Row>>) -> BTreeMap<String, Vec<JsonValue>> {
    let short = |name: &str| name.split_once('.').map(|(_, table)| table.to_owned()).unwrap();
    let table = |name: &str| name.trim_end_matches(MENTIONS).to_owned();
    let names: BTreeSet<String> = exported.keys().map(|name| table(name)).collect();
    let tables = exported.into_iter().map(|(name, rows)| {
        let is_unique = names.iter().filter(|other| short(other) == short(&table(&name))).count() == 1;
        let json = |row: Row| row.into_iter().map(|(column, value)| (column, value.json())).collect::<JsonValue>();
        let mut rows: Vec<JsonValue> = rows.into_iter().map(json).collect();
        rows.sort_by_key(JsonValue::to_string);
        (if is_unique { short(&name) } else { name }, rows)
    });
    tables.collect()
}

/// A row as the database writes it.
pub(crate) type TextRow = BTreeMap<String, Option<String>>;

pub(crate) fn matches_row(expected: &Row, actual: &TextRow) -> bool {
    expected.iter().all(|(column, value)| matches_value(value, actual[column].as_deref()))
}

fn matches_value(expected: &Value, actual: Option<&str>) -> bool {
    match expected {
        Value::Random { prefix, suffix } => actual.is_some_and(|text| is_unique_text(prefix, suffix, text)),
        Value::Pseudonym(person) => actual.is_some_and(|text| !text.is_empty() && !text.contains(person.as_str())),
        value => value.text().as_deref() == actual,
    }
}

pub(crate) fn with_random_values(expected: &Row, actual: &TextRow) -> Row {
    let found = |column: &String, value: &Value| match value {
        Value::Random { .. } | Value::Pseudonym(_) => Value::text_of(actual[column].as_deref().unwrap_or_default()),
        value => value.clone(),
    };
    expected.iter().map(|(column, value)| (column.clone(), found(column, value))).collect()
}

pub(crate) fn display(row: &Row) -> String {
    let values =
        row.iter().map(|(column, value)| format!("{column}={}", value.text().unwrap_or_else(|| "NULL".to_owned())));
    values.collect::<Vec<_>>().join(" | ")
}

pub(crate) fn display_all(rows: &[TextRow]) -> String {
    let row = |row: &TextRow| {
        let values = row.iter().map(|(column, value)| format!("{column}={}", value.as_deref().unwrap_or("NULL")));
        values.collect::<Vec<_>>().join(" | ")
    };
    rows.iter().map(|one| format!("\n  {}", row(one))).collect::<Vec<_>>().concat()
}
