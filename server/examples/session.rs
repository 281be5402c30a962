//! Decides who asks, for whoever wants to compare: reads requests as JSON, one a line, and writes a decision a line.
//! The session layer is the real one; the time is the request's. `end2end/tests/session.spec.ts` holds it against
//! Clerk's own library.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::Context;
use axum::extract::ConnectInfo;
use http::Request;
use http::request::Parts;
use lethe::Clock;
use lethe::clerk::{Client, ClientSettings};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use server::session::{Authenticated, Authenticator, Outcome, Settings};
use time::{Duration, OffsetDateTime};
use url::Url;

/// Whose `X-Forwarded-…` is believed, if any.
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// How the application that is asked is set up.
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
struct Question {
    application: Application,
    /// Milliseconds since 1970.
    now: i64,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Answer {
    status: &'static str,
    reason: Option<String>,
    location: Option<String>,
    cookies: Vec<String>,
    /// Whose session, and which.
    session: Option<(String, String)>,
}

/// Authenticators by their settings, with one clock.
struct Court {
    clock: Clock,
    clerk: Client,
    authenticators: HashMap<Application, Authenticator>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut client = ClientSettings::new(SecretString::from(variable("CLERK_SECRET_KEY")?));
    client.api_url = variable("CLERK_API_URL")?.parse().context("CLERK_API_URL is no address")?;
    client.budget = NonZeroU32::new(100_000);
    let clock = Clock::fixed(OffsetDateTime::UNIX_EPOCH);
    let mut court = Court { clock, clerk: Client::new(&client)?, authenticators: HashMap::new() };
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let answer = court.decide(serde_json::from_str(&line?).context("a line is no question")?).await?;
        serde_json::to_writer(&mut output, &answer)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a program for tests; it has no other settings")]
fn variable(name: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("{name} isn't set"))
}

impl Court {
    async fn decide(&mut self, question: Question) -> anyhow::Result<Answer> {
        let parts = question.parts()?;
        let now = OffsetDateTime::from_unix_timestamp_nanos(i128::from(question.now) * 1_000_000)?;
        let ahead: Duration = now - self.clock.now();
        self.clock.advance(ahead);
        if !self.authenticators.contains_key(&question.application) {
            let settings = question.application.settings();
            let authenticator = Authenticator::new(settings, self.clerk.clone(), self.clock.clone())?;
            self.authenticators.insert(question.application.clone(), authenticator);
        }
        Ok(Answer::new(self.authenticators[&question.application].authenticate(&parts).await))
    }
}

impl Question {
    fn parts(&self) -> anyhow::Result<Parts> {
        let mut request = Request::builder().method(self.method.as_str()).uri(&self.path);
        for (name, value) in &self.headers {
            // As JavaScript writes headers: a byte for each character.
            let bytes: Vec<u8> = value.chars().map(|character| u8::try_from(character).unwrap_or(b'?')).collect();
            request = request.header(name, bytes);
        }
        let (mut parts, ()) = request.body(())?.into_parts();
        parts.extensions.insert(ConnectInfo(SocketAddr::new(PROXY, 1)));
        Ok(parts)
    }
}

impl Application {
    fn settings(&self) -> Settings {
        let is_behind_proxy = self.is_behind_proxy;
        Settings {
            proxy_url: self.proxy_url.clone(),
            jwt_key: self.jwt_key.clone(),
            authorized_parties: self.authorized_parties.clone(),
            issuers: self.issuers.clone(),
            audiences: self.audiences.clone(),
            sign_in_url: self.sign_in_url.clone(),
            is_satellite: self.is_satellite,
            domain: self.domain.clone(),
            satellite_auto_sync: self.satellite_auto_sync,
            trusted_proxy: Arc::new(move |peer| is_behind_proxy && peer == PROXY),
            ..Settings::new(&self.publishable_key, self.public_url.clone())
        }
    }
}

impl Answer {
    fn new(authenticated: Authenticated) -> Self {
        let cookies = authenticated.set_cookies.iter();
        let cookies = cookies.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect();
        let told = |status, reason: Option<String>| Self { status, reason, location: None, cookies, session: None };
        match authenticated.outcome {
            Outcome::SignedIn(session) => {
                Self { session: Some((session.subject.as_str().to_owned(), session.id)), ..told("signed-in", None) }
            }
            Outcome::SignedOut(reason) => told("signed-out", Some(reason.as_str().into_owned())),
            Outcome::Redirect { location, reason: None } => Self { location: Some(location), ..told("clean", None) },
            Outcome::Redirect { location, reason: Some(reason) } => {
                Self { location: Some(location), ..told("handshake", Some(reason.as_str().into_owned())) }
            }
        }
    }
}
