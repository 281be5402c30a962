//! Installs what is missing: Debian's packages by apt-get, Rust's WASM target by rustup.
//! Where it can't, it says in one line what to install.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use nix::unistd::Uid;

use crate::process;
use crate::progress::stage;

/// The target triple of the browser build.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// What Playwright needs. Debian 12 has 18: there it must come from elsewhere.
const LEAST_NODE: u32 = 20;

/// Finds a program in `PATH`.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Finds a program, or installs the Debian package that has it.
pub(crate) fn program(name: &str, package: &str) -> Result<PathBuf> {
    if let Some(path) = find_program(name) {
        return Ok(path);
    }
    debian(&[package])?;
    match find_program(name) {
        Some(path) => Ok(path),
        None => bail!("`{name}` is still missing after the package {package} was installed"),
    }
}

/// Installs Debian packages.
pub(crate) fn debian(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    let wanted = format!("{list} is missing; install it with: apt-get install {list}");
    if find_program("apt-get").is_none() {
        bail!("{wanted} (this machine has no apt-get: use its own package manager)");
    }
    let as_root = Uid::effective().is_root();
    if !as_root && !may_sudo() {
        bail!("{wanted} (needs root)");
    }
    stage(&format!("Install {list}"), || {
        let install = |arguments: &[&str]| {
            let mut command = if as_root {
                Command::new("apt-get")
            } else {
                let mut command = Command::new("sudo");
                command.args(["-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
                command
            };
            command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
            process::output(&mut command)
        };
        let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
        arguments.extend(packages);
        // The lists of packages may be absent or old: then the first try fails.
        install(&arguments)
            .or_else(|_| install(&["update"]).and_then(|_| install(&arguments)))
            .map(drop)
            .map_err(|error| error.context(wanted.clone()))
    })
}

fn may_sudo() -> bool {
    Command::new("sudo")
        .args(["-n", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Makes sure that Rust can compile for the browser.
pub(crate) fn wasm_target() -> Result<()> {
    let system = process::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let library = Path::new(system.trim()).join("lib/rustlib").join(WASM);
    if library.join("lib").is_dir() {
        return Ok(());
    }
    if find_program("rustup").is_none() {
        bail!("Rust's target {WASM} is missing, and so is rustup, which would install it");
    }
    stage(&format!("Install Rust's target {WASM}"), || {
        process::output(Command::new("rustup").args(["target", "add", WASM])).map(drop).map_err(|error| {
            error.context(format!("run `rustup target add {WASM}` (see the README's troubleshooting)"))
        })
    })
}

/// Node.js and npm, for the browser tests.
pub(crate) fn node() -> Result<()> {
    if find_program("node").is_none() || find_program("npm").is_none() {
        debian(&["nodejs", "npm"])?;
    }
    let version = process::output(Command::new("node").arg("--version"))?;
    match major(&version) {
        Some(major) if major >= LEAST_NODE => Ok(()),
        _ => bail!("the browser tests need Node.js {LEAST_NODE} or newer, here is {}", version.trim()),
    }
}

/// The first number of a version such as `v20.1.0`.
fn major(version: &str) -> Option<u32> {
    version.trim().trim_start_matches('v').split('.').next()?.parse().ok()
}

/// Debian's Chromium, or whatever `CHROMIUM_PATH` names.
pub(crate) fn chromium() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CHROMIUM_PATH") {
        return Ok(path.into());
    }
    program("chromium", "chromium")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("nonsense"), None);
    }
}
