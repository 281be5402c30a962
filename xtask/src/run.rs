//! `cargo xtask run`: the whole demo, until somebody ends it.

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

/// What `cargo xtask run` is asked.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The server's port; the next three are the Clerk stand-in's, the mail inbox's and the mail catcher's.
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Where the data is kept between runs [default: .lethe in the checkout]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Builds with optimisation.
    #[arg(long)]
    release: bool,
    /// How many people the sample application has at the first run.
    #[arg(long, default_value_t = 24)]
    people: u32,
    /// How many rows each of them has in each table.
    #[arg(long, default_value_t = 12)]
    rows_per_person: u32,
}

impl Run {
    /// Starts everything, says so, and waits.
    pub(crate) fn work(self, workspace: &Workspace) -> Result<()> {
        let start = Instant::now();
        let ports = Ports::from(self.port)?;
        ports.check()?;
        let data = DataFolder::open(&data_folder(workspace, self.data_dir))?;
        // Postgres wakes up while cargo works.
        let build = Build::start(workspace, self.release)?;
        let cluster = stage("Postgres", || Cluster::start(&data, Durability::Safe))?;
        let programs = build.finish()?;
        let sample = Sample { people: self.people, rows_per_person: self.rows_per_person };
        let mut stack = Stack::start(workspace, &programs, data, cluster, ports, sample)?;
        println!("{:<44} {:>7.1} s\n", "All of it", start.elapsed().as_secs_f64());
        println!("ready {}", stack.url());
        println!(
            "Open it, choose to sign in, and be Ada Lovelace; her mail arrives at http://127.0.0.1:{}. Ctrl-C ends all of it.",
            ports.inbox
        );
        loop {
            interrupt::pause(100)?;
            stack.check()?;
        }
    }
}

/// The data folder that was asked for, or the checkout's own.
pub(crate) fn data_folder(workspace: &Workspace, asked: Option<PathBuf>) -> PathBuf {
    asked.unwrap_or_else(|| workspace.root.join(".lethe"))
}
