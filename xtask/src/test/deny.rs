//! `cargo deny`: licenses, sources, bans and, where the database can be reached, advisories.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::runner::is_good;
use super::summary::Count;
use crate::install;
use crate::process;
use crate::workspace::Workspace;

const ADVISORIES: &str = "https://github.com/rustsec/advisory-db";

/// Checks the dependencies against `deny.toml`.
pub(crate) fn check(workspace: &Workspace) -> Result<Count> {
    let program = program(workspace)?;
    let deny = |checks: &[&str]| {
        let mut command = workspace.command(&program);
        // Each crate that is there twice would fill a page with a warning.
        command.args(["--log-level", "error", "--workspace", "--all-features", "check"]).args(checks);
        is_good(&command)
    };
    let mut good = deny(&["bans", "licenses", "sources"])?;
    if can_reach_advisories() {
        good &= deny(&["advisories"])?;
    } else {
        println!("advisories are not checked: {ADVISORIES} can't be reached from here");
    }
    Ok(Count::of_check(good))
}

/// `cargo-deny` from `PATH`, or from the tools that this project keeps in the target folder.
fn program(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(path) = install::find_program("cargo-deny") {
        return Ok(path);
    }
    let tools = workspace.target.join("xtask-tools");
    let program = tools.join("bin/cargo-deny");
    if !program.is_file() {
        let build = tools.join("build");
        let mut command = workspace.cargo();
        command.args(["install", "cargo-deny", "--locked", "--root"]).arg(&tools);
        command.env("CARGO_TARGET_DIR", &build);
        println!("cargo-deny is compiled once, which takes some minutes");
        process::output(&mut process::leashed(&command, "TERM", None))?;
        fs::remove_dir_all(build)?;
    }
    Ok(program)
}

fn can_reach_advisories() -> bool {
    Command::new("timeout")
        .args(["20", "git", "ls-remote", "--exit-code", ADVISORIES, "HEAD"])
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
