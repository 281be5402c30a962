//! The text that `cargo xtask graph` prints.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use petgraph::algo::condensation;
use petgraph::graph::DiGraph;

use super::analysis::Analysis;
use super::dependencies::{Graph, Node};

/// How many references of one edge are listed at most.
const LISTED: usize = 8;

/// Describes the cycles of a crate, or says that there is none.
pub(crate) fn cycles(found: &Analysis, root: &Path) -> String {
    let mut text = String::new();
    let count = found.cycle_count();
    let _ = match count {
        0 => writeln!(text, "{}: no cycle among {} modules", found.name, found.tree.modules.len()),
        1 => writeln!(text, "{}: 1 cycle", found.name),
        _ => writeln!(text, "{}: {count} cycles", found.name),
    };
    for graph in &found.graphs {
        for nodes in graph.cycles() {
            let names: Vec<String> = nodes.iter().map(|node| name(found, graph, *node)).collect();
            let _ = writeln!(text, "\n  in {}: {}", title(found, graph), names.join(", "));
            for (from, to, sites) in graph.edges_within(&nodes) {
                let _ = writeln!(
                    text,
                    "    {} -> {} ({})",
                    name(found, graph, from),
                    name(found, graph, to),
                    match sites.len() {
                        1 => "1 reference".to_owned(),
                        count => format!("{count} references"),
                    }
                );
                for site in sites.iter().take(LISTED) {
                    let file = site.file.strip_prefix(root).unwrap_or(&site.file);
                    let _ = writeln!(text, "      {}:{} {}", file.display(), site.line, site.path);
                }
                if sites.len() > LISTED {
                    let _ = writeln!(text, "      and {} more", sites.len() - LISTED);
                }
            }
        }
    }
    if count > 0 {
        text.push('\n');
    }
    text
}

/// Lists the nodes of each graph in layers, starting with those that depend on no other. Nodes of a cycle share a line.
pub(crate) fn order(found: &Analysis) -> String {
    let mut text = String::new();
    for graph in &found.graphs {
        let _ = writeln!(text, "  {}", title(found, graph));
        for (number, layer) in layers(found, graph).iter().enumerate() {
            let _ = writeln!(text, "    {}. {}", number + 1, layer.join(", "));
        }
    }
    text
}

fn layers(found: &Analysis, graph: &Graph) -> Vec<Vec<String>> {
    let children = found.tree.modules[graph.module].children.values().map(|child| Node::Submodule(*child));
    let mut nodes: BTreeSet<Node> = children.collect();
    nodes.extend(graph.edges.keys().flat_map(|(from, to)| [*from, *to]));
    let mut whole = DiGraph::new();
    let indices: std::collections::BTreeMap<Node, _> =
        nodes.into_iter().map(|node| (node, whole.add_node(node))).collect();
    for (from, to) in graph.edges.keys() {
        whole.add_edge(indices[from], indices[to], ());
    }
    // In reverse topological order, what a component depends on comes before it.
    let components = condensation(whole, true);
    let mut depth = vec![0; components.node_count()];
    let order = petgraph::algo::toposort(&components, None).unwrap_or_default();
    for component in order.into_iter().rev() {
        let below = components.neighbors(component).map(|needed| depth[needed.index()] + 1).max();
        depth[component.index()] = below.unwrap_or(0);
    }
    let mut layers = vec![Vec::new(); depth.iter().max().map_or(0, |deepest| deepest + 1)];
    for component in components.node_indices() {
        let names: Vec<String> = components[component].iter().map(|node| name(found, graph, *node)).collect();
        layers[depth[component.index()]].push(names.join(" + "));
    }
    for layer in &mut layers {
        layer.sort();
    }
    layers
}

fn title(found: &Analysis, graph: &Graph) -> String {
    let path = found.tree.path(graph.module);
    if path.is_empty() { "the crate root".to_owned() } else { path }
}

fn name(found: &Analysis, graph: &Graph, node: Node) -> String {
    match node {
        Node::Submodule(module) => found.tree.modules[module].name.clone(),
        Node::Own => {
            let file = &found.tree.modules[graph.module].file;
            format!("({} itself)", file.file_name().unwrap_or_default().to_string_lossy())
        }
    }
}
