//! `cargo xtask`: builds, runs, tests and measures Lethe. Installs what it needs and the machine lacks.

mod bench;
mod build;
mod chaos;
mod cluster;
mod data_folder;
mod environment;
mod files;
mod generate;
mod graph;
mod http;
mod install;
mod interrupt;
mod links;
mod ports;
mod postgres;
mod prepare;
mod process;
mod progress;
mod reset;
mod run;
mod size;
mod stack;
mod styles;
mod test;
mod tools;
mod vocabulary;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::interrupt::Interrupted;
use crate::workspace::Workspace;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Builds, runs, tests and measures Lethe.")]
struct Arguments {
    /// Installs missing system packages without asking.
    #[arg(long, short, global = true)]
    yes: bool,
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Builds everything and runs a demo: Postgres, a local Clerk, a mail inbox and the server.
    Run(run::Run),
    /// Stops a demo and deletes its data.
    Reset(reset::Reset),
    /// Builds the frontend, the style sheet, the server and the demo.
    Build {
        /// Builds the server and the demo with optimizations.
        #[arg(long)]
        release: bool,
        /// Builds the frontend and the style sheet only.
        #[arg(long, conflicts_with = "release")]
        site: bool,
    },
    /// Writes the query metadata in `.sqlx`, with which queries are checked at compile time without a database.
    Prepare {
        /// Writes nothing; fails if `.sqlx` is not up to date.
        #[arg(long)]
        check: bool,
    },
    /// Writes what tailwind-rs generates: `style/utilities.css` and the e-mail templates in
    /// `src/platform/mail/inlined`.
    Styles {
        /// Writes nothing; fails when a file is not up to date.
        #[arg(long)]
        check: bool,
    },
    /// Writes the generated parts of the documentation.
    Generate {
        /// Writes nothing; fails if a file is not up to date.
        #[arg(long)]
        check: bool,
    },
    /// Shows the cycles in the module graph of each crate.
    Graph(graph::Command),
    /// Runs all checks and tests, including those in a browser.
    Test(test::Test),
    /// Prints how many bytes a first visit transfers.
    Size(size::Size),
    /// Lets everything around Lethe fail while people use it, and checks every promise at the end.
    Chaos(chaos::Chaos),
    /// Measures a release build under load.
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.yes {
        install::assume_yes();
    }
    match interrupt::listen().and_then(|()| dispatch(arguments.command)) {
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

fn dispatch(task: Task) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    match task {
        Task::Run(run) => run.run(&workspace)?,
        Task::Reset(reset) => reset.run(&workspace)?,
        Task::Build { site: true, .. } => println!("{}", build::site(&workspace)?),
        Task::Build { release, .. } => {
            let programs = build::Build::start(&workspace, release)?.finish()?;
            println!("{}\n{}", programs.lethe.display(), workspace.site().display());
        }
        Task::Prepare { check } => prepare::run(&workspace, check)?,
        Task::Styles { check } => styles::run(&workspace, check)?,
        Task::Generate { check } => generate::run(&workspace, check)?,
        Task::Graph(graph) => return graph.run(&workspace),
        Task::Test(test) => return test.run(&workspace),
        Task::Size(size) => size.run(&workspace)?,
        Task::Chaos(chaos) => chaos.run(&workspace)?,
        Task::Bench(bench) => bench.run(&workspace)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn is_disk_full(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|cause| cause.kind() == std::io::ErrorKind::StorageFull)
    })
}
