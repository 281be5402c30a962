//! What an erasure does with rows of others that reference rows of the person.

use std::collections::{BTreeMap, BTreeSet};

use super::decisions::{Deletions, is_unbreakable, leads_to};
use super::lifetimes::Lifetimes;
use super::mentions::{self, Mentions};
use super::names::suggests_user_id;
use super::random::Random;
use super::{Draft, has_several_owners, is_path_key};
use crate::map::{Mention, MentionAction, Path, Reference, ReferenceAction, Removal};
use crate::schema::{ForeignKey, Table};

/// What happens to rows of others.
pub(super) struct Decisions {
    pub(super) references: BTreeMap<String, Vec<Reference>>,
    pub(super) mentions: Mentions,
}

#[derive(Clone)]
enum Decision {
    Reference(Reference),
    Mention(Mention),
}

struct Chooser<'a> {
    random: &'a mut Random,
    draft: &'a Draft,
    lifetimes: &'a Lifetimes<'a>,
    decisions: Decisions,
}

pub(super) fn choose(random: &mut Random, draft: &Draft, lifetimes: &Lifetimes<'_>, mentions: Mentions) -> Decisions {
    let tables = &draft.schema.tables;
    let decisions = Decisions { references: BTreeMap::new(), mentions };
    let mut chooser = Chooser { random, draft, lifetimes, decisions };
    for table in tables {
        chooser.decide_user_ids(table);
    }
    for table in tables {
        for key in table.foreign_keys.iter().chain(&draft.links[&table.full_name()]) {
            if chooser.random.percent(25) {
                chooser.decide(table, &key.columns);
            }
        }
    }
    while tables.iter().any(|table| chooser.decide_required(table)) {}
    chooser.decisions
}

impl Chooser<'_> {
    /// Decides about the first foreign key that needs it. Returns whether there was one.
    fn decide_required(&mut self, table: &Table) -> bool {
        let name = table.full_name();
        let is_required = |key: &&ForeignKey| {
            let is_certain = self.draft.is_same_owner(table, key) || self.draft.goes_with_last_reference(table, key);
            let needs_decision = self.decisions.deletes_others(&key.parent)
                || self.lifetimes.removal(&key.parent) != Removal::Never && !is_certain;
            needs_decision && !key.columns.iter().any(|column| self.decisions.decides(&name, column))
        };
        let Some(key) = table.foreign_keys.iter().find(is_required) else { return false };
        assert!(
            self.decide(table, &key.columns),
            "nothing can be decided about {} {:?}",
            table.full_name(),
            key.columns
        );
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

    /// Adds a random decision about one of the columns, if there isn't one. Returns whether there is one now.
    fn decide(&mut self, table: &Table, columns: &[String]) -> bool {
        let name = table.full_name();
        if columns.iter().any(|column| self.decisions.decides(&name, column)) {
            return true;
        }
        let mut options = Vec::new();
        for column in columns.iter().filter(|column| self.can_be_decided(table, column)) {
            if !self.draft.links[&name].iter().any(|link| link.columns.contains(column)) {
                self.add_references(table, column, &mut options);
            }
        }
        if columns.iter().all(|column| self.can_be_decided(table, column)) {
            self.add_mentions(table, columns, &mut options);
        }
        match self.random.try_pick(&options).cloned() {
            Some(Decision::Reference(reference)) => self.decisions.references.entry(name).or_default().push(reference),
            Some(Decision::Mention(mention)) => self.decisions.mentions.entry(name).or_default().push(mention),
            None => return false,
        }
        true
    }

    fn add_references(&self, table: &Table, column: &str, options: &mut Vec<Decision>) {
        let name = table.full_name();
        let mut add = |action| options.push(Decision::Reference(Reference { column: column.to_owned(), action }));
        let is_detachable = table.column(column).nullable
            && !self.draft.is_owner_column(&name, column)
            && !self.draft.schema.is_referenced(&name, column)
            && !self.leaves_user_id(table, column);
        if is_detachable {
            add(ReferenceAction::Detach);
            add(ReferenceAction::Detach);
        }
        if self.is_deletable(table, column) {
            add(ReferenceAction::Delete);
        }
        // Rows that are others' too do reference rows of the person by the owner's column.
        let is_shared = has_several_owners(&self.draft.owners[&name]) && self.draft.is_owner_column(&name, column);
        if !is_shared || options.is_empty() {
            let action = ReferenceAction::Forbid;
            options.push(Decision::Reference(Reference { column: column.to_owned(), action }));
        }
    }

    /// Whether a foreign key of the column has a Clerk id in another one, which would stay.
    fn leaves_user_id(&self, table: &Table, column: &str) -> bool {
        table.foreign_keys_of(column).any(|key| {
            let mut pairs = key.columns.iter().zip(&key.parent_columns).filter(|(here, _)| *here != column);
            pairs.any(|(here, there)| {
                self.draft.holds_user_id(&key.parent, there) && !self.draft.is_owner_column(&table.full_name(), here)
            })
        })
    }

    /// Adds what may become of a mention that isn't overwritten.
    fn add_mentions(&mut self, table: &Table, columns: &[String], options: &mut Vec<Decision>) {
        if !self.draft.is_second {
            return;
        }
        let Some(path) = mentions::path(self.random, self.draft, table, columns) else { return };
        let parents = || columns.iter().flat_map(|column| table.foreign_keys_of(column)).map(|key| &key.parent);
        // A mention decides nothing about rows of others that are deleted, too.
        if parents().any(|parent| self.decisions.deletes_others(parent)) {
            return;
        }
        // A row that stays with others and names who left is their own once, and not the second time.
        let is_shareable = self.draft.is_shareable(&table.full_name());
        let mut actions = if is_shareable { Vec::new() } else { vec![MentionAction::Forbid] };
        if parents().all(|parent| self.lifetimes.removal(parent) == Removal::Never) {
            actions.push(MentionAction::Keep);
        }
        if !is_shareable && self.is_deletable_for(table, &columns[0]) {
            actions.push(MentionAction::Delete);
        }
        let mention = |action| Mention { columns: vec![path.clone()], export: None, action, forget: BTreeMap::new() };
        options.extend(actions.into_iter().map(mention).map(Decision::Mention));
    }

    /// Whether the map may decide anything about the column: others' rows can't hold the person's id in the owner's column, and
    /// rows that a scrub makes nobody's must not lead to the person by it.
    fn can_be_decided(&self, table: &Table, column: &str) -> bool {
        let name = table.full_name();
        let is_mentioned = self.decisions.mentions_of(&name, column).next().is_some();
        let mut parents = table.foreign_keys_of(column).map(|key| self.lifetimes.removal(&key.parent)).peekable();
        let leads_to_person = parents.peek().is_none() || parents.any(|removal| removal != Removal::Immediate);
        let is_overwritten = self.lifetimes.overwritten(&name, column).is_some();
        !is_mentioned
            && self.draft.id_column(&name) != Some(column)
            && (!self.lifetimes.takes_owners(&name) || is_overwritten || !leads_to_person)
    }

    /// Whether rows of others may be deleted that name somebody by the column.
    fn is_deletable_for(&self, table: &Table, column: &str) -> bool {
        let name = table.full_name();
        let mut deletions = self.decisions.deletions(self.draft);
        deletions.tables.insert(name.clone());
        let keys = table.foreign_keys.iter().chain(&self.draft.links[&name]);
        let parents = keys.filter(|key| key.columns[0] == column).map(|key| key.parent.clone());
        deletions.mentions.extend(parents.map(|parent| (name.clone(), parent)));
        let mut references_itself = table.foreign_keys_of(column).map(|key| key.parent == name);
        self.can_lose_rows(&name)
            && self.is_found_in_time(table)
            && !references_itself.any(|is_itself| is_itself)
            && !is_unbreakable(self.draft, self.lifetimes, &deletions)
    }

    /// Whether rows of others may be deleted along the column, without coming back to this table.
    fn is_deletable(&self, table: &Table, column: &str) -> bool {
        let name = table.full_name();
        let mut deletions = self.decisions.deletions(self.draft);
        deletions.tables.insert(name.clone());
        if !self.can_lose_rows(&name)
            || !self.is_found_in_time(table)
            || is_unbreakable(self.draft, self.lifetimes, &deletions)
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
            let references = self.decisions.references.get(&parent).into_iter().flatten();
            let deleting = references.filter(|reference| reference.action == ReferenceAction::Delete);
            let keys = deleting.flat_map(|reference| parent_table.foreign_keys_of(&reference.column));
            if reached.insert(parent.clone()) {
                next.extend(keys.map(|key| key.parent.clone()));
            }
        }
        true
    }

    /// Whether the rows to delete are found when it is their turn. The engine remembers them by their keys: without one, rows are
    /// lost where a table that decides about them is in a circle or references itself.
    fn is_found_in_time(&self, table: &Table) -> bool {
        let draft = self.draft;
        let tables = draft.schema.tables.iter().map(|table| (table.full_name(), table));
        let edges: Vec<(String, String)> = tables
            .flat_map(|(name, table)| {
                let paths = draft.owners[&name].iter().filter_map(|owner| owner.path.table());
                let parents = table.foreign_keys.iter().map(|key| &key.parent).chain(paths);
                parents.map(|parent| (name.clone(), parent.clone())).collect::<Vec<_>>()
            })
            .collect();
        let name = table.full_name();
        let is_read = |other: &str| other == name || leads_to(&edges, &name, other);
        table.has_row_key() || !edges.iter().any(|(child, parent)| is_read(child) && leads_to(&edges, parent, child))
    }

    /// Whether rows of others in the table may be deleted, as far as rows that reference them are concerned: own ones that stay
    /// must let go of them, and something must be decided about others'.
    fn can_lose_rows(&self, parent: &str) -> bool {
        if self.draft.subjects.iter().any(|subject| subject == parent) || self.is_found_without_key(parent) {
            return false;
        }
        let tables = self.draft.schema.tables.iter();
        let keys = tables.flat_map(|table| table.foreign_keys.iter().map(move |key| (table, key)));
        keys.filter(|(_, key)| key.parent == parent).all(|(table, key)| {
            let name = table.full_name();
            let lets_go = self.lifetimes.removal(&name) == Removal::Immediate
                || key.columns.iter().any(|column| self.lifetimes.cuts(&name, column))
                || self.draft.is_same_owner(table, key);
            let mut columns = key.columns.iter();
            // A mention lets go of rows that are the person's, not of others' that are deleted, too.
            let is_decided = |column: &String| {
                self.decisions.references_of(&name, column).next().is_some() || self.can_be_decided(table, column)
            };
            lets_go && columns.any(is_decided)
        })
    }

    /// Whether rows of other tables are somebody's because of rows of this one, and no foreign key says what becomes of them.
    fn is_found_without_key(&self, name: &str) -> bool {
        self.draft.schema.tables.iter().any(|table| {
            self.draft.owners[&table.full_name()].iter().any(|owner| match &owner.path {
                Path::Column(_) | Path::Email(_) => false,
                Path::From { table, .. } => table == name,
                Path::To { columns, table: parent, .. } => {
                    parent == name && !table.foreign_keys.iter().any(|key| is_path_key(key, columns, parent))
                }
            })
        })
    }
}

impl Decisions {
    fn references_of<'a>(&'a self, table: &str, column: &'a String) -> impl Iterator<Item = &'a Reference> {
        let references = self.references.get(table).into_iter().flatten();
        references.filter(move |reference| reference.column == *column)
    }

    fn mentions_of<'a>(&'a self, table: &str, column: &'a str) -> impl Iterator<Item = &'a Mention> {
        let mentions = self.mentions.get(table).into_iter().flatten();
        mentions.filter(move |mention| mentions::is_about(mention, column))
    }

    /// Whether the map says what becomes of rows of others that reference rows by the column. A mention that stays doesn't.
    fn decides(&self, table: &str, column: &String) -> bool {
        self.references_of(table, column).next().is_some()
            || self.mentions_of(table, column).any(|mention| mention.action != MentionAction::Keep)
    }

    fn deletes_others(&self, table: &str) -> bool {
        let mut references = self.references.get(table).into_iter().flatten();
        let mut mentions = self.mentions.get(table).into_iter().flatten();
        references.any(|reference| reference.action == ReferenceAction::Delete)
            || mentions.any(|mention| mention.action == MentionAction::Delete)
    }

    fn deletions(&self, draft: &Draft) -> Deletions {
        let mut deletions = Deletions::default();
        for table in &draft.schema.tables {
            let name = table.full_name();
            if self.deletes_others(&name) {
                deletions.tables.insert(name.clone());
            }
            let mentions = self.mentions.get(&name).into_iter().flatten();
            let deleting = mentions.filter(|mention| mention.action == MentionAction::Delete);
            for columns in deleting.flat_map(|mention| &mention.columns).map(Path::own_columns) {
                let keys = table.foreign_keys.iter().chain(&draft.links[&name]).filter(|key| key.columns == columns);
                deletions.mentions.extend(keys.map(|key| (name.clone(), key.parent.clone())));
            }
        }
        deletions
    }
}
