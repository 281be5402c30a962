//! The binary `lethe-demo`: the parts of the demonstration as processes.

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use clerk_stand_in::cli;
use lethe_demo::{
    inbox::{self, Mailbox},
    people,
    sample::{self, SeedOptions},
};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgPoolOptions;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

#[derive(Parser)]
#[command(
    version,
    about = "A stand-in for Clerk, a mail catcher and a sample application, for demonstrations and tests only."
)]
enum Command {
    /// Serves the stand-in for Clerk: Backend API, Frontend API, sign-in page, webhooks.
    Clerk(Box<cli::Arguments>),
    /// Catches mail and shows it.
    Inbox(Inbox),
    /// Creates the sample application's tables and data if they don't exist.
    Seed(Seed),
}

#[derive(clap::Args)]
struct Inbox {
    /// The web inbox's port on 127.0.0.1.
    #[arg(long, default_value_t = 3002)]
    port: u16,
    /// The SMTP port on 127.0.0.1.
    #[arg(long, default_value_t = 3003)]
    smtp_port: u16,
    /// Where mail is stored; by default in memory.
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
    /// Rows for each person in each table that has several per person.
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
    match Command::parse() {
        Command::Clerk(arguments) => until_stopped(cli::run(*arguments, people::person)).await,
        Command::Inbox(arguments) => until_stopped(inbox(arguments)).await,
        Command::Seed(arguments) => seed(arguments).await,
    }
}

async fn inbox(arguments: Inbox) -> anyhow::Result<()> {
    let mailbox = Mailbox::open(arguments.data_dir).context("the inbox's directory can't be used")?;
    let (web, smtp) = (listen(arguments.port).await?, listen(arguments.smtp_port).await?);
    tracing::info!(port = arguments.port, smtp_port = arguments.smtp_port, "the inbox is ready");
    Ok(inbox::serve(mailbox, web, smtp).await?)
}

async fn seed(arguments: Seed) -> anyhow::Result<()> {
    let pool = PgPoolOptions::new()
        .max_connections(2)
        .connect(arguments.database_url.expose_secret())
        .await
        .context("the database can't be reached")?;
    sample::create_schema(&pool).await?;
    let options = SeedOptions { people: arguments.people, rows_per_person: arguments.rows_per_person };
    let seeded = sample::seed(&pool, &options).await?;
    sample::fill_usage_logs(&pool, &people::person(1).id, arguments.usage_logs).await?;
    tracing::info!(people = arguments.people, seeded, "the sample application has its data");
    Ok(())
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
