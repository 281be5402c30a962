//! The binary `demo`: the parts of the demonstration as processes.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use clap::{Parser, Subcommand};
use demo::{
    clerk::{Options, SVIX_RETRY_SECONDS, StandIn, publishable_key},
    inbox::Mailbox,
    people,
    sample::{self, SeedOptions},
};
use secrecy::SecretString;
use sqlx::postgres::PgPoolOptions;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;
use url::Url;

#[derive(Parser)]
#[command(
    version,
    about = "A stand-in for Clerk, a mail catcher and a sample application, for demonstrations and tests only."
)]
enum Command {
    #[command(flatten)]
    Part(Part),
}

#[derive(Subcommand)]
enum Part {
    /// Serves the stand-in for Clerk: Backend API, Frontend API, sign-in page, webhooks.
    Clerk(Box<Clerk>),
    /// Catches mail and shows it.
    Inbox(Inbox),
    /// Makes the sample application's tables and data where they are absent.
    Seed(Seed),
}

#[derive(clap::Args)]
struct Clerk {
    /// The port on 127.0.0.1.
    #[arg(long, default_value_t = 3001)]
    port: u16,
    /// The Postgres database that holds its state.
    #[arg(long, env = "STAND_IN_DATABASE_URL", hide_env_values = true)]
    database_url: SecretString,
    /// Its own public base; by default its address on 127.0.0.1.
    #[arg(long, env = "STAND_IN_URL")]
    url: Option<String>,
    /// The bearer that the Backend API wants.
    #[arg(long, env = "CLERK_SECRET_KEY", hide_env_values = true, default_value = "sk_test_stand_in")]
    secret_key: SecretString,
    /// The publishable key; by default the one of a development instance at `url`.
    #[arg(long, env = "CLERK_PUBLISHABLE_KEY")]
    publishable_key: Option<String>,
    /// What webhooks are signed with: `whsec_` and base64.
    #[arg(
        long,
        env = "CLERK_WEBHOOK_SIGNING_SECRET",
        hide_env_values = true,
        default_value = "whsec_c3RhbmQtaW4tZm9yLWNsZXJr"
    )]
    webhook_secret: SecretString,
    /// Where webhooks go.
    #[arg(long, env = "STAND_IN_WEBHOOK_URL")]
    webhook_url: Option<Url>,
    /// Origins of the application; the first is the authorized party of tokens made without a browser. By default the
    /// origin of the webhook URL. Pages of this machine are always accepted.
    #[arg(long, env = "STAND_IN_APPLICATION_ORIGINS", value_delimiter = ',')]
    application_origins: Vec<String>,
    /// Seconds between the attempts to deliver a webhook.
    #[arg(long, env = "STAND_IN_WEBHOOK_RETRY_SECONDS", value_delimiter = ',', default_values_t = SVIX_RETRY_SECONDS)]
    retry_seconds: Vec<u64>,
    /// How many people of the demonstration to create when there are no users yet.
    #[arg(long, env = "STAND_IN_PEOPLE", default_value_t = 40)]
    people: usize,
}

#[derive(clap::Args)]
struct Inbox {
    /// The web inbox's port on 127.0.0.1.
    #[arg(long, default_value_t = 3002)]
    port: u16,
    /// The SMTP port on 127.0.0.1.
    #[arg(long, default_value_t = 3003)]
    smtp_port: u16,
    /// Where mail is kept; in memory, if absent.
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

#[derive(clap::Args)]
struct Seed {
    /// The sample application's database.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: SecretString,
    /// How many people have data.
    #[arg(long, default_value_t = SeedOptions::default().people)]
    people: usize,
    /// Rows for each person in each table that holds many.
    #[arg(long, default_value_t = SeedOptions::default().rows_per_person)]
    rows_per_person: usize,
    /// Fills person 1's usage log up to this many rows.
    #[arg(long, default_value_t = 0)]
    usage_logs: i64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx::query=error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let Command::Part(part) = Command::parse();
    match part {
        Part::Clerk(arguments) => until_stopped(clerk(*arguments)).await,
        Part::Inbox(arguments) => until_stopped(inbox(arguments)).await,
        Part::Seed(arguments) => seed(arguments).await,
    }
}

async fn clerk(arguments: Clerk) -> anyhow::Result<()> {
    let listener = listen(arguments.port).await?;
    let url = arguments.url.unwrap_or_else(|| format!("http://127.0.0.1:{}", arguments.port));
    let url = url.trim_end_matches('/').to_owned();
    let mut application_origins = arguments.application_origins;
    if application_origins.is_empty() {
        application_origins.extend(arguments.webhook_url.as_ref().map(|url| url.origin().ascii_serialization()));
    }
    let pool = connect(&arguments.database_url, 16).await?;
    let stand_in = StandIn::open(
        pool,
        Options {
            publishable_key: arguments.publishable_key.unwrap_or_else(|| publishable_key(&url)),
            url,
            secret_key: arguments.secret_key,
            webhook_secret: arguments.webhook_secret,
            webhook_url: arguments.webhook_url.map(Into::into),
            application_origins,
            retry: arguments.retry_seconds.into_iter().map(Duration::from_secs).collect(),
        },
    )
    .await?;
    if stand_in.count_users().await? == 0 {
        stand_in.create_people(arguments.people).await?;
    }
    eprintln!(
        "This stands in for Clerk in a demonstration: anybody can sign in as anybody. Never let it guard anything real."
    );
    tracing::info!(port = arguments.port, "the stand-in for Clerk is ready");
    Ok(stand_in.serve(listener).await?)
}

async fn inbox(arguments: Inbox) -> anyhow::Result<()> {
    let mailbox = Mailbox::open(arguments.data_dir).context("the inbox's directory can't be used")?;
    let (web, smtp) = (listen(arguments.port).await?, listen(arguments.smtp_port).await?);
    tracing::info!(port = arguments.port, smtp_port = arguments.smtp_port, "the inbox is ready");
    Ok(mailbox.serve(web, smtp).await?)
}

async fn seed(arguments: Seed) -> anyhow::Result<()> {
    let pool = connect(&arguments.database_url, 2).await?;
    sample::create_schema(&pool).await?;
    let options = SeedOptions { people: arguments.people, rows_per_person: arguments.rows_per_person };
    let seeded = sample::seed(&pool, &options).await?;
    sample::fill_usage_logs(&pool, &people::person(1).id, arguments.usage_logs).await?;
    tracing::info!(people = arguments.people, seeded, "the sample application has its data");
    Ok(())
}

async fn connect(url: &SecretString, connections: u32) -> anyhow::Result<sqlx::PgPool> {
    use secrecy::ExposeSecret;
    PgPoolOptions::new()
        .max_connections(connections)
        .connect(url.expose_secret())
        .await
        .context("the database can't be reached")
}

async fn listen(port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port)).await.with_context(|| format!("port {port} can't be used"))
}

async fn until_stopped(serving: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        served = serving => served,
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        _ = terminated.recv() => Ok(()),
    }
}
