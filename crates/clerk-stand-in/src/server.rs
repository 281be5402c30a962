//! A running stand-in for a test: on a free port, with a database of its own. Its functions are in
//! [`test_api`](crate::test_api).

use std::time::Duration;

use secrecy::SecretString;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    StandIn,
    database::TemporaryDatabase,
    options::{Options, publishable_key},
    people::{self, Person},
    port::Port,
    stand_in::{SCHEMA, prepare_database},
};

/// How a test's stand-in is set up.
#[derive(Debug, Clone)]
pub struct StandInOptions {
    /// How many of [`people`] are its users; by default eight.
    pub people: usize,
    /// Makes the users from their numbers; by default [`people::person`].
    pub person: fn(usize) -> Person,
    /// Where webhooks are sent. Can be set later with [`ClerkStandIn::set_webhook_url`].
    pub webhook_url: Option<String>,
    /// The application's origin, the authorized party of tokens. Can be set later with
    /// [`ClerkStandIn::set_application_origin`].
    pub application_origin: Option<String>,
    /// The pauses between the attempts to deliver a webhook; by default seven of 200 ms.
    pub retry: Vec<Duration>,
}

impl Default for StandInOptions {
    fn default() -> Self {
        Self {
            people: 8,
            person: people::person,
            webhook_url: None,
            application_origin: None,
            retry: vec![Duration::from_millis(200); 7],
        }
    }
}

/// A running stand-in for a test.
///
/// Dropping it stops it and drops its database. Unless the test is panicking already, dropping it panics if a response
/// or an event violated Clerk's OpenAPI descriptions.
pub struct ClerkStandIn {
    pub(crate) stand_in: StandIn,
    port: Port,
    serving: JoinHandle<()>,
    database: TemporaryDatabase,
}

impl ClerkStandIn {
    /// Starts a stand-in on a free port of the loopback interface.
    ///
    /// `server_url` is the Postgres URL of a role that may create databases: the stand-in creates one for itself.
    ///
    /// # Panics
    /// If the database can't be created.
    pub async fn start(server_url: &str, options: StandInOptions) -> Self {
        let fill = async |pool: &_| prepare_database(pool).await.expect("an empty database accepts the schema");
        let database = TemporaryDatabase::create(server_url, "clerk", SCHEMA, fill).await;
        let port = Port::hold();
        let url = port.url();
        let stand_in = StandIn::open(
            database.pool().clone(),
            Options {
                publishable_key: publishable_key(&url),
                url,
                secret_key: SecretString::from("sk_test_0123456789abcdefghijklmnopqrstuvwxyzABCDEF"),
                webhook_secret: SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
                webhook_url: options.webhook_url,
                application_origins: options.application_origin.into_iter().collect(),
                retry: options.retry,
                person: options.person,
            },
        )
        .await
        .expect("the database has the schema");
        stand_in.create_people(options.people).await.expect("the database has the schema");
        let serving = spawn(&stand_in, port.listen());
        Self { stand_in, port, serving, database }
    }

    /// Stops it. Its port then refuses connections, as when Clerk can't be reached.
    pub async fn stop(&mut self) {
        if self.serving.is_finished() {
            return;
        }
        self.serving.abort();
        // Waits until the sockets are closed. The result is always a cancellation error.
        drop((&mut self.serving).await);
    }

    /// Starts it again at the same address, whether it runs or not. Faults, counts and modes are reset; users,
    /// sessions, keys and undelivered webhooks are kept.
    ///
    /// # Panics
    /// If its database is gone.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.stand_in = self.stand_in.reopen().await.expect("the database still exists");
        self.serving = spawn(&self.stand_in, self.port.listen());
    }

    /// The URL of its database.
    #[must_use]
    pub fn database_url(&self) -> &str {
        self.database.url()
    }
}

fn spawn(stand_in: &StandIn, listener: TcpListener) -> JoinHandle<()> {
    let stand_in = stand_in.clone();
    tokio::spawn(async move {
        stand_in.serve(listener).await.expect("the stand-in serves until it is dropped");
    })
}

impl Drop for ClerkStandIn {
    fn drop(&mut self) {
        self.serving.abort();
        if !std::thread::panicking() {
            let violations = self.stand_in.conformance().violations();
            assert!(violations.is_empty(), "the stand-in violated Clerk's OpenAPI descriptions: {violations:#?}");
        }
    }
}
