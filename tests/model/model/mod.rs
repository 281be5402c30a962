//! The reference model: what a data map means, without SQL. It follows the definition paragraph by paragraph and takes no
//! short cut; `tests` has an example for each paragraph.

mod erasure;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::generator::PEOPLE;
use crate::map::{Export, Map, MentionAction, NewValue, Owner, Path};
use crate::schema::{ForeignKey, Schema};
use crate::value::{Row, Rows, Value};

pub(crate) use self::erasure::Now;

/// Clerk ids.
pub(crate) type People = BTreeSet<String>;

/// Stands for the owner of a row that belongs to no person and references another: that one goes with its last reference.
const UNOWNED: &str = "";

/// A map, and the rows that it is about.
#[derive(Clone, Copy)]
pub(crate) struct Model<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) map: &'a Map,
    pub(crate) rows: &'a Rows,
}

impl<'a> Model<'a> {
    /// Returns the owners of a row: over the entries whose `where` holds, the people that their paths lead to.
    pub(crate) fn owners(&self, table: &str, row: &Row) -> People {
        if self.is_ghost(table, row) {
            return People::new();
        }
        let entries = self.map.entry(table).owners.iter().filter(|owner| owner.applies_to(row));
        entries.flat_map(|owner| self.leads_to(table, row, &owner.path)).collect()
    }

    /// Returns the people that a path leads to.
    pub(crate) fn leads_to(&self, table: &str, row: &Row, path: &Path) -> People {
        let (columns, other, other_columns) = match path {
            Path::Column(column) => return self.people_named(table, column, &row[column]),
            Path::Email(column) => return self.people_addressed(table, column, &row[column]),
            Path::To { columns, table: parent, .. } => (columns.clone(), parent, self.target_columns(table, path)),
            Path::From { table: child, columns, .. } => (self.key_columns(table, path), child, columns.clone()),
        };
        let key = values(row, &columns);
        if key.iter().any(Value::is_null) {
            return People::new();
        }
        let is_from = matches!(path, Path::From { .. });
        let owners = |row: &Row| match self.owners(other, row) {
            owners if owners.is_empty() && is_from => People::from([UNOWNED.to_owned()]),
            owners => owners,
        };
        let mut others = self.rows_of(other).iter().filter(|row| values(row, &other_columns) == key).peekable();
        if others.peek().is_none() && self.holds_user_id_without_key(table, path, other, &other_columns) {
            return self.people_named(table, &columns[0], &row[&columns[0]]);
        }
        others.flat_map(owners).collect()
    }

    /// Whether a path leads to a column with Clerk ids, and no foreign key says that there is such a row.
    fn holds_user_id_without_key(&self, table: &str, path: &Path, parent: &str, target: &[String]) -> bool {
        let Path::To { columns, .. } = path else { return false };
        let mut keys = self.schema.table(table).foreign_keys.iter();
        let has_key = keys.any(|key| key.parent == *parent && key.columns == *columns);
        let mut owners = self.map.entry(parent).owners.iter();
        columns.len() == 1 && !has_key && owners.any(|owner| owner.path == Path::column(&target[0]))
    }

    /// Returns the people that a mention names. A column with a foreign key leads to the owners of the row that it references.
    fn mentioned(&self, table: &str, row: &Row, path: &Path) -> People {
        let is_key = |key: &&ForeignKey| self.map.find(&key.parent).is_some() && key.columns == path.own_columns();
        let mut keys = self.schema.table(table).foreign_keys.iter().filter(is_key);
        match (path, keys.next()) {
            (Path::Column(_), Some(ForeignKey { columns, parent, parent_columns, .. })) => {
                let (columns, target) = (columns.clone(), parent_columns.clone());
                self.leads_to(table, row, &Path::To { columns, table: parent.clone(), target })
            }
            _ => self.leads_to(table, row, path),
        }
    }

    /// Returns the person whose Clerk id the value is. NULL is no person, and neither is the ghost, what an erasure wrote, or a text
    /// of another form.
    fn people_named(&self, table: &str, column: &str, value: &Value) -> People {
        let is_ghost = |id: &String| {
            self.map.ghosts.iter().any(|(table, key)| {
                let owners = self.map.entry(table).owners.iter();
                let mut columns = owners.filter_map(|owner| match &owner.path {
                    Path::Column(column) => Some(column),
                    Path::Email(_) | Path::To { .. } | Path::From { .. } => None,
                });
                let ghost = self.rows_of(table).iter().find(|row| has_key(row, key));
                ghost.is_some_and(|ghost| columns.any(|column| ghost[column].text().as_ref() == Some(id)))
            })
        };
        let is_person =
            |id: &String| id.starts_with("user_") && !is_ghost(id) && !self.is_placeholder(table, column, id);
        value.text().into_iter().filter(is_person).collect()
    }

    /// Returns the person whose address the value is, whatever its case, or the address itself as somebody unknown.
    fn people_addressed(&self, table: &str, column: &str, value: &Value) -> People {
        let is_address = |text: &String| text.contains('@') && !self.is_placeholder(table, column, text);
        let person = |text: String| {
            let known = PEOPLE.iter().find(|person| address_of(person) == text.to_lowercase());
            known.map_or(text, |person| (*person).to_owned())
        };
        value.text().into_iter().filter(is_address).map(person).collect()
    }

    /// Whether the text is what the map writes in place of a Clerk id or an address in this column.
    fn is_placeholder(&self, table: &str, column: &str, text: &str) -> bool {
        let entry = self.map.entry(table);
        let forgotten = entry.owners.iter().filter_map(|owner| owner.forget.get(column));
        let mentioned = entry.mentions.iter().filter_map(|mention| match &mention.action {
            MentionAction::Write(value) if mention.columns.contains(&Path::column(column)) => Some(value),
            _ => None,
        });
        forgotten.chain(mentioned).any(|value| match value {
            NewValue::Constant(value) => value.text().as_deref() == Some(text),
            NewValue::Neutral => text.is_empty(),
            NewValue::Unique { prefix, suffix } => is_unique_text(prefix, suffix, text),
            NewValue::Null | NewValue::Pseudonym | NewValue::Ghost => false,
        })
    }

    /// Returns the columns that a path from `table` compares with its own: those that it names, those that the foreign key
    /// references, or the primary key.
    fn target_columns(&self, table: &str, path: &Path) -> Vec<String> {
        let Path::To { columns, table: parent, target } = path else { unreachable!("only such a path has a target") };
        if !target.is_empty() {
            return target.clone();
        }
        let mut foreign_keys = self.schema.table(table).foreign_keys.iter();
        let key = foreign_keys.find(|key| key.parent == *parent && key.columns == *columns);
        key.map_or_else(|| self.schema.table(parent).primary_key.clone(), |key| key.parent_columns.clone())
    }

    /// Returns the own columns of a path from the parent's side: those that it names, those that the foreign key references,
    /// or the primary key.
    fn key_columns(&self, table: &str, path: &Path) -> Vec<String> {
        let Path::From { key, table: child, columns } = path else { unreachable!("only such a path has a key") };
        if !key.is_empty() {
            return key.clone();
        }
        let mut foreign_keys = self.schema.table(child).foreign_keys.iter();
        let key = foreign_keys.find(|key| key.parent == table && key.columns == *columns);
        key.map_or_else(|| self.schema.table(table).primary_key.clone(), |key| key.parent_columns.clone())
    }

    /// Returns the person's own rows of each exported table, shared ones as well, with the exported columns. Rows of others that
    /// name the person are in lists of their own.
    pub(crate) fn export(&self, person: &str) -> BTreeMap<String, Vec<Row>> {
        let mut lists = BTreeMap::new();
        for entry in &self.map.entries {
            let is_own = |row: &&Row| self.owners(&entry.table, row).contains(person);
            let exported = |export: &Export, row: &Row| -> Row {
                row.clone().into_iter().filter(|(name, _)| export.has(name)).collect()
            };
            if entry.export != Export::Nothing {
                let own = self.rows_of(&entry.table).iter().filter(is_own);
                lists.insert(entry.table.clone(), own.map(|row| exported(&entry.export, row)).collect());
            }
            let mut exports: Vec<&Export> = Vec::new();
            for export in entry.mentions.iter().filter_map(|mention| mention.export.as_ref()) {
                if !exports.contains(&export) {
                    exports.push(export);
                }
            }
            for export in exports {
                let mentions = entry.mentions.iter().filter(|mention| mention.export.as_ref() == Some(export));
                let paths: Vec<&Path> = mentions.flat_map(|mention| &mention.columns).collect();
                let names =
                    |row: &&Row| paths.iter().any(|path| self.mentioned(&entry.table, row, path).contains(person));
                let rows = self.rows_of(&entry.table).iter().filter(|row| !is_own(row)).filter(names);
                let list: &mut Vec<Row> = lists.entry(format!("{}{MENTIONS}", entry.table)).or_default();
                list.extend(rows.map(|row| exported(export, row)));
            }
        }
        lists
    }

    pub(crate) fn rows_of(&self, table: &str) -> &'a [Row] {
        self.rows.get(table).map_or(&[], Vec::as_slice)
    }

    fn is_ghost(&self, table: &str, row: &Row) -> bool {
        self.map.ghosts.get(table).is_some_and(|key| has_key(row, key))
    }

    /// Returns the row of the parent that a foreign key references.
    fn referenced_row(&self, row: &Row, key: &ForeignKey) -> Option<(usize, &'a Row)> {
        let wanted = values(row, &key.columns);
        if wanted.iter().any(Value::is_null) {
            return None;
        }
        self.rows_of(&key.parent).iter().enumerate().find(|(_, row)| values(row, &key.parent_columns) == wanted)
    }
}

impl Owner {
    /// Whether `where` holds: each named column has one of the listed texts.
    pub(crate) fn applies_to(&self, row: &Row) -> bool {
        self.conditions.iter().all(|(column, listed)| row[column].text().is_some_and(|text| listed.contains(&text)))
    }
}

impl Export {
    pub(crate) fn has(&self, column: &String) -> bool {
        match self {
            Self::All => true,
            Self::Only(columns) => columns.contains(column),
            Self::Except(columns) => !columns.contains(column),
            Self::Nothing => false,
        }
    }
}

/// Returns the address that Clerk has verified for a person.
pub(crate) fn address_of(person: &str) -> String {
    format!("{}@example.org", person.trim_start_matches("user_").to_lowercase())
}

/// What the name of a list of rows ends with that only name the person.
pub(crate) const MENTIONS: &str = " (mentions)";

pub(crate) fn values(row: &Row, columns: &[String]) -> Vec<Value> {
    columns.iter().map(|column| row[column].clone()).collect()
}

/// Whether the text is one of those that `"unique"` makes: 32 hexadecimal digits between the two.
pub(crate) fn is_unique_text(prefix: &str, suffix: &str, text: &str) -> bool {
    let digits = text.strip_prefix(prefix).and_then(|text| text.strip_suffix(suffix));
    digits.is_some_and(|digits| digits.len() == 32 && digits.chars().all(|digit| digit.is_ascii_hexdigit()))
}

pub(crate) fn has_key(row: &Row, key: &Row) -> bool {
    key.iter().all(|(column, value)| row[column] == *value)
}
