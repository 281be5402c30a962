//! Playwright in Debian's Chromium.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::runner::is_good;
use super::summary::Count;
use crate::files::short_hash;
use crate::install;
use crate::stack::Stack;
use crate::workspace::Workspace;

/// How many demos the tests use at a time, each with a browser of its own. A browser and its demo rarely keep more than
/// one core busy.
pub(crate) fn workers() -> Result<usize> {
    Ok(std::thread::available_parallelism()?.get().min(4))
}

/// Runs the tests in `end2end` against running demos, side by side.
pub(crate) fn test(workspace: &Workspace, stacks: &[Stack]) -> Result<Count> {
    let Some(first) = stacks.first() else { bail!("there is no demo") };
    let run_environments: Vec<PathBuf> = stacks.iter().map(|stack| stack.folder().join("run.env")).collect();
    let folder = workspace.root.join("end2end");
    install::node()?;
    let chromium = install::chromium()?;
    install_packages(workspace, &folder)?;
    let report = first.folder().join("playwright.json");
    let mut command = Command::new(folder.join("node_modules/.bin/playwright"));
    command
        .args(["test", "--reporter=list,json"])
        .current_dir(&folder)
        .env("LETHE_RUN_ENV", std::env::join_paths(run_environments)?)
        .env("CHROMIUM_PATH", chromium)
        .env("LETHE_PROGRAM", workspace.target.join("debug/lethe"))
        .env("LETHE_SESSION_EXAMPLE", workspace.target.join("debug/examples/session"))
        .env("PLAYWRIGHT_JSON_OUTPUT_NAME", &report)
        .env("PLAYWRIGHT_JSON_OUTPUT_FILE", &report);
    let good = is_good(&command)?;
    let report = fs::read_to_string(&report).context("Playwright wrote no report")?;
    Ok(Count::of_playwright(&report)?.with_status(good))
}

/// Runs `npm ci` if the lock file has changed since the last run.
fn install_packages(workspace: &Workspace, folder: &Path) -> Result<()> {
    let lock = folder.join("package-lock.json");
    let wanted = short_hash(&fs::read(&lock).with_context(|| format!("can't read {}", lock.display()))?);
    let installed = folder.join("node_modules/.installed");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let mut command = Command::new("npm");
    command
        .args(["ci", "--no-audit", "--no-fund"])
        .current_dir(folder)
        .env("npm_config_cache", workspace.cache().join("npm"))
        .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
    if !is_good(&command)? {
        bail!("`npm ci` failed in {}", folder.display());
    }
    fs::write(installed, wanted)?;
    Ok(())
}
