//! Finds the checkout and the target folder, and prepares cargo commands. Knows paths and environment variables, not
//! what is built.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The checkout that this tool works on.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's target folder, `CARGO_TARGET_DIR` respected.
    pub(crate) target: PathBuf,
    /// Whether cargo commands use Clippy's driver; see [`Workspace::with_lints`].
    pub(crate) lints: bool,
}

impl Workspace {
    /// Finds the checkout from `cargo run`'s variables, and the target folder from the path of this program.
    pub(crate) fn find() -> Result<Self> {
        let manifest =
            env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().context("the xtask folder has no parent")?.to_path_buf();
        Ok(Self { root, target: target_folder()?, lints: false })
    }

    /// Returns the same workspace, but its cargo commands compile its own crates with Clippy's driver and fail on
    /// warnings.
    ///
    /// `cargo clippy` only checks, so it compiles every dependency a second time. The driver is a complete compiler: as
    /// the workspace's wrapper it reports its lints while the tests are built.
    pub(crate) fn with_lints(&self) -> Self {
        Self { lints: true, ..self.clone() }
    }

    /// Returns the folder of the server's site root.
    pub(crate) fn site(&self) -> PathBuf {
        self.target.join("site")
    }

    /// Returns the folder of this tool's own caches.
    pub(crate) fn cache(&self) -> PathBuf {
        self.target.join("xtask-cache")
    }

    /// Returns a cargo command in the checkout.
    pub(crate) fn cargo(&self) -> Command {
        self.command("cargo")
    }

    /// Returns a command in the checkout that may call cargo.
    ///
    /// The variables that `cargo run` set for this program are removed: some build scripts depend on them and would run
    /// again each time.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        for (name, _) in env::vars_os() {
            if is_set_by_cargo_run(&name) {
                command.env_remove(name);
            }
        }
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target).env("SQLX_OFFLINE", "true");
        if self.lints {
            // What `cargo clippy -- -D warnings` sets.
            command.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver").env("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings");
        }
        command
    }
}

fn target_folder() -> Result<PathBuf> {
    if let Some(folder) = env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty()) {
        return Ok(std::path::absolute(Path::new(&folder))?);
    }
    let program = env::current_exe()?;
    let mut folders = program.ancestors().skip(1).skip_while(|folder| folder.ends_with("deps"));
    folders.nth(1).map(Path::to_path_buf).context("this program is not in a target folder")
}

fn is_set_by_cargo_run(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_BIN_")
        || matches!(
            &*name,
            "CARGO"
                | "CARGO_MANIFEST_DIR"
                | "CARGO_MANIFEST_PATH"
                | "CARGO_PRIMARY_PACKAGE"
                | "CARGO_CRATE_NAME"
                | "OUT_DIR"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_variables_of_cargo_run_are_removed() {
        assert!(is_set_by_cargo_run(OsStr::new("CARGO_PKG_NAME")));
        assert!(is_set_by_cargo_run(OsStr::new("CARGO_MANIFEST_DIR")));
        assert!(!is_set_by_cargo_run(OsStr::new("CARGO_HOME")));
        assert!(!is_set_by_cargo_run(OsStr::new("CARGO_BUILD_JOBS")));
        assert!(!is_set_by_cargo_run(OsStr::new("CARGO_TARGET_DIR")));
    }
}
