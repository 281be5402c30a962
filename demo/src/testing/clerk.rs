//! The Clerk stand-in for a test: on a free port, with a database of its own.

use std::{collections::BTreeMap, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use tokio::{net::TcpListener, task::JoinHandle};

use super::database::{Database, Template};
use super::port::Port;
use crate::clerk::{Fault, Options, StandIn, TokenOptions, WebhookMode, cookie_suffix, publishable_key};

/// How a test's stand-in differs from the usual one.
#[derive(Debug, Clone)]
pub struct StandInOptions {
    /// How many of [`crate::people`] are its users.
    pub people: usize,
    /// Where webhooks go. Can be set later with [`ClerkStandIn::set_webhook_url`].
    pub webhook_url: Option<String>,
    /// The application's origin, which is the authorized party of tokens. Can be set later with
    /// [`ClerkStandIn::set_application_origin`].
    pub application_origin: Option<String>,
    /// The waits between attempts to deliver a webhook.
    pub retry: Vec<Duration>,
}

impl Default for StandInOptions {
    fn default() -> Self {
        Self { people: 8, webhook_url: None, application_origin: None, retry: vec![Duration::from_millis(200); 7] }
    }
}

/// A running stand-in. Dropping it ends it, drops its database, and fails the test where an answer or an event was not
/// as Clerk describes it.
pub struct ClerkStandIn {
    stand_in: StandIn,
    port: Port,
    url: String,
    publishable_key: String,
    secret_key: SecretString,
    webhook_secret: SecretString,
    serving: JoinHandle<()>,
    database: Database,
}

/// What a signed-in browser or a script sends.
#[derive(Debug, Clone)]
pub struct SessionToken {
    /// The session token: the value of `__session`, or of a bearer header.
    pub jwt: String,
    /// The session's id.
    pub session_id: String,
    /// The user's id.
    pub user_id: String,
    /// The whole value of a `Cookie` header that a signed-in browser sends after the handshake.
    pub cookies: String,
}

impl ClerkStandIn {
    /// Starts one.
    pub async fn start(options: StandInOptions) -> Self {
        let database = Database::from_template(Template::Clerk).await;
        let port = Port::hold();
        let url = port.url();
        let publishable_key = publishable_key(&url);
        let secret_key = SecretString::from("sk_test_0123456789abcdefghijklmnopqrstuvwxyzABCDEF");
        let webhook_secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let stand_in = StandIn::open(
            database.pool().clone(),
            Options {
                url: url.clone(),
                secret_key: secret_key.clone(),
                publishable_key: publishable_key.clone(),
                webhook_secret: webhook_secret.clone(),
                webhook_url: options.webhook_url,
                application_origins: options.application_origin.into_iter().collect(),
                retry: options.retry,
            },
        )
        .await
        .expect("a fresh database takes the stand-in's state");
        stand_in.create_people(options.people).await.expect("a fresh database takes people");
        let serving = spawn(&stand_in, port.listen());
        Self { stand_in, port, url, publishable_key, secret_key, webhook_secret, serving, database }
    }

    /// Ends it: nobody answers at its address, as when Clerk can't be reached.
    pub async fn stop(&mut self) {
        if self.serving.is_finished() {
            return;
        }
        self.serving.abort();
        // Always an error, that it was aborted; by then the sockets are closed.
        drop((&mut self.serving).await);
    }

    /// Starts it again at the same address, running or not. Faults, counts and modes are gone, all else is as it was.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.stand_in = self.stand_in.reopen().await.expect("its database is still there");
        self.serving = spawn(&self.stand_in, self.port.listen());
    }

    /// Its base: API URL, proxy URL and issuer.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The Backend API's bearer.
    #[must_use]
    pub fn secret_key(&self) -> &str {
        self.secret_key.expose_secret()
    }

    /// The instance's publishable key.
    #[must_use]
    pub fn publishable_key(&self) -> &str {
        &self.publishable_key
    }

    /// What webhooks are signed with, beginning with `whsec_`.
    #[must_use]
    pub fn webhook_secret(&self) -> &str {
        self.webhook_secret.expose_secret()
    }

    /// The suffix of cookie names, without underscore.
    #[must_use]
    pub fn cookie_suffix(&self) -> String {
        cookie_suffix(&self.publishable_key)
    }

    /// The URL of the database that its state is in.
    #[must_use]
    pub fn database_url(&self) -> &str {
        self.database.url()
    }

    /// The public key as PEM, for checking tokens without network.
    #[must_use]
    pub fn jwt_key(&self) -> String {
        self.stand_in.public_pem()
    }

    /// From now on webhooks go there.
    pub fn set_webhook_url(&self, url: &str) {
        self.stand_in.set_webhook_url(Some(url.to_owned()));
    }

    /// From now on tokens are for this origin.
    pub fn set_application_origin(&self, origin: &str) {
        self.stand_in.set_application_origins(vec![origin.to_owned()]);
    }

    /// Signs a user in, in a new browser.
    pub async fn sign_in(&self, user_id: &str) -> SessionToken {
        self.token_for(user_id, TokenOptions::default()).await
    }

    /// Signs a user in; the token ran out a minute ago.
    pub async fn sign_in_expired(&self, user_id: &str) -> SessionToken {
        let options = TokenOptions { issued_at: Some(self.stand_in.now() / 1000 - 120), ..TokenOptions::default() };
        self.token_for(user_id, options).await
    }

    /// Signs a user in, with a token made to measure.
    pub async fn token_for(&self, user_id: &str, options: TokenOptions) -> SessionToken {
        self.stand_in.sign_in_with(user_id, options).await.expect("the user exists and isn't banned")
    }

    /// A new token of a session that [`Self::sign_in`] made, whether or not the session still lives.
    pub async fn token_of(&self, session_id: &str, options: TokenOptions) -> String {
        self.stand_in.token_of(session_id, options).await.expect("the session exists")
    }

    /// The User object, or nothing where Clerk no longer knows the person.
    pub async fn user(&self, user_id: &str) -> Option<serde_json::Value> {
        self.stand_in.user(user_id).await
    }

    /// Deletes a user as Clerk's dashboard does, with its webhook.
    pub async fn delete_user(&self, user_id: &str) {
        self.stand_in.delete_user(user_id).await.expect("the user exists");
    }

    /// Adds a fault.
    pub fn fail(&self, fault: Fault) {
        self.stand_in.add_fault(fault);
    }

    /// Ends all faults.
    pub fn recover(&self) {
        self.stand_in.clear_faults();
    }

    /// Turns the published rate limits on or off.
    pub fn limit_rate(&self, enabled: bool) {
        self.stand_in.limit_rate(enabled);
    }

    /// What happens to webhooks from now on.
    pub fn set_webhook_mode(&self, mode: WebhookMode) {
        self.stand_in.set_webhook_mode(mode);
    }

    /// How often an operation was asked since the last [`Self::forget_requests`], for example
    /// `GET /v1/users/{user_id}`.
    #[must_use]
    pub fn requests(&self, operation: &str) -> u64 {
        self.stand_in.requests().get(operation).copied().unwrap_or(0)
    }

    /// How many requests there were of any operation.
    #[must_use]
    pub fn all_requests(&self) -> u64 {
        self.stand_in.requests().values().sum()
    }

    /// How often each operation's answer with each status was held against Clerk's description, and each type of event.
    #[must_use]
    pub fn checked_answers(&self) -> BTreeMap<String, u64> {
        self.stand_in.checked()
    }

    /// Starts counting requests anew.
    pub fn forget_requests(&self) {
        self.stand_in.forget_requests();
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
            let violations = self.stand_in.violations();
            assert!(violations.is_empty(), "the stand-in did what Clerk doesn't: {violations:#?}");
        }
    }
}
