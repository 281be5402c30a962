//! Tables and their columns, and how their rows lead to people.

use std::collections::BTreeMap;

use super::names::{SCHEMAS, Unused};
use super::random::Random;
use super::{Draft, Features, names};
use crate::map::Path;
use crate::schema::{Column, Extra, ForeignKey, Schema, Table};
use crate::value::Kind;

const KEY_KINDS: [Kind; 4] = [Kind::Bigint, Kind::Integer, Kind::Uuid, Kind::Text];

const PAYLOAD_KINDS: [Kind; 15] = [
    Kind::Text,
    Kind::Text,
    Kind::Varchar,
    Kind::Integer,
    Kind::Bigint,
    Kind::Numeric,
    Kind::Bool,
    Kind::Json,
    Kind::Jsonb,
    Kind::TextArray,
    Kind::Timestamptz,
    Kind::Timestamp,
    Kind::Date,
    Kind::Enum,
    Kind::Bytea,
];

pub(super) const ON_DELETE: [&str; 7] = [
    "",
    "",
    "ON DELETE NO ACTION",
    "ON DELETE RESTRICT",
    "ON DELETE CASCADE",
    "ON DELETE SET NULL",
    "ON DELETE SET DEFAULT",
];

pub(super) const DEFERRABLE: [&str; 5] = ["", "", "", "DEFERRABLE", "DEFERRABLE INITIALLY DEFERRED"];

pub(super) fn draft(random: &mut Random, features: &Features) -> Draft {
    let mut draft = Draft {
        schema: Schema::default(),
        owners: BTreeMap::new(),
        subjects: Vec::new(),
        user_ids: BTreeMap::new(),
        features: features.clone(),
    };
    let mut schemas = vec![(*random.pick(&SCHEMAS)).to_owned()];
    if random.percent(20) {
        schemas.push((*random.pick(&SCHEMAS)).to_owned());
    }
    let mut names = Unused::default();
    let count = random.between(3, 8);
    for position in 0..count {
        let is_subject = position == 0 || position == 1 && random.percent(10);
        let name = if is_subject { names.subject(random) } else { names.table(random) };
        let table = Table { schema: random.pick(&schemas).clone(), name, ..Table::default() };
        TableDraft { random, draft: &mut draft, table, columns: Unused::default(), user_ids: Vec::new() }
            .build(is_subject);
    }
    draft
}

/// One table while its columns are added.
struct TableDraft<'a> {
    random: &'a mut Random,
    draft: &'a mut Draft,
    table: Table,
    columns: Unused,
    user_ids: Vec<String>,
}

impl TableDraft<'_> {
    fn build(mut self, is_subject: bool) {
        let owner = if is_subject { self.add_subject_key() } else { self.add_owner() };
        let owner_column = owner.own_columns()[0].clone();
        if self.table.primary_key.is_empty() {
            self.add_primary_key(&owner_column, is_subject);
        }
        self.add_uniques(&owner_column);
        for _ in 0..self.random.between(0, 4) {
            self.add_payload();
        }
        self.add_times();
        if self.random.percent(25) {
            self.add_user_id();
        }
        let mut columns = std::mem::take(&mut self.table.columns);
        self.random.shuffle(&mut columns);
        self.table.columns = columns;
        let name = self.table.full_name();
        if is_subject {
            self.draft.subjects.push(name.clone());
        }
        self.draft.owners.insert(name.clone(), owner);
        self.draft.user_ids.insert(name, self.user_ids);
        self.draft.schema.tables.push(self.table);
    }

    fn add(&mut self, name: &str, kind: Kind, nullable: bool) -> String {
        self.table.columns.push(Column { name: name.to_owned(), kind, nullable });
        name.to_owned()
    }

    fn add_one_of(&mut self, names: &[&str], kind: Kind, nullable: bool) -> String {
        let name = self.columns.one_of(names, self.random);
        self.add(&name, kind, nullable)
    }

    fn add_subject_key(&mut self) -> Path {
        let is_primary = self.random.percent(40);
        let nullable = !is_primary && self.random.percent(20);
        let kind = self.random.one_of(&[Kind::Text, Kind::Text, Kind::Varchar]);
        let name = self.add_one_of(&["clerk_id", "clerkId", "id", "ID", "external id"], kind, nullable);
        if is_primary {
            self.table.primary_key = vec![name.clone()];
        } else {
            self.table.uniques.push(vec![name.clone()]);
        }
        Path::Column(name)
    }

    /// Adds the column that leads to the owner: it holds the Clerk id, or leads to an earlier table.
    fn add_owner(&mut self) -> Path {
        let nullable = self.random.percent(30);
        match self.random.below(10) {
            0..=1 => {
                let names = ["user_id", "userId", "owner id", "author", "who"];
                Path::Column(self.add_one_of(&names, Kind::Text, nullable))
            }
            2..=4 => {
                let subject = self.random.pick(&self.draft.subjects).clone();
                let key = self.draft.id_column(&subject).expect("a subject has a key").to_owned();
                let kind = self.draft.schema.table(&subject).column(&key).kind;
                let name = self.add_one_of(&["user_id", "userId", "owner id", "author", "who"], kind, nullable);
                self.add_foreign_key(&name, &subject, &key);
                Path::Column(name)
            }
            5..=8 => {
                let parent = self.random.pick(&self.draft.schema.tables).clone();
                let Some(key) = self.random.try_pick(&single_keys(&parent)).cloned() else { return self.add_owner() };
                let name = self.add_parent_column(&parent, &key, nullable);
                self.add_foreign_key(&name, &parent.full_name(), &key);
                Path::To { columns: vec![name], table: parent.full_name(), target: Vec::new() }
            }
            _ => {
                let parents: Vec<Table> =
                    self.draft.schema.tables.iter().filter(|table| table.primary_key.len() == 1).cloned().collect();
                let Some(parent) = self.random.try_pick(&parents).cloned() else { return self.add_owner() };
                let name = self.add_parent_column(&parent, &parent.primary_key[0], nullable);
                Path::To { columns: vec![name], table: parent.full_name(), target: Vec::new() }
            }
        }
    }

    fn add_parent_column(&mut self, parent: &Table, key: &str, nullable: bool) -> String {
        let kind = parent.column(key).kind;
        let name = format!("{}Id", parent.name);
        self.add_one_of(&[name.as_str(), "parent", "Parent Id", "belongs_to"], kind, nullable)
    }

    fn add_foreign_key(&mut self, column: &str, parent: &str, key: &str) {
        self.table.foreign_keys.push(ForeignKey {
            columns: vec![column.to_owned()],
            parent: parent.to_owned(),
            parent_columns: vec![key.to_owned()],
            on_delete: self.random.one_of(&ON_DELETE),
            deferrable: self.random.one_of(&DEFERRABLE),
        });
    }

    fn add_primary_key(&mut self, owner_column: &str, is_subject: bool) {
        let owner_is_null = self.table.column(owner_column).nullable;
        match self.random.below(10) {
            0 if !is_subject => {}
            1 if !is_subject && !owner_is_null => self.table.primary_key = vec![owner_column.to_owned()],
            2..=3 if !is_subject && !owner_is_null => {
                let number = self.add_one_of(&["no", "Number", "seq"], Kind::Integer, false);
                self.table.primary_key = vec![owner_column.to_owned(), number];
            }
            _ => {
                let kind = self.random.one_of(&KEY_KINDS);
                let id = self.add_one_of(&["id", "ID", "uid", "pk"], kind, false);
                self.table.primary_key = vec![id];
            }
        }
    }

    fn add_uniques(&mut self, owner_column: &str) {
        if self.random.percent(25) {
            let (kind, nullable) =
                (self.random.one_of(&[Kind::Text, Kind::Integer, Kind::Uuid]), self.random.percent(40));
            let code = self.add_one_of(&["code", "slug", "Public Id"], kind, nullable);
            self.table.uniques.push(vec![code]);
        }
        if self.random.percent(25) {
            let (first, nullable) = if self.random.percent(60) {
                (owner_column.to_owned(), false)
            } else {
                (self.add_one_of(&["tenant", "region"], Kind::Integer, false), self.random.percent(30))
            };
            let second = self.add_one_of(&["number", "local no"], Kind::Integer, nullable);
            self.table.uniques.push(vec![first, second]);
        }
        if self.random.percent(12) {
            let handle = self.add_one_of(&["handle", "Nick"], Kind::Text, true);
            self.table.extras.push(Extra::UniqueLower(handle));
        }
    }

    fn add_payload(&mut self) {
        let (kind, nullable) = (self.random.one_of(&PAYLOAD_KINDS), self.random.percent(60));
        let name = self.columns.column(self.random);
        self.add(&name, kind, nullable);
        if matches!(kind, Kind::Integer | Kind::Bigint) && self.random.percent(40) {
            self.table.extras.push(Extra::NotNegative(name));
        }
    }

    fn add_times(&mut self) {
        if self.random.percent(60) {
            let kind = self.random.one_of(&[Kind::Timestamptz, Kind::Timestamptz, Kind::Timestamp, Kind::Date]);
            let deleted = self.add_one_of(&["deleted_at", "deletedAt", "revoked at"], kind, true);
            if self.random.percent(15) {
                let label = self.add_one_of(&["label", "primary?"], Kind::Text, true);
                self.table.extras.push(Extra::UniqueWhereNull { column: label, condition: deleted });
            }
        }
        if self.random.percent(40) {
            self.add_one_of(&["created_at", "updatedAt"], Kind::Timestamptz, false);
        }
    }

    fn add_user_id(&mut self) {
        let nullable = self.random.percent(70);
        let name = self.columns.user_id(self.random);
        let subject = self.random.try_pick(&self.draft.subjects).cloned();
        match subject {
            Some(subject) if self.random.percent(40) => {
                let key = self.draft.id_column(&subject).expect("a subject has a key").to_owned();
                let kind = self.draft.schema.table(&subject).column(&key).kind;
                self.add(&name, kind, nullable);
                self.add_foreign_key(&name, &subject, &key);
            }
            _ => {
                self.add(&name, Kind::Text, nullable);
                self.user_ids.push(name);
            }
        }
    }
}

/// Returns the columns that alone identify a row.
pub(super) fn single_keys(table: &Table) -> Vec<String> {
    let keys = std::iter::once(&table.primary_key).chain(&table.uniques).filter(|key| key.len() == 1);
    keys.map(|key| key[0].clone()).collect()
}

/// Whether the map must decide about a column of this name.
pub(super) fn suggests_user_id(column: &str) -> bool {
    names::suggests_user_id(column)
}
