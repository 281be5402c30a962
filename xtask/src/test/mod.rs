//! `cargo xtask test`: all checks and tests. All stages run, even if one fails.

mod browser;
mod bundle;
mod context;
mod deny;
mod runner;
mod stage;
mod summary;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use self::context::Context;
use self::stage::Stage;
use self::summary::{Count, Summary};
use crate::interrupt;
use crate::workspace::Workspace;

/// Arguments of `cargo xtask test`.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Runs only these stages; may be given several times.
    #[arg(long, value_name = "STAGE")]
    only: Vec<Stage>,
    /// Skips these stages; may be given several times.
    #[arg(long, value_name = "STAGE")]
    skip: Vec<Stage>,
}

impl Test {
    /// Runs the stages and prints the summary; its last line is `N passed, N failed`.
    pub(crate) fn run(self, workspace: &Workspace) -> Result<ExitCode> {
        let start = Instant::now();
        let stages: Vec<Stage> = Stage::value_variants()
            .iter()
            .copied()
            .filter(|stage| self.only.is_empty() || self.only.contains(stage))
            .filter(|stage| !self.skip.contains(stage))
            .collect();
        if stages.is_empty() {
            bail!("no stage is left to run");
        }
        let workspace = &workspace.with_lints();
        let mut context = Context::new(workspace, stages.iter().any(|stage| stage.needs_site()));
        let mut summary = Summary::default();
        for stage in stages {
            let name = stage.name();
            println!("\n=== {name}");
            let stage_start = Instant::now();
            let count = context.run(stage).unwrap_or_else(|error| {
                println!("{error:#}");
                Count::failed()
            });
            interrupt::check()?;
            println!("=== {name}: {count}, {:.1} s", stage_start.elapsed().as_secs_f64());
            summary.add(name, count, stage_start.elapsed());
        }
        drop(context);
        println!("{}", summary.text(start.elapsed()));
        Ok(if summary.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
