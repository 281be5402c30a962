//! Random rows of everybody. Most foreign keys lead somewhere; `repair` removes what doesn't fit.

use std::collections::BTreeMap;

use super::random::Random;
use super::{Draft, PEOPLE};
use crate::map::{Map, MentionAction, Path, ReferenceAction};
use crate::schema::{ForeignKey, Table};
use crate::value::{Kind, Row, Rows, Value};

/// A row whose columns aren't all filled yet, and whose it is meant to be.
#[derive(Default)]
pub(super) struct DraftRow {
    pub(super) row: Row,
    pub(super) people: Vec<&'static str>,
}

pub(super) struct Filler<'a> {
    pub(super) random: &'a mut Random,
    pub(super) draft: &'a Draft,
    map: &'a Map,
    pub(super) rows: BTreeMap<String, Vec<DraftRow>>,
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
        rows.extend(
            self.draft.ghosts.get(&name).map(|key| DraftRow { row: self.ghost_row(table, key), people: Vec::new() }),
        );
        for person in PEOPLE.map(Some).into_iter().chain([None]) {
            let count = match person {
                _ if is_subject => usize::from(self.random.percent(if person.is_some() { 94 } else { 25 })),
                Some(_) => self.random.one_of(&[0, 1, 1, 2, 2, 3, 5, 8]),
                None => self.random.one_of(&[0, 0, 1, 2]),
            };
            for _ in 0..count {
                let Some(mut draft) = self.owner_values(table, person) else { continue };
                self.add_values(table, &mut draft.row);
                rows.push(draft);
            }
        }
        // In one-to-one relations, and where the owner is in a key.
        let mut unique = Vec::<DraftRow>::new();
        for draft in rows {
            let is_taken = |key: &Vec<String>| {
                let mut others = unique.iter().map(|other| &other.row);
                let complete = key.iter().all(|column| draft.row.get(column).is_some_and(|value| !value.is_null()));
                complete && others.any(|other| key.iter().all(|column| other.get(column) == draft.row.get(column)))
            };
            if !table.keys().any(is_taken) {
                unique.push(draft);
            }
        }
        self.rows.insert(name.clone(), unique);
        for owner in &self.draft.owners[&name] {
            if let Path::From { table: child, columns, .. } = &owner.path {
                self.fill_children(&name, &table.primary_key[0], child, &columns[0]);
            }
        }
    }

    /// Lets rows of the child reference rows of the table, which then belong to the same people.
    fn fill_children(&mut self, name: &str, key: &str, child: &str, column: &str) {
        let nullable = self.draft.schema.table(child).column(column).nullable;
        let mut parents = self.rows.remove(name).expect("the rows were added before");
        // Where none can be referenced and something must be, the rows can't exist.
        if parents.is_empty() && !nullable {
            self.rows.insert(child.to_owned(), Vec::new());
        }
        for draft in self.rows.get_mut(child).expect("the child comes earlier") {
            if draft.row.contains_key(column) || nullable && self.random.percent(20) || parents.is_empty() {
                draft.row.entry(column.to_owned()).or_insert(Value::Null);
                continue;
            }
            let position = self.random.below(parents.len());
            draft.row.insert(column.to_owned(), parents[position].row[key].clone());
            parents[position].people.extend(&draft.people);
        }
        self.rows.insert(name.to_owned(), parents);
    }

    /// Fills the columns that lead nowhere.
    fn add_values(&mut self, table: &Table, row: &mut Row) {
        let name = table.full_name();
        for column in &table.columns {
            if self.leads(table, &column.name) || row.contains_key(&column.name) {
                continue;
            }
            let value = if column.nullable && self.random.percent(25) {
                Value::Null
            } else if table.is_in_unique(&column.name) || self.draft.is_owner_column(&name, &column.name) {
                self.unique_value(column.kind)
            } else {
                payload(self.random, column.kind)
            };
            row.insert(column.name.clone(), value);
        }
    }

    /// Whether the column is filled when all rows exist.
    fn leads(&self, table: &Table, column: &String) -> bool {
        let name = table.full_name();
        self.draft.user_ids[&name].contains(column)
            || table.foreign_keys_of(column).next().is_some()
            || self.draft.links[&name].iter().any(|link| link.columns.contains(column))
    }

    fn ghost_row(&mut self, table: &Table, key: &Row) -> Row {
        let name = table.full_name();
        let mut row = key.clone();
        for column in &table.columns {
            let is_empty =
                column.nullable && (self.leads(table, &column.name) || self.draft.is_owner_column(&name, &column.name));
            if is_empty && !row.contains_key(&column.name) {
                row.insert(column.name.clone(), Value::Null);
            }
        }
        if let Some(id) = self.draft.id_column(&name) {
            row.entry(id.to_owned()).or_insert_with(|| Value::text_of("user_left"));
        }
        self.add_values(table, &mut row);
        row
    }

    pub(super) fn unique_value(&mut self, kind: Kind) -> Value {
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
            let mut row = rows[position].row.clone();
            for column in &self.draft.user_ids[&name] {
                let value = self.user_id(table, column, &rows[position].people);
                row.entry(column.clone()).or_insert(value);
            }
            rows[position].row = row;
            for key in table.foreign_keys.iter().chain(&self.draft.links[&name]) {
                let row = if key.parent == name {
                    self.with_reference_to(table, key, &rows[position], &rows)
                } else {
                    let others = self.rows.remove(&key.parent).expect("every table has a list of rows");
                    let row = self.with_reference_to(table, key, &rows[position], &others);
                    self.rows.insert(key.parent.clone(), others);
                    row
                };
                rows[position].row = row;
            }
            for column in &table.columns {
                // A foreign key that was dropped leaves columns behind.
                let value = || if column.nullable { Value::Null } else { payload(self.random, column.kind) };
                rows[position].row.entry(column.name.clone()).or_insert_with(value);
            }
        }
        self.rows.insert(name, rows);
    }

    /// Returns the row with the columns of the foreign key that aren't filled yet.
    fn with_reference_to(&mut self, table: &Table, key: &ForeignKey, draft: &DraftRow, parents: &[DraftRow]) -> Row {
        let mut row = draft.row.clone();
        let pairs: Vec<(&String, &String)> = key.columns.iter().zip(&key.parent_columns).collect();
        let open: Vec<&String> = key.columns.iter().filter(|column| !row.contains_key(*column)).collect();
        let nullable = open.iter().copied().find(|column| table.column(column).nullable);
        let is_forbidden = self.is_forbidden(table, &key.columns) && self.random.percent(99);
        let fits = |parent: &&DraftRow| {
            let is_complete =
                pairs.iter().all(|(_, target)| parent.row.get(*target).is_some_and(|value| !value.is_null()));
            let is_same = pairs
                .iter()
                .all(|(column, target)| row.get(*column).is_none_or(|value| Some(value) == parent.row.get(*target)));
            let is_allowed = || parent.people.iter().all(|person| draft.people == [*person]);
            is_complete && is_same && (!is_forbidden || is_allowed())
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

    /// Whether the map states that no row of others references one of the person's by these columns, or names them there.
    pub(super) fn is_forbidden(&self, table: &Table, columns: &[String]) -> bool {
        let entry = self.map.entry(&table.full_name());
        let mut references = entry.references.iter();
        let forbidden = entry.mentions.iter().filter(|mention| mention.action == MentionAction::Forbid);
        let mut mentioned = forbidden.flat_map(|mention| &mention.columns).flat_map(Path::own_columns);
        references.any(|reference| reference.action == ReferenceAction::Forbid && columns.contains(&reference.column))
            || mentioned.any(|column| columns.contains(column))
    }

    fn user_id(&mut self, table: &Table, column: &str, people: &[&'static str]) -> Value {
        let nullable = table.column(column).nullable;
        let is_forbidden = self.is_forbidden(table, &[column.to_owned()]) && self.random.percent(97);
        let own = if let [only] = people { only } else { "the system" };
        match self.random.below(10) {
            0..=1 if nullable => Value::Null,
            2 => Value::text_of("the system"),
            _ if is_forbidden => Value::text_of(own),
            _ => Value::text_of(self.random.one_of(&PEOPLE)),
        }
    }
}

pub(super) fn payload(random: &mut Random, kind: Kind) -> Value {
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
