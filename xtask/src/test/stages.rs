//! What each stage does, and what stages share: a cluster for tests, a stack for the browser.

use std::process::Command;

use anyhow::{Result, bail};

use super::runner::{count_tests, is_good};
use super::summary::Count;
use super::{Stage, boundary, browser, deny};
use crate::build::{self, Programs, style};
use crate::cluster::{Cluster, Durability};
use crate::data_folder::DataFolder;
use crate::install::{self, WASM};
use crate::ports::Ports;
use crate::prepare;
use crate::size::FirstLoad;
use crate::stack::{Sample, Stack};
use crate::workspace::Workspace;

/// Packages that run on a server. They are tested together, so that their dependencies are compiled once for all.
const SERVER_SIDE: [&str; 14] = [
    "-p",
    "lethe",
    "-p",
    "app",
    "-p",
    "server",
    "-p",
    "clerk-session",
    "-p",
    "clerk-stand-in",
    "-p",
    "lethe-error-code",
    "-p",
    "demo",
];
const WITH_PAGES: [&str; 2] = ["--features", "app/ssr"];

/// What a stage may use, started by the first stage that does.
pub(crate) struct Context<'a> {
    workspace: &'a Workspace,
    stack: Option<Stack>,
    cluster: Option<(Cluster, DataFolder)>,
    site_is_built: bool,
}

impl<'a> Context<'a> {
    pub(crate) fn new(workspace: &'a Workspace) -> Self {
        Self { workspace, stack: None, cluster: None, site_is_built: false }
    }

    /// Runs one stage; an error is a failed check.
    pub(crate) fn run(&mut self, stage: Stage) -> Result<Count> {
        let workspace = self.workspace;
        match stage {
            Stage::Format => self.check(&["fmt", "--all", "--check"]),
            Stage::Style => every_class_has_a_rule(workspace),
            Stage::Clippy => {
                let mut command = workspace.cargo();
                command.arg("clippy").args(SERVER_SIDE).args(["-p", "xtask", "-p", "mail-templates"]);
                command.args(WITH_PAGES).args(["--all-targets", "--", "-D", "warnings"]);
                is_good(&command).map(Count::of_check)
            }
            Stage::ClippyBrowser => {
                install::wasm_target()?;
                let features = ["--features", "app/hydrate", "--target", WASM];
                let mut command = workspace.cargo();
                command.args(["clippy", "-p", "app", "-p", "frontend"]).args(features);
                command.args(["--", "-D", "warnings"]);
                is_good(&command).map(Count::of_check)
            }
            Stage::Deny => deny::check(workspace),
            Stage::Queries => {
                prepare::check(workspace, self.cluster()?)?;
                Ok(Count::passed())
            }
            Stage::Tests => self.tests(),
            Stage::Tooling => count_tests(self.cargo_test(&["-p", "xtask"]).arg("--no-fail-fast")),
            Stage::Mail => count_tests(&self.cargo_test(&["-p", "mail-templates"])),
            Stage::Boundary => {
                self.site()?;
                boundary::check(workspace)
            }
            Stage::Size => {
                let load = FirstLoad::measure(workspace, self.stack()?)?;
                load.print();
                load.check()?;
                Ok(Count::passed())
            }
            Stage::Browser => browser::test(workspace, self.stack()?),
        }
    }

    fn check(&self, arguments: &[&str]) -> Result<Count> {
        let mut command = self.workspace.cargo();
        command.args(arguments);
        is_good(&command).map(Count::of_check)
    }

    fn cargo_test(&self, arguments: &[&str]) -> Command {
        let mut command = self.workspace.cargo();
        command.arg("test").args(arguments);
        command
    }

    fn tests(&mut self) -> Result<Count> {
        let url = self.cluster()?.url("postgres");
        let mut command = self.cargo_test(&SERVER_SIDE);
        command.args(WITH_PAGES).arg("--no-fail-fast").env("LETHE_TEST_DATABASE_URL", url);
        count_tests(&command)
    }

    /// A cluster whose databases are thrown away.
    fn cluster(&mut self) -> Result<&Cluster> {
        if self.cluster.is_none() {
            let data = DataFolder::temporary("test")?;
            self.cluster = Some((Cluster::start(&data, Durability::None)?, data));
        }
        match &self.cluster {
            Some((cluster, _)) => Ok(cluster),
            None => bail!("there is no cluster"),
        }
    }

    fn site(&mut self) -> Result<()> {
        if !self.site_is_built {
            println!("{}", build::site(self.workspace)?);
            self.site_is_built = true;
        }
        Ok(())
    }

    /// A running stack on free ports. The programs are built with the tests' dependencies.
    fn stack(&mut self) -> Result<&Stack> {
        if let Some(stack) = &mut self.stack {
            stack.check()?;
        } else {
            self.site()?;
            let mut command = self.workspace.cargo();
            command.arg("build").args(SERVER_SIDE).args(WITH_PAGES).args(["--bins", "--tests", "--examples"]);
            if !is_good(&command)? {
                bail!("the server and the demo do not build");
            }
            let data = DataFolder::temporary("browser")?;
            let cluster = Cluster::start(&data, Durability::None)?;
            let programs = Programs::of(self.workspace, false);
            let sample = Sample { people: 24, rows_per_person: 12 };
            self.stack = Some(Stack::start(self.workspace, &programs, data, cluster, Ports::free()?, sample)?);
        }
        match &self.stack {
            Some(stack) => Ok(stack),
            None => bail!("there is no stack"),
        }
    }
}

fn every_class_has_a_rule(workspace: &Workspace) -> Result<Count> {
    let (count, missing) = style::without_rule(&workspace.root)?;
    if !missing.is_empty() {
        bail!(
            "these classes have neither a utility nor a rule in style/base.css, so they do nothing: {}",
            missing.join(", ")
        );
    }
    println!("{count} classes, each with a rule");
    Ok(Count::passed())
}
