//! A database, a Clerk stand-in and the settings for commands of the real binary.

use std::path::Path;
use std::process::{Output, Stdio};

use lethe_demo::sample::{SeedOptions, seed};
use lethe_demo::testing::{ClerkStandIn, Database, Port, StandInOptions};
use serde_json::Value;

use crate::process::lethe;
use crate::support::{Directory, environment, site};

/// Everything around the binary.
pub(crate) struct Installation {
    /// Held so that nobody else gets it before the binary listens.
    _port: Port,
    pub(crate) url: String,
    pub(crate) clerk: ClerkStandIn,
    pub(crate) database: Database,
    pub(crate) directory: Directory,
    pub(crate) environment: Vec<(&'static str, String)>,
}

impl Installation {
    /// A migrated database with the sample's data.
    pub(crate) async fn new() -> Self {
        Self::with_people(8).await
    }

    pub(crate) async fn with_people(people: usize) -> Self {
        let installation = Self::seeded(people).await;
        assert!(installation.run(&["migrate"]).status.success());
        installation
    }

    pub(crate) async fn unmigrated() -> Self {
        Self::seeded(8).await
    }

    async fn seeded(people: usize) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let port = Port::hold();
        let url = port.url();
        let database = Database::create().await;
        let clerk = ClerkStandIn::start(StandInOptions {
            people,
            application_origin: Some(url.clone()),
            ..StandInOptions::default()
        })
        .await;
        seed(database.pool(), &SeedOptions { people, rows_per_person: 2 }).await.unwrap();
        let directory = Directory::new();
        site(&directory.path().join("site"));
        let environment = environment(&url, &clerk, database.url(), directory.path());
        Self { _port: port, url, clerk, database, directory, environment }
    }

    /// Sets a setting, or replaces it.
    pub(crate) fn set(&mut self, name: &'static str, value: String) {
        self.environment.retain(|(other, _)| *other != name);
        self.environment.push((name, value));
    }

    pub(crate) fn setting(&self, name: &str) -> String {
        self.environment.iter().find(|(other, _)| *other == name).expect("it is set").1.clone()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        run(&self.environment, self.directory.path(), arguments)
    }
}

pub(crate) fn run(environment: &[(&'static str, String)], directory: &Path, arguments: &[&str]) -> Output {
    let mut command = lethe(environment, directory, arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Standard output as JSON, after a look at the exit code.
pub(crate) fn stdout_json(output: &Output, code: i32) -> Value {
    assert_eq!(output.status.code(), Some(code), "{}{}", text(&output.stdout), text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Standard error, after a look at the exit code.
pub(crate) fn stderr_text(output: &Output, code: i32) -> String {
    let complaint = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{complaint}");
    complaint
}
