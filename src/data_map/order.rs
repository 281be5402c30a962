//! Orders tables so that rows go before the rows they point to, and breaks circles where the
//! database allows it.

use std::collections::BTreeSet;

/// `child` must be done before `parent`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) child: usize,
    pub(super) parent: usize,
    pub(super) breaking: Breaking,
}

/// How an edge gives way when it closes a circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breaking {
    /// The constraint is deferred until the commit. The place of the foreign key.
    Defer(usize),
    /// The pointing column of rows that go is emptied first. The place of the foreign key.
    Unlink(usize),
    /// The rows pointed to stay.
    Harmless,
    /// Not at all.
    Never,
}

/// The order, and the edges that were broken for it; or the tables of a circle that holds.
pub(super) fn order(count: usize, mut edges: Vec<Edge>) -> Result<(Vec<usize>, Vec<Breaking>), Vec<usize>> {
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
        let circle: Vec<usize> = (0..edges.len()).filter(|index| closes_circle(&edges, *index)).collect();
        let easiest = circle.iter().copied().min_by_key(|index| match edges[*index].breaking {
            Breaking::Harmless => 0,
            Breaking::Defer(_) => 1,
            Breaking::Unlink(_) => 2,
            Breaking::Never => 3,
        });
        let Some(index) = easiest.filter(|index| edges[*index].breaking != Breaking::Never) else {
            let tables: BTreeSet<usize> = circle.iter().map(|index| edges[*index].child).collect();
            return Err(tables.into_iter().collect());
        };
        broken.push(edges.remove(index).breaking);
    }
    Ok((done, broken))
}

/// Whether the edge's child can be reached from its parent.
fn closes_circle(edges: &[Edge], index: usize) -> bool {
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

    fn edge(child: usize, parent: usize, breaking: Breaking) -> Edge {
        Edge { child, parent, breaking }
    }

    #[test]
    fn children_come_first() {
        let edges = vec![edge(1, 0, Breaking::Never), edge(2, 1, Breaking::Never), edge(2, 2, Breaking::Never)];
        assert_eq!(order(3, edges).unwrap().0, [2, 1, 0]);
    }

    #[test]
    fn a_circle_gives_way_where_it_can() {
        let edges = vec![edge(0, 1, Breaking::Never), edge(1, 0, Breaking::Unlink(7)), edge(2, 0, Breaking::Defer(8))];
        let (order, broken) = order(3, edges).unwrap();
        assert_eq!(broken, [Breaking::Unlink(7)]);
        assert!(order.iter().position(|place| *place == 0) < order.iter().position(|place| *place == 1));
    }

    #[test]
    fn a_circle_that_holds_is_named() {
        let edges = vec![edge(0, 1, Breaking::Never), edge(1, 0, Breaking::Never), edge(2, 0, Breaking::Never)];
        assert_eq!(order(3, edges).unwrap_err(), [0, 1]);
    }
}
