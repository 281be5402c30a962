//! `cargo xtask mail`: the e-mail templates with their styles inline.

use std::process::Stdio;

use anyhow::{Result, bail};

use crate::process;
use crate::workspace::Workspace;

/// Runs the generator, a crate of its own, because its parser takes a minute to compile.
pub(crate) fn work(workspace: &Workspace, check: bool) -> Result<()> {
    let mut command = workspace.cargo();
    command.args(["run", "--package", "mail-templates", "--"]);
    if check {
        command.arg("--check");
    }
    let status = process::spawn(process::with_death_signal(&command, "TERM", None).stdin(Stdio::null()))?.wait()?;
    if !status.success() {
        bail!("the e-mail templates were not made");
    }
    Ok(())
}
