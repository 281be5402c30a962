//! Orders tables so that rows go before the rows they point to, and breaks circles where the
//! database allows it.

use std::collections::BTreeSet;

/// `child` must be done before `parent`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) child: usize,
    pub(super) parent: usize,
    pub(super) cycle_break: CycleBreak,
}

/// How an edge gives way when it closes a circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CycleBreak {
    /// The constraint is deferred until the commit. The place of the foreign key.
    Defer(usize),
    /// The pointing column of rows that go is emptied first. The place of the foreign key.
    Unlink(usize),
    /// The rows pointed to stay.
    NotNeeded,
    /// Not at all.
    Impossible,
}

/// The order, and the edges that were broken for it; or the tables of a circle that holds.
pub(super) fn topological_sort(
    count: usize,
    mut edges: Vec<Edge>,
) -> Result<(Vec<usize>, Vec<CycleBreak>), Vec<usize>> {
    edges.retain(|edge| edge.child != edge.parent);
    let mut waiting: BTreeSet<usize> = (0..count).collect();
    let (mut done, mut broken) = (Vec::new(), Vec::new());
    while !waiting.is_empty() {
        let ready = waiting.iter().copied().find(|place| !edges.iter().any(|edge| edge.parent == *place));
        if let Some(place) = ready {
            waiting.remove(&place);
            edges.retain(|edge| edge.child != place);
            done.push(place);
            continue;
        }
        let circle: Vec<usize> = (0..edges.len()).filter(|index| closes_cycle(&edges, *index)).collect();
        let easiest = circle.iter().copied().min_by_key(|index| match edges[*index].cycle_break {
            CycleBreak::NotNeeded => 0,
            CycleBreak::Defer(_) => 1,
            CycleBreak::Unlink(_) => 2,
            CycleBreak::Impossible => 3,
        });
        let Some(index) = easiest.filter(|index| edges[*index].cycle_break != CycleBreak::Impossible) else {
            let tables: BTreeSet<usize> = circle.iter().map(|index| edges[*index].child).collect();
            return Err(tables.into_iter().collect());
        };
        broken.push(edges.remove(index).cycle_break);
    }
    Ok((done, broken))
}

/// Whether the edge's child can be reached from its parent.
fn closes_cycle(edges: &[Edge], index: usize) -> bool {
    let (mut seen, mut next) = (BTreeSet::new(), vec![edges[index].parent]);
    while let Some(place) = next.pop() {
        if place == edges[index].child {
            return true;
        }
        if seen.insert(place) {
            next.extend(edges.iter().filter(|edge| edge.child == place).map(|edge| edge.parent));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(child: usize, parent: usize, breaking: CycleBreak) -> Edge {
        Edge { child, parent, cycle_break: breaking }
    }

    #[test]
    fn children_come_first() {
        let edges = vec![
            edge(1, 0, CycleBreak::Impossible),
            edge(2, 1, CycleBreak::Impossible),
            edge(2, 2, CycleBreak::Impossible),
        ];
        assert_eq!(topological_sort(3, edges).unwrap().0, [2, 1, 0]);
    }

    #[test]
    fn a_circle_gives_way_where_it_can() {
        let edges = vec![
            edge(0, 1, CycleBreak::Impossible),
            edge(1, 0, CycleBreak::Unlink(7)),
            edge(2, 0, CycleBreak::Defer(8)),
        ];
        let (order, broken) = topological_sort(3, edges).unwrap();
        assert_eq!(broken, [CycleBreak::Unlink(7)]);
        assert!(order.iter().position(|place| *place == 0) < order.iter().position(|place| *place == 1));
    }

    #[test]
    fn a_circle_that_holds_is_named() {
        let edges = vec![
            edge(0, 1, CycleBreak::Impossible),
            edge(1, 0, CycleBreak::Impossible),
            edge(2, 0, CycleBreak::Impossible),
        ];
        assert_eq!(topological_sort(3, edges).unwrap_err(), [0, 1]);
    }
}
