//! The new values of scrubbed columns.

use super::Draft;
use super::lifetimes::{Lifetimes, stamp_column};
use super::random::Random;
use crate::map::{NewValue, Scrub};
use crate::schema::{Column, Extra, Table};
use crate::value::{Kind, Value};

/// Returns a scrub that decides about every column, or `None` where the table has no column to change.
pub(super) fn scrub(random: &mut Random, draft: &Draft, lifetimes: &Lifetimes, table: &Table) -> Option<Scrub> {
    let name = table.full_name();
    let mut scrub = Scrub::default();
    if let Some(column) = stamp_column(table).filter(|_| random.percent(50)) {
        scrub.stamp.push(column.to_owned());
    }
    for column in table.columns.iter().filter(|column| !scrub.stamp.contains(&column.name)) {
        if lifetimes.cuts(&name, &column.name) {
            scrub.columns.insert(column.name.clone(), NewValue::Null);
            continue;
        }
        let is_fixed = table.primary_key.contains(&column.name) || draft.schema.is_referenced(&name, &column.name);
        if draft.is_owner_column(&name, &column.name) || is_fixed && table.primary_key.contains(&column.name) {
            continue;
        }
        match new_value(random, table, column).filter(|_| !is_fixed) {
            Some(value) => {
                scrub.columns.insert(column.name.clone(), value);
            }
            None if matches!(column.kind, Kind::Timestamptz | Kind::Timestamp) && random.percent(70) => {}
            None => scrub.leave.push(column.name.clone()),
        }
    }
    (!scrub.columns.is_empty()).then_some(scrub)
}

fn new_value(random: &mut Random, table: &Table, column: &Column) -> Option<NewValue> {
    let is_key = table.foreign_keys_of(&column.name).next().is_some();
    let constant = constant(column.kind).filter(|_| !is_key && !table.is_in_unique(&column.name));
    match random.below(3) {
        // A foreign key that stays is left, unless it was cut before.
        0 if column.nullable && !is_key && !is_condition(table, &column.name) => Some(NewValue::Null),
        1 => constant.map(NewValue::Constant),
        _ => None,
    }
}

/// Whether a partial unique index depends on the column: rows that were none of its business would be.
fn is_condition(table: &Table, column: &str) -> bool {
    table.extras.iter().any(|extra| matches!(extra, Extra::UniqueWhereNull { condition, .. } if condition == column))
}

fn constant(kind: Kind) -> Option<Value> {
    Some(match kind {
        Kind::Text | Kind::Varchar => Value::text_of("it's \"gone\""),
        Kind::Integer | Kind::Bigint => Value::Int(7),
        Kind::Numeric => Value::Number("1.50".to_owned()),
        Kind::Bool => Value::Bool(false),
        Kind::Uuid => return None,
        Kind::Json => Value::Json("{\"a\":1}".to_owned()),
        Kind::Jsonb => Value::Json("{\"a\": 1}".to_owned()),
        Kind::TextArray => Value::Array(vec!["x".to_owned(), "y z".to_owned()]),
        Kind::Timestamptz | Kind::Timestamp | Kind::Date => kind.time("2000-02-29", "01:02:03"),
        Kind::Enum => Value::text_of("happy one"),
        Kind::Bytea => Value::Bytes(vec![0, 255]),
    })
}
