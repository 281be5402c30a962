//! What each stage does, and what stages share: a cluster for tests, a demo for the browser.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::runner::{count_tests, is_good};
use super::stage::Stage;
use super::summary::Count;
use super::{browser, bundle, deny};
use crate::build::{Frontend, Programs};
use crate::cluster::{Cluster, Durability};
use crate::data_folder::DataFolder;
use crate::ports::Ports;
use crate::postgres::Server;
use crate::size::FirstLoad;
use crate::stack::{Sample, Stack};
use crate::tools::CARGO_SHEAR;
use crate::workspace::Workspace;
use crate::{chaos, generate, graph, install, links, prepare, styles, vocabulary};

/// How long the stage `chaos` lets things fail.
const CHAOS_SECONDS: u32 = 60;

/// What stages share, created by the first stage that needs it.
pub(crate) struct Context<'a> {
    workspace: &'a Workspace,
    needs_site: bool,
    frontend: Option<Frontend<'a>>,
    site_is_built: bool,
    stacks: Vec<Stack>,
    cluster: Option<(Cluster, DataFolder)>,
}

impl<'a> Context<'a> {
    /// `needs_site` says whether a stage of this run will need the frontend.
    pub(crate) fn new(workspace: &'a Workspace, needs_site: bool) -> Self {
        Self { workspace, needs_site, frontend: None, site_is_built: false, stacks: Vec::new(), cluster: None }
    }

    /// Runs one stage; an error is a failed check.
    pub(crate) fn run(&mut self, stage: Stage) -> Result<Count> {
        let workspace = self.workspace;
        match stage {
            Stage::Format => self.cargo(&["fmt", "--all", "--check"]),
            Stage::Vocabulary => vocabulary::check(workspace).map(|()| Count::passed()),
            Stage::Graph => check_graphs(workspace),
            Stage::Links => links::check(workspace).map(|()| Count::passed()),
            Stage::Dependencies => {
                let mut command = workspace.command(CARGO_SHEAR.get(workspace)?);
                // The warnings are about source files that no module declares.
                command.args(["--deny-warnings", "--locked"]);
                is_good(&command).map(Count::of_check)
            }
            Stage::Build => self.build(),
            Stage::Deny => deny::check(workspace),
            Stage::Docs => self.docs(),
            Stage::Queries => {
                prepare::check(workspace, self.cluster()?)?;
                Ok(Count::passed())
            }
            Stage::Styles => styles::run(workspace, true).map(|()| Count::passed()),
            Stage::Tests => self.tests(),
            Stage::Bundle => {
                self.site()?;
                bundle::check(workspace)
            }
            Stage::Size => {
                for stack in self.stacks(1)?.iter().take(1) {
                    let load = FirstLoad::measure(workspace, stack)?;
                    load.print();
                    load.check()?;
                }
                Ok(Count::passed())
            }
            Stage::Chaos => {
                self.programs()?;
                chaos::run(workspace, &Programs::of(workspace, false), CHAOS_SECONDS, None).map(|()| Count::passed())
            }
            Stage::Browser => browser::test(workspace, self.stacks(browser::workers()?)?),
        }
    }

    fn cargo(&self, arguments: &[&str]) -> Result<Count> {
        let mut command = self.workspace.cargo();
        command.args(arguments);
        is_good(&command).map(Count::of_check)
    }

    /// Compiles what later stages run. The frontend's last step takes one core for a minute, so it continues in the
    /// background.
    fn build(&mut self) -> Result<Count> {
        if self.needs_site && self.frontend.is_none() {
            self.frontend = Some(Frontend::start(self.workspace)?);
        }
        self.cargo(&["build", "--bins", "--lib", "--tests", "--examples", "--keep-going"])
    }

    fn docs(&self) -> Result<Count> {
        // Libraries only: the binary `lethe` would overwrite the pages of the library.
        let mut command = self.workspace.cargo();
        command.args(["doc", "--no-deps", "--lib"]).env("RUSTDOCFLAGS", "-D warnings");
        let has_warnings = !is_good(&command)?;
        generate::run(self.workspace, true)?;
        Ok(Count::of_check(!has_warnings))
    }

    fn tests(&mut self) -> Result<Count> {
        let url = self.cluster()?.url("postgres");
        count_tests(&cargo_test(self.workspace, &url)?)
    }

    /// Returns a cluster for temporary databases.
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
            let frontend = match self.frontend.take() {
                Some(frontend) => frontend,
                None => Frontend::start(self.workspace)?,
            };
            println!("{}", frontend.finish().context("the frontend does not build")?);
            self.site_is_built = true;
        }
        Ok(())
    }

    /// Builds the site, the server and the demo. The programs have the same dependencies as the tests.
    fn programs(&mut self) -> Result<()> {
        self.site()?;
        let mut command: Command = self.workspace.cargo();
        command.args(["build", "--bins", "--tests", "--examples"]);
        if is_good(&command)? { Ok(()) } else { bail!("the server and the demo do not build") }
    }

    /// Returns at least `count` running demos on free ports.
    fn stacks(&mut self, count: usize) -> Result<&[Stack]> {
        for stack in &mut self.stacks {
            stack.check()?;
        }
        if self.stacks.len() < count {
            self.programs()?;
        }
        while self.stacks.len() < count {
            let data = DataFolder::temporary(&format!("browser-{}", self.stacks.len()))?;
            let cluster = Cluster::start(&data, Durability::None)?;
            let programs = Programs::of(self.workspace, false);
            let sample = Sample { people: 24, rows_per_person: 12 };
            self.stacks.push(Stack::start(self.workspace, &programs, data, cluster, Ports::free()?, sample)?);
        }
        Ok(&self.stacks)
    }
}

/// The integration tests of the package `lethe`. They are selected by name: if the package were, its dependencies would have
/// other features than in the workspace, and be compiled anew.
const CORE_TESTS: [&str; 6] = ["clerk", "core", "data_map", "erasure", "export", "export_memory"];

/// Runs the core's integration tests with another server than Debian's.
pub(crate) fn test_core_on(workspace: &Workspace, server: &Server) -> Result<Count> {
    let package = server.package(workspace)?;
    let data = DataFolder::temporary("postgres")?;
    let cluster = Cluster::start_packaged(&data, Durability::None, &package)?;
    println!("{}", cluster.query("postgres", "SELECT version()")?);
    let mut command = cargo_test(workspace, &cluster.url("postgres"))?;
    command.args(CORE_TESTS.iter().flat_map(|name| ["--test", name]));
    count_tests(&command)
}

/// Returns `cargo test` with a cluster for its temporary databases.
pub(super) fn cargo_test(workspace: &Workspace, url: &str) -> Result<Command> {
    let mut command = workspace.cargo();
    command.args(["test", "--no-fail-fast"]).env("LETHE_TEST_DATABASE_URL", url);
    command.env("LETHE_TEST_PGBOUNCER", install::pgbouncer()?);
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        command.env("RUST_TEST_THREADS", test_threads()?.to_string());
    }
    Ok(command)
}

/// Tests mostly wait for Postgres, timers and other processes, so more of them run at a time than there are cores, but
/// not so many that they use up the cluster's connections: each takes about eight.
fn test_threads() -> Result<usize> {
    Ok((std::thread::available_parallelism()?.get() * 2).min(16))
}

fn check_graphs(workspace: &Workspace) -> Result<Count> {
    let crates = graph::analyze(workspace)?;
    let mut count = Count::default();
    for found in &crates {
        print!("{}", graph::cycles(found, &workspace.root));
        count.add(Count::of_check(found.cycle_count() == 0));
    }
    Ok(count)
}
