//! A stand-in for Clerk: Backend API, Frontend API, hosted sign-in and webhooks on one port, for
//! demonstrations and tests. Anybody may sign in as anybody: it must never guard anything real.
//!
//! It is reached as Clerk is, by API URL and proxy URL, and knows nothing of who asks. Its state is
//! in Postgres, so a restart forgets nobody; faults, counters and settings of the control routes
//! are in memory.

mod backend;
mod control;
mod description;
mod errors;
mod faults;
mod frontend;
mod hands;
mod ids;
mod sessions;
mod sign_in;
mod sign_in_tokens;
mod tokens;
mod users;
mod webhooks;

use std::{
    sync::{
        Arc, RwLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{self, Request},
    http::{HeaderValue, Method, header::DATE},
    response::Response,
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use ring::digest;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use sqlx::PgPool;
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};
use tokio::{net::TcpListener, sync::Notify};
use tower::{Layer, util::MapRequestLayer};
use url::Url;

use crate::people::base62;
use description::Conformance;
use faults::Faults;
use sessions::Session;
use tokens::Key;

pub use faults::{Fault, FaultMoment};
pub use tokens::TokenOptions;
pub use webhooks::WebhookMode;

pub(crate) const SCHEMA: &str = include_str!("schema.sql");

/// Seconds between the attempts to deliver a webhook, as Svix waits: at once, then after each of these.
pub const SVIX_RETRY_SECONDS: [u64; 7] = [5, 300, 1800, 7200, 18000, 36000, 36000];

/// How the stand-in is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its own public base, without a slash at the end: the issuer of its tokens.
    pub url: String,
    /// What the Backend API wants as bearer.
    pub secret_key: SecretString,
    /// The instance's publishable key; the suffix of cookie names comes from it.
    pub publishable_key: String,
    /// `whsec_` and the base64 of the key that signs webhooks.
    pub webhook_secret: SecretString,
    /// Where webhooks go; nowhere, if absent.
    pub webhook_url: Option<String>,
    /// Origins that people may be sent back to, besides those of this machine. The first is the
    /// authorized party of tokens that are made without a browser.
    pub application_origins: Vec<String>,
    /// The waits between attempts to deliver a webhook.
    pub retry: Vec<Duration>,
}

/// The running stand-in. Clones share one state.
#[derive(Clone)]
pub struct StandIn(Arc<State>);

struct State {
    pool: PgPool,
    options: Options,
    /// The newest first.
    keys: RwLock<Vec<Arc<Key>>>,
    connections: RwLock<Connections>,
    faults: Faults,
    conformance: Conformance,
    undelivered: Notify,
    http: reqwest::Client,
    /// Milliseconds that the stand-in's clock is ahead of the machine's.
    clock_ahead: AtomicI64,
}

/// The settings that may change while it runs.
#[derive(Clone)]
struct Connections {
    webhook_url: Option<String>,
    application_origins: Vec<String>,
}

/// Makes tables and key where they are absent.
pub(crate) async fn prepare(pool: &PgPool) -> anyhow::Result<()> {
    sqlx::raw_sql(SCHEMA).execute(pool).await?;
    if Key::load(pool).await?.is_empty() {
        Key::generate(pool, machine_now()).await?;
    }
    Ok(())
}

impl StandIn {
    /// Opens the state, making it where it is absent.
    pub async fn open(pool: PgPool, options: Options) -> anyhow::Result<Self> {
        webhooks::check_secret(options.webhook_secret.expose_secret())?;
        prepare(&pool).await?;
        let keys = Key::load(&pool).await?.into_iter().map(Arc::new).collect();
        // Fails where the process has one already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder().timeout(Duration::from_secs(15)).build()?;
        let connections = Connections {
            webhook_url: options.webhook_url.clone(),
            application_origins: options.application_origins.clone(),
        };
        Ok(Self(Arc::new(State {
            pool,
            options,
            keys: RwLock::new(keys),
            connections: RwLock::new(connections),
            faults: Faults::default(),
            conformance: Conformance::default(),
            undelivered: Notify::new(),
            http,
            clock_ahead: AtomicI64::new(0),
        })))
    }

    /// Answers requests and delivers webhooks until the future is dropped.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let router = self.router();
        tokio::select! {
            served = crate::serve::serve(listener, router) => served,
            () = webhooks::deliver_for_ever(self) => Ok(()),
        }
    }

    fn router(&self) -> Router {
        let router = Router::new()
            .merge(backend::router(self))
            .merge(frontend::router(self))
            .merge(sign_in::router())
            .layer(axum::middleware::from_fn_with_state(self.clone(), faults::apply))
            .merge(control::router())
            .fallback(|| async { errors::ApiError::no_route() })
            .method_not_allowed_fallback(|| async { errors::ApiError::no_method() })
            .layer(axum::middleware::from_fn_with_state(self.clone(), description::check))
            .layer(axum::middleware::map_response_with_state(self.clone(), dated))
            .with_state(self.clone());
        // Before routing: a layer of the router would come too late.
        Router::new().fallback_service(MapRequestLayer::new(override_method).layer(router))
    }

    /// Creates people 0 to `count - 1` of [`crate::people`] where they are absent, without webhooks.
    pub async fn create_people(&self, count: usize) -> anyhow::Result<()> {
        Ok(users::create_people(self, 0, count).await?)
    }

    /// How many users there are.
    pub async fn count_users(&self) -> anyhow::Result<i64> {
        Ok(sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(self.pool()).await?)
    }

    fn pool(&self) -> &PgPool {
        &self.0.pool
    }

    fn options(&self) -> &Options {
        &self.0.options
    }

    fn faults(&self) -> &Faults {
        &self.0.faults
    }

    fn conformance(&self) -> &Conformance {
        &self.0.conformance
    }

    fn connections(&self) -> Connections {
        self.0.connections.read().expect("no holder of the lock panics").clone()
    }

    pub(crate) fn set_webhook_url(&self, url: Option<String>) {
        self.0.connections.write().expect("no holder of the lock panics").webhook_url = url;
        self.0.undelivered.notify_one();
    }

    pub(crate) fn set_application_origins(&self, origins: Vec<String>) {
        self.0.connections.write().expect("no holder of the lock panics").application_origins = origins;
    }

    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        machine_now() + self.0.clock_ahead.load(Ordering::Relaxed)
    }

    fn set_clock_ahead(&self, milliseconds: i64) {
        self.0.clock_ahead.store(milliseconds, Ordering::Relaxed);
    }

    fn keys(&self) -> Vec<Arc<Key>> {
        self.0.keys.read().expect("no holder of the lock panics").clone()
    }

    fn signing_key(&self) -> Arc<Key> {
        self.keys().swap_remove(0)
    }

    fn key_set(&self) -> Value {
        json!({ "keys": self.keys().iter().map(|key| key.jwk()).collect::<Vec<_>>() })
    }

    /// Signs with a new key from now on. `forget`: the old ones are gone, and tokens signed with them worthless.
    async fn rotate_keys(&self, forget: bool) -> anyhow::Result<()> {
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

    fn session_token(&self, session: &Session, options: TokenOptions) -> String {
        let header = options.header.clone();
        let claims = tokens::session_claims(session, &self.options().url, self.now(), options);
        self.signing_key().sign(&claims, header)
    }

    /// The claims of a token that one of the keys signed, whatever its age.
    fn claims(&self, token: &str) -> Option<Value> {
        self.keys().iter().find_map(|key| key.claims(token))
    }

    fn sign_claims(&self, claims: &Value) -> String {
        self.signing_key().sign(claims, Map::new())
    }

    fn accepts_secret(&self, bearer: &str) -> bool {
        bearer == self.options().secret_key.expose_secret()
    }

    /// What is appended, after an underscore, to names of cookies that belong to this instance alone.
    fn cookie_suffix(&self) -> String {
        cookie_suffix(&self.options().publishable_key)
    }

    fn instance_id(&self) -> String {
        let digest = digest::digest(&digest::SHA256, self.options().publishable_key.as_bytes());
        format!("ins_{}", base62(digest.as_ref()))
    }

    /// Where a browser may be sent back to: pages of the application's origins and of this machine.
    /// Such a redirect hands out what signs the browser in, so other places are refused.
    fn redirect_target(&self, url: &str) -> Option<Url> {
        let target = Url::parse(url).ok().filter(|target| matches!(target.scheme(), "http" | "https"))?;
        let local = match target.host()? {
            url::Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
            url::Host::Ipv4(address) => address.is_loopback(),
            url::Host::Ipv6(address) => address.is_loopback(),
        };
        let origin = target.origin().ascii_serialization();
        (local || self.connections().application_origins.contains(&origin)).then_some(target)
    }
}

/// Names of cookies get this suffix: the first eight characters of the digest of the publishable key.
pub(crate) fn cookie_suffix(publishable_key: &str) -> String {
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, publishable_key.as_bytes());
    BASE64URL_NOPAD.encode(digest.as_ref())[..8].to_owned()
}

/// The publishable key of a development instance whose Frontend API is at `url`.
#[must_use]
pub fn publishable_key(url: &str) -> String {
    let host = url.trim_start_matches("http://").trim_start_matches("https://");
    format!("pk_test_{}", BASE64.encode(format!("{host}$").as_bytes()))
}

/// Clerk's script sends every change as POST, so that the browser asks no leave before, and names the method in the query.
fn override_method(mut request: Request) -> Request {
    let is_post = request.method() == Method::POST;
    let method = request.uri().query().and_then(|query| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find_map(|(name, value)| (name == "_method").then(|| value.parse().ok())?)
    });
    if let Some(method) = method.filter(|_| is_post) {
        *request.method_mut() = method;
    }
    request
}

#[expect(clippy::disallowed_methods, reason = "this is the stand-in's clock, which a test can put ahead")]
fn machine_now() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000)
        .expect("the clock shows a year below 292 million")
}

/// Answers carry the stand-in's time, which may be another than the machine's.
async fn dated(extract::State(stand_in): extract::State<StandIn>, mut answer: Response) -> Response {
    const HTTP: &[BorrowedFormatItem<'_>] =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let now = OffsetDateTime::from_unix_timestamp(stand_in.now().div_euclid(1000)).ok();
    let text = now.and_then(|now| now.format(HTTP).ok()).and_then(|text| HeaderValue::try_from(text).ok());
    if let Some(text) = text {
        answer.headers_mut().insert(DATE, text);
    }
    answer
}
