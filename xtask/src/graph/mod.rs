//! `cargo xtask graph`: the module graph of every crate, computed from the sources, and its cycles.
//!
//! Each module with submodules has a graph of its own. Its nodes are the submodules, each with everything below it, and
//! the module's own items, those written in `lib.rs` or `mod.rs` itself. Code in one node that names another node, or
//! an item that the other node defines, makes an edge in the graph of the nearest module that contains both. Re-exports
//! are followed: `crate::Purpose` is an edge to the module that defines `Purpose`, and `crate::consent::Purpose` one to
//! `consent` as well, since it is named. A parent that re-exports names of its submodules makes no edge by that alone;
//! a module that re-exports names from elsewhere does. Test-only code is left out, and all other conditions count as
//! true.
//!
//! A crate passes when none of its graphs has a cycle, from the crate root's down to the innermost module's.
//!
//! Not covered, since it would take the compiler: methods and fields accessed through a value, and macro expansions
//! beyond the paths in a macro's definition and arguments.

mod analysis;
mod cfg;
mod crates;
mod dependencies;
mod drawing;
mod modules;
mod references;
mod report;
mod resolve;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

pub(crate) use self::analysis::analyze;
pub(crate) use self::report::cycles;
use crate::workspace::Workspace;

/// Arguments of `cargo xtask graph`.
#[derive(Debug, Args)]
pub(crate) struct Command {
    /// Shows only these packages; may be given several times.
    #[arg(long = "package", short, value_name = "NAME")]
    packages: Vec<String>,
    /// Also lists the modules in dependency order, starting with those that depend on no other.
    #[arg(long)]
    order: bool,
}

impl Command {
    /// Prints the cycles of each crate. Fails when there is one.
    pub(crate) fn run(self, workspace: &Workspace) -> Result<ExitCode> {
        let mut crates = analyze(workspace)?;
        if !self.packages.is_empty() {
            crates.retain(|found| self.packages.contains(&found.package));
        }
        if crates.is_empty() {
            bail!("the workspace has no such package");
        }
        for found in &crates {
            print!("{}", report::cycles(found, &workspace.root));
            if self.order {
                print!("{}", report::order(found));
            }
        }
        let is_good = crates.iter().all(|found| found.cycle_count() == 0);
        Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Returns the Markdown of `docs/modules.md`.
pub(crate) fn drawings(workspace: &Workspace) -> Result<String> {
    Ok(drawing::markdown(&analyze(workspace)?))
}
