//! From the configuration to [`Lethe`]: connects to Postgres, reads the data map, derives the keys.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use lethe::clerk::{Client, ClientSettings};
use lethe::data_map::{self, DataMap};
use lethe::is_loopback;
use lethe::keys::Keys;
use lethe::mail::Mailer;
use lethe::storage::Storage;
use lethe::{Clock, Dependencies, Lethe, Random};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{Connection, PgConnection, PgPool};
use url::Url;

use crate::config::{ClerkConfig, DatabaseConfig, MailConfig, ServerConfig};

/// How long a connection may take, and how long a request waits for a free one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may be idle before it is checked, which costs a round trip.
const UNCHECKED_IDLE_TIME: Duration = Duration::from_secs(2);

/// What every session of Lethe sets, where the server knows the setting: a transaction of a host that is gone, or of a
/// process that hangs, doesn't hold its locks for hours.
const SESSION_SETTINGS: [(&str, &str); 6] = [
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "30s"),
    ("idle_in_transaction_session_timeout", "2min"),
    // Postgres 14: a statement ends with its client.
    ("client_connection_check_interval", "10s"),
];

/// Connects to Postgres.
pub async fn connect_database(config: &DatabaseConfig) -> anyhow::Result<PgPool> {
    let options: PgConnectOptions = config
        .url
        .expose()
        .parse()
        // The error may quote the URL with its password.
        .map_err(|_| anyhow::anyhow!("DATABASE_URL is not a valid Postgres URL"))?;
    let options = with_tls(options.application_name("lethe"), config);
    let target =
        format!("{}:{}/{}", options.get_host(), options.get_port(), options.get_database().unwrap_or_default());
    PgPoolOptions::new()
        .max_connections(config.connections.get())
        .acquire_timeout(CONNECT_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, usage| {
            Box::pin(async move {
                if usage.idle_for > UNCHECKED_IDLE_TIME {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(|connection, _| Box::pin(async move { apply_session_settings(connection).await }))
        .connect_with(options)
        .await
        .with_context(|| format!("can't connect to the database at {target} (DATABASE_URL)"))
}

async fn apply_session_settings(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let (names, values): (Vec<_>, Vec<_>) = SESSION_SETTINGS.into_iter().unzip();
    sqlx::query(
        "select set_config(wanted.name, wanted.value, false)
        from unnest($1::text[], $2::text[]) as wanted (name, value) join pg_settings using (name)",
    )
    .bind(names)
    .bind(values)
    .execute(connection)
    .await?;
    Ok(())
}

/// Verifies the server's certificate, unless the server is on this machine or the URL says otherwise.
fn with_tls(options: PgConnectOptions, config: &DatabaseConfig) -> PgConnectOptions {
    let options = match &config.ca {
        Some(file) => options.ssl_root_cert(file),
        None => options,
    };
    let has_mode = Url::parse(config.url.expose())
        .is_ok_and(|url| url.query_pairs().any(|(name, _)| matches!(&*name, "sslmode" | "ssl-mode")));
    // A path is the folder of a socket.
    let is_local = options.get_host().starts_with('/') || is_loopback(options.get_host());
    if has_mode || is_local { options } else { options.ssl_mode(PgSslMode::VerifyFull) }
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

/// Refuses a database without Lethe's tables, and one that was used with another secret.
pub async fn ensure_migrated(lethe: &Lethe) -> anyhow::Result<()> {
    if !lethe::database::is_migrated(&lethe.database).await? {
        bail!("the database isn't migrated; run `lethe migrate` first");
    }
    if !lethe::database::recognizes_secret(&lethe.database, &lethe.keys).await? {
        bail!(
            "LETHE_SECRET isn't the secret that this database was used with. With another one, erased users would count as \
             active. Nothing was changed; set the secret that you stored apart from the database"
        );
    }
    Ok(())
}

/// Refuses what [`ensure_migrated`] refuses. A data map that doesn't fit the database is logged and refuses nothing: it stops
/// exports and erasures, which wait for its correction, but neither preferences nor receipts nor requests.
pub async fn ensure_ready(lethe: &Lethe) -> anyhow::Result<()> {
    ensure_migrated(lethe).await?;
    let mut connection = lethe.database.acquire().await?;
    match data_map::resolve(&lethe.data_map, &mut connection).await {
        Ok(_) => {}
        Err(error @ data_map::Error::Mismatch(_)) => tracing::error!(
            error = &error as &dyn std::error::Error,
            "the data map doesn't fit the database: exports and erasures wait until `lethe map check` finds no problem"
        ),
        Err(error) => return Err(error).context("the database's schema can't be read"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::config::PostgresUrl;

    #[test]
    fn certificates_are_verified_unless_the_server_is_local_or_the_url_says_otherwise() {
        let mode = |url: &str| {
            let url = PostgresUrl(SecretString::from(url));
            let config = DatabaseConfig { url: url.clone(), ca: None, connections: std::num::NonZeroU32::MIN };
            let options: PgConnectOptions = url.expose().parse().expect("it is a URL");
            format!("{:?}", with_tls(options, &config).get_ssl_mode())
        };
        for local in ["postgres://u:p@localhost/db", "postgres://u:p@127.0.0.1:5432/db", "postgres://u:p@[::1]/db"] {
            assert_eq!(mode(local), "Prefer", "{local}");
        }
        assert_eq!(mode("postgres://u:p@db.example.org/db"), "VerifyFull");
        assert_eq!(mode("postgres://u:p@10.0.0.5/db"), "VerifyFull");
        assert_eq!(mode("postgres://u:sslmode=disable@db.example.org/db"), "VerifyFull", "it is the password");
        assert_eq!(mode("postgres://u:p@db.example.org/db?sslmode=require"), "Require");
        assert_eq!(mode("postgres://u:p@db.example.org/db?sslmode=disable"), "Disable");
    }
}
