//! From settings to [`Lethe`]: connects, reads the data map, derives the keys.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use lethe::clerk::{Client, ClientSettings};
use lethe::data_map::{self, DataMap};
use lethe::keys::Keys;
use lethe::mail::Mailer;
use lethe::storage::Storage;
use lethe::{Clock, Dependencies, Lethe, Random};
use secrecy::ExposeSecret;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::config::{DatabaseConfig, ServerConfig};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects to Postgres.
pub async fn connect_database(settings: &DatabaseConfig) -> anyhow::Result<PgPool> {
    let options: PgConnectOptions = settings
        .url
        .expose_secret()
        .parse()
        // The error may quote the address with its password.
        .map_err(|_| anyhow::anyhow!("DATABASE_URL is no address of a Postgres database"))?;
    let options = options.application_name("lethe");
    let place = format!("{}:{}/{}", options.get_host(), options.get_port(), options.get_database().unwrap_or_default());
    PgPoolOptions::new()
        .max_connections(settings.connections)
        .acquire_timeout(CONNECT_TIMEOUT)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .with_context(|| format!("the database at {place} can't be reached (DATABASE_URL)"))
}

/// Puts everything together that an operation needs. Nothing is asked of Clerk.
pub async fn build(settings: &ServerConfig) -> anyhow::Result<Lethe> {
    let clerk = clerk_client(settings)?;
    build_with(settings, clerk).await
}

/// The same for work on many people: its calls to Clerk wait behind those that a person waits for.
pub async fn build_for_batch(settings: &ServerConfig) -> anyhow::Result<Lethe> {
    let clerk = clerk_client(settings)?.batch();
    build_with(settings, clerk).await
}

fn clerk_client(settings: &ServerConfig) -> anyhow::Result<Client> {
    let mut client = ClientSettings::new(settings.clerk.secret_key.clone());
    client.api_url = settings.clerk.api_url.clone();
    client.budget = settings.clerk.budget;
    Client::new(&client).context("CLERK_API_URL or CLERK_SECRET_KEY can't be used")
}

async fn build_with(settings: &ServerConfig, clerk: Client) -> anyhow::Result<Lethe> {
    let data_map = load_data_map(&settings.data_map)?;
    let database = connect_database(&settings.database).await?;
    let mailer = match (&settings.mail.smtp_url, &settings.mail.from) {
        (Some(url), Some(from)) => {
            Mailer::smtp(url, from).context("LETHE_SMTP_URL or LETHE_MAIL_FROM can't be used")?
        }
        _ => Mailer::none(),
    };
    let storage = Storage::folder(&settings.storage)
        .with_context(|| format!("LETHE_STORAGE: {} can't be used", settings.storage.display()))?;
    Ok(Lethe::new(Dependencies {
        database,
        clerk,
        purposes: data_map.purposes().cloned().unwrap_or_default(),
        data_map,
        storage,
        mailer,
        keys: Keys::derive(&settings.secret).context("LETHE_SECRET")?,
        clock: Clock::system(),
        random: Random::system(),
        config: lethe::CoreConfig {
            brand: settings.brand.clone(),
            public_url: settings.url.clone(),
            alert_address: settings.mail.alert_to.clone(),
            workers: settings.workers,
        },
    }))
}

/// Reads the data map.
pub fn load_data_map(path: &Path) -> anyhow::Result<DataMap> {
    DataMap::load(path).with_context(|| format!("LETHE_DATA_MAP: {}", path.display()))
}

/// Refuses a database that wasn't migrated, and a data map that doesn't fit it.
pub async fn ensure_ready(lethe: &Lethe) -> anyhow::Result<()> {
    if !lethe::database::is_migrated(&lethe.database).await? {
        bail!("the database isn't migrated; run `lethe migrate` first");
    }
    let mut connection = lethe.database.acquire().await?;
    data_map::resolve(&lethe.data_map, &mut connection)
        .await
        .context("the data map doesn't fit the database; `lethe map check` tells more")?;
    Ok(())
}
