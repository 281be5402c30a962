//! `cargo xtask prepare`: the query metadata in `.sqlx`.
//!
//! sqlx's query macros write this metadata while the library is compiled with a database. That is a separate
//! compilation, so that it invalidates no other build, and it is skipped if neither sources nor migrations have
//! changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cluster::{Cluster, Durability};
use crate::data_folder::DataFolder;
use crate::files::{files_below, short_hash};
use crate::process;
use crate::progress::stage;
use crate::workspace::Workspace;

const DATABASE: &str = "prepare";

/// Writes `.sqlx`, or checks it.
pub(crate) fn run(workspace: &Workspace, check: bool) -> Result<()> {
    let fresh = describe(workspace, || {
        let data = DataFolder::temporary("prepare")?;
        Ok((Cluster::start(&data, Durability::None)?, data))
    })?;
    if check {
        return compare(workspace, &fresh);
    }
    let folder = workspace.root.join(".sqlx");
    fs::create_dir_all(&folder)?;
    let present = query_files(&folder)?;
    for (name, content) in &fresh {
        if present.get(name) != Some(content) {
            fs::write(folder.join(name), content)?;
        }
    }
    for name in present.keys().filter(|name| !fresh.contains_key(*name)) {
        fs::remove_file(folder.join(name))?;
    }
    println!("{} queries in {}", fresh.len(), folder.display());
    Ok(())
}

/// Checks `.sqlx` with a running cluster.
pub(crate) fn check(workspace: &Workspace, cluster: &Cluster) -> Result<()> {
    let fresh = describe(workspace, || Ok((cluster, ())))?;
    compare(workspace, &fresh)
}

/// Query metadata by file name.
type Queries = BTreeMap<String, String>;

fn compare(workspace: &Workspace, fresh: &Queries) -> Result<()> {
    let present = query_files(&workspace.root.join(".sqlx"))?;
    let changed = fresh.iter().filter(|(name, content)| present.get(*name).is_some_and(|present| present != *content));
    let mut stale: Vec<String> = changed.map(|(name, _)| format!("{name} has changed")).collect();
    stale.extend(fresh.keys().filter(|name| !present.contains_key(*name)).map(|name| format!("{name} is missing")));
    stale.extend(present.keys().filter(|name| !fresh.contains_key(*name)).map(|name| format!("{name} is not used")));
    if !stale.is_empty() {
        bail!(".sqlx is not up to date; run `cargo xtask prepare`:\n{}", stale.join("\n"));
    }
    println!("{} queries, all up to date", fresh.len());
    Ok(())
}

/// Describes all queries with a migrated database, or returns the cached descriptions for the same sources.
fn describe<Guard, Running: AsRef<Cluster>>(
    workspace: &Workspace,
    start: impl FnOnce() -> Result<(Running, Guard)>,
) -> Result<Queries> {
    let state = state_of_sources(workspace)?;
    let folder = workspace.cache().join("queries").join(&state);
    let complete = folder.join("complete");
    if !complete.exists() {
        let (cluster, _guard) = start()?;
        let cluster = cluster.as_ref();
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        remove_others(&folder)?;
        stage("Migrations, for the query macros", || migrate(workspace, cluster))?;
        stage("Queries", || {
            let mut command = workspace.cargo();
            command
                .args(["rustc", "--package", "lethe", "--lib", "--profile", "check", "--"])
                .args(["--cfg", &format!("queries_of=\"{state}\"")])
                .env("SQLX_OFFLINE", "false")
                .env("SQLX_OFFLINE_DIR", &folder)
                .env("DATABASE_URL", cluster.url(DATABASE));
            process::output(&mut process::with_death_signal(&command, "TERM", None))
        })?;
        fs::write(complete, "")?;
    }
    query_files(&folder)
}

/// Removes the cached descriptions for other sources.
fn remove_others(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder.parent().context("it is in the cache folder")?)? {
        let path = entry?.path();
        if path != folder {
            fs::remove_dir_all(path)?;
        }
    }
    Ok(())
}

/// Runs Lethe's migrations in order.
fn migrate(workspace: &Workspace, cluster: &Cluster) -> Result<()> {
    cluster.query("postgres", &format!("DROP DATABASE IF EXISTS {DATABASE}"))?;
    cluster.create_databases(&[DATABASE])?;
    for file in migrations(workspace)? {
        let text = fs::read_to_string(&file)?;
        cluster.query(DATABASE, &text).with_context(|| format!("{} fails", file.display()))?;
    }
    Ok(())
}

fn migrations(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let mut files = files_below(&workspace.root.join("migrations"))?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    Ok(files)
}

fn state_of_sources(workspace: &Workspace) -> Result<String> {
    let mut files = files_below(&workspace.root.join("src"))?;
    files.extend(migrations(workspace)?);
    files.push(workspace.root.join("Cargo.toml"));
    files.push(workspace.root.join("Cargo.lock"));
    let mut all = Vec::new();
    for file in files {
        let name = file.strip_prefix(&workspace.root).unwrap_or(&file);
        all.extend_from_slice(name.as_os_str().as_encoded_bytes());
        all.push(0);
        all.extend(fs::read(&file)?);
        all.push(0);
    }
    Ok(short_hash(&all))
}

fn query_files(folder: &Path) -> Result<Queries> {
    let mut files = Queries::new();
    for path in files_below(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("query-") {
            files.insert(name, fs::read_to_string(&path)?);
        }
    }
    Ok(files)
}
