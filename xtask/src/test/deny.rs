//! `cargo deny`: licenses, sources, bans and, if the advisory database can be reached, advisories.

use std::process::{Command, Stdio};

use anyhow::Result;

use super::runner::is_good;
use super::summary::Count;
use crate::tools::CARGO_DENY;
use crate::workspace::Workspace;

const ADVISORIES: &str = "https://github.com/rustsec/advisory-db";

/// Checks the dependencies against `deny.toml`.
pub(crate) fn check(workspace: &Workspace) -> Result<Count> {
    let program = CARGO_DENY.get(workspace)?;
    let deny = |checks: &[&str]| {
        let mut command = workspace.command(&program);
        // Otherwise every crate with two versions prints a page of warnings.
        command.args(["--log-level", "error", "--workspace", "--all-features", "check"]).args(checks);
        is_good(&command)
    };
    let mut good = deny(&["bans", "licenses", "sources"])?;
    if can_reach_advisories() {
        good &= deny(&["advisories"])?;
    } else {
        println!("advisories are not checked: {ADVISORIES} can't be reached");
    }
    Ok(Count::of_check(good))
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
