//! The settings: what can be set, what is accepted, what holds when nothing is set.
//! Knows the environment's names, but not what is done with the values.

mod proxies;
#[cfg(test)]
mod tests;
mod values;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use data_encoding::BASE64;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

pub use proxies::TrustedProxies;
pub use values::{ConfigError, NAMES, Values};

const MINIMUM_SECRET_BYTES: usize = 32;

/// How to reach Postgres.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    /// `postgres://…`, with the password in it.
    pub url: SecretString,
    /// At most so many connections at once, the job queue's included.
    pub connections: u32,
}

/// Clerk, as its dashboard names things.
#[derive(Clone, Debug)]
pub struct ClerkConfig {
    /// `sk_test_…` or `sk_live_…`.
    pub secret_key: SecretString,
    /// `pk_test_…` or `pk_live_…`.
    pub publishable_key: String,
    /// `whsec_…`.
    pub webhook_secret: SecretString,
    /// Base of the Backend API, without `/v1`.
    pub api_url: Url,
    /// Base of the Frontend API where it is reached through a proxy.
    pub proxy_url: Option<Url>,
    /// Where people sign in; derived from the publishable key when not set.
    pub sign_in_url: Option<Url>,
    /// This is a satellite of the domain where people sign in.
    pub is_satellite: bool,
    /// A satellite asks also about people of whom nothing is known here.
    pub satellite_auto_sync: bool,
    /// A satellite's own domain.
    pub domain: Option<String>,
    /// The instance's public key in PEM form; with it no key is fetched.
    pub jwt_key: Option<String>,
    /// Origins whose tokens are accepted.
    pub authorized_parties: Vec<String>,
    /// Requests to the Backend API in ten seconds; by the kind of the key when not set.
    pub budget: Option<NonZeroU32>,
}

/// How often one person or one address may do what is dear.
#[derive(Clone, Copy, Debug)]
pub struct LimitConfig {
    /// Exports one person may start in an hour.
    pub exports_per_hour: NonZeroU32,
    /// Deletions one person may ask for in an hour.
    pub deletions_per_hour: NonZeroU32,
    /// Writes without a session, and forged webhooks, that one address may send in a minute.
    pub anonymous_writes_per_minute: NonZeroU32,
}

/// Mail that Lethe sends.
#[derive(Clone, Debug)]
pub struct MailConfig {
    /// `smtp://…` or `smtps://…`, a password may be in it; without it no mail is sent.
    pub smtp_url: Option<SecretString>,
    /// Sender.
    pub from: Option<String>,
    /// Who is told when something needs attention.
    pub alert_to: Option<String>,
}

/// Everything that a serving or working process needs.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Postgres.
    pub database: DatabaseConfig,
    /// Clerk.
    pub clerk: ClerkConfig,
    /// Public base of this installation; its origin is what browsers send.
    pub url: Url,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Name of the application, as its people know it.
    pub brand: String,
    /// Directory with what the browser loads.
    pub site: PathBuf,
    /// The data map.
    pub data_map: PathBuf,
    /// At least 32 random bytes, base64; tombstones and seals are derived from them.
    pub secret: SecretString,
    /// Directory for archives and copies of tombstones.
    pub storage: PathBuf,
    /// Mail.
    pub mail: MailConfig,
    /// Peers whose `X-Forwarded-…` headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// Limits.
    pub limits: LimitConfig,
    /// Jobs worked on at once.
    pub workers: usize,
    /// Opens `/metrics` to peers that are not on this machine.
    pub metrics_token: Option<SecretString>,
}

/// What the log looks like.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// A filter as `tracing` understands it.
    pub filter: String,
    /// One JSON object a line instead of text.
    pub json: bool,
}

impl DatabaseConfig {
    /// Reads `DATABASE_URL` and the size of the pool.
    pub fn read(values: &mut Values) -> Option<Self> {
        let accepted = "a Postgres address such as postgres://user:password@host/database";
        let url = values.required_secret("DATABASE_URL", accepted)?;
        let is_postgres = ["postgres://", "postgresql://"].iter().any(|scheme| url.expose_secret().starts_with(scheme));
        if !is_postgres {
            values.problem("DATABASE_URL", &format!("must be {accepted}"));
        }
        let connections = number(values, "LETHE_DATABASE_CONNECTIONS", 20)?.get();
        Some(Self { url, connections })
    }
}

impl LogConfig {
    /// Reads `LETHE_LOG` and `LETHE_LOG_FORMAT`.
    pub fn read(values: &mut Values) -> Option<Self> {
        let filter = values.text("LETHE_LOG").unwrap_or("info,sqlx=warn,graphile_worker=warn").to_owned();
        if let Err(error) = filter.parse::<tracing_subscriber::filter::EnvFilter>() {
            values.problem(
                "LETHE_LOG",
                &format!("is `{filter}` ({error}); it must be a filter such as `info,lethe=debug`"),
            );
        }
        let json = match values.text("LETHE_LOG_FORMAT") {
            None | Some("text") => false,
            Some("json") => true,
            Some(other) => {
                let problem = format!("is `{other}`; it must be `text` or `json`");
                values.problem("LETHE_LOG_FORMAT", &problem);
                false
            }
        };
        Some(Self { filter, json })
    }
}

impl ServerConfig {
    /// Reads everything. Problems are collected in `values`.
    pub fn read(values: &mut Values) -> Option<Self> {
        // Each part is read before the first `?`, so that all problems are told at once.
        let database = DatabaseConfig::read(values);
        let url = web_url(values, "LETHE_URL");
        if url.is_none() && values.text("LETHE_URL").is_none() {
            values
                .problem("LETHE_URL", "is missing; it must be the public address, such as https://privacy.example.org");
        }
        let clerk = ClerkConfig::read(values, url.as_ref());
        let secret = secret(values);
        let listen = match values.text("LETHE_LISTEN") {
            None => Some(SocketAddr::from(([127, 0, 0, 1], 3000))),
            Some(_) => values.parsed("LETHE_LISTEN", "an address with a port, such as 127.0.0.1:3000"),
        };
        let data_map = values.required("LETHE_DATA_MAP", "the path of the data map, such as data-map.toml");
        let trusted_proxies = TrustedProxies::read(values);
        let limits = LimitConfig::read(values);
        let mail = MailConfig::read(values);
        let workers = number(values, "LETHE_WORKERS", 4);
        Some(Self {
            database: database?,
            clerk: clerk?,
            url: url?,
            listen: listen?,
            brand: values.text("LETHE_BRAND").unwrap_or("Privacy center").to_owned(),
            site: PathBuf::from(values.text("LETHE_SITE").unwrap_or("target/site")),
            data_map: PathBuf::from(data_map?),
            secret: secret?,
            storage: PathBuf::from(values.text("LETHE_STORAGE").unwrap_or("storage")),
            mail,
            trusted_proxies: trusted_proxies?,
            limits: limits?,
            workers: usize::try_from(workers?.get()).ok()?,
            metrics_token: values.secret("LETHE_METRICS_TOKEN"),
        })
    }
}

impl ClerkConfig {
    fn read(values: &mut Values, own_url: Option<&Url>) -> Option<Self> {
        let secret_key =
            values.required_secret("CLERK_SECRET_KEY", "the instance's secret key, sk_test_… or sk_live_…");
        let publishable_key =
            values.required("CLERK_PUBLISHABLE_KEY", "the instance's publishable key, pk_test_… or pk_live_…");
        let webhook_secret = values
            .required_secret("CLERK_WEBHOOK_SIGNING_SECRET", "the signing secret of the webhook endpoint, whsec_…");
        let default_api = Url::parse("https://api.clerk.com").expect("a constant address parses");
        let api_url = match values.text("CLERK_API_URL") {
            None => Some(default_api),
            Some(_) => web_url(values, "CLERK_API_URL"),
        };
        let proxy_url = web_url(values, "CLERK_PROXY_URL");
        let sign_in_url = web_url(values, "CLERK_SIGN_IN_URL");
        let is_satellite = flag(values, "CLERK_IS_SATELLITE");
        let satellite_auto_sync = flag(values, "CLERK_SATELLITE_AUTO_SYNC");
        let domain = host(values, "CLERK_DOMAIN");
        let jwt_key = values.text("CLERK_JWT_KEY").map(str::to_owned);
        let budget = match values.text("CLERK_REQUESTS_PER_TEN_SECONDS") {
            None => None,
            Some(_) => values.parsed("CLERK_REQUESTS_PER_TEN_SECONDS", "a whole number above zero"),
        };
        let mut authorized_parties = values.list("CLERK_AUTHORIZED_PARTIES");
        if authorized_parties.is_empty() {
            authorized_parties.extend(own_url.map(|url| url.origin().ascii_serialization()));
        }
        Some(Self {
            secret_key: secret_key?,
            publishable_key: publishable_key?,
            webhook_secret: webhook_secret?,
            api_url: api_url?,
            proxy_url,
            sign_in_url,
            is_satellite: is_satellite?,
            satellite_auto_sync: satellite_auto_sync?,
            domain,
            jwt_key,
            authorized_parties,
            budget,
        })
    }
}

impl LimitConfig {
    fn read(values: &mut Values) -> Option<Self> {
        let exports_per_hour = number(values, "LETHE_EXPORTS_PER_HOUR", 20);
        let deletions_per_hour = number(values, "LETHE_DELETIONS_PER_HOUR", 10);
        let anonymous_writes_per_minute = number(values, "LETHE_ANONYMOUS_WRITES_PER_MINUTE", 60);
        Some(Self {
            exports_per_hour: exports_per_hour?,
            deletions_per_hour: deletions_per_hour?,
            anonymous_writes_per_minute: anonymous_writes_per_minute?,
        })
    }
}

impl MailConfig {
    fn read(values: &mut Values) -> Self {
        let smtp_url = values.secret("LETHE_SMTP_URL");
        let from = values.text("LETHE_MAIL_FROM").map(str::to_owned);
        let alert_to = values.text("LETHE_ALERT_TO").map(str::to_owned);
        if smtp_url.is_some() && from.is_none() {
            values.problem("LETHE_MAIL_FROM", "is missing; with LETHE_SMTP_URL it must be the sender's address");
        }
        Self { smtp_url, from, alert_to }
    }
}

fn secret(values: &mut Values) -> Option<SecretString> {
    let accepted = "at least 32 random bytes in base64, such as `openssl rand -base64 32` prints";
    let secret = values.required_secret("LETHE_SECRET", accepted)?;
    let bytes = BASE64.decode(secret.expose_secret().as_bytes()).unwrap_or_default();
    if bytes.len() < MINIMUM_SECRET_BYTES {
        values.problem("LETHE_SECRET", &format!("must be {accepted}"));
        return None;
    }
    Some(secret)
}

fn web_url(values: &mut Values, name: &str) -> Option<Url> {
    let accepted = "an address that begins with https:// or http://";
    let url: Url = values.parsed(name, accepted)?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        values.problem(name, &format!("is `{url}`; it must be {accepted}"));
        return None;
    }
    Some(url)
}

fn flag(values: &mut Values, name: &str) -> Option<bool> {
    match values.text(name) {
        None => Some(false),
        Some(_) => values.parsed(name, "true or false"),
    }
}

/// A host without scheme and path.
fn host(values: &mut Values, name: &str) -> Option<String> {
    let host = values.text(name)?.to_owned();
    let is_host = Url::parse(&format!("https://{host}/")).is_ok_and(|url| url.host_str() == Some(&host));
    if !is_host {
        values.problem(name, &format!("is `{host}`; it must be a host, such as example.org"));
    }
    is_host.then_some(host)
}

fn number(values: &mut Values, name: &str, default: u32) -> Option<NonZeroU32> {
    match values.text(name) {
        None => NonZeroU32::new(default),
        Some(_) => values.parsed(name, "a whole number above zero"),
    }
}
