//! A valid map for a draft.

use std::collections::BTreeSet;

use super::lifetimes::{Fate, Lifetimes, stamp_column};
use super::mentions::{self, Mentions};
use super::names::suggests_user_id;
use super::random::Random;
use super::references::{self, Decisions};
use super::scrubs::scrub;
use super::{Draft, forgets, is_path_key};
use crate::map::{Entry, Erase, Export, Map, Mention, Path, Removal};
use crate::schema::{ForeignKey, Table};

/// Where rows of others are deleted.
#[derive(Clone, Default)]
pub(super) struct Deletions {
    pub(super) tables: BTreeSet<String>,
    /// Tables whose rows are deleted for a mention, with the tables that these lead to.
    pub(super) mentions: Vec<(String, String)>,
}

/// Drops foreign keys whose circle an erasure can't break with random decisions.
pub(super) fn drop_unbreakable_keys(random: &mut Random, draft: &mut Draft) {
    while let Some((table, key)) = unbreakable_key(draft, &Lifetimes::choose(random, draft, &Mentions::new())) {
        drop_foreign_key(draft, &table, &key);
    }
}

/// Decides about every table.
pub(super) fn decide(random: &mut Random, draft: &Draft) -> Map {
    const ATTEMPTS: usize = 100;
    let mentions = mentions::choose(random, draft);
    let mut attempts = (0..ATTEMPTS).map(|_| Lifetimes::choose(random, draft, &mentions));
    let lifetimes = attempts.find(|lifetimes| !is_unbreakable(draft, lifetimes, &Deletions::default()));
    // Where everything stays, no circle needs to be broken.
    let lifetimes = lifetimes.unwrap_or_else(|| Lifetimes::keep_all(draft, &mentions));
    let decisions = references::choose(random, draft, &lifetimes, mentions.clone());
    map(random, draft, &lifetimes, &decisions)
}

fn map(random: &mut Random, draft: &Draft, lifetimes: &Lifetimes<'_>, decisions: &Decisions) -> Map {
    let mut tables: Vec<&Table> = draft.schema.tables.iter().collect();
    random.shuffle(&mut tables);
    let entry = |table: &Table| {
        let name = table.full_name();
        let export = export(random, table);
        Entry {
            is_subject: draft.subjects.contains(&name),
            owners: forgets::choose(random, draft, table),
            mentions: mentions(random, table, &export, decisions),
            export,
            erase: erase(random, draft, lifetimes, table),
            references: decisions.references.get(&name).cloned().unwrap_or_default(),
            table: name,
        }
    };
    let is_second = draft.is_second;
    let entries = tables.into_iter().map(entry).collect();
    Map { is_second, entries, ghosts: draft.ghosts.clone(), ..Map::default() }
}

/// A mention exports nothing that the owners don't get, or names the columns one by one.
fn mentions(random: &mut Random, table: &Table, own: &Export, decisions: &Decisions) -> Vec<Mention> {
    let mut mentions = mentions::merged(decisions.mentions.get(&table.full_name()).map_or(&[], Vec::as_slice));
    for mention in &mut mentions {
        let export = random.percent(30).then(|| export(random, table)).filter(|export| *export != Export::Nothing);
        let columns = || table.columns.iter().map(|column| &column.name);
        mention.export = export.and_then(|export| {
            let names = || columns().filter(|name| export.has(name));
            if names().all(|name| own.has(name)) {
                return Some(export);
            }
            let only: Vec<String> = names().cloned().collect();
            (!only.is_empty()).then_some(Export::Only(only))
        });
    }
    mentions
}

fn erase(random: &mut Random, draft: &Draft, lifetimes: &Lifetimes<'_>, table: &Table) -> Erase {
    match lifetimes.fate(&table.full_name()) {
        Fate::Delete => Erase::Delete,
        Fate::Stamp(purge_after) => {
            let first = stamp_column(table).expect("only such tables are stamped").to_owned();
            let mut columns = vec![first.clone()];
            let more = table.columns.iter().filter(|column| column.kind.is_time() && column.name != first);
            columns.extend(more.filter(|_| random.percent(30)).map(|column| column.name.clone()));
            Erase::Stamp { columns, purge_after }
        }
        Fate::Scrub(period) => {
            scrub(random, draft, lifetimes, table, period).map_or(Erase::Keep { period }, Erase::Scrub)
        }
        Fate::Keep(period) => Erase::Keep { period },
    }
}

fn export(random: &mut Random, table: &Table) -> Export {
    let mut some = || {
        let columns = table.columns.iter().filter(|_| random.percent(50));
        columns.map(|column| column.name.clone()).collect::<Vec<_>>()
    };
    let (only, except) = (some(), some());
    match random.below(10) {
        0 if !only.is_empty() => Export::Only(only),
        1 if except.len() < table.columns.len() => Export::Except(except),
        2 => Export::Nothing,
        _ => Export::All,
    }
}

/// Returns a foreign key in a circle of tables that no erasure can break: no constraint in it can be deferred, and no column be
/// set to NULL.
fn unbreakable_key(draft: &Draft, lifetimes: &Lifetimes<'_>) -> Option<(String, ForeignKey)> {
    let deletions = Deletions::default();
    let edges = hard_edges(draft, lifetimes, &deletions);
    draft.schema.tables.iter().find_map(|table| {
        let name = table.full_name();
        let is_path = |key: &ForeignKey| {
            let mut paths = draft.owners[&name].iter().map(|owner| &owner.path);
            paths.any(|path| matches!(path, Path::To { columns, table, .. } if is_path_key(key, columns, table)))
        };
        let is_circular = |key: &&ForeignKey| {
            !is_path(key) && is_hard(draft, lifetimes, &deletions, table, key) && leads_to(&edges, &key.parent, &name)
        };
        table.foreign_keys.iter().find(is_circular).map(|key| (name.clone(), key.clone()))
    })
}

/// Whether a circle of tables can't be broken.
pub(super) fn is_unbreakable(draft: &Draft, lifetimes: &Lifetimes<'_>, deletions: &Deletions) -> bool {
    let edges = hard_edges(draft, lifetimes, deletions);
    edges.iter().any(|(child, parent)| leads_to(&edges, parent, child))
}

/// Returns pairs of tables of which the first must lose its rows before the second.
fn hard_edges(draft: &Draft, lifetimes: &Lifetimes<'_>, deletions: &Deletions) -> Vec<(String, String)> {
    let mut edges = deletions.mentions.clone();
    for table in &draft.schema.tables {
        let name = table.full_name();
        for owner in &draft.owners[&name] {
            if let Path::To { table: parent, .. } = &owner.path {
                edges.push((name.clone(), parent.clone()));
            }
        }
        let hard = table.foreign_keys.iter().filter(|key| is_hard(draft, lifetimes, deletions, table, key));
        edges.extend(hard.map(|key| (name.clone(), key.parent.clone())));
    }
    edges.retain(|(child, parent)| child != parent);
    edges
}

fn is_hard(draft: &Draft, lifetimes: &Lifetimes<'_>, deletions: &Deletions, table: &Table, key: &ForeignKey) -> bool {
    let loses_rows = lifetimes.removal(&key.parent) != Removal::Never || deletions.tables.contains(&key.parent);
    key.parent != table.full_name() && loses_rows && !is_breakable(draft, lifetimes, table, key)
}

fn is_breakable(draft: &Draft, lifetimes: &Lifetimes<'_>, table: &Table, key: &ForeignKey) -> bool {
    let name = table.full_name();
    let is_nullable = |column: &String| {
        table.column(column).nullable
            && !draft.is_owner_column(&name, column)
            && !draft.schema.is_referenced(&name, column)
    };
    let is_deferrable = !key.deferrable.is_empty() && matches!(key.on_delete, "" | "ON DELETE NO ACTION");
    lifetimes.removal(&name) == Removal::Immediate && (is_deferrable || key.columns.iter().any(is_nullable))
}

/// Whether one table leads to another.
pub(super) fn leads_to(edges: &[(String, String)], start: &str, end: &str) -> bool {
    let (mut reached, mut next) = (BTreeSet::new(), vec![start]);
    while let Some(table) = next.pop() {
        if table == end {
            return true;
        }
        if reached.insert(table) {
            next.extend(edges.iter().filter(|(child, _)| child == table).map(|(_, parent)| parent.as_str()));
        }
    }
    false
}

fn drop_foreign_key(draft: &mut Draft, table: &str, key: &ForeignKey) {
    let table =
        draft.schema.tables.iter_mut().find(|other| other.full_name() == table).expect("the table was found before");
    table.foreign_keys.retain(|other| other != key);
    if let [column] = key.columns.as_slice()
        && suggests_user_id(column)
    {
        draft.user_ids.entry(table.full_name()).or_default().push(column.clone());
    }
}
