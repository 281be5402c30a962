//! Runs the programs of stages; their output appears as it is written.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use anyhow::Result;
use nix::sys::signal::{Signal, killpg};

use super::summary::Count;
use crate::{interrupt, process};

/// Runs a program and returns whether it succeeded.
pub(crate) fn is_good(command: &Command) -> Result<bool> {
    let child =
        process::spawn(process::with_death_signal(command, "TERM", None).stdin(Stdio::null()).process_group(0))?;
    wait(Group(child))
}

/// Runs `cargo test` and counts its tests.
pub(crate) fn count_tests(command: &Command) -> Result<Count> {
    let mut command = process::with_death_signal(command, "TERM", None);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
    let mut group = Group(process::spawn(&mut command)?);
    let output = group.0.stdout.take().expect("stdout is piped");
    let reader = std::thread::spawn(move || {
        let mut count = Count::default();
        process::each_line(output, |line| {
            println!("{line}");
            count.add_line(line);
        });
        count
    });
    let good = wait(group)?;
    let count = reader.join().expect("reading lines does not panic");
    Ok(count.with_status(good))
}

/// A child process and its descendants; dropping this value terminates them.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = killpg(process::process_id(self.0.id()), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

fn wait(mut group: Group) -> Result<bool> {
    loop {
        if let Some(status) = group.0.try_wait()? {
            return Ok(status.success());
        }
        interrupt::pause(20)?;
    }
}
