//! `cargo xtask styles`: the files that tailwind-rs generates.

use std::process::Stdio;

use anyhow::{Result, bail};

use crate::process;
use crate::workspace::Workspace;

/// Runs the generator, which is a crate of its own because tailwind-rs takes a minute to compile.
pub(crate) fn run(workspace: &Workspace, check: bool) -> Result<()> {
    let mut command = workspace.cargo();
    command.args(["run", "--bin", "styles", "--"]);
    if check {
        command.arg("--check");
    }
    let status = process::spawn(process::with_death_signal(&command, "TERM", None).stdin(Stdio::null()))?.wait()?;
    if !status.success() {
        bail!("`cargo xtask styles` failed");
    }
    Ok(())
}
