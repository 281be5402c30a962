//! `cargo xtask test`: every check and test. A stage that fails hides no later one that can still run.

mod boundary;
mod browser;
mod deny;
mod runner;
mod stages;
mod summary;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use self::stages::Context;
use self::summary::{Count, Summary};
use crate::interrupt;
use crate::workspace::Workspace;

/// What `cargo xtask test` is asked.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Runs these stages alone; may be given several times.
    #[arg(long, value_name = "STAGE")]
    only: Vec<Stage>,
    /// Leaves these stages out; may be given several times.
    #[arg(long, value_name = "STAGE")]
    skip: Vec<Stage>,
}

/// One part of the whole, in the order in which they run: what is quick and what most often fails comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// `cargo fmt`.
    Format,
    /// Clippy on everything that runs on a server or on a developer's machine.
    Clippy,
    /// Clippy on what runs in the browser.
    ClippyBrowser,
    /// Licenses, sources and advisories of the dependencies.
    Deny,
    /// `.sqlx` says what the migrated database says.
    Queries,
    /// Unit and integration tests.
    Tests,
    /// Tests of this tool.
    Tooling,
    /// Every class of the pages has a rule, and what tailwind-rs makes is up to date.
    Styles,
    /// The browser's part builds, and holds neither SQL nor server types.
    Boundary,
    /// The first visit stays within its budget.
    Size,
    /// Playwright in a real Chromium against a running stack.
    Browser,
}

impl Test {
    /// Runs the stages and prints the summary; its last line is `N passed, N failed`.
    pub(crate) fn work(self, workspace: &Workspace) -> Result<ExitCode> {
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
        let mut context = Context::new(workspace);
        let mut summary = Summary::default();
        for stage in stages {
            let name = stage.name();
            println!("\n=== {name}");
            let began = Instant::now();
            let count = context.run(stage).unwrap_or_else(|error| {
                println!("{error:#}");
                Count::failed()
            });
            interrupt::check()?;
            println!("=== {name}: {count}, {:.1} s", began.elapsed().as_secs_f64());
            summary.add(name, count, began.elapsed());
        }
        drop(context);
        println!("{}", summary.text(start.elapsed()));
        Ok(if summary.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Stage {
    fn name(self) -> String {
        self.to_possible_value().expect("no stage is hidden").get_name().to_owned()
    }
}
