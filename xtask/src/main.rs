//! `cargo xtask`: builds, runs, tests and measures Lethe. What a machine lacks for that, it installs.

mod bench;
mod build;
mod cluster;
mod data_folder;
mod environment;
mod http;
mod install;
mod interrupt;
mod ports;
mod prepare;
mod process;
mod progress;
mod reset;
mod run;
mod size;
mod stack;
mod styles;
mod test;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::interrupt::Interrupted;
use crate::workspace::Workspace;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Builds, runs, tests and measures Lethe.")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Builds everything and runs a demo: Postgres, a local Clerk, a mail inbox and the server.
    Run(run::Run),
    /// Ends a demo and deletes its data.
    Reset(reset::Reset),
    /// Builds the browser's part, the style sheet, the server and the demo.
    Build {
        /// Builds the server and the demo with optimisation.
        #[arg(long)]
        release: bool,
        /// Builds the browser's part and the style sheet alone.
        #[arg(long, conflicts_with = "release")]
        site: bool,
    },
    /// Writes the query data in `.sqlx`, against which queries are checked without a database.
    Prepare {
        /// Writes nothing; fails when `.sqlx` is not up to date.
        #[arg(long)]
        check: bool,
    },
    /// Writes what tailwind-rs makes: `style/utilities.css` and the e-mail templates in `src/mail/inlined`.
    Styles {
        /// Writes nothing; fails when a file is not up to date.
        #[arg(long)]
        check: bool,
    },
    /// Runs every check and test, the browser's included.
    Test(test::Test),
    /// Prints what the first visit of a page transfers.
    Size(size::Size),
    /// Measures a release build under load.
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match interrupt::listen().and_then(|()| work(arguments.command)) {
        Ok(code) => code,
        Err(error) if error.is::<Interrupted>() => {
            println!("Stopped.");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            if is_disk_full(&error) {
                eprintln!("The disk is full.");
            }
            ExitCode::FAILURE
        }
    }
}

fn work(task: Task) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    match task {
        Task::Run(run) => run.work(&workspace)?,
        Task::Reset(reset) => reset.work(&workspace)?,
        Task::Build { site: true, .. } => println!("{}", build::site(&workspace)?),
        Task::Build { release, .. } => {
            let programs = build::Build::start(&workspace, release)?.finish()?;
            println!("{}\n{}", programs.lethe.display(), workspace.site().display());
        }
        Task::Prepare { check } => prepare::work(&workspace, check)?,
        Task::Styles { check } => styles::work(&workspace, check)?,
        Task::Test(test) => return test.work(&workspace),
        Task::Size(size) => size.work(&workspace)?,
        Task::Bench(bench) => bench.work(&workspace)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn is_disk_full(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|cause| cause.kind() == std::io::ErrorKind::StorageFull)
    })
}
