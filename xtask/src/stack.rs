//! All processes of a demo: Postgres, the Clerk stand-in, the mail inbox and the server.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use crate::build::Programs;
use crate::cluster::Cluster;
use crate::data_folder::DataFolder;
use crate::environment::{Addresses, Environment};
use crate::http::{self, Clerk};
use crate::ports::{self, Ports};
use crate::process::{self, Service};
use crate::progress::stage;
use crate::workspace::Workspace;

/// The sample application's database.
const DATABASE: &str = "northwind";
const STAND_IN_DATABASE: &str = "clerk_stand_in";

/// The size of the sample data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) people: u32,
    pub(crate) rows_per_person: u32,
}

/// A running demo; dropping this value stops its processes in the order of the fields.
pub(crate) struct Stack {
    server: Service,
    inbox: Service,
    clerk: Service,
    cluster: Cluster,
    data: DataFolder,
    pub(crate) ports: Ports,
    pub(crate) environment: Environment,
    lethe: PathBuf,
    secret_key: String,
    /// The time from the start of the server's process to its first 200 from `/readyz`.
    pub(crate) start_up: Duration,
}

impl Stack {
    /// Starts everything on a running cluster and waits until the server is ready.
    pub(crate) fn start(
        workspace: &Workspace,
        programs: &Programs,
        data: DataFolder,
        cluster: Cluster,
        ports: Ports,
        sample: Sample,
    ) -> Result<Self> {
        cluster.create_databases(&[DATABASE, STAND_IN_DATABASE])?;
        let secrets = data.secrets()?;
        let environment = Environment::new(&Addresses {
            ports,
            secrets: &secrets,
            database: cluster.url(DATABASE),
            stand_in_database: cluster.url(STAND_IN_DATABASE),
            data: data.path(),
            root: &workspace.root,
            site: &workspace.site(),
            people: sample.people,
        });
        data.write_secret("run.env", &environment.to_text())?;

        // These two start while the sample data is created.
        let mut clerk = demo_service("the Clerk stand-in", programs, &data, "clerk", |command| {
            command.args(["--port", &ports.clerk.to_string()]).envs(environment.clerk.iter().cloned());
        })?;
        let mut inbox = demo_service("the mail inbox", programs, &data, "inbox", |command| {
            command
                .args(["--port", &ports.inbox.to_string()])
                .args(["--smtp-port", &ports.smtp.to_string()])
                .arg("--data-dir")
                .arg(data.path().join("inbox"));
        })?;
        stage("Sample data", || {
            let mut seed = Command::new(&programs.demo);
            seed.arg("seed")
                .args(["--database-url", &cluster.url(DATABASE)])
                .args(["--people", &sample.people.to_string()])
                .args(["--rows-per-person", &sample.rows_per_person.to_string()]);
            process::output(&mut process::with_death_signal(&seed, "TERM", None))
                .context("the sample data can't be created")
        })?;
        stage("Migrations", || {
            let mut migrate = lethe(&programs.lethe, &environment);
            migrate.arg("migrate");
            process::output(&mut process::with_death_signal(&migrate, "TERM", None))
                .context("the database can't be migrated")
        })?;
        stage("Clerk stand-in and mail inbox", || {
            let limit = Duration::from_mins(1);
            clerk.wait_until(limit, || ports::accepts_connections(ports.clerk))?;
            inbox
                .wait_until(limit, || ports::accepts_connections(ports.inbox) && ports::accepts_connections(ports.smtp))
        })?;
        let (server, start_up) = stage("Server", || start_server(&programs.lethe, &environment, &data, ports))?;
        Ok(Self {
            server,
            inbox,
            clerk,
            cluster,
            ports,
            environment,
            lethe: programs.lethe.clone(),
            secret_key: secrets.clerk_secret_key,
            start_up,
            data,
        })
    }

    /// Returns the public URL of the server.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.server)
    }

    /// Returns a client for the stand-in's Backend API.
    pub(crate) fn clerk(&self) -> Clerk {
        Clerk { url: format!("http://127.0.0.1:{}", self.ports.clerk), secret_key: self.secret_key.clone() }
    }

    /// Returns the process ID of the server.
    pub(crate) fn server_id(&self) -> u32 {
        self.server.id()
    }

    /// Returns the Postgres cluster.
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Returns the data folder.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.data.path()
    }

    /// Returns an error with the end of the log if a process has exited.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.cluster.check()?;
        for service in [&mut self.clerk, &mut self.inbox, &mut self.server] {
            service.check()?;
        }
        Ok(())
    }

    /// Restarts the server. Returns the time until it was ready.
    pub(crate) fn restart_server(&mut self) -> Result<Duration> {
        self.server.stop();
        let (server, time) = start_server(&self.lethe, &self.environment, &self.data, self.ports)?;
        self.server = server;
        Ok(time)
    }
}

fn demo_service(
    name: &'static str,
    programs: &Programs,
    data: &DataFolder,
    command_name: &str,
    configure: impl FnOnce(&mut Command),
) -> Result<Service> {
    let mut command = Command::new(&programs.demo);
    command.arg(command_name);
    configure(&mut command);
    Service::start(name, &command, &data.log(command_name), Signal::SIGTERM, None)
}

fn lethe(program: &std::path::Path, environment: &Environment) -> Command {
    let mut command = Command::new(program);
    command.envs(environment.lethe.iter().cloned());
    command
}

fn start_server(
    program: &std::path::Path,
    environment: &Environment,
    data: &DataFolder,
    ports: Ports,
) -> Result<(Service, Duration)> {
    let mut command = lethe(program, environment);
    command.arg("serve");
    let mut server = Service::start("the server", &command, &data.log("lethe"), Signal::SIGTERM, None)?;
    let ready = format!("http://127.0.0.1:{}/readyz", ports.server);
    let time = server.wait_until(Duration::from_mins(1), || http::is_ok(&ready))?;
    Ok((server, time))
}
