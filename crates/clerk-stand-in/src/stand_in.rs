//! The state of a stand-in: database, settings, signing keys, clock, faults and conformance.
//! Must not know routes or what they do.

use std::{
    sync::{
        Arc, RwLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use data_encoding::BASE64;
use ring::{digest, hmac};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::Notify;
use url::Url;

use crate::{
    Error,
    faults::Faults,
    ids::alphanumeric,
    keys::Key,
    openapi::Conformance,
    options::{Options, cookie_suffix},
};

pub(crate) const SCHEMA: &str = include_str!("schema.sql");

/// A stand-in for Clerk over a database. Clones share one state.
///
/// This is the part for a process of its own; [`ClerkStandIn`](crate::ClerkStandIn) is a running one for tests.
#[derive(Clone)]
pub struct StandIn(Arc<State>);

struct State {
    pool: PgPool,
    options: Options,
    webhook_key: hmac::Key,
    /// The newest first.
    keys: RwLock<Vec<Arc<Key>>>,
    endpoints: RwLock<Endpoints>,
    faults: Arc<Faults>,
    conformance: Arc<Conformance>,
    deliveries_changed: Notify,
    http: reqwest::Client,
    /// Milliseconds that the stand-in's clock is ahead of the system's.
    clock_ahead: AtomicI64,
}

/// The settings that may change while the stand-in runs.
#[derive(Clone)]
pub(crate) struct Endpoints {
    pub(crate) webhook_url: Option<String>,
    pub(crate) application_origins: Vec<String>,
}

/// Creates the tables and the first signing key if they don't exist.
pub(crate) async fn prepare_database(pool: &PgPool) -> Result<(), Error> {
    sqlx::raw_sql(SCHEMA).execute(pool).await?;
    if Key::load(pool).await?.is_empty() {
        Key::generate(pool, system_time()).await?;
    }
    Ok(())
}

impl StandIn {
    /// Opens the stand-in's database, which must be its own: an empty one gets its tables and a signing key, one that
    /// was used before still has its users, sessions, keys and undelivered webhooks.
    pub async fn open(pool: PgPool, options: Options) -> Result<Self, Error> {
        let webhook_key = webhook_key(options.webhook_secret.expose_secret())?;
        prepare_database(&pool).await?;
        let keys = Key::load(&pool).await?.into_iter().map(Arc::new).collect();
        // Fails if the process has a default provider already, which is fine.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder().timeout(Duration::from_secs(15)).build().map_err(Error::HttpClient)?;
        let endpoints = Endpoints {
            webhook_url: options.webhook_url.clone(),
            application_origins: options.application_origins.clone(),
        };
        Ok(Self(Arc::new(State {
            pool,
            options,
            webhook_key,
            keys: RwLock::new(keys),
            endpoints: RwLock::new(endpoints),
            faults: Arc::default(),
            conformance: Arc::default(),
            deliveries_changed: Notify::new(),
            http,
            clock_ahead: AtomicI64::new(0),
        })))
    }

    /// Reopens the same database with the current settings. Faults, counts and modes are reset.
    pub(crate) async fn reopen(&self) -> Result<Self, Error> {
        let Endpoints { webhook_url, application_origins } = self.endpoints();
        Self::open(self.pool().clone(), Options { webhook_url, application_origins, ..self.options().clone() }).await
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.0.pool
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    pub(crate) fn webhook_key(&self) -> &hmac::Key {
        &self.0.webhook_key
    }

    pub(crate) fn faults(&self) -> &Arc<Faults> {
        &self.0.faults
    }

    pub(crate) fn conformance(&self) -> &Arc<Conformance> {
        &self.0.conformance
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.0.http
    }

    pub(crate) fn endpoints(&self) -> Endpoints {
        self.0.endpoints.read().expect("no holder of the lock panics").clone()
    }

    pub(crate) fn set_webhook_url(&self, url: Option<String>) {
        self.0.endpoints.write().expect("no holder of the lock panics").webhook_url = url;
        self.notify_delivery();
    }

    pub(crate) fn set_application_origins(&self, origins: Vec<String>) {
        self.0.endpoints.write().expect("no holder of the lock panics").application_origins = origins;
    }

    /// Wakes the delivery task, after an event was committed or the webhook URL changed.
    pub(crate) fn notify_delivery(&self) {
        self.0.deliveries_changed.notify_one();
    }

    pub(crate) async fn delivery_notified(&self) {
        self.0.deliveries_changed.notified().await;
    }

    /// Unix time in milliseconds, by the stand-in's clock.
    pub(crate) fn now(&self) -> i64 {
        system_time() + self.0.clock_ahead.load(Ordering::Relaxed)
    }

    pub(crate) fn set_clock_ahead(&self, milliseconds: i64) {
        self.0.clock_ahead.store(milliseconds, Ordering::Relaxed);
    }

    fn keys(&self) -> Vec<Arc<Key>> {
        self.0.keys.read().expect("no holder of the lock panics").clone()
    }

    pub(crate) fn signing_key(&self) -> Arc<Key> {
        self.keys().swap_remove(0)
    }

    /// The JSON Web Key Set with all public keys.
    pub(crate) fn key_set(&self) -> Value {
        json!({ "keys": self.keys().iter().map(|key| key.jwk()).collect::<Vec<_>>() })
    }

    /// Signs with a new key from now on. `forget` deletes the old keys, which invalidates the tokens that they signed.
    pub(crate) async fn rotate_keys(&self, forget: bool) -> Result<(), Error> {
        if forget {
            sqlx::query("DELETE FROM keys").execute(self.pool()).await?;
        }
        let key = Arc::new(Key::generate(self.pool(), self.now()).await?);
        let mut keys = self.0.keys.write().expect("no holder of the lock panics");
        if forget {
            keys.clear();
        }
        keys.insert(0, key);
        Ok(())
    }

    /// The claims of a token that one of the keys signed, even an expired one.
    pub(crate) fn claims(&self, token: &str) -> Option<Value> {
        self.keys().iter().find_map(|key| key.claims(token))
    }

    pub(crate) fn sign_claims(&self, claims: &Value) -> String {
        self.signing_key().sign(claims, Map::new())
    }

    pub(crate) fn accepts_secret_key(&self, bearer: &str) -> bool {
        bearer == self.options().secret_key.expose_secret()
    }

    /// The suffix, without underscore, of the cookies that belong to this instance.
    pub(crate) fn cookie_suffix(&self) -> String {
        cookie_suffix(&self.options().publishable_key)
    }

    pub(crate) fn instance_id(&self) -> String {
        let digest = digest::digest(&digest::SHA256, self.options().publishable_key.as_bytes());
        format!("ins_{}", alphanumeric(digest.as_ref()))
    }

    /// The URL, if browsers may be redirected there: to the application's origins and to this machine.
    /// Such a redirect carries what signs the browser in, so every other target is refused.
    pub(crate) fn redirect_target(&self, url: &str) -> Option<Url> {
        let target = Url::parse(url).ok().filter(|target| matches!(target.scheme(), "http" | "https"))?;
        let is_local = match target.host()? {
            url::Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
            url::Host::Ipv4(address) => address.is_loopback(),
            url::Host::Ipv6(address) => address.is_loopback(),
        };
        let origin = target.origin().ascii_serialization();
        (is_local || self.endpoints().application_origins.contains(&origin)).then_some(target)
    }
}

fn webhook_key(secret: &str) -> Result<hmac::Key, Error> {
    let encoded = secret.strip_prefix("whsec_").ok_or(Error::InvalidWebhookSecret)?;
    let key = BASE64.decode(encoded.as_bytes()).map_err(|_| Error::InvalidWebhookSecret)?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &key))
}

#[expect(clippy::disallowed_methods, reason = "the stand-in's clock is an offset to the system's")]
fn system_time() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).expect("the year is below 292 million")
}
