//! The graphs of all crates of the workspace.

use anyhow::{Context, Result};

use super::crates;
use super::dependencies::{self, Graph};
use super::modules::Tree;
use crate::workspace::Workspace;

/// A crate with the graphs of its modules.
#[derive(Debug)]
pub(crate) struct Analysis {
    pub(crate) package: String,
    pub(crate) name: String,
    pub(crate) tree: Tree,
    pub(crate) graphs: Vec<Graph>,
}

impl Analysis {
    /// The number of cycles in all graphs.
    pub(crate) fn cycle_count(&self) -> usize {
        self.graphs.iter().map(|graph| graph.cycles().len()).sum()
    }
}

/// Computes the graphs of all libraries and binaries of the workspace.
pub(crate) fn analyze(workspace: &Workspace) -> Result<Vec<Analysis>> {
    let analyze = |found: crates::Crate| {
        let tree = Tree::read(&found.root).with_context(|| format!("{} can't be analyzed", found.name))?;
        let graphs = dependencies::graphs(&tree);
        Ok(Analysis { package: found.package, name: found.name, tree, graphs })
    };
    crates::list(workspace)?.into_iter().map(analyze).collect()
}
