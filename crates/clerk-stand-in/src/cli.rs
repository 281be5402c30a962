//! The stand-in as a process, with the arguments of the program `clerk-stand-in`. Other programs can use both.

use std::time::Duration;

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgPoolOptions;
use tokio::net::TcpListener;
use url::Url;

use crate::{
    options::{Options, SVIX_RETRY_SECONDS, publishable_key},
    people::Person,
    stand_in::StandIn,
};

/// Arguments and environment variables of the stand-in.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The port on 127.0.0.1.
    #[arg(long, default_value_t = 3001)]
    pub port: u16,
    /// The Postgres database for the state: users, browsers, sessions, keys and webhooks.
    #[arg(long, env = "STAND_IN_DATABASE_URL", hide_env_values = true)]
    pub database_url: SecretString,
    /// The public base URL; by default the address on 127.0.0.1.
    #[arg(long, env = "STAND_IN_URL")]
    pub url: Option<String>,
    /// The bearer token of the Backend API.
    #[arg(long, env = "CLERK_SECRET_KEY", hide_env_values = true, default_value = "sk_test_stand_in")]
    pub secret_key: SecretString,
    /// The publishable key; by default that of a development instance at `url`.
    #[arg(long, env = "CLERK_PUBLISHABLE_KEY")]
    pub publishable_key: Option<String>,
    /// The key that signs webhooks: `whsec_` and base64.
    #[arg(
        long,
        env = "CLERK_WEBHOOK_SIGNING_SECRET",
        hide_env_values = true,
        default_value = "whsec_c3RhbmQtaW4tZm9yLWNsZXJr"
    )]
    pub webhook_secret: SecretString,
    /// Where webhooks are sent.
    #[arg(long, env = "STAND_IN_WEBHOOK_URL")]
    pub webhook_url: Option<Url>,
    /// Origins of the application; the first is the authorized party of tokens created without a browser. By default
    /// the origin of the webhook URL. Pages of this machine are always accepted.
    #[arg(long, env = "STAND_IN_APPLICATION_ORIGINS", value_delimiter = ',')]
    pub application_origins: Vec<String>,
    /// Seconds between the attempts to deliver a webhook.
    #[arg(long, env = "STAND_IN_WEBHOOK_RETRY_SECONDS", value_delimiter = ',', default_values_t = SVIX_RETRY_SECONDS)]
    pub retry_seconds: Vec<u64>,
    /// How many made-up people to create when there are no users yet.
    #[arg(long, env = "STAND_IN_PEOPLE", default_value_t = 40)]
    pub people: usize,
}

/// Serves the stand-in until the future is dropped. `person` makes the users.
pub async fn run(arguments: Arguments, person: fn(usize) -> Person) -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", arguments.port))
        .await
        .with_context(|| format!("port {} can't be used", arguments.port))?;
    let url = arguments.url.unwrap_or_else(|| format!("http://127.0.0.1:{}", arguments.port));
    let url = url.trim_end_matches('/').to_owned();
    let mut application_origins = arguments.application_origins;
    if application_origins.is_empty() {
        application_origins.extend(arguments.webhook_url.as_ref().map(|url| url.origin().ascii_serialization()));
    }
    let pool = PgPoolOptions::new()
        .max_connections(16)
        .connect(arguments.database_url.expose_secret())
        .await
        .context("the database can't be reached")?;
    let options = Options {
        publishable_key: arguments.publishable_key.unwrap_or_else(|| publishable_key(&url)),
        url,
        secret_key: arguments.secret_key,
        webhook_secret: arguments.webhook_secret,
        webhook_url: arguments.webhook_url.map(Into::into),
        application_origins,
        retry: arguments.retry_seconds.into_iter().map(Duration::from_secs).collect(),
        person,
    };
    let stand_in = StandIn::open(pool, options).await?;
    if stand_in.count_users().await? == 0 {
        stand_in.create_people(arguments.people).await?;
    }
    eprintln!("This is a stand-in for Clerk: anyone can sign in as anyone. Never use it to protect anything real.");
    tracing::info!(port = arguments.port, "the stand-in for Clerk is ready");
    Ok(stand_in.serve(listener).await?)
}
