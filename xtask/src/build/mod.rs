//! Builds everything that the demo runs: the frontend, the style sheet, the server and the demo's own services.

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

/// The executables of the server and the demo.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) lethe: PathBuf,
    pub(crate) demo: PathBuf,
}

impl Programs {
    /// The paths where cargo writes them.
    pub(crate) fn of(workspace: &Workspace, release: bool) -> Self {
        let folder = workspace.target.join(if release { "release" } else { "debug" });
        Self { lethe: folder.join("lethe"), demo: folder.join("lethe-demo") }
    }
}

/// A running build: two concurrent cargo processes. The frontend's link-time optimization uses a single core, and the
/// two processes hold different locks of the target folder.
pub(crate) struct Build<'a> {
    workspace: &'a Workspace,
    release: bool,
    start: Instant,
    frontend: Frontend<'a>,
    programs: CargoRun,
}

impl<'a> Build<'a> {
    /// Starts both cargo processes.
    pub(crate) fn start(workspace: &'a Workspace, release: bool) -> Result<Self> {
        let frontend = Frontend::start(workspace)?;
        let mut programs = workspace.cargo();
        programs.args(["build", "--bin", "lethe", "--bin", "lethe-demo"]);
        if release {
            // Only these packages: development tools enable more features of shared dependencies.
            programs.args(["--release", "-p", "lethe-server", "-p", "lethe-demo"]);
        }
        Ok(Self {
            workspace,
            release,
            start: Instant::now(),
            frontend,
            programs: CargoRun::start("Server and demo", &programs)?,
        })
    }

    /// Waits for both and writes the site root.
    pub(crate) fn finish(mut self) -> Result<Programs> {
        let frontend = &mut self.frontend.cargo;
        thread::scope(|scope| {
            let mut site = None;
            while frontend.is_running()? || self.programs.is_running()? {
                if site.is_none() && !frontend.is_running()? {
                    site = Some(scope.spawn(|| timed(|| write_site(self.workspace))));
                }
                cargo::show_progress(self.start, &[frontend, &self.programs]);
                crate::interrupt::pause(10)?;
            }
            cargo::clear_progress();
            progress::done("Frontend", frontend.time());
            progress::done("Server and demo", self.programs.time());
            let (site, time) = match site {
                Some(site) => site.join().expect("writing the site does not panic")?,
                None => timed(|| write_site(self.workspace))?,
            };
            progress::done(&format!("Site ({site})"), time);
            Ok(())
        })
        .map(|()| Programs::of(self.workspace, self.release))
    }
}

/// A running build of the frontend.
pub(crate) struct Frontend<'a> {
    workspace: &'a Workspace,
    start: Instant,
    cargo: CargoRun,
}

impl<'a> Frontend<'a> {
    /// Starts cargo.
    pub(crate) fn start(workspace: &'a Workspace) -> Result<Self> {
        install::wasm_target()?;
        let start = Instant::now();
        Ok(Self { workspace, start, cargo: CargoRun::start("Frontend", &browser_cargo(workspace, "build"))? })
    }

    /// Waits for cargo and writes the site root. Returns its compressed sizes as text.
    pub(crate) fn finish(mut self) -> Result<String> {
        while self.cargo.is_running()? {
            cargo::show_progress(self.start, &[&self.cargo]);
            crate::interrupt::pause(10)?;
        }
        cargo::clear_progress();
        progress::done("Frontend", self.cargo.time());
        write_site(self.workspace)
    }
}

/// Builds the frontend and the site root, not the server. Returns the compressed sizes as text.
pub(crate) fn site(workspace: &Workspace) -> Result<String> {
    Frontend::start(workspace)?.finish()
}

/// Returns a cargo command for the browser's packages. All of them use one profile, so that they share the procedural
/// macros, which are half of the work.
pub(crate) fn browser_cargo(workspace: &Workspace, command: &str) -> Command {
    let mut cargo = workspace.cargo();
    cargo.args([command, "-p", "lethe-frontend", "--target", WASM, "--profile", "browser"]);
    cargo
}

/// The path of cargo's WASM output.
pub(crate) fn wasm_file(workspace: &Workspace) -> PathBuf {
    workspace.target.join(WASM).join("browser/lethe_frontend.wasm")
}

fn write_site(workspace: &Workspace) -> Result<String> {
    let package = frontend::bind(workspace, &wasm_file(workspace)).context("wasm-bindgen failed")?;
    let sheet = style::sheet(&workspace.root).context("the style sheet can't be generated")?;
    assets::write_site(workspace, &package, &sheet)
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let start = Instant::now();
    Ok((work()?, start.elapsed()))
}
