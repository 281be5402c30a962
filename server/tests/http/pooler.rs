//! A real PgBouncer between Lethe and Postgres, in session mode and in transaction mode.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use lethe_demo::sample::{SeedOptions, seed};
use lethe_demo::testing::{ClerkStandIn, Database, Port, StandInOptions};
use url::Url;

use crate::process::{Process, lethe, wait_until};
use crate::smoke::use_everything;
use crate::support::{Directory, environment, site};

/// Since this version a pooler in transaction mode carries prepared statements.
const CARRIES_STATEMENTS: (u32, u32) = (1, 21);

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_through_a_pooler_in_session_mode() {
    let installation = Installation::start("session").await;
    installation.succeed(&["migrate"]);
    installation.succeed(&["doctor"]);
    installation.serve_and_use_everything().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pooler_in_transaction_mode_is_noticed_and_works_beside_a_direct_address() {
    let mut installation = Installation::start("transaction").await;
    // Nothing begins that can't work.
    let carries_statements = version() >= CARRIES_STATEMENTS;
    let remedy = if carries_statements { "LETHE_DATABASE_DIRECT_URL" } else { "PgBouncer 1.21 or newer" };
    for command in ["serve", "migrate", "doctor"] {
        installation.refuse(&[command], remedy);
    }
    installation.environment.push(("LETHE_DATABASE_DIRECT_URL", installation.database.url().to_owned()));
    installation.succeed(&["migrate"]);
    if carries_statements {
        installation.succeed(&["doctor"]);
        installation.serve_and_use_everything().await;
    } else {
        eprintln!("PgBouncer {:?} carries no prepared statements in transaction mode", version());
        installation.refuse(&["serve"], remedy);
        installation.refuse(&["doctor"], remedy);
    }
}

/// An installation whose `DATABASE_URL` is a pooler's.
struct Installation {
    _pooler: PgBouncer,
    environment: Vec<(&'static str, String)>,
    database: Database,
    clerk: ClerkStandIn,
    url: String,
    _port: Port,
    directory: Directory,
}

impl Installation {
    async fn start(mode: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let port = Port::hold();
        let url = port.url();
        let database = Database::create().await;
        seed(database.pool(), &SeedOptions { people: 8, rows_per_person: 2 }).await.unwrap();
        let clerk = ClerkStandIn::start(StandInOptions {
            people: 8,
            application_origin: Some(url.clone()),
            ..StandInOptions::default()
        })
        .await;
        let directory = Directory::new();
        site(&directory.path().join("site"));
        let pooler = PgBouncer::start(mode, database.url(), directory.path()).await;
        let environment = environment(&url, &clerk, &pooler.url, directory.path());
        Self { _pooler: pooler, environment, database, clerk, url, _port: port, directory }
    }

    /// Runs a command. Returns whether it succeeded, and its output.
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = lethe(&self.environment, self.directory.path(), arguments);
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    fn pooler_log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("pgbouncer.log")).unwrap()
    }

    fn succeed(&self, arguments: &[&str]) {
        let (succeeded, output) = self.run(arguments);
        assert!(succeeded, "{arguments:?}: {output}\n{}", self.pooler_log());
    }

    fn refuse(&self, arguments: &[&str], remedy: &str) {
        let (succeeded, output) = self.run(arguments);
        assert!(!succeeded && output.contains(remedy), "{arguments:?}: {output}\n{}", self.pooler_log());
    }

    async fn serve_and_use_everything(&self) {
        let server = Process::serve(&self.environment, self.directory.path(), &self.url).await;
        use_everything(&self.url, &self.clerk, &self.database, [1, 3]).await;
        use_everything(&self.url, &self.clerk, &self.database, [2, 4]).await;
        assert!(server.stop().await);
    }
}

/// A running PgBouncer.
struct PgBouncer {
    process: Child,
    url: String,
}

impl PgBouncer {
    async fn start(mode: &str, database_url: &str, directory: &Path) -> Self {
        let port = Port::hold();
        let server = Url::parse(database_url).unwrap();
        let mut own = server.clone();
        own.set_port(Some(port.number())).unwrap();
        let log = directory.join("pgbouncer.log");
        let statements = if version() >= CARRIES_STATEMENTS { "max_prepared_statements = 200" } else { "" };
        let settings = format!(
            "[databases]\n* = host={} port={} user={} password={}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = {mode}\n{statements}\n",
            server.host_str().unwrap(),
            server.port().unwrap(),
            server.username(),
            server.password().unwrap(),
            port.number(),
        );
        let file = directory.join("pgbouncer.ini");
        std::fs::write(&file, settings).unwrap();
        let output = std::fs::File::create(&log).unwrap();
        let mut command = Command::new(program());
        command.arg(&file).stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        // It refuses to run as root.
        let user = Command::new("id").arg("-u").output().unwrap();
        if user.stdout.starts_with(b"0\n") {
            command.args(["-u", "nobody"]);
        }
        drop(port);
        let pooler = Self { process: command.spawn().unwrap(), url: own.to_string() };
        wait_until("the pooler listens", async || {
            tokio::net::TcpStream::connect(("127.0.0.1", own.port().unwrap())).await.is_ok()
        })
        .await;
        pooler
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program() -> String {
    std::env::var("LETHE_TEST_PGBOUNCER").expect("`cargo xtask test` installs PgBouncer and sets LETHE_TEST_PGBOUNCER")
}

/// Its major and minor version.
fn version() -> (u32, u32) {
    let output = Command::new(program()).arg("--version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut numbers = text.trim_start_matches("PgBouncer ").split('.').map_while(|number| number.parse().ok());
    (numbers.next().unwrap(), numbers.next().unwrap())
}
