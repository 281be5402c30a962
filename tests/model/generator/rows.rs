//! Random rows of everybody. Most foreign keys lead somewhere; `repair` removes what doesn't fit.

use std::collections::BTreeMap;

use super::random::Random;
use super::{Draft, PEOPLE};
use crate::map::{Map, Path, ReferenceAction};
use crate::schema::{ForeignKey, Table};
use crate::value::{Kind, Row, Rows, Value};

/// A row whose columns aren't all filled yet, and whose it is meant to be.
struct DraftRow {
    row: Row,
    person: Option<&'static str>,
}

struct Filler<'a> {
    random: &'a mut Random,
    draft: &'a Draft,
    map: &'a Map,
    rows: BTreeMap<String, Vec<DraftRow>>,
    counter: i64,
}

pub(super) fn fill(random: &mut Random, draft: &Draft, map: &Map) -> Rows {
    let mut filler = Filler { random, draft, map, rows: BTreeMap::new(), counter: 0 };
    for table in &draft.schema.tables {
        filler.add_rows(table);
    }
    for table in &draft.schema.tables {
        filler.fill_references(table);
    }
    let rows = filler.rows.into_iter();
    rows.map(|(table, rows)| (table, rows.into_iter().map(|draft| draft.row).collect())).collect()
}

impl Filler<'_> {
    /// Adds rows with everything but references to rows of any table.
    fn add_rows(&mut self, table: &Table) {
        let name = table.full_name();
        let is_subject = self.draft.subjects.contains(&name);
        let mut rows = Vec::new();
        for person in PEOPLE.map(Some).into_iter().chain([None]) {
            let count = match person {
                _ if is_subject => usize::from(self.random.percent(if person.is_some() { 94 } else { 25 })),
                Some(_) => self.random.one_of(&[0, 1, 1, 2, 2, 3, 5, 8]),
                None => self.random.one_of(&[0, 0, 1, 2]),
            };
            for _ in 0..count {
                let Some(owner) = self.owner_value(table, person) else { continue };
                let person = person.filter(|_| !owner.is_null());
                rows.push(DraftRow { row: self.new_row(table, &owner), person });
            }
        }
        // In one-to-one relations, and where the owner is in a key.
        let mut unique = Vec::<DraftRow>::new();
        for draft in rows {
            let is_taken = |key: &Vec<String>| {
                let mut others = unique.iter().map(|other| &other.row);
                let complete = !key.is_empty()
                    && key.iter().all(|column| draft.row.get(column).is_some_and(|value| !value.is_null()));
                complete && others.any(|other| key.iter().all(|column| other.get(column) == draft.row.get(column)))
            };
            if !std::iter::once(&table.primary_key).chain(&table.uniques).any(is_taken) {
                unique.push(draft);
            }
        }
        self.rows.insert(name, unique);
    }

    /// Returns what leads to the person, or `None` where nothing can.
    fn owner_value(&mut self, table: &Table, person: Option<&'static str>) -> Option<Value> {
        let path = &self.draft.owners[&table.full_name()];
        let column = table.column(&path.own_columns()[0]);
        let null = column.nullable.then_some(Value::Null);
        let key = table.foreign_keys.iter().find(|key| key.columns == [column.name.as_str()]);
        let (parent, target) = match (path, key) {
            (_, Some(key)) => (&key.parent, &key.parent_columns[0]),
            (Path::To { table: parent, .. }, None) => (parent, &self.draft.schema.table(parent).primary_key[0]),
            _ => {
                let stranger = if self.random.percent(50) { "user_Z" } else { "not an id" };
                let value = Value::text_of(person.unwrap_or(stranger));
                return Some(null.filter(|_| person.is_none()).unwrap_or(value));
            }
        };
        if person.is_none() && null.is_some() {
            return null;
        }
        let rows = self.rows[parent].iter().filter(|draft| draft.person == person);
        let values: Vec<Value> = rows.map(|draft| draft.row.get(target).cloned().unwrap_or(Value::Null)).collect();
        let values: Vec<Value> = values.into_iter().filter(|value| !value.is_null()).collect();
        self.random.try_pick(&values).cloned()
    }

    fn new_row(&mut self, table: &Table, owner: &Value) -> Row {
        let name = table.full_name();
        let mut row = Row::new();
        for column in &table.columns {
            let is_owner = self.draft.is_owner_column(&name, &column.name);
            let is_reference = self.draft.user_ids[&name].contains(&column.name)
                || table.foreign_keys_of(&column.name).next().is_some();
            let value = if is_owner {
                owner.clone()
            } else if is_reference {
                continue;
            } else if column.nullable && self.random.percent(25) {
                Value::Null
            } else if table.is_in_unique(&column.name) {
                self.unique_value(column.kind)
            } else {
                payload(self.random, column.kind)
            };
            row.insert(column.name.clone(), value);
        }
        row
    }

    fn unique_value(&mut self, kind: Kind) -> Value {
        self.counter += 1;
        match kind {
            Kind::Integer | Kind::Bigint => Value::Int(self.counter),
            Kind::Uuid => Value::Text(format!("00000000-0000-4000-8000-{:012x}", self.counter)),
            _ => Value::Text(format!("Code {}", self.counter)),
        }
    }

    fn fill_references(&mut self, table: &Table) {
        let name = table.full_name();
        let mut rows = self.rows.remove(&name).expect("every table has a list of rows");
        for position in 0..rows.len() {
            let (mut row, person) = (std::mem::take(&mut rows[position].row), rows[position].person);
            for column in &self.draft.user_ids[&name] {
                let value = self.user_id(table, column, person);
                row.insert(column.clone(), value);
            }
            for key in &table.foreign_keys {
                if key.parent == name {
                    rows[position].row = row;
                    row = self.with_reference(table, key, &rows, position);
                } else {
                    let others = self.rows.remove(&key.parent).expect("every table has a list of rows");
                    rows[position].row = row;
                    row = self.with_reference_to(table, key, &rows[position], &others);
                    self.rows.insert(key.parent.clone(), others);
                }
            }
            for column in &table.columns {
                // A foreign key that was dropped leaves columns behind.
                let value = || if column.nullable { Value::Null } else { payload(self.random, column.kind) };
                row.entry(column.name.clone()).or_insert_with(value);
            }
            rows[position].row = row;
        }
        self.rows.insert(name, rows);
    }

    fn with_reference(&mut self, table: &Table, key: &ForeignKey, rows: &[DraftRow], position: usize) -> Row {
        self.with_reference_to(table, key, &rows[position], rows)
    }

    /// Returns the row with the columns of the foreign key that aren't filled yet.
    fn with_reference_to(&mut self, table: &Table, key: &ForeignKey, draft: &DraftRow, parents: &[DraftRow]) -> Row {
        let mut row = draft.row.clone();
        let pairs: Vec<(&String, &String)> = key.columns.iter().zip(&key.parent_columns).collect();
        let open: Vec<&String> = key.columns.iter().filter(|column| !row.contains_key(*column)).collect();
        let nullable = open.iter().copied().find(|column| table.column(column).nullable);
        let is_forbidden = self.is_forbidden(table, &key.columns) && self.random.percent(97);
        let fits = |parent: &&DraftRow| {
            let is_complete =
                pairs.iter().all(|(_, target)| parent.row.get(*target).is_some_and(|value| !value.is_null()));
            let is_same = pairs
                .iter()
                .all(|(column, target)| row.get(*column).is_none_or(|value| Some(value) == parent.row.get(*target)));
            is_complete && is_same && (!is_forbidden || parent.person == draft.person)
        };
        let candidates: Vec<&DraftRow> = parents.iter().filter(fits).collect();
        let leaves_null = nullable.is_some() && self.random.percent(20);
        match self.random.try_pick(&candidates).filter(|_| !leaves_null) {
            Some(parent) => {
                for (column, target) in pairs {
                    row.insert(column.clone(), parent.row[target].clone());
                }
            }
            None => {
                if let Some(column) = nullable {
                    row.insert(column.clone(), Value::Null);
                }
            }
        }
        row
    }

    /// Whether the map states that no row of others references one of the person's by these columns.
    fn is_forbidden(&self, table: &Table, columns: &[String]) -> bool {
        let mut references = self.map.entry(&table.full_name()).references.iter();
        references.any(|reference| reference.action == ReferenceAction::Forbid && columns.contains(&reference.column))
    }

    fn user_id(&mut self, table: &Table, column: &str, person: Option<&'static str>) -> Value {
        let nullable = table.column(column).nullable;
        let is_forbidden = self.is_forbidden(table, &[column.to_owned()]) && self.random.percent(97);
        match self.random.below(10) {
            0..=1 if nullable => Value::Null,
            2 => Value::text_of("the system"),
            _ if is_forbidden => Value::text_of(person.unwrap_or("the system")),
            _ => Value::text_of(self.random.one_of(&PEOPLE)),
        }
    }
}

fn payload(random: &mut Random, kind: Kind) -> Value {
    let text = |random: &mut Random, options: &[&str]| Value::text_of(random.one_of(options));
    match kind {
        Kind::Text | Kind::Varchar => {
            text(random, &["", "Ä€", "it's", "a\\b", "two\nlines", "null", "user_a1", "{\"x\"}", "$1", "it's \"gone\""])
        }
        Kind::Integer => Value::Int(*random.pick(&[0, 1, 7, 2_147_483_647])),
        Kind::Bigint => Value::Int(*random.pick(&[0, 7, 9_007_199_254_740_991, 9_007_199_254_740_992, i64::MAX])),
        Kind::Numeric => Value::Number((*random.pick(&["0", "-12.50", "1.50", "1234567890.1234567"])).to_owned()),
        Kind::Bool => Value::Bool(random.percent(50)),
        Kind::Uuid => text(random, &["6f0c1e9a-5b7d-4c3e-8f21-0a9b8c7d6e5f", "00000000-0000-0000-0000-000000000000"]),
        Kind::Json => Value::Json((*random.pick(&["{\"a\":1}", "{ \"b\": [ null ] }", "null", "\"text\""])).to_owned()),
        Kind::Jsonb => Value::Json((*random.pick(&["{\"a\": 1}", "[{}, \"user_B\"]", "null", "true"])).to_owned()),
        Kind::TextArray => {
            let items: &[&str] = random.one_of(&[&[] as &[&str], &["x", "y z"], &["NULL", "q\"u", "a\\b", "{}"]]);
            Value::Array(items.iter().map(|item| (*item).to_owned()).collect())
        }
        Kind::Timestamptz | Kind::Timestamp | Kind::Date => {
            let (date, time) = random.one_of(&[
                ("2024-02-29", "07:08:09"),
                ("2025-12-31", "23:59:59.123456"),
                ("1999-01-01", "00:00:00"),
            ]);
            kind.time(date, time)
        }
        Kind::Enum => text(random, &["sad", "ok", "happy one"]),
        Kind::Bytea => Value::Bytes(random.pick(&[vec![], vec![0, 255], b"lethe".to_vec()]).clone()),
    }
}
