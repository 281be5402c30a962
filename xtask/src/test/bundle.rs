//! Checks that what the browser downloads contains neither SQL nor server types.

use std::fs;

use anyhow::{Context, Result};

use super::summary::Count;
use crate::build;
use crate::install::WASM;
use crate::process;
use crate::workspace::Workspace;

/// Packages that only a server may depend on.
const SERVER_ONLY: [&str; 15] = [
    "lethe",
    "lethe-server",
    "lethe-demo",
    "clerk-stand-in",
    "sqlx",
    "sqlx-core",
    "sqlx-postgres",
    "axum",
    "leptos_axum",
    "tokio",
    "hyper",
    "reqwest",
    "lettre",
    "graphile_worker",
    "ring",
];

/// Text that would come from SQL, a server's library or a server's settings.
const TRACES: [&str; 12] = [
    "SELECT ",
    "INSERT INTO",
    "UPDATE lethe",
    "DELETE FROM",
    "postgres://",
    "sqlx",
    "tokio_postgres",
    "tokio-postgres",
    "axum",
    "graphile_worker",
    "CLERK_SECRET_KEY",
    "LETHE_SECRET",
];

/// Checks the dependencies, and the bytes of the WASM.
pub(crate) fn check(workspace: &Workspace) -> Result<Count> {
    let mut command = workspace.cargo();
    command.args(["tree", "--package", "lethe-frontend", "--target", WASM, "--edges", "normal"]);
    command.args(["--prefix", "none", "--format", "{p}"]);
    let tree = process::output(&mut command)?;
    let packages = server_packages(&tree);
    report("server packages among the frontend's dependencies", &packages);

    let file = build::wasm_file(workspace);
    let bytes = fs::read(&file).with_context(|| format!("can't read {}", file.display()))?;
    let traces = traces(&bytes);
    report("traces of the server in the WASM", &traces);

    let good = [packages.is_empty(), traces.is_empty()];
    let passed = good.iter().filter(|good| **good).count();
    Ok(Count { passed: u64::try_from(passed)?, failed: u64::try_from(good.len() - passed)? })
}

fn report(what: &str, found: &[&str]) {
    if found.is_empty() {
        println!("no {what}");
    } else {
        println!("{what}: {}", found.join(", "));
    }
}

fn server_packages(tree: &str) -> Vec<&'static str> {
    SERVER_ONLY.into_iter().filter(|name| tree.lines().any(|line| line.split(' ').next() == Some(name))).collect()
}

fn traces(bytes: &[u8]) -> Vec<&'static str> {
    TRACES.into_iter().filter(|trace| bytes.windows(trace.len()).any(|window| window == trace.as_bytes())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_compared_by_their_whole_name() {
        assert_eq!(server_packages("lethe-frontend v0.1.0\nleptos v0.8.23\nhttp v1.0.0\n"), Vec::<&str>::new());
        assert_eq!(server_packages("lethe-frontend v0.1.0 (/x)\nlethe v0.1.0 (/x)\naxum-core v1\n"), ["lethe"]);
    }

    #[test]
    fn traces_are_found_among_other_bytes() {
        assert_eq!(traces(b"\0asm\x01Select one\0"), Vec::<&str>::new());
        assert_eq!(traces(b"\0asm\x01SELECT 1\0registry/sqlx-core/src"), ["SELECT ", "sqlx"]);
    }
}
