//! Tables and their columns, and how their rows lead to people.

use std::collections::BTreeMap;

use super::Draft;
use super::names::{SCHEMAS, Unused};
use super::random::Random;
use crate::map::{Owner, Path};
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

pub(super) fn draft(random: &mut Random, is_second: bool) -> Draft {
    let mut draft = Draft {
        schema: Schema::default(),
        owners: BTreeMap::new(),
        subjects: Vec::new(),
        user_ids: BTreeMap::new(),
        links: BTreeMap::new(),
        ghosts: BTreeMap::new(),
        is_second,
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
        let (columns, user_ids, links) = (Unused::default(), Vec::new(), Vec::new());
        TableDraft { random, draft: &mut draft, table, columns, user_ids, links }.build(is_subject);
    }
    draft
}

/// One table while its columns are added.
pub(super) struct TableDraft<'a> {
    pub(super) random: &'a mut Random,
    pub(super) draft: &'a mut Draft,
    pub(super) table: Table,
    pub(super) columns: Unused,
    user_ids: Vec<String>,
    links: Vec<ForeignKey>,
}

impl TableDraft<'_> {
    fn build(mut self, is_subject: bool) {
        let owners = if is_subject { vec![Owner::new(self.add_subject_key())] } else { self.add_owners() };
        let owner_column = match owners.as_slice() {
            [owner] if owner.conditions.is_empty() => owner.path.own_columns().first().cloned(),
            _ => None,
        };
        if self.table.primary_key.is_empty() {
            let needs_key = is_subject || owners.iter().any(|owner| self.draft.is_found_by_children(&owner.path));
            self.add_primary_key(owner_column.as_deref().filter(|_| !is_subject), needs_key);
        }
        self.add_uniques(owner_column.as_deref());
        for _ in 0..self.random.between(0, 4) {
            self.add_payload();
        }
        self.add_times();
        if self.random.percent(25) {
            self.add_user_id();
        }
        if self.draft.is_second && self.random.percent(30) {
            self.add_link();
        }
        let mut columns = std::mem::take(&mut self.table.columns);
        self.random.shuffle(&mut columns);
        self.table.columns = columns;
        let name = self.table.full_name();
        if is_subject {
            self.draft.subjects.push(name.clone());
        }
        self.draft.owners.insert(name.clone(), owners);
        self.draft.user_ids.insert(name.clone(), self.user_ids);
        self.draft.links.entry(name).or_default().extend(self.links);
        self.draft.schema.tables.push(self.table);
    }

    pub(super) fn add(&mut self, name: &str, kind: Kind, nullable: bool) -> String {
        self.table.columns.push(Column { name: name.to_owned(), kind, nullable });
        name.to_owned()
    }

    pub(super) fn add_one_of(&mut self, names: &[&str], kind: Kind, nullable: bool) -> String {
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

    /// The primary key may have the column that leads to the only owner.
    fn add_primary_key(&mut self, owner_column: Option<&str>, is_needed: bool) {
        let owner_column = owner_column.filter(|column| !self.table.column(column).nullable);
        match (self.random.below(10), owner_column) {
            (0, _) if !is_needed => {}
            (1, Some(column)) => self.table.primary_key = vec![column.to_owned()],
            (2..=3, Some(column)) => {
                let number = self.add_one_of(&["no", "Number", "seq"], Kind::Integer, false);
                self.table.primary_key = vec![column.to_owned(), number];
            }
            _ => self.add_id(),
        }
    }

    pub(super) fn add_id(&mut self) {
        let kind = self.random.one_of(&KEY_KINDS);
        let id = self.add_one_of(&["id", "ID", "uid", "pk"], kind, false);
        self.table.primary_key = vec![id];
    }

    fn add_uniques(&mut self, owner_column: Option<&str>) {
        if self.random.percent(25) {
            let (kind, nullable) =
                (self.random.one_of(&[Kind::Text, Kind::Integer, Kind::Uuid]), self.random.percent(40));
            let code = self.add_one_of(&["code", "slug", "Public Id"], kind, nullable);
            self.table.uniques.push(vec![code]);
        }
        if self.random.percent(25) {
            let (first, nullable) = match owner_column.filter(|_| self.random.percent(60)) {
                Some(column) => (column.to_owned(), false),
                None => (self.add_one_of(&["tenant", "region"], Kind::Integer, false), self.random.percent(30)),
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
                self.add_foreign_key(&[name], &subject, &[key]);
            }
            _ => {
                self.add(&name, Kind::Text, nullable);
                self.user_ids.push(name);
            }
        }
    }

    /// Adds a column that names somebody by a key of their row, without a foreign key.
    fn add_link(&mut self) {
        let Some(parent) = self.random.try_pick(&self.draft.schema.tables).cloned() else { return };
        let Some(key) = self.random.try_pick(&single_keys(&parent)).cloned() else { return };
        let (kind, nullable) = (parent.column(&key).kind, self.random.percent(70));
        let name = self.add_one_of(&["checked", "Helper", "contact no", "reader"], kind, nullable);
        self.links.push(ForeignKey::link(vec![name], parent.full_name(), vec![key]));
    }
}

/// Returns the columns that alone identify a row.
pub(super) fn single_keys(table: &Table) -> Vec<String> {
    let keys = std::iter::once(&table.primary_key).chain(&table.uniques).filter(|key| key.len() == 1);
    keys.map(|key| key[0].clone()).collect()
}
