//! The authenticator with the Clerk stand-in: keys, handshakes, refreshing, and the number of calls.

mod handshake;
mod keys;
mod refresh;

use std::time::Duration;

use lethe_demo::people::person;
use lethe_demo::testing::{ClerkStandIn, Fault, SessionToken, StandInOptions};
use reqwest::redirect::Policy;

use super::*;
use crate::key_cache::{INTERVALS, Intervals};
use crate::{Authenticated, Authenticator, HttpBackend, Outcome};

/// The client's address, as these tests send it.
const CLIENT: &str = "x-client";
pub(crate) const HERE: &str = "http://127.0.0.1:3000";

pub(crate) struct World {
    pub(crate) clerk: ClerkStandIn,
    authenticator: Authenticator,
}

pub(crate) async fn world() -> World {
    let options = StandInOptions { application_origin: Some(HERE.to_owned()), ..StandInOptions::default() };
    let clerk = ClerkStandIn::start(options).await;
    let authenticator = authenticator(&clerk, |_| {});
    World { clerk, authenticator }
}

fn authenticator(clerk: &ClerkStandIn, change: impl Fn(&mut Config)) -> Authenticator {
    authenticator_with(INTERVALS, clerk, change)
}

fn authenticator_with(intervals: Intervals, clerk: &ClerkStandIn, change: impl Fn(&mut Config)) -> Authenticator {
    let url = Url::parse(clerk.url()).unwrap();
    let mut config = Config::new(clerk.publishable_key(), Url::parse(HERE).unwrap());
    config.proxy_url = Some(url.clone());
    config.client_address = std::sync::Arc::new(|parts| parts.headers.get(CLIENT)?.to_str().ok()?.parse().ok());
    change(&mut config);
    let backend = HttpBackend::new(http_client(), clerk.secret_key()).unwrap().with_api_url(&url);
    Authenticator::with_intervals(intervals, config, backend).unwrap()
}

/// Follows no redirects and speaks plain HTTP only.
pub(crate) fn http_client() -> reqwest::Client {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().redirect(Policy::none()).no_proxy().tls_backend_preconfigured(tls).build().unwrap()
}

impl World {
    async fn sign_in(&self) -> SessionToken {
        self.clerk.sign_in(&person(0).id).await
    }

    /// The cookies of a page that was left open: the token has expired, the sign-in was long before.
    pub(crate) async fn left_open(&self) -> String {
        let token = self.clerk.sign_in_expired(&person(0).id).await;
        let older = |pair: &str| match pair.split_once('=') {
            Some((name, _)) if name.starts_with("__client_uat") => format!("{name}=1"),
            _ => pair.to_owned(),
        };
        token.cookies.split("; ").map(older).collect::<Vec<_>>().join("; ")
    }

    pub(crate) async fn document(&self, path: &str, cookies: &str) -> Authenticated {
        self.authenticator.authenticate(&document(path, cookies)).await
    }

    async fn document_from(&self, client: &str, path: &str, cookies: &str) -> Authenticated {
        let mut parts = document(path, cookies);
        parts.headers.insert(CLIENT, client.parse().unwrap());
        self.authenticator.authenticate(&parts).await
    }
}

pub(crate) fn outcome(authenticated: &Authenticated) -> String {
    match &authenticated.outcome {
        Outcome::SignedIn(session) => format!("signed in {}", session.user_id),
        Outcome::SignedOut(reason) => format!("signed out {}", reason.as_str()),
        Outcome::Redirect { reason: Some(reason), .. } => format!("handshake {}", reason.as_str()),
        Outcome::Redirect { location, reason: None } => format!("clean {location}"),
    }
}

pub(crate) fn signed_in() -> String {
    format!("signed in {}", person(0).id)
}

#[tokio::test]
async fn sign_out_leaves_no_cookie_that_signs_in() {
    let world = world().await;
    let token = world.sign_in().await;
    let cleared: Vec<String> = world
        .authenticator
        .sign_out_cookies()
        .iter()
        .map(|line| line.to_str().unwrap().split('=').next().unwrap().to_owned())
        .collect();
    let left: Vec<&str> = token
        .cookies
        .split("; ")
        .filter(|pair| !cleared.iter().any(|name| name == pair.split('=').next().unwrap()))
        .collect();
    assert_eq!(outcome(&world.document("/", &left.join("; ")).await), "signed out session-token-and-uat-missing");
}

#[tokio::test]
async fn reason_is_sent_in_headers() {
    let world = world().await;
    let seen = world.authenticator.authenticate(&request("GET", "/", &[])).await;
    let mut headers = http::HeaderMap::new();
    seen.apply(&mut headers);
    assert_eq!(headers["x-clerk-auth-status"], "signed-out");
    assert_eq!(headers["x-clerk-auth-reason"], "dev-browser-missing");
}
