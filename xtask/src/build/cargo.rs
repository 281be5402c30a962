//! Concurrent cargo processes with a shared progress line.

use std::io::{IsTerminal, stderr};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use nix::sys::signal::{Signal, killpg};

use crate::process;

/// A cargo process; dropping this value terminates it.
#[derive(Debug)]
pub(crate) struct CargoRun {
    name: &'static str,
    child: Child,
    start: Instant,
    time: Option<Duration>,
    output: Arc<Mutex<Output>>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Output {
    compiled: usize,
    latest: String,
    text: String,
}

impl CargoRun {
    /// Starts a cargo command that can't outlive this program, and reads its output.
    pub(crate) fn start(name: &'static str, command: &Command) -> Result<Self> {
        let mut command = process::with_death_signal(command, "TERM", None);
        if stderr().is_terminal() {
            command.args(["--color", "always"]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        let mut child = process::spawn(&mut command)?;
        let stream = child.stderr.take().expect("stderr is piped");
        let output = Arc::<Mutex<Output>>::default();
        let reader = std::thread::spawn({
            let output = Arc::clone(&output);
            move || process::each_line(stream, |line| lock(&output).add_line(line))
        });
        Ok(Self { name, child, start: Instant::now(), time: None, output, reader: Some(reader) })
    }

    /// Whether the process is still running. Returns an error with its output if it failed.
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
        let output = lock(&self.output);
        if !status.success() {
            let hint = if output.text.contains("No space left on device") { "\nThe disk is full." } else { "" };
            bail!("{}: cargo failed ({status}).\n{}{hint}", self.name, output.text);
        }
        if output.text.contains("warning") {
            eprint!("{}", output.text);
        }
        Ok(false)
    }

    /// The duration of the run, so far or in total.
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

impl Output {
    /// Stores a line to show if cargo fails, and counts the lines that only report progress.
    fn add_line(&mut self, line: &str) {
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

fn lock(output: &Mutex<Output>) -> std::sync::MutexGuard<'_, Output> {
    output.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prints the progress of the processes: one line that is updated in place on a terminal, otherwise a new line every 30
/// seconds.
pub(crate) fn show_progress(start: Instant, runs: &[&CargoRun]) {
    static LAST_PRINTED: Mutex<Option<Instant>> = Mutex::new(None);
    let every = Duration::from_millis(if stderr().is_terminal() { 200 } else { 30_000 });
    let mut last_printed = LAST_PRINTED.lock().unwrap_or_else(PoisonError::into_inner);
    let last = last_printed.unwrap_or(start).max(start);
    if last.elapsed() < every {
        return;
    }
    *last_printed = Some(Instant::now());
    let parts: Vec<String> = runs
        .iter()
        .filter(|run| run.time.is_none())
        .map(|run| {
            let output = lock(&run.output);
            format!("{}: {} crates, {}", run.name, output.compiled, output.latest)
        })
        .collect();
    let text = format!("  {:>4} s  {}", start.elapsed().as_secs(), parts.join("; "));
    if stderr().is_terminal() {
        eprint!("\r\x1b[2K{text}");
    } else {
        eprintln!("{text}");
    }
}

/// Clears the line of [`show_progress`] on a terminal.
pub(crate) fn clear_progress() {
    if stderr().is_terminal() {
        eprint!("\r\x1b[2K");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiled_crates_are_counted_and_errors_are_stored() {
        let mut output = Output::default();
        for line in [
            "   Compiling serde v1.0.0",
            "   Compiling tokio v1.54.0",
            "error[E0308]: mismatched types",
            "    Finished `dev` profile",
        ] {
            output.add_line(line);
        }
        assert_eq!((output.compiled, output.latest.as_str()), (2, "tokio"));
        assert_eq!(output.text, "error[E0308]: mismatched types\n");
    }
}
