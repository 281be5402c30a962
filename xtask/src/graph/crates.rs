//! The crates of the workspace, as `cargo metadata` lists them.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process;
use crate::workspace::Workspace;

/// One compilation target whose module graph is computed: a library or a binary, not a test, example or benchmark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Crate {
    pub(crate) package: String,
    /// The package's name; for a binary, its own and the package's.
    pub(crate) name: String,
    /// The crate root, such as `src/lib.rs`.
    pub(crate) root: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
    src_path: PathBuf,
}

/// Lists the libraries and binaries of all members of the workspace.
pub(crate) fn list(workspace: &Workspace) -> Result<Vec<Crate>> {
    let mut command = workspace.cargo();
    command.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    parse(&process::output(&mut command)?)
}

fn parse(metadata: &str) -> Result<Vec<Crate>> {
    let metadata: Metadata = serde_json::from_str(metadata).context("`cargo metadata` printed no JSON")?;
    let mut crates = Vec::new();
    for package in metadata.packages {
        for target in package.targets {
            let kind = |name: &str| target.kind.iter().any(|kind| kind == name);
            let is_binary = kind("bin");
            if is_binary || ["lib", "rlib", "cdylib", "proc-macro"].into_iter().any(kind) {
                let name = if is_binary {
                    format!("{} (binary of {})", target.name, package.name)
                } else {
                    package.name.clone()
                };
                crates.push(Crate { package: package.name.clone(), name, root: target.src_path });
            }
        }
    }
    crates.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(crates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_binaries_are_listed_and_tests_are_not() {
        let metadata = r#"{"packages":[{"name":"server","targets":[
            {"name":"server","kind":["lib"],"src_path":"/x/src/lib.rs"},
            {"name":"http","kind":["test"],"src_path":"/x/tests/http/main.rs"},
            {"name":"lethe","kind":["bin"],"src_path":"/x/src/main.rs"}]}]}"#;
        let crates = parse(metadata).expect("it is metadata");
        let names: Vec<&str> = crates.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, ["lethe (binary of server)", "server"]);
    }
}
