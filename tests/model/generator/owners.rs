//! How the rows of a table lead to people.

use super::tables::{DEFERRABLE, ON_DELETE, TableDraft, single_keys};
use crate::map::{Owner, Path};
use crate::schema::{ForeignKey, Table};
use crate::value::Kind;

/// The kinds of columns that say for which rows an owner counts, with some of their values.
const CONDITIONS: [(Kind, [&str; 3]); 4] = [
    (Kind::Text, ["client", "guest", "system"]),
    (Kind::Enum, ["sad", "ok", "happy one"]),
    (Kind::Integer, ["1", "2", "30"]),
    (Kind::Varchar, ["a\"b", "it's", ""]),
];

impl TableDraft<'_> {
    pub(super) fn add_owners(&mut self) -> Vec<Owner> {
        let mut owners = vec![Owner::new(self.add_path())];
        if self.draft.is_second && self.random.percent(30) {
            for _ in 0..self.random.between(1, 2) {
                owners.push(Owner::new(self.add_path()));
            }
        }
        let is_by_columns = owners.iter().all(|owner| !matches!(owner.path, Path::From { .. }));
        if is_by_columns && self.draft.is_second && self.random.percent(30) {
            self.add_conditions(&mut owners);
        }
        owners
    }

    /// Adds the columns of a path: one holds the Clerk id, or they lead to an earlier table, or an earlier table leads here.
    fn add_path(&mut self) -> Path {
        let nullable = self.random.percent(30);
        if self.draft.is_second && self.random.percent(15) {
            return self.add_child_path();
        }
        if self.draft.is_second && self.random.percent(10) {
            return Path::Email(self.add_one_of(&["email", "E-Mail", "contact"], Kind::Text, nullable));
        }
        let names = ["user_id", "userId", "owner id", "author", "who"];
        match self.random.below(10) {
            0..=1 => Path::Column(self.add_one_of(&names, Kind::Text, nullable)),
            2..=4 => {
                let subject = self.random.pick(&self.draft.subjects).clone();
                let key = self.draft.id_column(&subject).expect("a subject has a key").to_owned();
                let kind = self.draft.schema.table(&subject).column(&key).kind;
                let name = self.add_one_of(&names, kind, nullable);
                self.add_foreign_key(std::slice::from_ref(&name), &subject, &[key]);
                Path::Column(name)
            }
            _ => self.add_parent_path(nullable).unwrap_or_else(|| self.add_path()),
        }
    }

    fn add_parent_path(&mut self, nullable: bool) -> Option<Path> {
        let parent = self.random.pick(&self.draft.schema.tables).clone();
        let has_foreign_key = self.random.percent(75);
        let keys = if self.draft.is_second {
            parent.keys().cloned().collect()
        } else if has_foreign_key {
            single_keys(&parent).into_iter().map(|key| vec![key]).collect()
        } else {
            vec![parent.primary_key.clone()].into_iter().filter(|key| key.len() == 1).collect::<Vec<_>>()
        };
        let key = self.random.try_pick(&keys)?.clone();
        if !has_foreign_key && self.is_forgotten(&parent.full_name(), &key) {
            return None;
        }
        let columns = self.add_parent_columns(&parent, &key, nullable);
        if has_foreign_key {
            self.add_foreign_key(&columns, &parent.full_name(), &key);
        }
        let is_named = self.draft.is_second && (!has_foreign_key || self.random.percent(30));
        Some(Path::To { columns, table: parent.full_name(), target: if is_named { key } else { Vec::new() } })
    }

    /// Whether one of the columns loses its value when one of several owners leaves.
    fn is_forgotten(&self, table: &str, columns: &[String]) -> bool {
        super::has_several_owners(&self.draft.owners[table])
            && columns.iter().any(|column| self.draft.is_owner_column(table, column))
    }

    fn add_parent_columns(&mut self, parent: &Table, key: &[String], nullable: bool) -> Vec<String> {
        let name = format!("{}Id", parent.name);
        let names = [name.as_str(), "parent", "Parent Id", "belongs_to"];
        key.iter().map(|column| self.add_one_of(&names, parent.column(column).kind, nullable)).collect()
    }

    /// Adds a column to an earlier table that references this one.
    fn add_child_path(&mut self) -> Path {
        if self.table.primary_key.is_empty() {
            self.add_id();
        }
        let key = self.table.primary_key.clone();
        let kind = self.table.column(&key[0]).kind;
        let position = self.random.below(self.draft.schema.tables.len());
        let (nullable, parent) = (self.random.percent(70), self.table.full_name());
        let on_delete = self.random.one_of(&ON_DELETE);
        let child = &mut self.draft.schema.tables[position];
        let column = super::foreign_keys::add_column(self.random, child, kind, nullable);
        let columns = vec![column];
        let is_key = self.random.percent(70);
        if is_key {
            let (columns, parent_columns) = (columns.clone(), key.clone());
            let deferrable = self.random.one_of(&DEFERRABLE);
            child.foreign_keys.push(ForeignKey { columns, parent, parent_columns, on_delete, deferrable });
        } else {
            let link = ForeignKey::link(columns.clone(), parent, key.clone());
            self.draft.links.entry(child.full_name()).or_default().push(link);
        }
        let table = child.full_name();
        Path::From { key: if self.random.percent(30) { key } else { Vec::new() }, table, columns }
    }

    pub(super) fn add_foreign_key(&mut self, columns: &[String], parent: &str, key: &[String]) {
        self.table.foreign_keys.push(ForeignKey {
            columns: columns.to_vec(),
            parent: parent.to_owned(),
            parent_columns: key.to_vec(),
            on_delete: self.random.one_of(&ON_DELETE),
            deferrable: self.random.one_of(&DEFERRABLE),
        });
    }

    /// Lets the first owner count for some rows only, and perhaps another one for the rest.
    fn add_conditions(&mut self, owners: &mut Vec<Owner>) {
        let (kind, values) = self.random.one_of(&CONDITIONS);
        let nullable = self.random.percent(30);
        let column = self.add_one_of(&["type", "actor_kind", "Kind"], kind, nullable);
        let count = self.random.between(1, 2);
        let listed =
            |values: &[&str]| [(column.clone(), values.iter().map(|text| (*text).to_owned()).collect())].into();
        owners[0].conditions = listed(&values[..count]);
        if owners.len() == 1 && self.random.percent(60) {
            let path = self.another_target(&owners[0].path).unwrap_or_else(|| self.add_column_path());
            owners.push(Owner { conditions: listed(&values[2..]), ..Owner::new(path) });
        }
        // The map can't say what becomes of other rows that hold a Clerk id in the owner's column.
        for owner in owners {
            if let Path::Column(column) = &owner.path {
                self.table.foreign_keys.retain(|key| key.columns != [column.as_str()]);
            }
        }
    }

    /// Returns a path by the same column to another table, as it is usual where a second column names the table.
    fn another_target(&mut self, path: &Path) -> Option<Path> {
        let Path::To { columns, table, .. } = path else { return None };
        if self.table.foreign_keys_of(&columns[0]).next().is_some() || columns.len() > 1 {
            return None;
        }
        let kind = self.table.column(&columns[0]).kind;
        let fits = |other: &&Table, key: &String| other.full_name() != *table && other.column(key).kind == kind;
        let tables = self.draft.schema.tables.iter();
        let targets: Vec<(String, String)> = tables
            .flat_map(|other| single_keys(other).into_iter().map(move |key| (other, key)))
            .filter(|(other, key)| {
                fits(other, key) && !self.is_forgotten(&other.full_name(), std::slice::from_ref(key))
            })
            .map(|(other, key)| (other.full_name(), key))
            .collect();
        let (table, key) = self.random.try_pick(&targets)?.clone();
        Some(Path::To { columns: columns.clone(), table, target: vec![key] })
    }

    fn add_column_path(&mut self) -> Path {
        let nullable = self.random.percent(50);
        Path::Column(self.add_one_of(&["user_id", "userId", "owner id", "author", "who"], Kind::Text, nullable))
    }
}
