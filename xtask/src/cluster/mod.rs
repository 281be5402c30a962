//! A private Postgres cluster: created if missing, started on a free port of the loopback interface, stopped with this
//! program. Knows nothing about the databases in it.

mod location;
mod stale;

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};

use crate::data_folder::{DataFolder, write_private};
use crate::process::{self, RunAs, Service};
use crate::{interrupt, ports, postgres};

/// The cluster's only role.
const ROLE: &str = "lethe";

/// Whether a commit waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// As in production.
    Safe,
    /// For databases that are deleted after the tests.
    None,
}

/// A running cluster; dropping this value stops it.
#[derive(Debug)]
pub(crate) struct Cluster {
    server: Service,
    /// The folder of the client programs.
    binaries: PathBuf,
    directory: PathBuf,
    temporary: bool,
    port: u16,
    password: String,
    /// Starts the server.
    command: Command,
}

impl Cluster {
    /// Creates the cluster of a data folder if there is none, and starts it.
    pub(crate) fn start(data: &DataFolder, durability: Durability) -> Result<Self> {
        let existing = location::stored(data.path());
        // Installs Debian's package if needed, which creates the user that `run_as` looks for.
        let binaries = location::binaries(&existing.unwrap_or_default().join("data"))?;
        let run_as = location::run_as()?;
        let directory = location::directory(data.path(), run_as.as_ref())?;
        Self::start_in(directory, &binaries, binaries.clone(), data, durability, run_as.as_ref())
    }

    /// Creates a cluster in a new data folder with the server of a package, and starts it. The client programs are those of
    /// the machine.
    pub(crate) fn start_packaged(data: &DataFolder, durability: Durability, package: &Path) -> Result<Self> {
        let client = location::binaries(Path::new(""))?;
        let run_as = location::run_as()?;
        let directory = location::directory(data.path(), run_as.as_ref())?;
        // Postgres' user can read this folder, but often not the target folder.
        let server = postgres::extract(package, &directory.join("server"))?;
        Self::start_in(directory, &server, client, data, durability, run_as.as_ref())
    }

    fn start_in(
        directory: PathBuf,
        server: &Path,
        client: PathBuf,
        data: &DataFolder,
        durability: Durability,
        run_as: Option<&RunAs>,
    ) -> Result<Self> {
        let password = data.secrets()?.postgres_password;
        let files = directory.join("data");
        if !files.exists() {
            initialise(server, &directory, &password, durability, run_as)?;
        }
        stale::clear(&files)?;
        let port = last_port(&directory).map_or_else(ports::free, Ok)?;
        let command = server_command(server, &files, port, durability);
        let server = start_server(&command, &data.log("postgres"), &files, run_as).with_context(|| {
            format!(
                "the cluster in {} did not start; `cargo xtask reset` deletes it with its data, and the next run creates a new one",
                directory.display()
            )
        })?;
        write_private(&directory.join("port"), &port.to_string())?;
        Ok(Self { server, binaries: client, directory, temporary: data.is_temporary(), port, password, command })
    }

    /// Ends the server at once, without a checkpoint, and starts it again on the same port. It recovers from its log.
    pub(crate) fn crash(&mut self, data: &DataFolder) -> Result<()> {
        let files = self.directory.join("data");
        kill(process::process_id(self.server.id()), Signal::SIGQUIT)?;
        self.server.stop();
        self.server = start_server(&self.command, &data.log("postgres"), &files, location::run_as()?.as_ref())?;
        Ok(())
    }

    /// Returns the server's port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the connection URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        self.url_through(self.port, database)
    }

    /// Returns the connection URL of a database behind a proxy on this machine.
    pub(crate) fn url_through(&self, port: u16, database: &str) -> String {
        format!("postgres://{ROLE}:{}@127.0.0.1:{port}/{database}", self.password)
    }

    /// Returns an error with the end of the log if Postgres has exited.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.server.check()
    }

    /// Creates databases that don't exist yet.
    pub(crate) fn create_databases(&self, names: &[&str]) -> Result<()> {
        let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
        let wanted = quoted.join(", ");
        let statement = format!(
            "SELECT format('CREATE DATABASE %I', name) FROM unnest(ARRAY[{wanted}]) AS name \
             WHERE name NOT IN (SELECT datname FROM pg_database)\n\\gexec\n"
        );
        self.query("postgres", &statement).map(drop)
    }

    /// Runs SQL with `psql`. Returns its output, unaligned and without headers.
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
        let mut input = child.stdin.take().expect("stdin is piped");
        input.write_all(text.as_bytes())?;
        drop(input);
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("psql: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Returns a command for one of Postgres' client programs, set up to connect to this cluster.
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

/// Stops the cluster of a data folder if an earlier run left it running, and deletes it.
pub(crate) fn remove(data: &Path) -> Result<()> {
    if let Some(directory) = location::stored(data) {
        stale::clear(&directory.join("data"))?;
        fs::remove_dir_all(&directory)?;
    }
    Ok(())
}

/// Starts the server and waits until it accepts connections. The processes of a killed server keep their shared memory
/// for a moment, so the start is retried while that is the reason for the failure.
fn start_server(command: &Command, log: &Path, files: &Path, run_as: Option<&RunAs>) -> Result<Service> {
    let status = files.join("postmaster.pid");
    let mut retries = 0;
    loop {
        let mut server = Service::start("Postgres", command, log, Signal::SIGINT, run_as)?;
        match server.wait_until(Duration::from_mins(1), || is_ready(&status)) {
            Ok(_) => return Ok(server),
            Err(error) if retries < 20 && error.to_string().contains("shared memory block") => {
                retries += 1;
                interrupt::pause(250)?;
            }
            Err(error) => return Err(error),
        }
    }
}

fn server_command(binaries: &Path, files: &Path, port: u16, durability: Durability) -> Command {
    let mut command = Command::new(binaries.join("postgres"));
    command.current_dir("/").arg("-D").arg(files);
    for setting in settings(port, durability) {
        command.args(["-c", &setting]);
    }
    command
}

fn settings(port: u16, durability: Durability) -> Vec<String> {
    let mut settings = vec![
        format!("port={port}"),
        "listen_addresses=127.0.0.1".to_owned(),
        // No Unix sockets: the loopback port is enough, and a socket's path may exceed the kernel's limit.
        "unix_socket_directories=".to_owned(),
        "max_connections=500".to_owned(),
        "logging_collector=off".to_owned(),
        "log_destination=stderr".to_owned(),
    ];
    if durability == Durability::None {
        settings.extend(["fsync=off".to_owned(), "full_page_writes=off".to_owned()]);
    }
    settings
}

/// Creates the files of a cluster in a temporary folder and renames it, so that an interruption leaves no incomplete
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
    // Tests open thousands of connections, and SCRAM's hashing takes an unoptimized build a good part of a second for
    // each. Their cluster is temporary and only listens on the loopback interface.
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
    let made = process::output(&mut process::with_death_signal(&command, "TERM", run_as));
    fs::remove_file(&password_file)?;
    made.context("Postgres can't create a new cluster")?;
    fs::rename(&unfinished, directory.join("data"))?;
    Ok(())
}

/// The eighth line of `postmaster.pid` says whether connections are accepted.
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
    fn eighth_line_of_the_pid_file_is_the_state() {
        let file = std::env::temp_dir().join(format!("xtask-ready-{}", std::process::id()));
        fs::write(&file, "1\n2\n3\n4\n5\n6\n7\nstarting\n").expect("it is writable");
        assert!(!is_ready(&file));
        fs::write(&file, "1\n2\n3\n4\n5\n6\n7\nready   \n").expect("it is writable");
        assert!(is_ready(&file));
        fs::remove_file(&file).expect("it exists");
    }

    #[test]
    fn cluster_keeps_its_data_after_being_killed() {
        let data = DataFolder::temporary("cluster-test").expect("there is a folder for temporary files");
        {
            // Only the second cluster may delete the files.
            let mut cluster = Cluster::start(&data, Durability::None).expect("Postgres starts");
            cluster.temporary = false;
            cluster.create_databases(&["northwind"]).expect("a database can be created");
            cluster.create_databases(&["northwind", "other"]).expect("creating it again does nothing");
            cluster
                .query("northwind", "CREATE TABLE stored (value int); INSERT INTO stored VALUES (7); CHECKPOINT;")
                .expect("a table can be created");
            kill(process::process_id(cluster.server.id()), Signal::SIGKILL).expect("it runs");
        }
        let cluster = Cluster::start(&data, Durability::None).expect("it starts after a crash");
        assert_eq!(cluster.query("northwind", "SELECT value FROM stored").expect("the table is there"), "7");
        assert!(cluster.query("northwind", "SELECT nonsense").is_err());
    }
}
