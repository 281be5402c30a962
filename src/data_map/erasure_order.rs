//! The order in which tables are erased, and what breaks the cycles of foreign keys.

use std::collections::BTreeMap;

use super::catalog::{ForeignKey, OnDelete, PgCatalog};
use super::erase::Removal;
use super::error::Problems;
use super::index::{ForeignKeyIndex, TableIndex};
use super::mapped::{MappedTable, MappedTables};
use super::mentions::Mentions;
use super::owners::Owners;
use super::path_finder::FoundPath;
use super::rules::MentionAction;
use super::sql::quote_identifier;
use super::topology::{CycleBreak, Edge, topological_sort};

pub(super) struct ErasureOrder {
    /// Children before the tables that they reference.
    pub(super) tables: Vec<TableIndex>,
    /// Quoted.
    pub(super) deferred_constraints: Vec<String>,
    /// Columns that are set to NULL first, quoted.
    pub(super) unlink_columns: BTreeMap<TableIndex, Vec<String>>,
}

pub(super) fn find(
    mapped: &MappedTables<'_>,
    owners: &Owners,
    mentions: &Mentions,
    catalog: &PgCatalog,
    problems: &mut Problems,
) -> ErasureOrder {
    let edges = edges(mapped, owners, mentions, catalog);
    let (tables, broken) = topological_sort(mapped.indices(), edges).unwrap_or_else(|cycle| {
        let names: Vec<&str> = cycle.iter().map(|table| mapped[*table].rule.name.as_str()).collect();
        problems.add_for_table(
            names[0],
            format!("foreign keys form a cycle through {}", names.join(", ")),
            "Make one of them DEFERRABLE, or its column nullable, and let the deletion itself delete the rows",
        );
        (Vec::new(), Vec::new())
    });
    let mut order = ErasureOrder { tables, deferred_constraints: Vec::new(), unlink_columns: BTreeMap::new() };
    for cycle_break in broken {
        match cycle_break {
            CycleBreak::Defer(key) => {
                let key = &catalog.foreign_keys[key];
                let schema = &catalog.relations[key.child].schema;
                let constraint = format!("{}.{}", quote_identifier(schema), quote_identifier(&key.name));
                order.deferred_constraints.push(constraint);
            }
            CycleBreak::Unlink(key) => {
                let key = &catalog.foreign_keys[key];
                let child = mapped.index_of_relation(key.child).expect("edges connect mapped tables");
                let columns = nullable_columns(key, &mapped[child], catalog).map(quote_identifier);
                order.unlink_columns.entry(child).or_default().extend(columns);
            }
            CycleBreak::NotNeeded | CycleBreak::Impossible => {}
        }
    }
    order
}

/// Rows are found by the rows that their paths lead to, so these are deleted later. Rows that are found by rows which reference
/// them are remembered before any is deleted, so they add no edge.
fn edges(mapped: &MappedTables<'_>, owners: &Owners, mentions: &Mentions, catalog: &PgCatalog) -> Vec<Edge> {
    let parent = |path: &FoundPath| match path {
        FoundPath::Parent { table, .. } => Some(*table),
        FoundPath::UserId(_) | FoundPath::Address { .. } | FoundPath::Child { .. } => None,
    };
    let paths = mapped.indices().flat_map(|child| {
        let rules = mapped[child].rule.mentions.iter().zip(&mentions[child]);
        let deleting = rules.filter(|(rule, _)| rule.action == MentionAction::Delete).map(|(_, path)| path);
        let parents = owners[child].paths.iter().chain(deleting).filter_map(parent);
        parents.map(move |parent| Edge { child, parent, cycle_break: CycleBreak::Impossible })
    });
    let foreign_keys = catalog.foreign_keys.enumerate().filter_map(|(index, key)| {
        let (child, parent) = (mapped.index_of_relation(key.child)?, mapped.index_of_relation(key.parent)?);
        Some(Edge { child, parent, cycle_break: cycle_break(index, key, &mapped[child], &mapped[parent], catalog) })
    });
    // Rows that a trigger adds while others are erased must be erased after them.
    let triggers = catalog.triggers.iter().filter(|trigger| trigger.runs_in_erasures());
    let triggers = triggers.flat_map(|trigger| {
        let child = mapped.position(|table| table.rule.name == trigger.table);
        let parents = catalog.tables_with_new_rows(trigger).filter_map(|index| mapped.index_of_relation(index));
        let edge = move |parent| Some(Edge { child: child?, parent, cycle_break: CycleBreak::NotNeeded });
        parents.filter_map(edge).collect::<Vec<_>>()
    });
    paths.chain(foreign_keys).chain(triggers).collect()
}

/// How a foreign key can be broken where it closes a cycle.
fn cycle_break(
    index: ForeignKeyIndex,
    key: &ForeignKey,
    child: &MappedTable<'_>,
    parent: &MappedTable<'_>,
    catalog: &PgCatalog,
) -> CycleBreak {
    let is_nullable = nullable_columns(key, child, catalog).next().is_some();
    // Each table is purged in a transaction of its own.
    let is_one_transaction = child.rule.erase.strategy().removal() == Removal::Immediate;
    let loses_rows = parent.rule.erase.strategy().removal() != Removal::Never || parent.rule.deletes_rows_of_others();
    if !loses_rows {
        CycleBreak::NotNeeded
    } else if key.deferrable && key.on_delete == OnDelete::NoAction && is_one_transaction {
        CycleBreak::Defer(index)
    } else if is_nullable && is_one_transaction {
        CycleBreak::Unlink(index)
    } else {
        CycleBreak::Impossible
    }
}

/// Returns the columns of a foreign key that can be set to NULL without losing the row's owner, and by which no rows are referenced.
fn nullable_columns<'a>(
    key: &'a ForeignKey,
    child: &'a MappedTable<'_>,
    catalog: &'a PgCatalog,
) -> impl Iterator<Item = &'a str> {
    let is_nullable = |name: &&String| {
        !child.rule.owner_columns().any(|owner| owner == *name)
            && !catalog.is_referenced(child.relation_index, name)
            && child.relation.column(name).is_some_and(|column| column.nullable)
    };
    key.columns.iter().filter(is_nullable).map(String::as_str)
}
