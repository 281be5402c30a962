//! `cargo xtask run`: the complete demo, until Ctrl-C.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Args;

use crate::build::Build;
use crate::cluster::{Cluster, Durability};
use crate::data_folder::DataFolder;
use crate::interrupt;
use crate::ports::Ports;
use crate::progress::stage;
use crate::stack::{Sample, Stack};
use crate::workspace::Workspace;

/// Arguments of `cargo xtask run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The server's port; the next three are the Clerk stand-in's, the mail inbox's and the mail catcher's.
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// The data folder, which later runs reuse [default: .lethe in the checkout]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Builds with optimizations.
    #[arg(long)]
    release: bool,
    /// The number of users that the first run creates.
    #[arg(long, default_value_t = 24)]
    people: u32,
    /// The number of rows per user and table.
    #[arg(long, default_value_t = 12)]
    rows_per_person: u32,
}

impl Run {
    /// Starts everything, prints the address and waits.
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        let start = Instant::now();
        let ports = Ports::from(self.port)?;
        ports.check()?;
        let data = DataFolder::open(&data_folder(workspace, self.data_dir))?;
        // Postgres starts while cargo compiles.
        let build = Build::start(workspace, self.release)?;
        let cluster = stage("Postgres", || Cluster::start(&data, Durability::Safe))?;
        let programs = build.finish()?;
        let sample = Sample { people: self.people, rows_per_person: self.rows_per_person };
        let mut stack = Stack::start(workspace, &programs, data, cluster, ports, sample)?;
        println!("{:<44} {:>7.1} s\n", "Total", start.elapsed().as_secs_f64());
        println!("ready {}", stack.url());
        println!(
            "Open it and sign in as Ada Lovelace. Her mail arrives at http://127.0.0.1:{}. Press Ctrl-C to stop.",
            ports.inbox
        );
        loop {
            interrupt::pause(100)?;
            stack.check()?;
        }
    }
}

/// Returns the requested data folder, or the default one in the checkout.
pub(crate) fn data_folder(workspace: &Workspace, requested: Option<PathBuf>) -> PathBuf {
    requested.unwrap_or_else(|| workspace.root.join(".lethe"))
}
