//! `cargo xtask test`: all checks and tests. All stages run, even if one fails.

mod browser;
mod bundle;
mod context;
mod deny;
mod previous_release;
mod runner;
mod stage;
mod summary;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use self::context::Context;
use self::stage::Stage;
use self::summary::Summary;
use crate::postgres::Versions;
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
    /// Runs the core's tests on this major version of Postgres, or on `all` supported ones, instead of the stages.
    #[arg(long, value_name = "MAJOR", conflicts_with_all = ["only", "skip"])]
    postgres: Vec<Versions>,
    /// Builds the release of this Git revision, and tests that it serves on the schema of this checkout, instead of the
    /// stages.
    #[arg(long, value_name = "REVISION", conflicts_with_all = ["only", "skip", "postgres"])]
    previous_release: Option<String>,
}

impl Test {
    /// Runs the stages and prints the summary; its last line is `N passed, N failed`.
    pub(crate) fn run(self, workspace: &Workspace) -> Result<ExitCode> {
        let start = Instant::now();
        // For every kind of run, so that none compiles anew what another has compiled.
        let workspace = &workspace.with_lints();
        let mut summary = Summary::default();
        for server in self.postgres.iter().flat_map(|versions| versions.servers()) {
            summary.run(format!("postgres {}", server.major), || context::test_core_on(workspace, server))?;
        }
        if let Some(revision) = &self.previous_release {
            summary.run(format!("release {revision}"), || previous_release::test(workspace, revision))?;
        }
        if self.postgres.is_empty() && self.previous_release.is_none() {
            self.run_stages(workspace, &mut summary)?;
        }
        println!("{}", summary.text(start.elapsed()));
        Ok(if summary.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn run_stages(&self, workspace: &Workspace, summary: &mut Summary) -> Result<()> {
        let stages: Vec<Stage> = Stage::value_variants()
            .iter()
            .copied()
            .filter(|stage| self.only.is_empty() || self.only.contains(stage))
            .filter(|stage| !self.skip.contains(stage))
            .collect();
        if stages.is_empty() {
            bail!("no stage is left to run");
        }
        let mut context = Context::new(workspace, stages.iter().any(|stage| stage.needs_site()));
        for stage in stages {
            summary.run(stage.name(), || context.run(stage))?;
        }
        Ok(())
    }
}
