//! Rolling upgrades: the binary of an earlier revision serves on the schema of this checkout.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::context::cargo_test;
use super::runner::{count_tests, is_good};
use super::summary::Count;
use crate::cluster::{Cluster, Durability};
use crate::data_folder::DataFolder;
use crate::process;
use crate::workspace::Workspace;

/// Builds the binary `lethe` of a revision, and runs the tests of upgrades with it.
pub(crate) fn test(workspace: &Workspace, revision: &str) -> Result<Count> {
    let mut resolve = workspace.command("git");
    resolve.args(["rev-parse", "--verify", "--short=12", &format!("{revision}^{{commit}}")]);
    let commit = process::output(&mut resolve).context("there is no such revision")?.trim().to_owned();
    let folder = workspace.target.join("previous-release");
    let source = folder.join(&commit);
    if !source.is_dir() {
        extract(workspace, &commit, &source)?;
    }
    println!("building {commit}");
    let target = folder.join("target");
    let mut build = workspace.cargo();
    build.args(["build", "--locked", "--package", "lethe-server", "--bin", "lethe"]);
    build.current_dir(&source).env("CARGO_TARGET_DIR", &target);
    // Today's lints don't concern it.
    build.env_remove("RUSTC_WORKSPACE_WRAPPER").env_remove("CLIPPY_ARGS");
    if !is_good(&build)? {
        bail!("the revision {revision} doesn't build");
    }
    let data = DataFolder::temporary("upgrade")?;
    let cluster = Cluster::start(&data, Durability::None)?;
    let mut tests = cargo_test(workspace, &cluster.url("postgres"))?;
    tests.args(["--test", "http", "upgrade::"]);
    tests.env("LETHE_PREVIOUS_RELEASE", target.join("debug/lethe"));
    tests.env("LETHE_PREVIOUS_DATA_MAP", source.join("demo/data-map.toml"));
    count_tests(&tests)
}

/// Writes the files of a commit into a folder, without a trace in the repository.
fn extract(workspace: &Workspace, commit: &str, folder: &std::path::Path) -> Result<()> {
    let unfinished = folder.with_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    fs::create_dir_all(&unfinished)?;
    let mut archive = workspace.command("git");
    archive.args(["archive", "--format=tar", commit]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut archive = process::spawn(&mut archive)?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--directory"]).arg(&unfinished);
    tar.stdin(archive.stdout.take().context("the output is piped")?);
    let extracted = tar.status().context("can't run `tar`")?;
    if !archive.wait()?.success() || !extracted.success() {
        bail!("the files of {commit} can't be read from the repository");
    }
    fs::rename(&unfinished, folder)?;
    Ok(())
}
