//! Builds everything that a stack runs: the browser's part, the style sheet, the server and the demo.

pub(crate) mod assets;
mod cargo;
mod compress;
mod frontend;
mod style;

use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use self::cargo::CargoRun;
use crate::install::{self, WASM};
use crate::progress;
use crate::workspace::Workspace;

/// The programs of a stack.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) lethe: PathBuf,
    pub(crate) demo: PathBuf,
}

impl Programs {
    /// Where cargo puts them.
    pub(crate) fn of(workspace: &Workspace, release: bool) -> Self {
        let folder = workspace.target.join(if release { "release" } else { "debug" });
        Self { lethe: folder.join("lethe"), demo: folder.join("demo") }
    }
}

/// A build under way: two cargo processes with locks of their own, so that the long last step of the browser's part,
/// which uses one core, doesn't leave the other one idle.
pub(crate) struct Build<'a> {
    workspace: &'a Workspace,
    release: bool,
    start: Instant,
    frontend: CargoRun,
    programs: CargoRun,
}

impl<'a> Build<'a> {
    /// Starts to build all of it.
    pub(crate) fn start(workspace: &'a Workspace, release: bool) -> Result<Self> {
        install::wasm_target()?;
        let mut programs = workspace.cargo();
        programs.args(["build", "-p", "server", "--bin", "lethe", "-p", "demo", "--bin", "demo"]);
        if release {
            programs.arg("--release");
        }
        Ok(Self {
            workspace,
            release,
            start: Instant::now(),
            frontend: CargoRun::start("Browser's part", &frontend_command(workspace))?,
            programs: CargoRun::start("Server and demo", &programs)?,
        })
    }

    /// Waits for both and lays out the site.
    pub(crate) fn finish(mut self) -> Result<Programs> {
        thread::scope(|scope| {
            let mut site = None;
            while self.frontend.is_running()? || self.programs.is_running()? {
                if site.is_none() && !self.frontend.is_running()? {
                    site = Some(scope.spawn(|| timed(|| lay_out_site(self.workspace))));
                }
                cargo::show_progress(self.start, &[&self.frontend, &self.programs]);
                crate::interrupt::pause(10)?;
            }
            cargo::clear_progress();
            progress::done("Browser's part", self.frontend.time());
            progress::done("Server and demo", self.programs.time());
            let (site, time) = match site {
                Some(site) => site.join().expect("laying out the site does not panic")?,
                None => timed(|| lay_out_site(self.workspace))?,
            };
            progress::done(&format!("Site ({site})"), time);
            Ok(())
        })
        .map(|()| Programs::of(self.workspace, self.release))
    }
}

/// Builds the browser's part and the site alone.
pub(crate) fn site(workspace: &Workspace) -> Result<String> {
    install::wasm_target()?;
    let start = Instant::now();
    let mut frontend = CargoRun::start("Browser's part", &frontend_command(workspace))?;
    while frontend.is_running()? {
        cargo::show_progress(start, &[&frontend]);
        crate::interrupt::pause(10)?;
    }
    cargo::clear_progress();
    progress::done("Browser's part", frontend.time());
    lay_out_site(workspace)
}

fn frontend_command(workspace: &Workspace) -> Command {
    let mut frontend = workspace.cargo();
    frontend.args(["build", "-p", "frontend", "--target", WASM, "--profile", "browser"]);
    frontend
}

/// The WASM as cargo leaves it.
pub(crate) fn wasm_file(workspace: &Workspace) -> PathBuf {
    workspace.target.join(WASM).join("browser/frontend.wasm")
}

fn lay_out_site(workspace: &Workspace) -> Result<String> {
    let package = frontend::bind(workspace, &wasm_file(workspace)).context("the browser's part can't be bound")?;
    let sheet = style::sheet(&workspace.root).context("the style sheet can't be made")?;
    assets::lay_out(workspace, &package, &sheet)
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let start = Instant::now();
    Ok((work()?, start.elapsed()))
}
