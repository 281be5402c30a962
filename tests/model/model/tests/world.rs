//! Tables, rows and maps in a short notation.

use std::collections::BTreeMap;

use crate::map::{Entry, Erase, Export, Map, Mention, MentionAction, Owner, Path, Reference, ReferenceAction};
use crate::model::erasure::Refused;
use crate::model::{Model, Now};
use crate::schema::{Column, ForeignKey, Schema, Table};
use crate::value::{Kind, Row, Rows, Value};

pub(super) const NOW: Now = Now { date: "2026-03-01", time: "12:00:00" };

/// Tables with their rows and their entries in the map.
#[derive(Default)]
pub(super) struct World {
    pub(super) schema: Schema,
    pub(super) map: Map,
    pub(super) rows: Rows,
}

/// Reads `id=1 author=ann at=-`: a dash is NULL, digits are a number.
pub(super) fn row(text: &str) -> Row {
    let value = |text: &str| match text {
        "-" => Value::Null,
        text => text.parse().map_or_else(|_| Value::text_of(text), Value::Int),
    };
    let pairs = text.split(' ').map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(column, text)| (column.to_owned(), value(text))).collect()
}

/// Writes a row as [`row`] reads it.
pub(super) fn text(row: &Row) -> String {
    let pairs =
        row.iter().map(|(column, value)| format!("{column}={}", value.text().unwrap_or_else(|| "-".to_owned())));
    pairs.collect::<Vec<_>>().join(" ")
}

pub(super) fn strings(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

/// Reads `author`, `post -> posts`, `org,no -> projects(org,no)` and `<- messages(content)`.
pub(super) fn path(text: &str) -> Path {
    let columns = |text: &str| text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let target = |text: &str| match text.trim_end_matches(')').split_once('(') {
        Some((table, names)) => (format!("public.{table}"), columns(names)),
        None => (format!("public.{text}"), Vec::new()),
    };
    if let Some((own, other)) = text.split_once(" -> ") {
        let (table, target) = target(other);
        return Path::To { columns: columns(own), table, target };
    }
    match text.split_once("<- ") {
        Some((own, other)) => {
            let (table, columns_there) = target(other);
            Path::From { key: columns(own.trim()), table, columns: columns_there }
        }
        None => Path::column(text),
    }
}

impl World {
    /// Adds a table with the key `id` and the columns of its rows.
    pub(super) fn table(mut self, name: &str, owners: &[&str], rows: &[&str]) -> Self {
        let rows: Vec<Row> = rows.iter().map(|text| row(text)).collect();
        let columns = rows[0].keys().map(|name| Column { name: name.clone(), kind: Kind::Text, nullable: true });
        let table = Table {
            schema: "public".to_owned(),
            name: name.to_owned(),
            columns: columns.collect(),
            primary_key: strings(&["id"]),
            ..Table::default()
        };
        self.map.entries.push(Entry {
            table: table.full_name(),
            is_subject: false,
            owners: owners.iter().map(|text| Owner::new(path(text))).collect(),
            export: Export::All,
            erase: Erase::Delete,
            mentions: Vec::new(),
            references: Vec::new(),
        });
        self.rows.insert(table.full_name(), rows);
        self.schema.tables.push(table);
        self
    }

    /// Adds a foreign key to the last table: `author -> users(clerk)`.
    pub(super) fn key(mut self, text: &str) -> Self {
        let Path::To { columns, table: parent, target: parent_columns } = path(text) else { panic!("{text}") };
        let key = ForeignKey { columns, parent, parent_columns, on_delete: "", deferrable: "" };
        self.schema.tables.last_mut().unwrap().foreign_keys.push(key);
        self
    }

    /// Changes the last table's entry.
    pub(super) fn with(mut self, change: impl FnOnce(&mut Entry)) -> Self {
        change(self.map.entries.last_mut().unwrap());
        self
    }

    pub(super) fn erase(self, erase: Erase) -> Self {
        self.with(|entry| entry.erase = erase)
    }

    pub(super) fn mention(self, columns: &[&str], action: MentionAction) -> Self {
        let columns = columns.iter().map(|text| path(text)).collect();
        self.with(|entry| entry.mentions.push(Mention { columns, export: None, action, forget: BTreeMap::new() }))
    }

    pub(super) fn others(self, column: &str, action: ReferenceAction) -> Self {
        self.with(|entry| entry.references.push(Reference { column: column.to_owned(), action }))
    }

    pub(super) fn ghost(mut self, table: &str, key: &str) -> Self {
        self.map.ghosts.insert(format!("public.{table}"), row(key));
        self
    }

    pub(super) fn model(&self) -> Model<'_> {
        Model { schema: &self.schema, map: &self.map, rows: &self.rows }
    }

    /// Returns each row's owners.
    pub(super) fn owners(&self, table: &str) -> Vec<String> {
        let name = format!("public.{table}");
        let owners = self.rows[&name].iter().map(|row| self.model().owners(&name, row));
        owners.map(|people| people.into_iter().collect::<Vec<_>>().join(" ")).collect()
    }

    /// Returns the table's rows after the erasure.
    pub(super) fn after(&self, person: &str, table: &str) -> Vec<String> {
        self.model().erase(person, NOW).unwrap()[&format!("public.{table}")].iter().map(text).collect()
    }

    pub(super) fn refused(&self, person: &str) -> Refused {
        self.model().erase(person, NOW).unwrap_err()
    }
}
