//! `cargo xtask generate`: generates the parts of the documentation that follow from the sources.
//!
//! To add one, add a line to [`GENERATED`] with the file and the function that returns its content.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::graph;
use crate::process;
use crate::workspace::Workspace;

/// A generated file.
struct Generated {
    /// The path in the checkout.
    file: &'static str,
    /// Returns the content of the file.
    content: fn(&Workspace) -> Result<String>,
}

const GENERATED: &[Generated] = &[
    Generated { file: "docs/modules.md", content: graph::drawings },
    Generated { file: "docs/configuration.md", content: |workspace| configuration(workspace, "docs") },
    Generated { file: "lethe.example.toml", content: |workspace| configuration(workspace, "example") },
];

/// Returns the output of `lethe config`, since the settings are declared in the server.
fn configuration(workspace: &Workspace, what: &str) -> Result<String> {
    let mut command = workspace.cargo();
    command.args(["run", "--quiet", "--bin", "lethe", "--", "config", what]);
    process::output(&mut command)
}

/// Writes the files, or checks that they are up to date.
pub(crate) fn run(workspace: &Workspace, check: bool) -> Result<()> {
    let mut outdated = Vec::new();
    for Generated { file, content } in GENERATED {
        let path = workspace.root.join(file);
        let content = content(workspace).with_context(|| format!("{file} can't be generated"))?;
        if fs::read_to_string(&path).is_ok_and(|present| present == content) {
            continue;
        }
        if check {
            outdated.push(*file);
        } else {
            fs::write(&path, content).with_context(|| format!("can't write {file}"))?;
            println!("wrote {file}");
        }
    }
    if !outdated.is_empty() {
        bail!("not up to date; run `cargo xtask generate`: {}", outdated.join(", "));
    }
    println!("{} generated files are up to date", GENERATED.len());
    Ok(())
}
