//! From the configuration to [`Lethe`]: connects to Postgres, reads the data map, derives the keys.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use lethe::clerk::{Client, ClientSettings};
use lethe::connection::{self, Connected, Pooling, TimeLimits};
use lethe::data_map::DataMap;
use lethe::database::SchemaState;
use lethe::drift::{self, Fit};
use lethe::keys::Keys;
use lethe::mail::Mailer;
use lethe::purposes::Purposes;
use lethe::secrets::Recognition;
use lethe::storage::Storage;
use lethe::{ActiveMap, Clock, Dependencies, Lethe, Random, error_chain, is_database_away, is_loopback};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::config::{ClerkConfig, DatabaseConfig, DatabaseTls, MailConfig, PostgresUrl, ServerConfig, database};

/// Follows the name of a setting.
const NEEDS_DIRECT_URL: &str = "leads to a connection pooler in transaction mode, which carries neither migrations nor the \
     notifications of the job queue; set LETHE_DATABASE_DIRECT_URL to the address of the database itself, or of a pooler in \
     session mode";

/// How long a process waits for the database when it starts.
const DATABASE_START_TIMEOUT: Duration = Duration::from_mins(1);
const DATABASE_START_PAUSE: Duration = Duration::from_secs(1);

/// Connections of the queue beside one for each worker: one is notified of new jobs, one renews what workers hold.
const EXTRA_QUEUE_CONNECTIONS: usize = 2;

/// Connects to the address that pages and jobs use, which may be that of a pooler.
pub async fn connect_database(config: &DatabaseConfig, limits: TimeLimits) -> anyhow::Result<Connected> {
    connect("DATABASE_URL", &config.url, config, config.connections, limits).await
}

/// Connects to the address that leads to a session for each connection. Commands use it, and migrations and the job queue need
/// it. Refuses a pooler in transaction mode.
pub async fn connect_directly(
    config: &DatabaseConfig,
    connections: NonZeroU32,
    limits: TimeLimits,
) -> anyhow::Result<PgPool> {
    let (name, url) = match &config.direct_url {
        Some(url) => (database::DIRECT_URL.name, url),
        None => (database::URL.name, &config.url),
    };
    let connected = connect(name, url, config, connections, limits).await?;
    match connected.pooling {
        Pooling::Session => Ok(connected.pool),
        Pooling::Transaction | Pooling::Unsupported => bail!("{name} {NEEDS_DIRECT_URL}"),
    }
}

async fn connect(
    name: &str,
    url: &PostgresUrl,
    config: &DatabaseConfig,
    connections: NonZeroU32,
    limits: TimeLimits,
) -> anyhow::Result<Connected> {
    let options: PgConnectOptions = url
        .expose()
        .parse()
        // The error may quote the URL with its password.
        .map_err(|_| anyhow::anyhow!("{name} is not a valid Postgres URL"))?;
    let options = with_tls(options, config);
    let target =
        format!("{}:{}/{}", options.get_host(), options.get_port(), options.get_database().unwrap_or_default());
    connection::connect(options, connections, limits)
        .await
        .with_context(|| format!("can't connect to the database at {target} ({name})"))
}

/// Verifies the server's certificate, unless the server is on this machine or the operator says otherwise.
fn with_tls(options: PgConnectOptions, config: &DatabaseConfig) -> PgConnectOptions {
    let options = match &config.ca {
        Some(file) => options.ssl_root_cert(file),
        None => options,
    };
    // A path is the folder of a socket.
    let is_local = options.get_host().starts_with('/') || is_loopback(options.get_host());
    let in_url = options.get_ssl_mode();
    let mode = match config.tls {
        Some(DatabaseTls::VerifyCa) => PgSslMode::VerifyCa,
        Some(DatabaseTls::Require) => PgSslMode::Require,
        Some(DatabaseTls::Disable) => PgSslMode::Disable,
        None if is_local || matches!(in_url, PgSslMode::VerifyCa | PgSslMode::Disable) => in_url,
        Some(DatabaseTls::VerifyFull) | None => PgSslMode::VerifyFull,
    };
    options.ssl_mode(mode)
}

/// Returns what protects the connection to the database, as `lethe doctor` reports it.
#[must_use]
pub fn database_protection(config: &DatabaseConfig) -> Option<PgSslMode> {
    let options: PgConnectOptions = config.url.expose().parse().ok()?;
    Some(with_tls(options, config).get_ssl_mode())
}

/// Repeats a part of the start that fails because the database is away, for a minute: it may be starting too.
pub async fn wait_for_database<T>(attempt: impl AsyncFn() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let deadline = Instant::now() + DATABASE_START_TIMEOUT;
    loop {
        match attempt().await {
            Err(error) if is_database_away(error.as_ref()) && Instant::now() < deadline => {
                tracing::warn!(error = error_chain(error.as_ref()), "the database is away; trying again");
                tokio::time::sleep(DATABASE_START_PAUSE).await;
            }
            result => return result,
        }
    }
}

/// Builds what operations need. Sends no request to Clerk.
pub async fn build(config: &ServerConfig) -> anyhow::Result<Lethe> {
    let connected = connect_database(&config.database, TimeLimits::REQUEST).await?;
    let queue_database = match (&config.database.direct_url, connected.pooling) {
        (None, Pooling::Session) => connected.pool.clone(),
        // Refuses a pooler.
        _ => connect_directly(&config.database, queue_connections(config), TimeLimits::REQUEST).await?,
    };
    build_with(config, clerk_client(&config.clerk)?, connected.pool, queue_database)
}

fn queue_connections(config: &ServerConfig) -> NonZeroU32 {
    let connections = config.core.workers + EXTRA_QUEUE_CONNECTIONS;
    u32::try_from(connections).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX)
}

/// The same for batches: calls to Clerk have a lower priority than those that a user is waiting for, and statements may take
/// however long they take.
pub async fn build_for_batch(config: &ServerConfig) -> anyhow::Result<Lethe> {
    let database = connect_directly(&config.database, config.database.connections, TimeLimits::BATCH).await?;
    build_with(config, clerk_client(&config.clerk)?.batch(), database.clone(), database)
}

fn clerk_client(config: &ClerkConfig) -> anyhow::Result<Client> {
    let mut settings = ClientSettings::new(config.secret_key.clone());
    settings.api_url = config.api_url.clone();
    settings.budget = config.requests_per_ten_seconds;
    Client::new(&settings).context("CLERK_API_URL or CLERK_SECRET_KEY is not valid")
}

fn build_with(config: &ServerConfig, clerk: Client, database: PgPool, queue_database: PgPool) -> anyhow::Result<Lethe> {
    let data_map = load_data_map(&config.data.data_map)?;
    let folder = &config.data.storage;
    Ok(Lethe::new(Dependencies {
        database,
        queue_database,
        clerk,
        active_map: active_map(data_map),
        storage: Storage::folder(folder).with_context(|| format!("LETHE_STORAGE: can't use {}", folder.display()))?,
        mailer: mailer(&config.mail)?,
        keys: Keys::derive(&config.data.secret.0).context("LETHE_SECRET")?,
        clock: Clock::system(),
        random: Random::system(),
        config: config.core.clone(),
    }))
}

/// The map with its purposes. Everything in the file can be replaced while the process runs.
#[must_use]
pub fn active_map(data_map: DataMap) -> ActiveMap {
    let purposes = purposes(&data_map);
    ActiveMap::new(data_map, purposes)
}

/// The purposes of the map, or what stands in for them.
#[must_use]
pub fn purposes(data_map: &DataMap) -> Purposes {
    data_map.purposes().cloned().unwrap_or_default()
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

/// Refuses a database without Lethe's tables, and one that needs a secret which isn't configured.
pub async fn ensure_migrated(lethe: &Lethe) -> anyhow::Result<()> {
    match recognize_secrets(lethe).await? {
        Recognition::Complete => Ok(()),
        Recognition::Unknown => bail!(
            "LETHE_SECRET isn't the secret that this database was used with. With another one, erased users would count as \
             active. Nothing was changed; set the secret that you stored apart from the database"
        ),
        Recognition::Missing(ids) => {
            let ids: Vec<String> =
                ids.into_iter().map(|id| id.unwrap_or_else(|| "of the first secret".to_owned())).collect();
            bail!(
                "LETHE_SECRET lacks a secret that this database was used with (id {}). Without it, users who were erased with \
                 it would count as active. Nothing was changed; add it after the newest one. `lethe keys list` tells when a \
                 secret can be dropped, `lethe keys drop` drops it",
                ids.join(", ")
            )
        }
    }
}

/// Refuses a database without Lethe's tables, and one that none of the configured secrets was ever used with.
pub async fn ensure_known_secret(lethe: &Lethe) -> anyhow::Result<()> {
    if recognize_secrets(lethe).await? == Recognition::Unknown {
        bail!("none of the secrets in LETHE_SECRET is one that this database was used with");
    }
    Ok(())
}

async fn recognize_secrets(lethe: &Lethe) -> anyhow::Result<Recognition> {
    match lethe::database::schema_state(&lethe.database).await? {
        SchemaState::Ready { .. } => {}
        SchemaState::Outdated => bail!("the database isn't migrated; run `lethe migrate` first"),
        SchemaState::TooNew { .. } => bail!(
            "a newer version of Lethe has updated the database, and this version can't use it any more; run the newer version"
        ),
    }
    Ok(lethe::secrets::recognize(&lethe.database, &lethe.keys, lethe.clock.now()).await?)
}

/// Refuses what [`ensure_migrated`] refuses. A data map that doesn't fit the database is reported and refuses nothing: it stops
/// exports and erasures, which wait for its correction, but neither preferences nor receipts nor requests.
pub async fn ensure_ready(lethe: &Lethe) -> anyhow::Result<Fit> {
    ensure_migrated(lethe).await?;
    register_purposes(lethe).await?;
    drift::check(lethe, None).await.context("the database's schema can't be read")
}

/// Takes in the purposes of the map in force, at each start and whenever the map's file has changed.
pub async fn register_purposes(lethe: &Lethe) -> lethe::Result<()> {
    lethe::consent::register_purposes(lethe).await?;
    if lethe.purposes.is_empty() {
        tracing::warn!(
            "the data map has no [[purpose]]: users are asked for no consent, and Clerk's copies stay as they are"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn certificates_are_verified_unless_the_server_is_local_or_the_operator_says_otherwise() {
        let mode_with = |url: &str, tls| {
            let url = PostgresUrl(SecretString::from(url));
            let config = DatabaseConfig { url, direct_url: None, tls, ca: None, connections: NonZeroU32::MIN };
            format!("{:?}", database_protection(&config).expect("it is a URL"))
        };
        let mode = |url: &str| mode_with(url, None);
        for local in ["postgres://u:p@localhost/db", "postgres://u:p@127.0.0.1:5432/db", "postgres://u:p@[::1]/db"] {
            assert_eq!(mode(local), "Prefer", "{local}");
        }
        assert_eq!(mode("postgres://u:p@db.example.org/db"), "VerifyFull");
        assert_eq!(mode("postgres://u:p@10.0.0.5/db"), "VerifyFull");
        assert_eq!(mode("postgres://u:sslmode=disable@db.example.org/db"), "VerifyFull", "it is the password");
        for weak in ["require", "prefer", "allow"] {
            let url = format!("postgres://u:p@db.example.org/db?sslmode={weak}");
            assert_eq!(mode(&url), "VerifyFull", "hosting services write it into their URLs");
        }
        assert_eq!(mode("postgres://u:p@db.example.org/db?sslmode=verify-ca"), "VerifyCa");
        assert_eq!(mode("postgres://u:p@db.example.org/db?sslmode=disable"), "Disable");
        assert_eq!(mode_with("postgres://u:p@db.example.org/db", Some(DatabaseTls::Require)), "Require");
        assert_eq!(mode_with("postgres://u:p@localhost/db", Some(DatabaseTls::VerifyFull)), "VerifyFull");
    }
}
