//! What an erasure does with the own rows of each table, so that no row outlives what it needs.

use std::collections::BTreeMap;

use super::mentions::{self, Mentions};
use super::names::suggests_user_id;
use super::random::Random;
use super::{Draft, has_several_owners, is_path_key, values};
use crate::map::{NewValue, Owner, Path, Period, Removal};
use crate::schema::{Column, Table};

const PERIODS: [Period; 6] = [
    Period { text: "1 day", minutes: 1_440 },
    Period { text: "30 days", minutes: 43_200 },
    Period { text: "1 month", minutes: 43_829 },
    Period { text: "12 months", minutes: 525_948 },
    Period { text: "1 year", minutes: 525_948 },
    Period { text: "10 years", minutes: 5_259_480 },
];

/// A strategy without its details.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Delete,
    Stamp(Option<Period>),
    Scrub(Option<Period>),
    Keep(Option<Period>),
}

/// The strategies of all tables.
pub(super) struct Lifetimes<'a> {
    draft: &'a Draft,
    mentions: &'a Mentions,
    fates: BTreeMap<String, Fate>,
    /// New values of columns that lead to other rows or people, by table, where rows are scrubbed.
    overwritten: BTreeMap<String, BTreeMap<String, NewValue>>,
}

/// How two tables are brought together of which one would outlive the other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    DeleteChildren,
    KeepParents,
}

impl<'a> Lifetimes<'a> {
    pub(super) fn choose(random: &mut Random, draft: &'a Draft, mentions: &'a Mentions) -> Self {
        let mut lifetimes = Self { draft, mentions, fates: BTreeMap::new(), overwritten: BTreeMap::new() };
        for table in &draft.schema.tables {
            let (name, fate) = (table.full_name(), random_fate(random, draft, table));
            let fate = match fate {
                Fate::Scrub(period) => {
                    let overwritten = random_overwritten(random, draft, mentions, table);
                    let loses_owner = draft.owner_columns(&name).any(|column| overwritten.contains_key(column));
                    lifetimes.overwritten.insert(name.clone(), overwritten);
                    Fate::Scrub(period.filter(|_| !loses_owner))
                }
                fate => fate,
            };
            lifetimes.fates.insert(name, fate);
        }
        lifetimes.end_with_last_references();
        // Rows that are found by rows which reference them can't stay with what needs them.
        let is_any_found_by_children =
            draft.owners.values().flatten().any(|owner| draft.is_found_by_children(&owner.path));
        let directions = [Direction::DeleteChildren, Direction::KeepParents];
        let direction = random.one_of(if is_any_found_by_children { &directions[..1] } else { &directions });
        while draft.schema.tables.iter().any(|table| lifetimes.align(table, direction)) {}
        lifetimes
    }

    pub(super) fn keep_all(draft: &'a Draft, mentions: &'a Mentions) -> Self {
        let fates = draft.schema.tables.iter().map(|table| (table.full_name(), Fate::Keep(None)));
        let mut lifetimes = Self { draft, mentions, fates: fates.collect(), overwritten: BTreeMap::new() };
        lifetimes.end_with_last_references();
        while draft.schema.tables.iter().any(|table| lifetimes.align(table, Direction::DeleteChildren)) {}
        lifetimes
    }

    /// Rows that are found by rows which reference them are deleted, and those no longer reference them.
    fn end_with_last_references(&mut self) {
        for (name, owners) in &self.draft.owners {
            for owner in owners {
                let Path::From { table, columns, .. } = &owner.path else { continue };
                self.fates.insert(name.clone(), Fate::Delete);
                if !columns.iter().any(|column| self.cuts(table, column)) {
                    self.fates.insert(table.clone(), Fate::Delete);
                }
            }
        }
    }

    pub(super) fn fate(&self, table: &str) -> Fate {
        self.fates[table]
    }

    pub(super) fn removal(&self, table: &str) -> Removal {
        let after =
            |period: Option<Period>| period.map_or(Removal::Never, |period| Removal::AfterMinutes(period.minutes));
        match self.fates[table] {
            Fate::Delete => Removal::Immediate,
            Fate::Stamp(period) | Fate::Keep(period) | Fate::Scrub(period) => after(period),
        }
    }

    /// Returns the new value that a scrub writes to a column that leads to other rows or people.
    pub(super) fn overwritten(&self, table: &str, column: &str) -> Option<&NewValue> {
        let is_scrubbed = matches!(self.fates[table], Fate::Scrub(_));
        self.overwritten.get(table).and_then(|values| values.get(column)).filter(|_| is_scrubbed)
    }

    /// Whether a scrub removes the reference from the column.
    pub(super) fn cuts(&self, table: &str, column: &str) -> bool {
        matches!(self.overwritten(table, column), Some(NewValue::Null | NewValue::Ghost))
    }

    /// Whether a scrub takes an owner away, perhaps the only one of a row.
    pub(super) fn takes_owners(&self, table: &str) -> bool {
        let is_overwritten = |column: &String| self.overwritten(table, column).is_some();
        self.draft.owner_columns(table).any(is_overwritten)
    }

    /// Changes a strategy if the table outlives a row that it needs. Returns whether it did.
    fn align(&mut self, table: &Table, direction: Direction) -> bool {
        let name = table.full_name();
        for key in table.foreign_keys.iter().filter(|key| key.parent != name) {
            let is_cut = |column: &String| self.cuts(&name, column) || mentions::is_cut(self.mentions, &name, column);
            if !key.columns.iter().any(is_cut) && self.removal(&name) > self.removal(&key.parent) {
                self.bring_together(&name, &key.parent, direction);
                return true;
            }
        }
        let draft = self.draft;
        draft.owners[&name].iter().any(|owner| self.align_with_owner(table, &owner.path, direction))
    }

    fn align_with_owner(&mut self, table: &Table, path: &Path, direction: Direction) -> bool {
        let (name, draft) = (table.full_name(), self.draft);
        let Path::To { columns, table: parent, .. } = path else { return false };
        if columns.iter().any(|column| self.overwritten(&name, column).is_some()) {
            return false;
        }
        let has_foreign_key = table.foreign_keys.iter().any(|key| is_path_key(key, columns, parent));
        if !has_foreign_key && self.removal(&name) > self.removal(parent) {
            self.bring_together(&name, parent, direction);
            return true;
        }
        let loses_owner = draft.owner_columns(parent).any(|column| self.overwritten(parent, column).is_some());
        if loses_owner && self.removal(&name) != Removal::Immediate {
            match direction {
                Direction::DeleteChildren => self.fates.insert(name, Fate::Delete),
                Direction::KeepParents => self.fates.insert(parent.clone(), Fate::Keep(None)),
            };
            return true;
        }
        false
    }

    fn bring_together(&mut self, child: &str, parent: &str, direction: Direction) {
        match direction {
            Direction::DeleteChildren => self.fates.insert(child.to_owned(), Fate::Delete),
            Direction::KeepParents => {
                let period = match self.fates[child] {
                    Fate::Stamp(period) | Fate::Keep(period) | Fate::Scrub(period) => period,
                    Fate::Delete => None,
                };
                let period = period.filter(|_| !self.draft.is_found_by_address(parent));
                self.fates.insert(parent.to_owned(), Fate::Keep(period))
            }
        };
    }
}

fn random_fate(random: &mut Random, draft: &Draft, table: &Table) -> Fate {
    let period = random.one_of(&PERIODS);
    let can_end = !draft.is_found_by_address(&table.full_name());
    let scrub_period = (draft.is_second && random.percent(40)).then_some(period).filter(|_| can_end);
    let period = Some(period).filter(|_| can_end);
    match random.below(100) {
        45..57 if stamp_column(table).is_some() => Fate::Stamp(period),
        57..65 if stamp_column(table).is_some() => Fate::Stamp(None),
        65..82 => Fate::Scrub(scrub_period),
        82..91 => Fate::Keep(period),
        91..100 => Fate::Keep(None),
        _ => Fate::Delete,
    }
}

/// Returns the column that can be the first of a stamp.
pub(super) fn stamp_column(table: &Table) -> Option<&str> {
    let column = table.columns.iter().find(|column| column.kind.is_time() && column.nullable);
    column.map(|column| column.name.as_str())
}

/// Returns new values of columns that lead to other rows or people, sometimes also of the owner's.
fn random_overwritten(
    random: &mut Random,
    draft: &Draft,
    mentions: &Mentions,
    table: &Table,
) -> BTreeMap<String, NewValue> {
    let name = table.full_name();
    let keys = table.foreign_keys.iter().chain(&draft.links[&name]);
    let leading = keys.flat_map(|key| &key.columns).chain(&draft.user_ids[&name]);
    let mut overwritten = BTreeMap::new();
    for column in leading.filter(|column| !draft.is_owner_column(&name, column)) {
        let mut options = values::options(random, draft, table, table.column(column));
        // Without a foreign key, a mention says which row the column references.
        let is_mentioned = mentions.get(&name).into_iter().flatten().any(|mention| mentions::is_about(mention, column));
        options.retain(|value| {
            *value != NewValue::Ghost || is_mentioned || table.foreign_keys_of(column).next().is_some()
        });
        if let Some(value) = options.pop().filter(|_| random.percent(50)) {
            overwritten.insert(column.clone(), value);
        }
    }
    for column in draft.owner_columns(&name) {
        let mut options = values::options(random, draft, table, table.column(column));
        // The engine takes what a scrub writes in place of a Clerk id, and that of a ghost, for another owner's.
        let is_id = |owner: &Owner| owner.path == Path::column(column);
        let is_shared_id = has_several_owners(&draft.owners[&name]) && draft.owners[&name].iter().any(is_id);
        options.retain(|value| *value == NewValue::Null || !is_shared_id);
        let may_lose = may_lose_owners(draft, mentions, table, &overwritten);
        if let Some(value) = options.pop().filter(|_| may_lose && random.percent(50)) {
            overwritten.insert(column.clone(), value);
        }
    }
    overwritten
}

/// Whether rows may become nobody's when these columns are overwritten: nothing about which the map decides may then lead to
/// people.
fn may_lose_owners(
    draft: &Draft,
    mentions: &Mentions,
    table: &Table,
    overwritten: &BTreeMap<String, NewValue>,
) -> bool {
    let name = table.full_name();
    let is_harmless = |column: &Column| {
        !suggests_user_id(&column.name)
            || overwritten.contains_key(&column.name)
            || mentions.get(&name).into_iter().flatten().any(|mention| mentions::is_about(mention, &column.name))
    };
    let is_owner = |column: &String| draft.is_owner_column(&name, column);
    let mut user_ids = table.columns.iter().filter(|column| column.kind.is_text() && !is_owner(&column.name));
    let mut shared_keys = table.foreign_keys.iter().filter(|key| {
        let id = draft.id_column(&name);
        key.columns.len() > 1 && key.columns.iter().any(|column| Some(column.as_str()) == id)
    });
    let is_cut = |column: &String| matches!(overwritten.get(column), Some(NewValue::Null | NewValue::Ghost));
    user_ids.all(is_harmless) && shared_keys.all(|key| key.columns.iter().any(is_cut))
}
