//! What an erasure does with rows of others that reference rows of the person.

use std::collections::{BTreeMap, BTreeSet};

use super::decisions::leads_to;
use super::lifetimes::Lifetimes;
use super::random::Random;
use super::tables::suggests_user_id;
use super::{Draft, Feature};
use crate::map::{Path, Reference, ReferenceAction, Removal};
use crate::schema::{ForeignKey, Table};

pub(super) type References = BTreeMap<String, Vec<Reference>>;

struct Chooser<'a> {
    random: &'a mut Random,
    draft: &'a Draft,
    lifetimes: &'a Lifetimes,
    references: References,
    /// Tables whose rows of others can't be deleted, since children are bound to them by their owner's column, about which
    /// the map can't decide anything.
    undeletable: BTreeSet<String>,
}

pub(super) fn choose(random: &mut Random, draft: &Draft, lifetimes: &Lifetimes) -> References {
    let tables = &draft.schema.tables;
    let bound = |table: &Table, key: &ForeignKey| {
        let id = draft.id_column(&table.full_name());
        key.columns.iter().all(|column| Some(column.as_str()) == id)
    };
    let undeletable = tables
        .iter()
        .flat_map(|table| table.foreign_keys.iter().filter(|key| bound(table, key)).map(|key| key.parent.clone()));
    let undeletable = undeletable.collect();
    let mut chooser = Chooser { random, draft, lifetimes, references: References::new(), undeletable };
    for table in tables {
        chooser.decide_user_ids(table);
    }
    for table in tables {
        for key in &table.foreign_keys {
            if chooser.random.percent(25) {
                chooser.decide(table, &key.columns);
            }
        }
    }
    while tables.iter().any(|table| chooser.decide_required(table)) {}
    chooser.references
}

impl Chooser<'_> {
    /// Decides about the first foreign key that needs it. Returns whether there was one.
    fn decide_required(&mut self, table: &Table) -> bool {
        let is_required = |key: &&ForeignKey| {
            let needs_decision = self.deletes_others(&key.parent)
                || self.lifetimes.removal(&key.parent) != Removal::Never && !self.is_same_owner(table, key);
            needs_decision && !key.columns.iter().any(|column| self.is_decided(&table.full_name(), column))
        };
        let Some(key) = table.foreign_keys.iter().find(is_required) else { return false };
        self.decide(table, &key.columns);
        true
    }

    /// Decides about columns that may hold a Clerk id.
    fn decide_user_ids(&mut self, table: &Table) {
        let name = table.full_name();
        for column in table.columns.iter().filter(|column| column.kind.is_text()).map(|column| &column.name) {
            if self.draft.is_owner_column(&name, column) {
                continue;
            }
            let is_loose = self.draft.user_ids[&name].contains(column);
            if suggests_user_id(column) || is_loose && self.random.percent(30) {
                self.decide(table, std::slice::from_ref(column));
            }
        }
    }

    /// Adds a random decision about one of the columns, if there isn't one.
    fn decide(&mut self, table: &Table, columns: &[String]) {
        let name = table.full_name();
        if columns.iter().any(|column| self.is_decided(&name, column)) {
            return;
        }
        let mut options = Vec::new();
        for column in columns.iter().filter(|column| self.draft.id_column(&name) != Some(column.as_str())) {
            let is_detachable = table.column(column).nullable
                && !self.draft.is_owner_column(&name, column)
                // `resolve` doesn't refuse it, although a reference to the column would be broken.
                && !self.draft.schema.is_referenced(&name, column)
                && self.has_one_reason(table, column);
            options.extend(is_detachable.then_some([(column, ReferenceAction::Detach); 2]).into_iter().flatten());
            options.extend(self.is_deletable(table, column).then_some((column, ReferenceAction::Delete)));
            options.push((column, ReferenceAction::Forbid));
        }
        let Some((column, action)) = self.random.try_pick(&options).copied() else { return };
        self.references.entry(name).or_default().push(Reference { column: column.clone(), action });
    }

    /// Whether rows of others may be deleted along the column, without coming back to this table.
    fn is_deletable(&self, table: &Table, column: &str) -> bool {
        let name = table.full_name();
        let references_itself = table.foreign_keys.iter().any(|key| key.parent == name);
        let is_timed = matches!(self.lifetimes.removal(&name), Removal::AfterMinutes(_));
        if self.undeletable.contains(&name)
            || self.is_needed_by_rows_that_stay(&name)
            || is_timed && !self.draft.features.has(Feature::DeletionsFromTimedTables)
            || self.deletes_others(&name) && !self.draft.features.has(Feature::SeveralReasons)
            || !self.has_one_reason(table, column)
            || (references_itself || table.foreign_keys_of(column).any(|key| self.is_circular(table, key)))
                && !self.draft.features.has(Feature::DeletionsInCircles)
        {
            return false;
        }
        let mut reached = BTreeSet::new();
        let mut next: Vec<String> = table.foreign_keys_of(column).map(|key| key.parent.clone()).collect();
        while let Some(parent) = next.pop() {
            if parent == name {
                return false;
            }
            let parent_table = self.draft.schema.table(&parent);
            let references = self.references.get(&parent).into_iter().flatten();
            let deleting = references.filter(|reference| reference.action == ReferenceAction::Delete);
            let keys = deleting.flat_map(|reference| parent_table.foreign_keys_of(&reference.column));
            if reached.insert(parent.clone()) {
                next.extend(keys.map(|key| key.parent.clone()));
            }
        }
        true
    }

    /// Whether the foreign key is a part of a circle of several tables.
    fn is_circular(&self, table: &Table, key: &ForeignKey) -> bool {
        let name = table.full_name();
        let edges: Vec<(String, String)> =
            self.draft.schema.tables.iter().flat_map(|table| self.parents(table)).collect();
        key.parent != name && leads_to(&edges, &key.parent, &name)
    }

    /// Returns pairs of the table and each that it needs: by a foreign key, or to find the owner.
    fn parents(&self, table: &Table) -> Vec<(String, String)> {
        let name = table.full_name();
        let keys = table.foreign_keys.iter().map(|key| key.parent.clone());
        let path = match &self.draft.owners[&name] {
            Path::To { table, .. } => Some(table.clone()),
            Path::Column(_) | Path::From { .. } => None,
        };
        keys.chain(path).map(|parent| (name.clone(), parent)).collect()
    }

    fn has_one_reason(&self, table: &Table, column: &str) -> bool {
        table.foreign_keys_of(column).count() < 2 || self.draft.features.has(Feature::SeveralReasons)
    }

    /// Whether own rows of a table stay that may reference rows of others in this one. `resolve` doesn't refuse that, although
    /// nothing is decided about them.
    fn is_needed_by_rows_that_stay(&self, parent: &str) -> bool {
        self.draft.schema.tables.iter().any(|table| {
            let name = table.full_name();
            let needs = |key: &ForeignKey| {
                let is_in_time = self.draft.features.has(Feature::DeletionsInCircles) || !self.is_circular(table, key);
                let is_cut = is_in_time && key.columns.iter().any(|column| self.lifetimes.cuts(&name, column));
                key.parent == parent && !is_cut && !self.is_same_owner(table, key)
            };
            self.lifetimes.removal(&name) != Removal::Immediate && table.foreign_keys.iter().any(needs)
        })
    }

    fn deletes_others(&self, table: &str) -> bool {
        let mut references = self.references.get(table).into_iter().flatten();
        references.any(|reference| reference.action == ReferenceAction::Delete)
    }

    fn is_decided(&self, table: &str, column: &str) -> bool {
        self.references.get(table).into_iter().flatten().any(|reference| reference.column == column)
    }

    /// Whether the foreign key always connects rows of the same person.
    fn is_same_owner(&self, table: &Table, key: &ForeignKey) -> bool {
        match &self.draft.owners[&table.full_name()] {
            Path::Column(own) => {
                let parent = self.draft.id_column(&key.parent);
                let mut pairs = key.columns.iter().zip(&key.parent_columns);
                pairs.any(|(column, other)| column == own && Some(other.as_str()) == parent)
            }
            path => matches!(path, Path::To { columns, table, .. } if *table == key.parent && *columns == key.columns),
        }
    }
}
