//! What an erasure does with the own rows of each table, so that no row outlives what it needs.

use std::collections::{BTreeMap, BTreeSet};

use super::Draft;
use super::random::Random;
use crate::map::{Path, Period, Removal};
use crate::schema::{ForeignKey, Table};

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
    Scrub,
    Keep(Option<Period>),
}

/// The strategies of all tables.
pub(super) struct Lifetimes {
    fates: BTreeMap<String, Fate>,
    /// Columns that a scrub sets to NULL, by table.
    cuts: BTreeMap<String, BTreeSet<String>>,
}

/// How two tables are brought together of which one would outlive the other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    DeleteChildren,
    KeepParents,
}

impl Lifetimes {
    pub(super) fn choose(random: &mut Random, draft: &Draft) -> Self {
        let mut lifetimes = Self { fates: BTreeMap::new(), cuts: BTreeMap::new() };
        for table in &draft.schema.tables {
            let fate = random_fate(random, table);
            if fate == Fate::Scrub {
                lifetimes.cuts.insert(table.full_name(), random_cuts(random, draft, table));
            }
            lifetimes.fates.insert(table.full_name(), fate);
        }
        let direction = random.one_of(&[Direction::DeleteChildren, Direction::KeepParents]);
        while draft.schema.tables.iter().any(|table| lifetimes.align(draft, table, direction)) {}
        lifetimes
    }

    pub(super) fn keep_all(draft: &Draft) -> Self {
        let fates = draft.schema.tables.iter().map(|table| (table.full_name(), Fate::Keep(None)));
        Self { fates: fates.collect(), cuts: BTreeMap::new() }
    }

    pub(super) fn fate(&self, table: &str) -> Fate {
        self.fates[table]
    }

    pub(super) fn removal(&self, table: &str) -> Removal {
        let after =
            |period: Option<Period>| period.map_or(Removal::Never, |period| Removal::AfterMinutes(period.minutes));
        match self.fates[table] {
            Fate::Delete => Removal::Immediate,
            Fate::Scrub => Removal::Never,
            Fate::Stamp(period) | Fate::Keep(period) => after(period),
        }
    }

    /// Whether a scrub sets the column to NULL.
    pub(super) fn cuts(&self, table: &str, column: &str) -> bool {
        self.fates[table] == Fate::Scrub && self.cuts.get(table).is_some_and(|columns| columns.contains(column))
    }

    /// Changes a strategy if the table outlives a row that it needs. Returns whether it did.
    fn align(&mut self, draft: &Draft, table: &Table, direction: Direction) -> bool {
        let name = table.full_name();
        for key in table.foreign_keys.iter().filter(|key| key.parent != name) {
            let is_cut = key.columns.iter().any(|column| self.cuts(&name, column));
            if !is_cut && self.removal(&name) > self.removal(&key.parent) {
                self.bring_together(&name, &key.parent, direction);
                return true;
            }
        }
        let Path::To { columns, table: parent, .. } = &draft.owners[&name] else { return false };
        if !has_foreign_key(table, columns, parent) && self.removal(&name) > self.removal(parent) {
            self.bring_together(&name, parent, direction);
            return true;
        }
        let parent_owner = &draft.owners[parent].own_columns()[0];
        if self.cuts(parent, parent_owner) && self.removal(&name) != Removal::Immediate {
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
                    Fate::Stamp(period) | Fate::Keep(period) => period,
                    Fate::Delete | Fate::Scrub => None,
                };
                self.fates.insert(parent.to_owned(), Fate::Keep(period))
            }
        };
    }
}

pub(super) fn has_foreign_key(table: &Table, columns: &[String], parent: &str) -> bool {
    table.foreign_keys.iter().any(|key| is_path_key(key, columns, parent))
}

pub(super) fn is_path_key(key: &ForeignKey, columns: &[String], parent: &str) -> bool {
    key.parent == parent && key.columns == columns
}

fn random_fate(random: &mut Random, table: &Table) -> Fate {
    let period = random.one_of(&PERIODS);
    match random.below(100) {
        45..57 if stamp_column(table).is_some() => Fate::Stamp(Some(period)),
        57..65 if stamp_column(table).is_some() => Fate::Stamp(None),
        65..82 => Fate::Scrub,
        82..91 => Fate::Keep(Some(period)),
        91..100 => Fate::Keep(None),
        _ => Fate::Delete,
    }
}

/// Returns the column that can be the first of a stamp.
pub(super) fn stamp_column(table: &Table) -> Option<&str> {
    let column = table.columns.iter().find(|column| column.kind.is_time() && column.nullable);
    column.map(|column| column.name.as_str())
}

/// Returns columns of foreign keys, and sometimes the owner's, that a scrub may set to NULL.
fn random_cuts(random: &mut Random, draft: &Draft, table: &Table) -> BTreeSet<String> {
    let name = table.full_name();
    let may_be_cut = |column: &String| {
        table.column(column).nullable
            && !table.primary_key.contains(column)
            && !draft.schema.is_referenced(&name, column)
    };
    let owner = &draft.owners[&name].own_columns()[0];
    let keys = table.foreign_keys.iter().flat_map(|key| &key.columns);
    let keys = keys.filter(|column| may_be_cut(column) && *column != owner);
    let mut cuts: BTreeSet<String> = keys.filter(|_| random.percent(50)).cloned().collect();
    // Once the owner is overwritten, the rows are nobody's. What still leads from them to the person would then be taken for
    // a reference of somebody else, and a second erasure would find it.
    let mut others = table.foreign_keys.iter().filter(|key| !key.columns.contains(owner));
    let is_last =
        draft.user_ids[&name].is_empty() && others.all(|key| key.columns.iter().any(|column| cuts.contains(column)));
    if may_be_cut(owner) && is_last && random.percent(50) {
        cuts.insert(owner.clone());
    }
    cuts
}
