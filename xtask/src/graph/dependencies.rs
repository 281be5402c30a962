//! The graphs that must be free of cycles: one for each module with submodules, of those submodules and the module's
//! own items.

use std::collections::BTreeMap;
use std::path::PathBuf;

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use super::modules::{ModuleId, Tree};
use super::references::Reference;
use super::resolve::{Preference, Target, resolve};

/// A node of the graph of one module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Node {
    /// The items in the module's own file.
    Own,
    /// A submodule with everything below it.
    Submodule(ModuleId),
}

/// Where one node needs another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Site {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    /// The path as written.
    pub(crate) path: String,
}

/// The references from one node to another, in the order of files and lines.
pub(crate) type Edges = BTreeMap<(Node, Node), Vec<Site>>;

/// The graph inside one module.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) module: ModuleId,
    pub(crate) edges: Edges,
}

impl Graph {
    /// The strongly connected components of two nodes or more, each sorted.
    pub(crate) fn cycles(&self) -> Vec<Vec<Node>> {
        let graph: DiGraphMap<Node, ()> = self.edges.keys().map(|(from, to)| (*from, *to, ())).collect();
        let mut cycles: Vec<Vec<Node>> = tarjan_scc(&graph).into_iter().filter(|nodes| nodes.len() > 1).collect();
        for nodes in &mut cycles {
            nodes.sort();
        }
        cycles.sort();
        cycles
    }

    /// The edges between the nodes of a component, those with the fewest references first: they are the easiest to cut.
    pub(crate) fn edges_within(&self, nodes: &[Node]) -> Vec<(Node, Node, &[Site])> {
        let mut edges: Vec<(Node, Node, &[Site])> = self
            .edges
            .iter()
            .filter(|((from, to), _)| nodes.contains(from) && nodes.contains(to))
            .map(|((from, to), sites)| (*from, *to, sites.as_slice()))
            .collect();
        edges.sort_by_key(|(_, _, sites)| sites.len());
        edges
    }
}

/// Computes the graphs of all modules that have submodules.
pub(crate) fn graphs(tree: &Tree) -> Vec<Graph> {
    let mut edges: BTreeMap<ModuleId, Edges> = BTreeMap::new();
    for (source, module) in tree.modules.iter().enumerate() {
        let contents = &module.contents;
        // `use super::name` imports a module and a function of that name; the code below shows whether the function is
        // used.
        let imports = contents.imports.iter().map(|import| (&import.reference, import.is_reexport, Preference::Module));
        let paths = contents.paths.iter().map(|reference| (reference, false, Preference::Item));
        for (reference, is_reexport, preference) in imports.chain(paths) {
            for (graph, from, to) in edges_of(tree, source, reference, preference) {
                // Re-exporting names of its own submodules doesn't make a parent depend on them.
                if is_reexport && from == Node::Own {
                    continue;
                }
                let path = reference.segments.join("::");
                let site = Site { file: module.file.clone(), line: reference.line, path };
                edges.entry(graph).or_default().entry((from, to)).or_default().push(site);
            }
        }
    }
    let with_submodules = (0..tree.modules.len()).filter(|module| !tree.modules[*module].children.is_empty());
    with_submodules
        .map(|module| {
            let mut edges = edges.remove(&module).unwrap_or_default();
            for sites in edges.values_mut() {
                sites.sort();
                sites.dedup();
            }
            Graph { module, edges }
        })
        .collect()
}

/// The edges of one reference: to each module that it names, and to the one that defines what it refers to.
fn edges_of(
    tree: &Tree,
    source: ModuleId,
    reference: &Reference,
    preference: Preference,
) -> Vec<(ModuleId, Node, Node)> {
    let Some(resolution) = resolve(tree, source, &reference.segments, preference) else {
        return Vec::new();
    };
    let mut edges: Vec<_> = resolution.named.iter().filter_map(|named| edge(tree, source, *named, false)).collect();
    edges.extend(match resolution.target {
        Target::Module(module) => edge(tree, source, module, false),
        Target::ItemOf(module) => edge(tree, source, module, true),
    });
    edges.sort();
    edges.dedup();
    edges
}

/// The edge from one module to another, in the graph of the nearest module that contains both.
fn edge(tree: &Tree, source: ModuleId, target: ModuleId, is_item: bool) -> Option<(ModuleId, Node, Node)> {
    let (from, to) = (tree.lineage(source), tree.lineage(target));
    let shared = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let node = |lineage: &[ModuleId]| lineage.get(shared).map_or(Node::Own, |child| Node::Submodule(*child));
    let (from, to, common) = (node(&from), node(&to), from[shared - 1]);
    // A path through an enclosing module doesn't depend on it, unless it leads to one of that module's own items.
    let is_ancestor = to == Node::Own && !is_item;
    (from != to && !is_ancestor).then_some((common, from, to))
}
