//! What is put under stress: Postgres behind a proxy, two servers, three workers, the Clerk stand-in and the mail inbox.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use super::proxy::Proxy;
use crate::build::Programs;
use crate::cluster::{Cluster, Durability};
use crate::data_folder::DataFolder;
use crate::environment::{Addresses, Environment};
use crate::http::{self, Clerk};
use crate::ports::{self, Ports};
use crate::process::{self, Service};
use crate::workspace::Workspace;

pub(super) const DATABASE: &str = "northwind";
const STAND_IN_DATABASE: &str = "clerk_stand_in";

/// The least number of seconds in which a starting process must be ready, also while the database is slow.
const START_LIMIT: Duration = Duration::from_mins(1);

/// A process of Lethe that is killed and started again.
pub(super) struct Process {
    service: Option<Service>,
    command: Command,
    log: PathBuf,
    name: &'static str,
    starts: u32,
    /// The port of a server; a worker has none.
    pub(super) port: Option<u16>,
}

/// All processes. Dropping this value stops them in the order of the fields.
pub(super) struct System {
    pub(super) servers: Vec<Process>,
    pub(super) workers: Vec<Process>,
    clerk_process: Service,
    inbox: Service,
    pub(super) proxy: Proxy,
    pub(super) cluster: Cluster,
    stand_in_cluster: Cluster,
    pub(super) data: DataFolder,
    stand_in_data: DataFolder,
    pub(super) clerk: Clerk,
    pub(super) inbox_url: String,
    environment: Environment,
    lethe: PathBuf,
}

impl System {
    /// Starts everything and waits until both servers are ready.
    pub(super) fn start(workspace: &Workspace, programs: &Programs, people: u32) -> Result<Self> {
        let data = DataFolder::temporary("chaos")?;
        let stand_in_data = DataFolder::temporary("chaos-clerk")?;
        let cluster = Cluster::start(&data, Durability::None)?;
        // Clerk has a database of its own: it doesn't fail when Lethe's does.
        let stand_in_cluster = Cluster::start(&stand_in_data, Durability::None)?;
        cluster.create_databases(&[DATABASE])?;
        stand_in_cluster.create_databases(&[STAND_IN_DATABASE])?;
        let proxy = Proxy::start(cluster.port())?;
        let (ports, second_port) = (Ports::free()?, ports::free()?);
        let secrets = data.secrets()?;
        let mut environment = Environment::new(&Addresses {
            ports,
            secrets: &secrets,
            database: cluster.url_through(proxy.port(), DATABASE),
            stand_in_database: stand_in_cluster.url(STAND_IN_DATABASE),
            data: data.path(),
            root: &workspace.root,
            site: &workspace.site(),
            people,
        });
        // Everybody saves, downloads and deletes far more often than a person.
        environment.lethe.push(("LETHE_EXPORTS_PER_HOUR", "1000000".to_owned()));
        environment.lethe.push(("LETHE_DELETIONS_PER_HOUR", "1000000".to_owned()));

        let mut seed = Command::new(&programs.demo);
        seed.args(["seed", "--database-url", &cluster.url(DATABASE), "--rows-per-person", "5"])
            .args(["--people", &people.to_string()]);
        process::output(&mut process::with_death_signal(&seed, "TERM", None))?;
        let migrate = lethe(&programs.lethe, &environment, "migrate", None);
        process::output(&mut process::with_death_signal(&migrate, "TERM", None))?;

        let demo = |name: &'static str, argument: &str, arguments: &[String]| {
            let mut command = Command::new(&programs.demo);
            command.arg(argument).args(arguments).envs(environment.clerk.iter().cloned());
            Service::start(name, &command, &data.log(argument), Signal::SIGTERM, None)
        };
        let mut clerk_process = demo("the Clerk stand-in", "clerk", &["--port".to_owned(), ports.clerk.to_string()])?;
        let mut inbox = demo(
            "the mail inbox",
            "inbox",
            &[
                format!("--port={}", ports.inbox),
                format!("--smtp-port={}", ports.smtp),
                format!("--data-dir={}", data.path().join("inbox").display()),
            ],
        )?;
        clerk_process.wait_until(START_LIMIT, || ports::accepts_connections(ports.clerk))?;
        inbox.wait_until(START_LIMIT, || {
            ports::accepts_connections(ports.inbox) && ports::accepts_connections(ports.smtp)
        })?;

        let process = |name, log: String, argument, port: Option<u16>| Process {
            service: None,
            command: lethe(&programs.lethe, &environment, argument, port),
            log: data.log(&log),
            name,
            starts: 0,
            port,
        };
        let servers = [ports.server, second_port].into_iter().enumerate();
        let servers = servers.map(|(n, port)| process("a server", format!("server-{n}"), "serve", Some(port)));
        let workers = (0..3).map(|n| process("a worker", format!("worker-{n}"), "work", None));
        let mut system = Self {
            servers: servers.collect(),
            workers: workers.collect(),
            clerk_process,
            inbox,
            proxy,
            cluster,
            stand_in_cluster,
            clerk: Clerk {
                url: format!("http://127.0.0.1:{}", ports.clerk),
                secret_key: secrets.clerk_secret_key.clone(),
            },
            inbox_url: format!("http://127.0.0.1:{}", ports.inbox),
            environment,
            lethe: programs.lethe.clone(),
            data,
            stand_in_data,
        };
        for process in system.servers.iter_mut().chain(&mut system.workers) {
            process.start()?;
        }
        for server in &mut system.servers {
            server.wait_until_ready()?;
        }
        Ok(system)
    }

    /// Returns an error if a process has ended by itself.
    pub(super) fn check(&mut self) -> Result<()> {
        self.cluster.check()?;
        self.stand_in_cluster.check()?;
        self.clerk_process.check()?;
        self.inbox.check()?;
        for process in self.servers.iter_mut().chain(&mut self.workers) {
            if let Some(service) = &mut process.service {
                service.check()?;
            }
        }
        Ok(())
    }

    /// Ends Postgres without a checkpoint and starts it again.
    pub(super) fn crash_database(&mut self) -> Result<()> {
        self.cluster.crash(&self.data)
    }

    /// Runs a command of `lethe`, past the proxy.
    pub(super) fn command(&self, arguments: &[&str]) -> Result<String> {
        let mut command = lethe(&self.lethe, &self.environment, arguments[0], None);
        command.args(&arguments[1..]).env("DATABASE_URL", self.cluster.url(DATABASE));
        process::output(&mut process::with_death_signal(&command, "TERM", None))
    }

    /// Moves the logs to a folder that outlives this run.
    pub(super) fn save_logs(&self, folder: &std::path::Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        for entry in std::fs::read_dir(self.data.path().join("logs"))?.flatten() {
            std::fs::copy(entry.path(), folder.join(entry.file_name()))
                .with_context(|| format!("can't copy {}", entry.path().display()))?;
        }
        debug_assert!(self.stand_in_data.is_temporary(), "both folders go with this value");
        Ok(())
    }
}

impl Process {
    /// Starts the process; its log goes into a file of its own.
    pub(super) fn start(&mut self) -> Result<()> {
        self.starts += 1;
        let log = self.log.with_extension(format!("{}.log", self.starts));
        self.service = Some(Service::start(self.name, &self.command, &log, Signal::SIGTERM, None)?);
        Ok(())
    }

    /// Kills the process.
    pub(super) fn kill(&mut self) {
        if let Some(mut service) = self.service.take() {
            service.kill();
        }
    }

    /// Asks the process to end, and waits for it.
    pub(super) fn stop(&mut self) {
        self.service = None;
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let (Some(service), Some(port)) = (&mut self.service, self.port) else { return Ok(()) };
        let url = format!("http://127.0.0.1:{port}/readyz");
        service.wait_until(START_LIMIT, || http::is_ok(&url)).map(drop)
    }
}

fn lethe(program: &std::path::Path, environment: &Environment, argument: &str, port: Option<u16>) -> Command {
    let mut command = Command::new(program);
    command.arg(argument).envs(environment.lethe.iter().cloned());
    if let Some(port) = port {
        command.env("LETHE_LISTEN", format!("127.0.0.1:{port}"));
    }
    command
}
