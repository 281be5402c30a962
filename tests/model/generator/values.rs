//! New values of columns.

use super::Draft;
use super::random::Random;
use crate::map::{NewValue, Path};
use crate::schema::{Column, Extra, ForeignKey, Table};
use crate::value::{Kind, Value};

/// Returns the values that the column may get, in a random order: none where rows are found by it.
pub(super) fn options(random: &mut Random, draft: &Draft, table: &Table, column: &Column) -> Vec<NewValue> {
    let name = table.full_name();
    let mut options = Vec::new();
    let is_found_by = draft.schema.is_referenced(&name, &column.name) || draft.is_path_target(&name, &column.name);
    if table.primary_key.contains(&column.name) || is_found_by {
        return options;
    }
    let is_key = table.foreign_keys_of(&column.name).next().is_some();
    let is_unique = table.is_in_unique(&column.name);
    options.extend(column.nullable.then_some(NewValue::Null));
    options.extend(leads_to_ghost(draft, table, &column.name).then_some(NewValue::Ghost));
    // Another row may have the constant as its key.
    if !is_key && !is_unique && !is_reference(draft, &name, &column.name) {
        options.extend(constant(column.kind).map(NewValue::Constant));
    }
    if draft.is_second && !is_key {
        options.extend((column.kind != Kind::Enum && !is_unique).then_some(NewValue::Neutral));
        options.extend(column.kind.is_text().then(|| unique(random)));
    }
    random.shuffle(&mut options);
    options
}

/// Returns a new value of a column that leads to nobody, or `None` where it stays.
pub(super) fn of_payload(random: &mut Random, draft: &Draft, table: &Table, column: &Column) -> Option<NewValue> {
    // Foreign keys are cut, or stay.
    let is_key = table.foreign_keys_of(&column.name).next().is_some();
    if is_key || is_condition(table, &column.name) || random.percent(40) {
        return None;
    }
    options(random, draft, table, column).into_iter().find(|value| *value != NewValue::Ghost)
}

/// Whether the column references rows, with or without a foreign key.
fn is_reference(draft: &Draft, table: &str, column: &str) -> bool {
    let links = draft.links[table].iter().flat_map(|link| &link.columns);
    let owners = draft.owners[table].iter().filter(|owner| owner.path.table().is_some());
    links.chain(owners.flat_map(|owner| owner.path.own_columns())).any(|name| name == column)
}

/// Whether the column can reference a ghost row. In a unique column the second person's row couldn't.
fn leads_to_ghost(draft: &Draft, table: &Table, column: &str) -> bool {
    let name = table.full_name();
    let is_ghost_key = |parent: &String, target: &[String]| {
        draft.ghosts.get(parent).is_some_and(|key| matches!(target, [only] if key.contains_key(only)))
    };
    let is_single = |columns: &[String]| columns == [column];
    let by_path = || {
        draft.owners[&name].iter().any(|owner| match &owner.path {
            Path::To { columns, table: parent, .. } => {
                is_single(columns) && is_ghost_key(parent, &draft.target_columns(table, &owner.path))
            }
            Path::Column(_) | Path::Email(_) | Path::From { .. } => false,
        })
    };
    let keys = table.foreign_keys.iter().chain(&draft.links[&name]);
    let keys: Vec<&ForeignKey> = keys.filter(|key| key.columns.iter().any(|name| name == column)).collect();
    let is_ghost_link = |key: &&ForeignKey| is_single(&key.columns) && is_ghost_key(&key.parent, &key.parent_columns);
    let leads_there = if keys.is_empty() { by_path() } else { keys.iter().all(is_ghost_link) };
    leads_there && !table.is_in_unique(column)
}

/// Whether a partial unique index depends on the column: rows that were none of its business would be.
fn is_condition(table: &Table, column: &str) -> bool {
    table.extras.iter().any(|extra| matches!(extra, Extra::UniqueWhereNull { condition, .. } if condition == column))
}

fn unique(random: &mut Random) -> NewValue {
    let (prefix, suffix) = random.one_of(&[
        ("deleted-", ""),
        ("deleted-", ""),
        ("gone+", "@x.invalid"),
        ("(it's) ", "?"),
        ("$1\\", "*\""),
    ]);
    NewValue::Unique { prefix: prefix.to_owned(), suffix: suffix.to_owned() }
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
