//! A valid map for a draft.

use std::collections::BTreeSet;

use super::lifetimes::{Fate, Lifetimes, is_path_key, stamp_column};
use super::random::Random;
use super::references::{self, References};
use super::scrubs::scrub;
use super::tables::suggests_user_id;
use super::{Draft, Feature};
use crate::map::{Entry, Erase, Export, Map, Owner, Path, Removal};
use crate::schema::{ForeignKey, Table};

/// Drops foreign keys whose circle an erasure can't break with random decisions.
pub(super) fn drop_unbreakable_keys(random: &mut Random, draft: &mut Draft) {
    while let Some((table, key)) = unbreakable_key(draft, &Lifetimes::choose(random, draft)) {
        drop_foreign_key(draft, &table, &key);
    }
}

/// Decides about every table.
pub(super) fn decide(random: &mut Random, draft: &Draft) -> Map {
    const ATTEMPTS: usize = 100;
    let mut attempts = (0..ATTEMPTS).map(|_| Lifetimes::choose(random, draft));
    let lifetimes = attempts.find(|lifetimes| unbreakable_key(draft, lifetimes).is_none());
    // Where everything stays, no circle needs to be broken.
    let lifetimes = lifetimes.unwrap_or_else(|| Lifetimes::keep_all(draft));
    let references = references::choose(random, draft, &lifetimes);
    map(random, draft, &lifetimes, &references)
}

fn map(random: &mut Random, draft: &Draft, lifetimes: &Lifetimes, references: &References) -> Map {
    let mut tables: Vec<&Table> = draft.schema.tables.iter().collect();
    random.shuffle(&mut tables);
    let entry = |table: &Table| {
        let name = table.full_name();
        Entry {
            is_subject: draft.subjects.contains(&name),
            owners: vec![Owner::new(draft.owners[&name].clone())],
            export: export(random, table),
            erase: erase(random, draft, lifetimes, table),
            mentions: Vec::new(),
            references: references.get(&name).cloned().unwrap_or_default(),
            table: name,
        }
    };
    Map { entries: tables.into_iter().map(entry).collect(), ..Map::default() }
}

fn erase(random: &mut Random, draft: &Draft, lifetimes: &Lifetimes, table: &Table) -> Erase {
    match lifetimes.fate(&table.full_name()) {
        Fate::Delete => Erase::Delete,
        Fate::Stamp(purge_after) => {
            let first = stamp_column(table).expect("only such tables are stamped").to_owned();
            let mut columns = vec![first.clone()];
            let more = table.columns.iter().filter(|column| column.kind.is_time() && column.name != first);
            columns.extend(more.filter(|_| random.percent(30)).map(|column| column.name.clone()));
            Erase::Stamp { columns, purge_after }
        }
        Fate::Scrub => scrub(random, draft, lifetimes, table).map_or(Erase::Keep { period: None }, Erase::Scrub),
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
fn unbreakable_key(draft: &Draft, lifetimes: &Lifetimes) -> Option<(String, ForeignKey)> {
    let mut edges: Vec<(String, String)> = Vec::new();
    for table in &draft.schema.tables {
        let name = table.full_name();
        if let Path::To { table: parent, .. } = &draft.owners[&name] {
            edges.push((name.clone(), parent.clone()));
        }
        let hard =
            table.foreign_keys.iter().filter(|key| key.parent != name && !is_breakable(draft, lifetimes, table, key));
        edges.extend(hard.map(|key| (name.clone(), key.parent.clone())));
    }
    draft.schema.tables.iter().find_map(|table| {
        let name = table.full_name();
        let is_circular = |key: &&ForeignKey| {
            let is_path =
                matches!(&draft.owners[&name], Path::To { columns, table, .. } if is_path_key(key, columns, table));
            !is_path
                && key.parent != name
                && !is_breakable(draft, lifetimes, table, key)
                && leads_to(&edges, &key.parent, &name)
        };
        table.foreign_keys.iter().find(is_circular).map(|key| (name.clone(), key.clone()))
    })
}

fn is_breakable(draft: &Draft, lifetimes: &Lifetimes, table: &Table, key: &ForeignKey) -> bool {
    let name = table.full_name();
    let is_nullable = |column: &String| table.column(column).nullable && !draft.is_owner_column(&name, column);
    let is_deferrable = !key.deferrable.is_empty() && matches!(key.on_delete, "" | "ON DELETE NO ACTION");
    lifetimes.removal(&key.parent) == Removal::Never
        || lifetimes.removal(&name) == Removal::Immediate
            && (is_deferrable || draft.features.has(Feature::UnlinkedCircles) && key.columns.iter().any(is_nullable))
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
