//! Child processes: run to completion, or kept running as a service.
//!
//! No child may outlive this program, however it ends, so each gets a parent death signal (`PR_SET_PDEATHSIG`). Setting
//! that in the child needs unsafe code, so `setpriv` of util-linux does it; it also changes the user where Postgres
//! must not run as root. The kernel sends the signal when the thread that started the child ends, so children are
//! started on the main thread.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::interrupt;

/// The user and group to run a program as.
#[derive(Debug, Clone)]
pub(crate) struct RunAs {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

/// Returns the same command, set up so that the kernel sends it `signal` (such as `TERM`) when this program dies.
pub(crate) fn with_death_signal(command: &Command, signal: &str, run_as: Option<&RunAs>) -> Command {
    let mut wrapped = Command::new("setpriv");
    wrapped.args(["--pdeathsig", signal]);
    if let Some(run_as) = run_as {
        wrapped.arg(format!("--reuid={}", run_as.user));
        wrapped.arg(format!("--regid={}", run_as.group));
        wrapped.arg("--clear-groups");
    }
    wrapped.arg("--").arg(command.get_program());
    wrapped.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        wrapped.current_dir(folder);
    }
    wrapped
}

/// Spawns a command of [`with_death_signal`], and explains a failure.
pub(crate) fn spawn(command: &mut Command) -> Result<Child> {
    command.spawn().map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            anyhow!("`setpriv` is missing; install util-linux")
        } else {
            anyhow!(error).context("can't start a program")
        }
    })
}

/// Runs a program to completion. Returns its standard output; the error of a failed program contains both streams.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("can't run `{program}`"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    interrupt::check()?;
    bail!(
        "`{program}` failed ({}):\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A background process that logs to a file; dropping this value stops it.
#[derive(Debug)]
pub(crate) struct Service {
    name: &'static str,
    child: Child,
    log: PathBuf,
    stop_with: Signal,
    ended: Option<ExitStatus>,
}

impl Service {
    /// Starts a command in a process group of its own, so that Ctrl-C reaches only this program and services are
    /// stopped in order.
    pub(crate) fn start(
        name: &'static str,
        command: &Command,
        log: &Path,
        stop_with: Signal,
        run_as: Option<&RunAs>,
    ) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("can't write {}", log.display()))?;
        let signal = stop_with.as_str().trim_start_matches("SIG").to_owned();
        let mut command = with_death_signal(command, &signal, run_as);
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).process_group(0);
        let child = spawn(&mut command).with_context(|| format!("can't start {name}"))?;
        Ok(Self { name, child, log: log.to_path_buf(), stop_with, ended: None })
    }

    /// Returns the process ID.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns an error with the last lines of the log if the process has exited.
    pub(crate) fn check(&mut self) -> Result<()> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
        }
        let Some(status) = self.ended else {
            return Ok(());
        };
        let tail = self.tail();
        let hint = if tail.contains("No space left on device") { "\nThe disk is full." } else { "" };
        bail!("{} ended ({status}). The last lines of {}:\n{tail}{hint}", self.name, self.log.display());
    }

    /// Returns the last lines of the log.
    pub(crate) fn tail(&self) -> String {
        last_lines(&std::fs::read_to_string(&self.log).unwrap_or_default(), 15)
    }

    /// Waits until `ready` returns true. Returns an error if the process exits first or `limit` is exceeded.
    pub(crate) fn wait_until(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<Duration> {
        let start = Instant::now();
        loop {
            if ready() {
                return Ok(start.elapsed());
            }
            self.check()?;
            if start.elapsed() > limit {
                bail!(
                    "{} did not become ready within {} s. The last lines of {}:\n{}",
                    self.name,
                    limit.as_secs(),
                    self.log.display(),
                    self.tail()
                );
            }
            interrupt::pause(2)?;
        }
    }

    /// Kills the process and its children, as a power failure would.
    pub(crate) fn kill(&mut self) {
        if self.ended.is_none() {
            let _ = killpg(process_id(self.child.id()), Signal::SIGKILL);
            self.ended = self.child.wait().ok();
        }
    }

    /// Sends the stop signal and waits; kills the process if it doesn't exit within 20 seconds.
    pub(crate) fn stop(&mut self) {
        if self.ended.is_some() {
            return;
        }
        let id = process_id(self.child.id());
        let _ = kill(id, self.stop_with);
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(20) {
            if let Ok(Some(status)) = self.child.try_wait() {
                self.ended = Some(status);
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // Child processes that it left behind.
        let _ = killpg(id, Signal::SIGKILL);
        if self.ended.is_none() {
            self.ended = self.child.wait().ok();
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Converts a process ID to the type that `nix` uses.
pub(crate) fn process_id(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).expect("process IDs are small positive numbers"))
}

/// Whether a process with this ID exists.
pub(crate) fn is_alive(id: u32) -> bool {
    Path::new(&format!("/proc/{id}")).exists()
}

/// The last `count` lines of a text.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// Reads a stream to its end and passes each line on as it arrives.
pub(crate) fn each_line(stream: impl Read, mut handle: impl FnMut(&str)) {
    let mut reader = io::BufReader::new(stream);
    let mut line = Vec::new();
    while let Ok(length) = io::BufRead::read_until(&mut reader, b'\n', &mut line) {
        if length == 0 {
            break;
        }
        handle(String::from_utf8_lossy(&line).trim_end_matches('\n'));
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_lines_are_returned_without_trailing_blank_lines() {
        assert_eq!(last_lines("a\nb\n", 5), "a\nb");
        assert_eq!(last_lines("a\nb\nc\n\n", 2), "b\nc");
        assert_eq!(last_lines("", 2), "");
    }

    #[test]
    fn death_signal_changes_neither_arguments_nor_environment() {
        let mut command = Command::new("echo");
        command.arg("hello").env("NAME", "value").current_dir("/");
        let wrapped = with_death_signal(&command, "TERM", Some(&RunAs { user: 5, group: 6 }));
        let arguments: Vec<_> = wrapped.get_args().map(|argument| argument.to_string_lossy()).collect();
        assert_eq!(
            arguments,
            ["--pdeathsig", "TERM", "--reuid=5", "--regid=6", "--clear-groups", "--", "echo", "hello"]
        );
        assert_eq!(wrapped.get_envs().count(), 1);
        assert_eq!(wrapped.get_current_dir(), Some(Path::new("/")));
    }

    #[test]
    fn early_exit_of_a_service_is_an_error_with_its_log() {
        let log = std::env::temp_dir().join(format!("xtask-service-{}.log", std::process::id()));
        let mut command = Command::new("sh");
        command.args(["-c", "echo this went wrong; exit 3"]);
        let mut service = Service::start("the test", &command, &log, Signal::SIGTERM, None).expect("sh can be started");
        let error = service.wait_until(Duration::from_secs(10), || false).expect_err("it ended");
        std::fs::remove_file(&log).expect("the log exists");
        assert!(error.to_string().contains("this went wrong"), "{error}");
    }
}
