//! Orders tables so that rows are deleted before the rows that they reference, and breaks cycles where the database
//! allows it.

use std::collections::{BTreeMap, BTreeSet};

use super::index::{ForeignKeyIndex, TableIndex};

/// `child` must come before `parent`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) child: TableIndex,
    pub(super) parent: TableIndex,
    pub(super) cycle_break: CycleBreak,
}

/// How an edge can be removed where it closes a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CycleBreak {
    /// The constraint is deferred until the commit.
    Defer(ForeignKeyIndex),
    /// The referencing column of rows that are deleted is set to NULL first.
    Unlink(ForeignKeyIndex),
    /// The referenced rows stay, so the edge doesn't matter.
    NotNeeded,
    Impossible,
}

/// Returns the order and how cycles were broken for it, or the tables of a cycle that can't be broken.
pub(super) fn topological_sort(
    tables: impl IntoIterator<Item = TableIndex>,
    mut edges: Vec<Edge>,
) -> Result<(Vec<TableIndex>, Vec<CycleBreak>), Vec<TableIndex>> {
    edges.retain(|edge| edge.child != edge.parent);
    let mut children: BTreeMap<TableIndex, usize> = tables.into_iter().map(|table| (table, 0)).collect();
    for edge in &edges {
        *children.entry(edge.parent).or_default() += 1;
    }
    // Tables without a child that still has to come before them.
    let mut ready: BTreeSet<TableIndex> =
        children.iter().filter(|(_, children)| **children == 0).map(|(table, _)| *table).collect();
    let (mut sorted, mut broken) = (Vec::new(), Vec::new());
    let mut by_child: BTreeMap<TableIndex, Vec<Edge>> = BTreeMap::new();
    for edge in edges {
        by_child.entry(edge.child).or_default().push(edge);
    }
    while sorted.len() < children.len() {
        let removed = if let Some(table) = ready.pop_first() {
            sorted.push(table);
            by_child.remove(&table).unwrap_or_default()
        } else {
            let edge = break_cycle(&mut by_child)?;
            broken.push(edge.cycle_break);
            vec![edge]
        };
        for edge in removed {
            let count = children.entry(edge.parent).or_default();
            *count -= 1;
            if *count == 0 {
                ready.insert(edge.parent);
            }
        }
    }
    Ok((sorted, broken))
}

/// Removes the edge of a cycle that can be broken most easily. Fails with the tables of cycles where none can.
fn break_cycle(by_child: &mut BTreeMap<TableIndex, Vec<Edge>>) -> Result<Edge, Vec<TableIndex>> {
    let edges: Vec<Edge> = by_child.values().flatten().copied().collect();
    let cycle: Vec<usize> = (0..edges.len()).filter(|edge| closes_cycle(&edges, *edge)).collect();
    let easiest = cycle.iter().copied().min_by_key(|edge| match edges[*edge].cycle_break {
        CycleBreak::NotNeeded => 0,
        CycleBreak::Defer(_) => 1,
        CycleBreak::Unlink(_) => 2,
        CycleBreak::Impossible => 3,
    });
    let Some(edge) = easiest.map(|edge| edges[edge]).filter(|edge| edge.cycle_break != CycleBreak::Impossible) else {
        let tables: BTreeSet<TableIndex> = cycle.iter().map(|edge| edges[*edge].child).collect();
        return Err(tables.into_iter().collect());
    };
    let of_child = by_child.entry(edge.child).or_default();
    let is_same = |other: &Edge| other.parent == edge.parent && other.cycle_break == edge.cycle_break;
    if let Some(position) = of_child.iter().position(is_same) {
        of_child.remove(position);
    }
    Ok(edge)
}

/// Whether the edge's child can be reached from its parent.
fn closes_cycle(edges: &[Edge], edge: usize) -> bool {
    let (mut seen, mut next) = (BTreeSet::new(), vec![edges[edge].parent]);
    while let Some(table) = next.pop() {
        if table == edges[edge].child {
            return true;
        }
        if seen.insert(table) {
            next.extend(edges.iter().filter(|edge| edge.child == table).map(|edge| edge.parent));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::index::Position;
    use super::*;

    fn edge(child: usize, parent: usize, cycle_break: CycleBreak) -> Edge {
        Edge { child: TableIndex::new(child), parent: TableIndex::new(parent), cycle_break }
    }

    fn tables() -> impl Iterator<Item = TableIndex> {
        (0..3).map(TableIndex::new)
    }

    fn positions(tables: &[TableIndex]) -> Vec<usize> {
        tables.iter().map(|table| table.get()).collect()
    }

    #[test]
    fn children_come_before_their_parents() {
        let edges = vec![
            edge(1, 0, CycleBreak::Impossible),
            edge(2, 1, CycleBreak::Impossible),
            edge(2, 2, CycleBreak::Impossible),
        ];
        assert_eq!(positions(&topological_sort(tables(), edges).unwrap().0), [2, 1, 0]);
    }

    #[test]
    fn a_cycle_is_broken_at_its_easiest_edge() {
        let (unlink, defer) = (CycleBreak::Unlink(ForeignKeyIndex::new(7)), CycleBreak::Defer(ForeignKeyIndex::new(8)));
        let edges = vec![edge(0, 1, CycleBreak::Impossible), edge(1, 0, unlink), edge(2, 0, defer)];
        let (order, broken) = topological_sort(tables(), edges).unwrap();
        assert_eq!(broken, [unlink]);
        let position = |table: usize| positions(&order).iter().position(|other| *other == table);
        assert!(position(0) < position(1));
    }

    #[test]
    fn a_cycle_that_cannot_be_broken_is_reported() {
        let edges = vec![
            edge(0, 1, CycleBreak::Impossible),
            edge(1, 0, CycleBreak::Impossible),
            edge(2, 0, CycleBreak::Impossible),
        ];
        assert_eq!(positions(&topological_sort(tables(), edges).unwrap_err()), [0, 1]);
    }
}
