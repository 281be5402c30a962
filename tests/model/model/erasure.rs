//! What an erasure does. Everything is decided on the rows as they were before.

use std::collections::{BTreeMap, BTreeSet};

use super::{Model, People};
use crate::map::{Entry, Erase, MentionAction, NewValue, Owner, Path, Reference, ReferenceAction, Removal};
use crate::schema::{ForeignKey, Table};
use crate::value::{Row, Rows, Value};

/// The time of the erasure, UTC.
#[derive(Clone, Copy)]
pub(crate) struct Now {
    pub(crate) date: &'static str,
    pub(crate) time: &'static str,
}

/// The map states that there is no such row, and there is one. Nothing changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) table: String,
    pub(crate) column: String,
}

/// A row by its table and position.
type RowId<'a> = (&'a str, usize);

struct Erasure<'a> {
    model: Model<'a>,
    person: &'a str,
    now: Now,
    owners: BTreeMap<RowId<'a>, People>,
    deleted: BTreeSet<RowId<'a>>,
}

impl<'a> Model<'a> {
    /// Returns the rows after the erasure of `person`.
    pub(crate) fn erase(&self, person: &'a str, now: Now) -> Result<Rows, Refused> {
        let ids = self.map.entries.iter().flat_map(|entry| {
            let rows = self.rows_of(&entry.table).iter().enumerate();
            rows.map(|(position, row)| ((entry.table.as_str(), position), self.owners(&entry.table, row)))
        });
        let mut erasure = Erasure { model: *self, person, now, owners: ids.collect(), deleted: BTreeSet::new() };
        erasure.find_deleted_rows();
        erasure.refuse_stated_absences()?;
        Ok(self.rows.keys().map(|table| (table.clone(), erasure.rows_after(table))).collect())
    }
}

impl<'a> Erasure<'a> {
    fn is_own(&self, id: RowId<'_>) -> bool {
        self.owners[&id].contains(self.person)
    }

    /// Whether the row belongs to the person and to no other. Rows that stay with others are treated like theirs.
    fn is_alone(&self, id: RowId<'_>) -> bool {
        self.is_own(id) && self.owners[&id].len() == 1
    }

    fn row(&self, (table, position): RowId<'_>) -> &'a Row {
        &self.model.rows_of(table)[position]
    }

    /// Own rows whose removal is immediate, rows that a mention deletes, and what references them with `others = "delete"`,
    /// and so on.
    fn find_deleted_rows(&mut self) {
        let ids: Vec<RowId<'a>> = self.owners.keys().copied().collect();
        for &id in &ids {
            let entry = self.model.map.entry(id.0);
            let is_mentioned = || {
                let mut deleting =
                    entry.mentions.iter().filter(|mention| matches!(mention.action, MentionAction::Delete));
                deleting.any(|mention| mention.columns.iter().any(|path| self.names_person(id, path)))
            };
            let is_deleted =
                if self.is_alone(id) { entry.erase.removal() == Removal::Immediate } else { is_mentioned() };
            if is_deleted {
                self.deleted.insert(id);
            }
        }
        loop {
            let is_next = |id: &RowId<'a>| {
                let references = self.model.map.entry(id.0).references.iter();
                let mut deleting = references.filter(|reference| reference.action == ReferenceAction::Delete);
                !self.is_alone(*id)
                    && !self.deleted.contains(id)
                    && deleting.any(|reference| self.is_cut(*id, reference))
            };
            let next: Vec<RowId<'a>> = ids.iter().copied().filter(is_next).collect();
            if next.is_empty() {
                break;
            }
            self.deleted.extend(next);
        }
    }

    fn names_person(&self, id: RowId<'_>, mention: &Path) -> bool {
        self.model.mentioned(id.0, self.row(id), mention).contains(self.person)
    }

    /// Whether the row references a row that others may not reference any more. A text column without a foreign key references
    /// the person by the Clerk id.
    fn is_cut(&self, id: RowId<'_>, reference: &Reference) -> bool {
        let table = self.model.schema.table(id.0);
        let is_mapped = |key: &&ForeignKey| self.model.map.find(&key.parent).is_some();
        let mut foreign_keys = table.foreign_keys_of(&reference.column).filter(is_mapped).peekable();
        if foreign_keys.peek().is_none() {
            return self.row(id)[&reference.column].text().as_deref() == Some(self.person);
        }
        foreign_keys.any(|key| {
            let entry = self.model.map.entry(&key.parent);
            let referenced = self.model.referenced_row(self.row(id), key);
            referenced.is_some_and(|(position, _)| self.is_off_limits((&entry.table, position), entry, key))
        })
    }

    /// Whether the row is deleted, or is the person's own and stays: for good, or for a time while the reference is the Clerk
    /// id itself, which would stay with it.
    fn is_off_limits(&self, parent: RowId<'_>, entry: &Entry, key: &ForeignKey) -> bool {
        let holds_id = |column: &String| entry.owners.iter().any(|owner| owner.path == Path::Column(column.clone()));
        self.deleted.contains(&parent)
            || self.is_alone(parent)
                && match entry.erase.removal() {
                    Removal::Immediate => false,
                    Removal::AfterMinutes(_) => key.parent_columns.iter().any(holds_id),
                    Removal::Never => true,
                }
    }

    /// Fails if there is a row that the map states there is none of.
    fn refuse_stated_absences(&self) -> Result<(), Refused> {
        let others = self.owners.keys().copied().filter(|id| !self.is_alone(*id) && !self.deleted.contains(id));
        for id in others {
            let entry = self.model.map.entry(id.0);
            let forbidden = entry.references.iter().filter(|reference| reference.action == ReferenceAction::Forbid);
            let reference = forbidden.filter(|reference| self.is_cut(id, reference)).map(|reference| &reference.column);
            let mentions = entry.mentions.iter().filter(|mention| matches!(mention.action, MentionAction::Forbid));
            let paths = mentions.flat_map(|mention| &mention.columns);
            let paths = paths.filter(|path| self.names_person(id, path));
            let mentioned = paths.map(|path| &path.own_columns()[0]);
            if let Some(column) = reference.chain(mentioned).next() {
                return Err(Refused { table: id.0.to_owned(), column: column.clone() });
            }
        }
        Ok(())
    }

    fn rows_after(&self, table: &str) -> Vec<Row> {
        let rows = self.model.rows_of(table);
        if self.model.map.find(table).is_none() {
            return rows.to_vec();
        }
        let stays = rows.iter().enumerate().filter(|(position, _)| !self.deleted.contains(&(table, *position)));
        stays.map(|(position, row)| self.row_after((table, position), row)).collect()
    }

    fn row_after(&self, id: RowId<'_>, row: &Row) -> Row {
        let (entry, table) = (self.model.map.entry(id.0), self.model.schema.table(id.0));
        let mut after = row.clone();
        if !self.is_alone(id) {
            self.forget(id, entry, &mut after);
            let detaching = entry.references.iter().filter(|reference| reference.action == ReferenceAction::Detach);
            for reference in detaching.filter(|reference| self.is_cut(id, reference)) {
                after.insert(reference.column.clone(), Value::Null);
            }
        }
        for mention in &entry.mentions {
            let MentionAction::Write(value) = &mention.action else { continue };
            for path in mention.columns.iter().filter(|path| self.names_person(id, path)) {
                let named = path.own_columns().iter().map(|column| (column, value));
                self.write(named.chain(&mention.forget), entry, &mut after);
            }
        }
        if self.is_alone(id) {
            let detaching = entry.references.iter().filter(|reference| reference.action == ReferenceAction::Detach);
            for reference in detaching.filter(|reference| self.references_deleted_row(id, reference)) {
                after.insert(reference.column.clone(), Value::Null);
            }
            self.erase_own(entry, table, &mut after);
        }
        after
    }

    fn references_deleted_row(&self, id: RowId<'_>, reference: &Reference) -> bool {
        let mut keys = self.model.schema.table(id.0).foreign_keys_of(&reference.column);
        keys.any(|key| {
            let Some(entry) = self.model.map.find(&key.parent) else { return false };
            let referenced = self.model.referenced_row(self.row(id), key);
            referenced.is_some_and(|(position, _)| self.deleted.contains(&(entry.table.as_str(), position)))
        })
    }

    /// Writes what the row that stays with others forgets of the person: for each way in which it is theirs and nobody else's.
    fn forget(&self, id: RowId<'_>, entry: &Entry, after: &mut Row) {
        let row = self.row(id);
        let is_only_person = |owner: &&Owner| {
            owner.applies_to(row)
                && self.model.leads_to(id.0, row, &owner.path) == People::from([self.person.to_owned()])
        };
        for owner in entry.owners.iter().filter(is_only_person) {
            self.write(&owner.forget, entry, after);
        }
    }

    fn erase_own(&self, entry: &Entry, table: &Table, row: &mut Row) {
        match &entry.erase {
            Erase::Delete | Erase::Keep { .. } => {}
            Erase::Stamp { columns, .. } => self.stamp(columns, table, row),
            Erase::Scrub(scrub) => {
                self.write(&scrub.columns, entry, row);
                self.stamp(&scrub.stamp, table, row);
            }
        }
    }

    /// Rows whose first column has a time already were stamped before.
    fn stamp(&self, columns: &[String], table: &Table, row: &mut Row) {
        if columns.first().is_none_or(|first| !row[first].is_null()) {
            return;
        }
        for column in columns {
            row.insert(column.clone(), table.column(column).kind.time(self.now.date, self.now.time));
        }
    }

    fn write<'b>(&self, values: impl IntoIterator<Item = (&'b String, &'b NewValue)>, entry: &Entry, row: &mut Row) {
        for (column, value) in values {
            let value = self.new_value(value, entry, column, &row[column]);
            row.insert(column.clone(), value);
        }
    }

    fn new_value(&self, value: &NewValue, entry: &Entry, column: &str, before: &Value) -> Value {
        match value {
            NewValue::Null => Value::Null,
            NewValue::Constant(value) => value.clone(),
            NewValue::Unique { .. } | NewValue::Ghost if before.is_null() => Value::Null,
            NewValue::Unique { prefix, suffix } => Value::Random { prefix: prefix.clone(), suffix: suffix.clone() },
            NewValue::Neutral => self.model.schema.table(&entry.table).column(column).kind.neutral(),
            NewValue::Pseudonym => Value::Pseudonym(self.person.to_owned()),
            NewValue::Ghost => self.ghost_value(entry, column),
        }
    }

    /// Returns what references the ghost row by this column: by a foreign key, or by a path.
    fn ghost_value(&self, entry: &Entry, column: &str) -> Value {
        let table = self.model.schema.table(&entry.table);
        let keys = table.foreign_keys.iter().map(|key| (&key.columns, &key.parent, key.parent_columns.clone()));
        let mentioned = entry.mentions.iter().flat_map(|mention| &mention.columns);
        let paths = entry.owners.iter().map(|owner| &owner.path).chain(mentioned).filter_map(|path| match path {
            Path::To { columns, table: parent, .. } => {
                Some((columns, parent, self.model.target_columns(&entry.table, path)))
            }
            Path::Column(_) | Path::Email(_) | Path::From { .. } => None,
        });
        let mut values = keys.chain(paths).filter_map(|(columns, parent, targets)| {
            let position = columns.iter().position(|name| name == column)?;
            self.model.map.ghosts.get(parent)?.get(&targets[position])
        });
        values.next().expect("the column references a table with a ghost").clone()
    }
}
