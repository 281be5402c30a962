//! Other programs: run to their end, or kept running on a leash.
//!
//! A leash means that the kernel ends the child when this program dies, however it dies. Setting it in the child needs
//! unsafe code, so `setpriv` of util-linux does it; it also changes the user where Postgres must not run as root.
//! The kernel ties the leash to the thread that started the child, so children are started on the main thread.

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

/// A user of this machine, to run a program as.
#[derive(Debug, Clone)]
pub(crate) struct RunAs {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

/// The same command on a leash: `signal` (such as `TERM`) reaches it when this program dies.
pub(crate) fn leashed(command: &Command, signal: &str, run_as: Option<&RunAs>) -> Command {
    let mut leashed = Command::new("setpriv");
    leashed.args(["--pdeathsig", signal]);
    if let Some(run_as) = run_as {
        leashed.arg(format!("--reuid={}", run_as.user));
        leashed.arg(format!("--regid={}", run_as.group));
        leashed.arg("--clear-groups");
    }
    leashed.arg("--").arg(command.get_program());
    leashed.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => leashed.env(name, value),
            None => leashed.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        leashed.current_dir(folder);
    }
    leashed
}

/// What a spawn failure of [`leashed`] means.
pub(crate) fn spawn(command: &mut Command) -> Result<Child> {
    command.spawn().map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            anyhow!("`setpriv` is missing; install util-linux")
        } else {
            anyhow!(error).context("can't start a program")
        }
    })
}

/// Runs a program to its end and answers what it wrote to standard output; an error holds what it wrote to the other.
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

/// A program that keeps running and writes its log into a file.
#[derive(Debug)]
pub(crate) struct Service {
    name: &'static str,
    child: Child,
    log: PathBuf,
    stop_with: Signal,
    ended: Option<ExitStatus>,
}

impl Service {
    /// Starts a command on a leash, in a process group of its own, so that Ctrl-C reaches this program alone and the
    /// services end in order.
    pub(crate) fn start(
        name: &'static str,
        command: &Command,
        log: &Path,
        stop_with: Signal,
        run_as: Option<&RunAs>,
    ) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("can't write {}", log.display()))?;
        let signal = stop_with.as_str().trim_start_matches("SIG").to_owned();
        let mut command = leashed(command, &signal, run_as);
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).process_group(0);
        let child = spawn(&mut command).with_context(|| format!("can't start {name}"))?;
        Ok(Self { name, child, log: log.to_path_buf(), stop_with, ended: None })
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// An error with the last lines of the log, if the program has ended by itself.
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

    /// The last lines of the log.
    pub(crate) fn tail(&self) -> String {
        last_lines(&std::fs::read_to_string(&self.log).unwrap_or_default(), 15)
    }

    /// Waits until `ready` answers yes, the program ends, or the time is over.
    pub(crate) fn wait_until(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<Duration> {
        let start = Instant::now();
        loop {
            if ready() {
                return Ok(start.elapsed());
            }
            self.check()?;
            if start.elapsed() > limit {
                bail!(
                    "{} did not become ready in {} s. The last lines of {}:\n{}",
                    self.name,
                    limit.as_secs(),
                    self.log.display(),
                    self.tail()
                );
            }
            interrupt::pause(2)?;
        }
    }

    /// Asks the program to end, waits, and ends it by force when it doesn't.
    pub(crate) fn stop(&mut self) {
        if self.ended.is_some() {
            return;
        }
        let id = process_id(self.child.id());
        let _ = kill(id, self.stop_with);
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(20) {
            if let Ok(Some(status)) = self.child.try_wait() {
                self.ended = Some(status);
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // Whatever the program has started and left behind.
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

/// A process id as the kernel takes it.
pub(crate) fn process_id(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).expect("process ids are small positive numbers"))
}

/// Whether a process of that id exists.
pub(crate) fn is_alive(id: u32) -> bool {
    Path::new(&format!("/proc/{id}")).exists()
}

/// The last `count` lines of a text.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// Reads a stream to its end, handing every line on as it comes.
pub(crate) fn each_line(stream: impl Read, mut take: impl FnMut(&str)) {
    let mut reader = io::BufReader::new(stream);
    let mut line = Vec::new();
    while let Ok(length) = io::BufRead::read_until(&mut reader, b'\n', &mut line) {
        if length == 0 {
            break;
        }
        take(String::from_utf8_lossy(&line).trim_end_matches('\n'));
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_lines_of_short_and_long_texts() {
        assert_eq!(last_lines("a\nb\n", 5), "a\nb");
        assert_eq!(last_lines("a\nb\nc\n\n", 2), "b\nc");
        assert_eq!(last_lines("", 2), "");
    }

    #[test]
    fn a_leash_keeps_arguments_and_environment() {
        let mut command = Command::new("echo");
        command.arg("hello").env("NAME", "value").current_dir("/");
        let leashed = leashed(&command, "TERM", Some(&RunAs { user: 5, group: 6 }));
        let arguments: Vec<_> = leashed.get_args().map(|argument| argument.to_string_lossy()).collect();
        assert_eq!(
            arguments,
            ["--pdeathsig", "TERM", "--reuid=5", "--regid=6", "--clear-groups", "--", "echo", "hello"]
        );
        assert_eq!(leashed.get_envs().count(), 1);
        assert_eq!(leashed.get_current_dir(), Some(Path::new("/")));
    }

    #[test]
    fn a_service_that_ends_early_shows_its_last_words() {
        let log = std::env::temp_dir().join(format!("xtask-service-{}.log", std::process::id()));
        let mut command = Command::new("sh");
        command.args(["-c", "echo this went wrong; exit 3"]);
        let mut service = Service::start("the test", &command, &log, Signal::SIGTERM, None).expect("sh can be started");
        let error = service.wait_until(Duration::from_secs(10), || false).expect_err("it ended");
        std::fs::remove_file(&log).expect("the log exists");
        assert!(error.to_string().contains("this went wrong"), "{error}");
    }
}
