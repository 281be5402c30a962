//! Installs what is missing: Debian packages with apt-get, Rust's WASM target with rustup. Asks before it installs
//! system packages if there is a terminal. Where it can't install something, the error says what to install.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use nix::unistd::Uid;

use crate::progress::stage;
use crate::{interrupt, process};

/// The target triple of the browser build.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// The oldest Node.js that Playwright supports. Debian 12 has 18, so there it must come from elsewhere.
const MIN_NODE_VERSION: u32 = 20;

static ASSUME_YES: AtomicBool = AtomicBool::new(false);

/// Installs without asking from now on (`--yes`).
pub(crate) fn assume_yes() {
    ASSUME_YES.store(true, Ordering::Relaxed);
}

/// Finds a program in `PATH`.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Finds a program, or installs the Debian package that contains it.
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

/// Installs Debian packages, after asking if there is a terminal.
pub(crate) fn debian(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    let as_root = Uid::effective().is_root();
    let by_hand = format!("{}apt-get install {list}", if as_root { "" } else { "sudo " });
    let missing = format!("{list} is missing; install it with: {by_hand}");
    if find_program("apt-get").is_none() {
        bail!("{missing} (this machine has no apt-get; use its own package manager)");
    }
    if !as_root && !may_sudo() {
        bail!("{missing} (needs root)");
    }
    let has_terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
    if must_ask(has_terminal, ASSUME_YES.load(Ordering::Relaxed)) {
        request_permission(&list, &by_hand, ask)?;
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
        // The package lists may be missing or outdated: then the first attempt fails.
        install(&arguments)
            .or_else(|_| install(&["update"]).and_then(|_| install(&arguments)))
            .map(drop)
            .map_err(|error| error.context(missing.clone()))
    })
}

/// Without a terminal there is no one to ask, and `--yes` already answers.
fn must_ask(has_terminal: bool, assume_yes: bool) -> bool {
    has_terminal && !assume_yes
}

/// Asks whether a package may be installed. Declining is an error that says how to install it by hand.
fn request_permission(list: &str, command: &str, ask: impl FnOnce(String) -> Result<bool>) -> Result<()> {
    let question = format!("{list} is missing. Run `{command}` now? (`--yes` skips this question) [Y/n] ");
    if !ask(question)? {
        bail!("{list} is needed and was not installed; install it with: {command}");
    }
    Ok(())
}

/// Asks on the terminal. The read blocks even after Ctrl-C, so it runs in a thread of its own.
fn ask(question: String) -> Result<bool> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(confirm(&question, &mut io::stdin().lock(), &mut io::stderr())));
    loop {
        match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(confirmed) => return Ok(confirmed?),
            Err(RecvTimeoutError::Timeout) => interrupt::check()?,
            Err(RecvTimeoutError::Disconnected) => return Ok(false),
        }
    }
}

/// Prints a question and reads a line. Enter means yes, the end of the input means no.
fn confirm(question: &str, input: &mut impl BufRead, output: &mut impl Write) -> io::Result<bool> {
    loop {
        write!(output, "{question}")?;
        output.flush()?;
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            writeln!(output)?;
            return Ok(false);
        }
        match line.trim().to_lowercase().as_str() {
            "" | "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => writeln!(output, "Please type y or n.")?,
        }
    }
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

/// Installs Rust's WASM target if it is missing.
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
        process::output(Command::new("rustup").args(["target", "add", WASM]))
            .map(drop)
            .map_err(|error| error.context(format!("run `rustup target add {WASM}` (see CONTRIBUTING.md)")))
    })
}

/// Installs Node.js and npm if they are missing, and checks the version.
pub(crate) fn node() -> Result<()> {
    if find_program("node").is_none() || find_program("npm").is_none() {
        debian(&["nodejs", "npm"])?;
    }
    let version = process::output(Command::new("node").arg("--version"))?;
    match major(&version) {
        Some(major) if major >= MIN_NODE_VERSION => Ok(()),
        _ => bail!("the browser tests need Node.js {MIN_NODE_VERSION} or newer; this machine has {}", version.trim()),
    }
}

/// Returns the first number of a version such as `v20.1.0`.
fn major(version: &str) -> Option<u32> {
    version.trim().trim_start_matches('v').split('.').next()?.parse().ok()
}

/// Returns the path of PgBouncer: `LETHE_TEST_PGBOUNCER` if set, otherwise Debian's, installed if missing.
pub(crate) fn pgbouncer() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("LETHE_TEST_PGBOUNCER") {
        return Ok(path.into());
    }
    // Where Debian has it, and not in every user's `PATH`.
    let path = PathBuf::from("/usr/sbin/pgbouncer");
    if let Some(other) = find_program("pgbouncer").filter(|_| !path.is_file()) {
        return Ok(other);
    }
    if !path.is_file() {
        debian(&["pgbouncer"])?;
    }
    Ok(path)
}

/// Returns the path of Chromium: `CHROMIUM_PATH` if set, otherwise Debian's, installed if missing.
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
    fn node_versions_are_parsed() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("nonsense"), None);
    }

    fn reply(input: &str) -> (bool, String) {
        let mut output = Vec::new();
        let confirmed = confirm("Install? [Y/n] ", &mut input.as_bytes(), &mut output).expect("memory can be read");
        (confirmed, String::from_utf8(output).expect("the question is UTF-8"))
    }

    #[test]
    fn question_is_only_asked_on_a_terminal_without_yes() {
        assert!(must_ask(true, false));
        assert!(!must_ask(true, true));
        assert!(!must_ask(false, false));
    }

    #[test]
    fn question_names_the_command_and_the_flag() {
        let mut asked = String::new();
        let reply = |question| {
            asked = question;
            Ok(true)
        };
        request_permission("postgresql", "sudo apt-get install postgresql", reply).expect("it was allowed");
        assert!(asked.contains("`sudo apt-get install postgresql`"), "{asked}");
        assert!(asked.contains("--yes"), "{asked}");
    }

    #[test]
    fn declining_is_an_error_with_the_command() {
        let error = request_permission("postgresql", "sudo apt-get install postgresql", |_| Ok(false));
        let error = error.expect_err("it was declined").to_string();
        assert_eq!(
            error,
            "postgresql is needed and was not installed; install it with: sudo apt-get install postgresql"
        );
    }

    #[test]
    fn enter_and_yes_confirm() {
        assert!(reply("\n").0);
        assert!(reply("y\n").0);
        assert!(reply("YES\n").0);
    }

    #[test]
    fn no_and_the_end_of_the_input_decline() {
        assert!(!reply("n\n").0);
        assert!(!reply("No\n").0);
        assert!(!reply("").0);
    }

    #[test]
    fn other_input_repeats_the_question() {
        let (confirmed, output) = reply("maybe\nn\n");
        assert!(!confirmed);
        assert_eq!(output.matches("[Y/n]").count(), 2);
    }
}
