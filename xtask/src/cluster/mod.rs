//! A private Postgres cluster: made when missing, started on a free port of the loopback interface, ended with this
//! program. Knows nothing of what is stored in it.

mod place;

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};

use crate::data_folder::{DataFolder, write_private};
use crate::process::{self, RunAs, Service};
use crate::{interrupt, ports};

/// The cluster's only role.
const ROLE: &str = "lethe";

/// Whether a commit waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// As in production.
    Safe,
    /// For databases that the tests throw away.
    None,
}

/// A running cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    server: Service,
    binaries: PathBuf,
    directory: PathBuf,
    temporary: bool,
    port: u16,
    password: String,
}

impl Cluster {
    /// Makes the cluster of a data folder if there is none, and starts it.
    pub(crate) fn start(data: &DataFolder, durability: Durability) -> Result<Self> {
        let existing = place::remembered(data.path());
        // Debian's package makes the user `postgres`, so it comes first.
        let binaries = place::binaries(&existing.unwrap_or_default().join("data"))?;
        let run_as = place::run_as()?;
        let directory = place::directory(data.path(), run_as.as_ref())?;
        let password = data.secrets()?.postgres_password;
        let files = directory.join("data");
        if !files.exists() {
            initialise(&binaries, &directory, &password, durability, run_as.as_ref())?;
        }
        clear_stale(&files)?;
        let port = last_port(&directory).map_or_else(ports::free, Ok)?;
        let mut command = Command::new(binaries.join("postgres"));
        command.current_dir("/").arg("-D").arg(&files);
        for setting in settings(port, durability) {
            command.args(["-c", &setting]);
        }
        let server = start_server(&command, &data.log("postgres"), &files, run_as.as_ref()).with_context(|| {
            format!(
                "the cluster in {} did not start; `cargo xtask reset` throws it away with its data and makes a new one",
                directory.display()
            )
        })?;
        write_private(&directory.join("port"), &port.to_string())?;
        Ok(Self { server, binaries, directory, temporary: data.is_temporary(), port, password })
    }

    /// The address of one database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://{ROLE}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// An error with Postgres' last words if it has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.server.check()
    }

    /// Makes databases that don't exist yet.
    pub(crate) fn create_databases(&self, names: &[&str]) -> Result<()> {
        let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
        let wanted = quoted.join(", ");
        let statement = format!(
            "SELECT format('CREATE DATABASE %I', name) FROM unnest(ARRAY[{wanted}]) AS name \
             WHERE name NOT IN (SELECT datname FROM pg_database)\n\\gexec\n"
        );
        self.query("postgres", &statement).map(drop)
    }

    /// Runs SQL text through `psql` and answers its output, unaligned and without headers.
    pub(crate) fn query(&self, database: &str, text: &str) -> Result<String> {
        use std::io::Write;
        let mut command = self.client("psql");
        command
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--dbname", database])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("can't run psql")?;
        let mut input = child.stdin.take().expect("it was asked for");
        input.write_all(text.as_bytes())?;
        drop(input);
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("psql: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// One of Postgres' client programs, told where this cluster is.
    pub(crate) fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        command
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", ROLE)
            .env("PGPASSWORD", &self.password)
            .env("PGOPTIONS", "-c client_min_messages=warning");
        command
    }
}

impl AsRef<Self> for Cluster {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.server.stop();
        if self.temporary {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// Ends a cluster that an earlier run has left, and deletes it.
pub(crate) fn remove(data: &Path) -> Result<()> {
    if let Some(directory) = place::remembered(data) {
        clear_stale(&directory.join("data"))?;
        fs::remove_dir_all(&directory)?;
    }
    Ok(())
}

/// Starts the server and waits until it takes connections. The processes of a server that was killed live on for a moment
/// and hold its memory, so it is tried again while that is the reason.
fn start_server(command: &Command, log: &Path, files: &Path, run_as: Option<&RunAs>) -> Result<Service> {
    let status = files.join("postmaster.pid");
    let mut tries = 0;
    loop {
        let mut server = Service::start("Postgres", command, log, Signal::SIGINT, run_as)?;
        match server.wait_until(Duration::from_mins(1), || is_ready(&status)) {
            Ok(_) => return Ok(server),
            Err(error) if tries < 20 && error.to_string().contains("shared memory block") => {
                tries += 1;
                interrupt::pause(250)?;
            }
            Err(error) => return Err(error),
        }
    }
}

fn settings(port: u16, durability: Durability) -> Vec<String> {
    let mut settings = vec![
        format!("port={port}"),
        "listen_addresses=127.0.0.1".to_owned(),
        // The loopback port is enough, and a socket's path may be too long for the kernel.
        "unix_socket_directories=".to_owned(),
        "max_connections=200".to_owned(),
        "logging_collector=off".to_owned(),
        "log_destination=stderr".to_owned(),
    ];
    if durability == Durability::None {
        settings.extend(["fsync=off".to_owned(), "full_page_writes=off".to_owned()]);
    }
    settings
}

/// Makes the files of a cluster beside their place and moves them there, so that an interrupted start leaves no half
/// cluster.
fn initialise(
    binaries: &Path,
    directory: &Path,
    password: &str,
    durability: Durability,
    run_as: Option<&RunAs>,
) -> Result<()> {
    let unfinished = directory.join("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    let password_file = directory.join("password");
    write_private(&password_file, password)?;
    if let Some(run_as) = run_as {
        chown(&password_file, Some(run_as.user), Some(run_as.group))?;
    }
    // Tests open connections by the thousand, and the hashing of SCRAM takes an unoptimised build a good part of a
    // second each. Their cluster is thrown away and listens on this machine alone.
    let authentication = match durability {
        Durability::Safe => "--auth=scram-sha-256",
        Durability::None => "--auth=password",
    };
    let mut command = Command::new(binaries.join("initdb"));
    command
        .current_dir("/")
        .args(["--username", ROLE, "--encoding=UTF8", "--locale=C.UTF-8"])
        .args([authentication, "--no-instructions", "--data-checksums"])
        .arg("--pwfile")
        .arg(&password_file)
        .arg("--pgdata")
        .arg(&unfinished);
    let made = process::output(&mut process::leashed(&command, "TERM", run_as));
    fs::remove_file(&password_file)?;
    made.context("Postgres can't make a new cluster")?;
    fs::rename(&unfinished, directory.join("data"))?;
    Ok(())
}

/// Ends a server of these files that is still running, and removes a `postmaster.pid` whose process is gone or is by now
/// another program: Postgres itself trusts the bare number.
fn clear_stale(files: &Path) -> Result<()> {
    let file = files.join("postmaster.pid");
    let Ok(text) = fs::read_to_string(&file) else {
        return Ok(());
    };
    if let Some(id) = text.lines().next().and_then(|line| line.trim().parse::<u32>().ok())
        && is_server_of(id, files)
    {
        println!("Postgres is still running from before (process {id}); it is ended first");
        let asked = Instant::now();
        let _ = kill(process::process_id(id), Signal::SIGINT);
        while process::is_alive(id) {
            if asked.elapsed() > Duration::from_secs(20) {
                let _ = kill(process::process_id(id), Signal::SIGQUIT);
            }
            if asked.elapsed() > Duration::from_secs(30) {
                bail!("Postgres (process {id}) in {} does not end", files.display());
            }
            interrupt::pause(20)?;
        }
    }
    match fs::remove_file(&file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// A Postgres server's working directory is its cluster's.
fn is_server_of(id: u32, files: &Path) -> bool {
    let working_directory = fs::read_link(format!("/proc/{id}/cwd"));
    let files = files.canonicalize();
    matches!((working_directory, files), (Ok(one), Ok(other)) if one == other)
}

/// The eighth line of `postmaster.pid` says when connections are taken.
fn is_ready(status: &Path) -> bool {
    fs::read_to_string(status).is_ok_and(|text| text.lines().nth(7).is_some_and(|line| line.trim() == "ready"))
}

fn last_port(directory: &Path) -> Option<u16> {
    let port = fs::read_to_string(directory.join("port")).ok()?.trim().parse().ok()?;
    ports::is_free(port).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_in_a_stale_file_that_is_another_program_is_not_trusted() {
        let files = std::env::temp_dir().join(format!("xtask-stale-{}", std::process::id()));
        fs::create_dir(&files).expect("it is new");
        let file = files.join("postmaster.pid");
        fs::write(&file, format!("{}\n{}\n", std::process::id(), files.display())).expect("it is writable");
        clear_stale(&files).expect("this test isn't ended");
        assert!(!file.exists());
        fs::remove_dir(&files).expect("it is empty");
    }

    #[test]
    fn readiness_stands_in_the_eighth_line() {
        let file = std::env::temp_dir().join(format!("xtask-ready-{}", std::process::id()));
        fs::write(&file, "1\n2\n3\n4\n5\n6\n7\nstarting\n").expect("it is writable");
        assert!(!is_ready(&file));
        fs::write(&file, "1\n2\n3\n4\n5\n6\n7\nready   \n").expect("it is writable");
        assert!(is_ready(&file));
        fs::remove_file(&file).expect("it exists");
    }

    #[test]
    fn a_cluster_starts_keeps_its_data_and_survives_being_killed() {
        let data = DataFolder::temporary("cluster-test").expect("there is a folder for temporary files");
        {
            // Only the last start may delete the files.
            let mut cluster = Cluster::start(&data, Durability::None).expect("Postgres starts");
            cluster.temporary = false;
            cluster.create_databases(&["northwind"]).expect("a database can be made");
            cluster.create_databases(&["northwind", "other"]).expect("making it again does nothing");
            cluster
                .query("northwind", "CREATE TABLE kept (value int); INSERT INTO kept VALUES (7); CHECKPOINT;")
                .expect("a table can be made");
            kill(process::process_id(cluster.server.id()), Signal::SIGKILL).expect("it runs");
        }
        let cluster = Cluster::start(&data, Durability::None).expect("it starts after a crash");
        assert_eq!(cluster.query("northwind", "SELECT value FROM kept").expect("the table is there"), "7");
        assert!(cluster.query("northwind", "SELECT nonsense").is_err());
    }
}
