//! Orders tables so that rows are deleted before the rows that they reference, and breaks cycles where the database
//! allows it.

use std::collections::BTreeSet;

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
    let mut remaining: BTreeSet<TableIndex> = tables.into_iter().collect();
    let (mut sorted, mut broken) = (Vec::new(), Vec::new());
    while !remaining.is_empty() {
        let ready = remaining.iter().copied().find(|table| !edges.iter().any(|edge| edge.parent == *table));
        if let Some(table) = ready {
            remaining.remove(&table);
            edges.retain(|edge| edge.child != table);
            sorted.push(table);
            continue;
        }
        let cycle: Vec<usize> = (0..edges.len()).filter(|edge| closes_cycle(&edges, *edge)).collect();
        let easiest = cycle.iter().copied().min_by_key(|edge| match edges[*edge].cycle_break {
            CycleBreak::NotNeeded => 0,
            CycleBreak::Defer(_) => 1,
            CycleBreak::Unlink(_) => 2,
            CycleBreak::Impossible => 3,
        });
        let Some(edge) = easiest.filter(|edge| edges[*edge].cycle_break != CycleBreak::Impossible) else {
            let tables: BTreeSet<TableIndex> = cycle.iter().map(|edge| edges[*edge].child).collect();
            return Err(tables.into_iter().collect());
        };
        broken.push(edges.remove(edge).cycle_break);
    }
    Ok((sorted, broken))
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
