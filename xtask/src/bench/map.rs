//! `bench map`: drafting and checking a data map, and the preview of one person, on generated schemas; compared with one plain
//! reading of the catalog.

use std::fmt::Write as _;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::report::{Machine, Report, rounded};
use crate::cluster::{Cluster, Durability};
use crate::data_folder::DataFolder;
use crate::workspace::Workspace;

const TABLES: [u32; 3] = [100, 1_000, 5_000];
/// What is wanted for this many tables, in milliseconds.
const WANTED_TABLES: u32 = 1_000;
const WANTED_MS: Wanted = Wanted { draft: 2_000.0, check: 1_000.0, preview: 300.0 };

/// The output of the example `map_cost`; times in milliseconds.
#[derive(Debug, Deserialize)]
struct Cost {
    build: String,
    tables: u32,
    catalog_ms: f64,
    draft_ms: f64,
    check_ms: f64,
    preview_ms: f64,
}

/// The report of `bench map`.
#[derive(Debug, Serialize)]
pub(super) struct Map {
    machine: Machine,
    build: String,
    wanted_tables: u32,
    wanted_ms: Wanted,
    schemas: Vec<Schema>,
}

/// Times in milliseconds.
#[derive(Debug, Serialize)]
struct Wanted {
    draft: f64,
    check: f64,
    preview: f64,
}

/// The measurements of one schema. Each ratio is to the reading of the catalog.
#[derive(Debug, Serialize)]
struct Schema {
    tables: u32,
    /// One plain reading of the catalog.
    catalog_ms: f64,
    draft_ms: f64,
    draft_ratio: f64,
    check_ms: f64,
    check_ratio: f64,
    preview_ms: f64,
    preview_ratio: f64,
}

pub(super) fn measure(workspace: &Workspace, machine: Machine) -> Result<Map> {
    let mut build = workspace.cargo();
    build.args(["build", "--release", "-p", "lethe", "--example", "map_cost"]);
    if !build.status().context("cargo could not be started")?.success() {
        bail!("the benchmark does not build");
    }
    let program = workspace.target.join("release/examples/map_cost");
    let data = DataFolder::temporary_on_disk("bench-map")?;
    let cluster = Cluster::start(&data, Durability::Safe)?;
    let mut costs = Vec::new();
    for tables in TABLES {
        let database = format!("tables_{tables}");
        cluster.create_databases(&[&database])?;
        let mut command = Command::new(&program);
        let output = command
            .args([cluster.url(&database), tables.to_string()])
            .output()
            .with_context(|| format!("{} could not be started", program.display()))?;
        if !output.status.success() {
            bail!("the benchmark failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        costs.push(serde_json::from_slice::<Cost>(&output.stdout).context("the benchmark printed no result")?);
    }
    let build = costs.first().map(|cost| cost.build.clone()).unwrap_or_default();
    let schemas = costs.iter().map(Schema::of).collect();
    Ok(Map { machine, build, wanted_tables: WANTED_TABLES, wanted_ms: WANTED_MS, schemas })
}

impl Schema {
    fn of(cost: &Cost) -> Self {
        let ratio = |time: f64| rounded(time / cost.catalog_ms);
        Self {
            tables: cost.tables,
            catalog_ms: rounded(cost.catalog_ms),
            draft_ms: rounded(cost.draft_ms),
            draft_ratio: ratio(cost.draft_ms),
            check_ms: rounded(cost.check_ms),
            check_ratio: ratio(cost.check_ms),
            preview_ms: rounded(cost.preview_ms),
            preview_ratio: ratio(cost.preview_ms),
        }
    }
}

impl Report for Map {
    fn text(&self) -> String {
        let mut text = format!("{} build, {} cores, shared with the database\n", self.build, self.machine.cores);
        for schema in &self.schemas {
            writeln!(
                text,
                "{:>5} tables: catalog (reference) {:>8.1} ms, draft {:>8.1} ms ({:.1} times), check {:>8.1} ms ({:.1} times), \
                 preview of one person {:>8.1} ms ({:.1} times)",
                schema.tables,
                schema.catalog_ms,
                schema.draft_ms,
                schema.draft_ratio,
                schema.check_ms,
                schema.check_ratio,
                schema.preview_ms,
                schema.preview_ratio
            )
            .expect("writing to a string does not fail");
        }
        let Wanted { draft, check, preview } = self.wanted_ms;
        write!(
            text,
            "wanted for {} tables: draft {draft:.0} ms, check {check:.0} ms, preview {preview:.0} ms",
            self.wanted_tables
        )
        .expect("writing to a string does not fail");
        text
    }
}
