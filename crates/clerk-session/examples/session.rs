//! Reads one request per line as JSON, authenticates it at the time that it names, and writes one outcome per line.
//! `end2end/tests/session.spec.ts` compares the outcomes with those of Clerk's SDK.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use clerk_session::{Authenticated, Authenticator, Clock, Config, HttpBackend, Outcome};
use http::Request;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use url::Url;

#[expect(clippy::disallowed_types, reason = "the type of the crate's clock")]
const EPOCH: std::time::SystemTime = std::time::SystemTime::UNIX_EPOCH;

/// An application's configuration.
#[derive(Clone, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Application {
    publishable_key: String,
    public_url: Url,
    proxy_url: Option<Url>,
    jwt_key: Option<String>,
    #[serde(default)]
    authorized_parties: Vec<String>,
    #[serde(default)]
    issuers: Vec<String>,
    #[serde(default)]
    audiences: Vec<String>,
    sign_in_url: Option<Url>,
    #[serde(default)]
    is_satellite: bool,
    domain: Option<String>,
    #[serde(default)]
    satellite_auto_sync: bool,
    #[serde(default)]
    is_behind_proxy: bool,
}

#[derive(Deserialize)]
struct Input {
    application: Application,
    /// Milliseconds since the Unix epoch.
    now: u64,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Output {
    status: &'static str,
    reason: Option<String>,
    location: Option<String>,
    cookies: Vec<String>,
    /// The ids of the user and the session.
    session: Option<(String, String)>,
}

/// One authenticator for each configuration, all with the same clock.
struct Authenticators {
    backend: HttpBackend,
    /// Milliseconds since the Unix epoch.
    now: Arc<AtomicU64>,
    by_application: HashMap<Application, Authenticator>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let provider = rustls::crypto::ring::default_provider().install_default();
    provider.map_err(|_existing| anyhow::anyhow!("there is a TLS provider already"))?;
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
    let api_url = variable("CLERK_API_URL")?.parse().context("CLERK_API_URL is not a URL")?;
    let backend = HttpBackend::new(http, &variable("CLERK_SECRET_KEY")?)?.with_api_url(&api_url);
    let mut authenticators = Authenticators { backend, now: Arc::default(), by_application: HashMap::new() };
    let mut stdout = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let input = serde_json::from_str(&line?).context("a line is not a request")?;
        serde_json::to_writer(&mut stdout, &authenticators.authenticate(input).await?)?;
        stdout.write_all(b"\n")?;
        stdout.flush()?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a program for tests; it has no other settings")]
fn variable(name: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("{name} isn't set"))
}

impl Authenticators {
    async fn authenticate(&mut self, input: Input) -> anyhow::Result<Output> {
        let parts = input.parts()?;
        self.now.store(input.now, Ordering::SeqCst);
        if !self.by_application.contains_key(&input.application) {
            let authenticator = Authenticator::new(input.application.config(self.clock()), self.backend.clone())?;
            self.by_application.insert(input.application.clone(), authenticator);
        }
        Ok(Output::new(self.by_application[&input.application].authenticate(&parts).await))
    }

    fn clock(&self) -> Clock {
        let now = self.now.clone();
        Arc::new(move || EPOCH + Duration::from_millis(now.load(Ordering::SeqCst)))
    }
}

impl Input {
    fn parts(&self) -> anyhow::Result<Parts> {
        let mut request = Request::builder().method(self.method.as_str()).uri(&self.path);
        for (name, value) in &self.headers {
            // As JavaScript writes headers: one byte for each character.
            let bytes: Vec<u8> = value.chars().map(|character| u8::try_from(character).unwrap_or(b'?')).collect();
            request = request.header(name, bytes);
        }
        Ok(request.body(())?.into_parts().0)
    }
}

impl Application {
    fn config(&self, clock: Clock) -> Config {
        let is_behind_proxy = self.is_behind_proxy;
        Config {
            proxy_url: self.proxy_url.clone(),
            jwt_key: self.jwt_key.clone(),
            authorized_parties: self.authorized_parties.clone(),
            issuers: self.issuers.clone(),
            audiences: self.audiences.clone(),
            sign_in_url: self.sign_in_url.clone(),
            is_satellite: self.is_satellite,
            domain: self.domain.clone(),
            satellite_auto_sync: self.satellite_auto_sync,
            trust_forwarded: Arc::new(move |_request| is_behind_proxy),
            clock,
            ..Config::new(&self.publishable_key, self.public_url.clone())
        }
    }
}

impl Output {
    fn new(authenticated: Authenticated) -> Self {
        let cookies = authenticated.set_cookies.iter();
        let cookies = cookies.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect();
        let output = |status, reason: Option<String>| Self { status, reason, location: None, cookies, session: None };
        match authenticated.outcome {
            Outcome::SignedIn(session) => {
                Self { session: Some((session.user_id, session.id)), ..output("signed-in", None) }
            }
            Outcome::SignedOut(reason) => output("signed-out", Some(reason.as_str().into_owned())),
            Outcome::Redirect { location, reason: None } => Self { location: Some(location), ..output("clean", None) },
            Outcome::Redirect { location, reason: Some(reason) } => {
                Self { location: Some(location), ..output("handshake", Some(reason.as_str().into_owned())) }
            }
        }
    }
}
