//! Cargo processes that run beside each other, with one line of progress for all of them.

use std::io::{IsTerminal, stderr};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use nix::sys::signal::{Signal, killpg};

use crate::process;

/// One cargo process; it ends with this value.
#[derive(Debug)]
pub(crate) struct CargoRun {
    name: &'static str,
    child: Child,
    start: Instant,
    time: Option<Duration>,
    seen: Arc<Mutex<Seen>>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Seen {
    compiled: usize,
    latest: String,
    text: String,
}

impl CargoRun {
    /// Starts a cargo command on a leash and reads what it says.
    pub(crate) fn start(name: &'static str, command: &Command) -> Result<Self> {
        let mut command = process::leashed(command, "TERM", None);
        if stderr().is_terminal() {
            command.args(["--color", "always"]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        let mut child = process::spawn(&mut command)?;
        let stream = child.stderr.take().expect("it was asked for");
        let seen = Arc::<Mutex<Seen>>::default();
        let reader = std::thread::spawn({
            let seen = Arc::clone(&seen);
            move || process::each_line(stream, |line| lock(&seen).take(line))
        });
        Ok(Self { name, child, start: Instant::now(), time: None, seen, reader: Some(reader) })
    }

    /// Whether it still runs; an error with everything it said if it failed.
    pub(crate) fn is_running(&mut self) -> Result<bool> {
        if self.time.is_some() {
            return Ok(false);
        }
        let Some(status) = self.child.try_wait()? else {
            return Ok(true);
        };
        self.time = Some(self.start.elapsed());
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        clear_progress();
        let seen = lock(&self.seen);
        if !status.success() {
            let hint = if seen.text.contains("No space left on device") { "\nThe disk is full." } else { "" };
            bail!("{}: cargo failed ({status}).\n{}{hint}", self.name, seen.text);
        }
        if seen.text.contains("warning") {
            eprint!("{}", seen.text);
        }
        Ok(false)
    }

    /// How long it took, or has run so far.
    pub(crate) fn time(&self) -> Duration {
        self.time.unwrap_or_else(|| self.start.elapsed())
    }
}

impl Drop for CargoRun {
    fn drop(&mut self) {
        if self.time.is_none() {
            let _ = killpg(process::process_id(self.child.id()), Signal::SIGTERM);
            let _ = self.child.wait();
        }
    }
}

impl Seen {
    /// Keeps what people want to read if cargo fails, and counts the rest.
    fn take(&mut self, line: &str) {
        let plain = line.trim_start();
        if let Some((_, package)) = plain.split_once("Compiling").filter(|_| plain.len() < 200) {
            self.compiled += 1;
            let package = package.trim_start_matches(|character: char| !character.is_alphabetic());
            package.split(' ').next().unwrap_or_default().clone_into(&mut self.latest);
        } else if !plain.contains("Finished") && !plain.contains("Blocking waiting") {
            self.text.push_str(line);
            self.text.push('\n');
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shows how far the processes are: always the same line on a terminal, a line every half minute elsewhere.
pub(crate) fn show_progress(start: Instant, runs: &[&CargoRun]) {
    static SHOWN: Mutex<Option<Instant>> = Mutex::new(None);
    let every = Duration::from_millis(if stderr().is_terminal() { 200 } else { 30_000 });
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let last = shown.unwrap_or(start).max(start);
    if last.elapsed() < every {
        return;
    }
    *shown = Some(Instant::now());
    let parts: Vec<String> = runs
        .iter()
        .filter(|run| run.time.is_none())
        .map(|run| {
            let seen = lock(&run.seen);
            format!("{}: {} crates, {}", run.name, seen.compiled, seen.latest)
        })
        .collect();
    let text = format!("  {:>4} s  {}", start.elapsed().as_secs(), parts.join("; "));
    if stderr().is_terminal() {
        eprint!("\r\x1b[2K{text}");
    } else {
        eprintln!("{text}");
    }
}

/// Removes the line of [`show_progress`] from a terminal.
pub(crate) fn clear_progress() {
    if stderr().is_terminal() {
        eprint!("\r\x1b[2K");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiled_crates_are_counted_and_errors_kept() {
        let mut seen = Seen::default();
        for line in [
            "   Compiling serde v1.0.0",
            "   Compiling tokio v1.54.0",
            "error[E0308]: mismatched types",
            "    Finished `dev` profile",
        ] {
            seen.take(line);
        }
        assert_eq!((seen.compiled, seen.latest.as_str()), (2, "tokio"));
        assert_eq!(seen.text, "error[E0308]: mismatched types\n");
    }
}
