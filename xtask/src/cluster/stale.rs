//! Cleans up what a Postgres server left behind when an earlier run was killed.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use nix::sys::signal::{Signal, kill};

use crate::{interrupt, process};

/// Stops a server that is still running on these files, and removes `postmaster.pid`. The process may be gone, or its
/// ID may now belong to another program, which Postgres itself doesn't check.
pub(super) fn clear(files: &Path) -> Result<()> {
    let file = files.join("postmaster.pid");
    let Ok(text) = fs::read_to_string(&file) else {
        return Ok(());
    };
    if let Some(id) = text.lines().next().and_then(|line| line.trim().parse::<u32>().ok())
        && is_server_of(id, files)
    {
        println!("Postgres is still running from an earlier run (process {id}); stopping it");
        let start = Instant::now();
        let _ = kill(process::process_id(id), Signal::SIGINT);
        while process::is_alive(id) {
            if start.elapsed() > Duration::from_secs(20) {
                let _ = kill(process::process_id(id), Signal::SIGQUIT);
            }
            if start.elapsed() > Duration::from_secs(30) {
                bail!("Postgres (process {id}) in {} does not exit", files.display());
            }
            interrupt::pause(20)?;
        }
    }
    match fs::remove_file(&file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// The working directory of a Postgres server is its data directory.
fn is_server_of(id: u32, files: &Path) -> bool {
    let working_directory = fs::read_link(format!("/proc/{id}/cwd"));
    let files = files.canonicalize();
    matches!((working_directory, files), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_id_of_another_program_is_ignored() {
        let files = std::env::temp_dir().join(format!("xtask-stale-{}", std::process::id()));
        fs::create_dir(&files).expect("it is new");
        let file = files.join("postmaster.pid");
        fs::write(&file, format!("{}\n{}\n", std::process::id(), files.display())).expect("it is writable");
        clear(&files).expect("this process is not stopped");
        assert!(!file.exists());
        fs::remove_dir(&files).expect("it is empty");
    }
}
