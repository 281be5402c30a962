//! From the configuration to [`Lethe`]: connects to Postgres, reads the data map, derives the keys.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use lethe::clerk::{Client, ClientSettings};
use lethe::data_map::{self, DataMap};
use lethe::keys::Keys;
use lethe::mail::Mailer;
use lethe::storage::Storage;
use lethe::{Clock, Dependencies, Lethe, Random};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::config::{ClerkConfig, DatabaseConfig, MailConfig, ServerConfig};

/// How long a connection may take, and how long a request waits for a free one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects to Postgres.
pub async fn connect_database(config: &DatabaseConfig) -> anyhow::Result<PgPool> {
    let options: PgConnectOptions = config
        .url
        .expose()
        .parse()
        // The error may quote the URL with its password.
        .map_err(|_| anyhow::anyhow!("DATABASE_URL is not a valid Postgres URL"))?;
    let options = options.application_name("lethe");
    let target =
        format!("{}:{}/{}", options.get_host(), options.get_port(), options.get_database().unwrap_or_default());
    PgPoolOptions::new()
        .max_connections(config.connections.get())
        .acquire_timeout(CONNECT_TIMEOUT)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .with_context(|| format!("can't connect to the database at {target} (DATABASE_URL)"))
}

/// Builds what operations need. Sends no request to Clerk.
pub async fn build(config: &ServerConfig) -> anyhow::Result<Lethe> {
    build_with(config, clerk_client(&config.clerk)?).await
}

/// The same for batches: calls to Clerk have a lower priority than those that a user is waiting for.
pub async fn build_for_batch(config: &ServerConfig) -> anyhow::Result<Lethe> {
    build_with(config, clerk_client(&config.clerk)?.batch()).await
}

fn clerk_client(config: &ClerkConfig) -> anyhow::Result<Client> {
    let mut settings = ClientSettings::new(config.secret_key.clone());
    settings.api_url = config.api_url.clone();
    settings.budget = config.requests_per_ten_seconds;
    Client::new(&settings).context("CLERK_API_URL or CLERK_SECRET_KEY is not valid")
}

async fn build_with(config: &ServerConfig, clerk: Client) -> anyhow::Result<Lethe> {
    let data_map = load_data_map(&config.data.data_map)?;
    let database = connect_database(&config.database).await?;
    let folder = &config.data.storage;
    Ok(Lethe::new(Dependencies {
        database,
        clerk,
        purposes: data_map.purposes().cloned().unwrap_or_default(),
        data_map,
        storage: Storage::folder(folder).with_context(|| format!("LETHE_STORAGE: can't use {}", folder.display()))?,
        mailer: mailer(&config.mail)?,
        keys: Keys::derive(&config.data.secret.0).context("LETHE_SECRET")?,
        clock: Clock::system(),
        random: Random::system(),
        config: config.core.clone(),
    }))
}

fn mailer(config: &MailConfig) -> anyhow::Result<Mailer> {
    match (&config.smtp_url, &config.from) {
        (Some(url), Some(from)) => Mailer::smtp(url, from).context("LETHE_SMTP_URL or LETHE_MAIL_FROM is not valid"),
        _ => Ok(Mailer::none()),
    }
}

/// Reads the data map.
pub fn load_data_map(path: &Path) -> anyhow::Result<DataMap> {
    DataMap::load(path).with_context(|| format!("LETHE_DATA_MAP: {}", path.display()))
}

/// Refuses a database without Lethe's tables.
pub async fn ensure_migrated(lethe: &Lethe) -> anyhow::Result<()> {
    if !lethe::database::is_migrated(&lethe.database).await? {
        bail!("the database isn't migrated; run `lethe migrate` first");
    }
    Ok(())
}

/// Refuses a database that isn't migrated, and a data map that doesn't fit it.
pub async fn ensure_ready(lethe: &Lethe) -> anyhow::Result<()> {
    ensure_migrated(lethe).await?;
    let mut connection = lethe.database.acquire().await?;
    data_map::resolve(&lethe.data_map, &mut connection)
        .await
        .context("the data map doesn't fit the database; `lethe map check` lists the problems")?;
    Ok(())
}
