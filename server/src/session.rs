//! Connects the crate `clerk-session`, which authenticates requests, with Lethe's Clerk client, so that its calls share
//! the client's connections, rate limit and circuit breaker.

use std::sync::Arc;

use anyhow::Context;
use clerk_session::{
    Authenticator, BackendApi, BackendError, BackendErrorKind, Clock, Config, Jwk, Jwks, RefreshRequest,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use lethe::Lethe;
use lethe::clerk::{self, Client};

use crate::config::ServerConfig;
use crate::middleware::client_ip;

/// The Backend API by Lethe's Clerk client.
pub(crate) struct ClerkBackend(pub(crate) Client);

impl BackendApi for ClerkBackend {
    fn jwks(&self) -> BoxFuture<'_, Result<Jwks, BackendError>> {
        async {
            let jwks = self.0.jwks().await.map_err(backend_error)?;
            Ok(Jwks { keys: jwks.keys.into_iter().map(jwk).collect() })
        }
        .boxed()
    }

    fn handshake_payload<'a>(&'a self, nonce: &'a str) -> BoxFuture<'a, Result<Vec<String>, BackendError>> {
        async { self.0.handshake_payload(nonce).await.map_err(backend_error) }.boxed()
    }

    fn refresh_session<'a>(
        &'a self,
        session_id: &'a str,
        request: RefreshRequest,
    ) -> BoxFuture<'a, Result<Vec<String>, BackendError>> {
        let RefreshRequest { expired_token, refresh_token, request_origin, request_headers, suffixed_cookies } =
            request;
        let request =
            clerk::RefreshRequest { expired_token, refresh_token, request_origin, request_headers, suffixed_cookies };
        async move { self.0.refresh_session(session_id, &request).await.map_err(backend_error) }.boxed()
    }
}

/// Builds the authenticator from the configuration.
pub(crate) fn authenticator(config: &ServerConfig, lethe: &Lethe) -> anyhow::Result<Authenticator> {
    let clerk = &config.clerk;
    let mut session = Config::new(&clerk.publishable_key, config.core.public_url.clone());
    if !clerk.authorized_parties.is_empty() {
        session.authorized_parties.clone_from(&clerk.authorized_parties);
    }
    session.proxy_url.clone_from(&clerk.proxy_url);
    session.jwt_key.clone_from(&clerk.jwt_key);
    session.sign_in_url.clone_from(&clerk.sign_in_url);
    session.is_satellite = clerk.is_satellite;
    session.satellite_auto_sync = clerk.satellite_auto_sync;
    session.domain = clerk.domain.as_ref().map(|host| host.0.clone());
    let proxies = config.http.trusted_proxies.clone();
    session.client_address =
        Arc::new(move |parts| client_ip::client_ip(&proxies, parts).map(client_ip::rate_limit_key));
    session.clock = clock(&lethe.clock);
    Authenticator::new(session, ClerkBackend(lethe.clerk.clone())).context("the configuration of Clerk is not valid")
}

/// Lethe's clock as the session's.
fn clock(clock: &lethe::Clock) -> Clock {
    let clock = clock.clone();
    Arc::new(move || clock.now().into())
}

/// The key as `clerk-session` reads it.
pub(crate) fn jwk(key: clerk::Jwk) -> Jwk {
    let clerk::Jwk { kid, kty, alg, usage, key_ops, n, e } = key;
    Jwk { kid, kty, alg, usage, key_ops, n, e }
}

fn backend_error(error: clerk::Error) -> BackendError {
    let kind = match (error.retryable(), error.status()) {
        _ if error.kind() == clerk::Kind::Unreadable => BackendErrorKind::Unavailable,
        (true, None) => BackendErrorKind::Unreachable,
        (true, Some(_)) => BackendErrorKind::Unavailable,
        (false, _) => BackendErrorKind::Refused,
    };
    BackendError { kind, code: error.code().map(str::to_owned), source: Box::new(error) }
}

#[cfg(test)]
mod tests {
    use lethe::clerk::ClientSettings;
    use lethe_demo::people::person;
    use lethe_demo::testing::{ClerkStandIn, Fault, StandInOptions};
    use secrecy::SecretString;

    use super::*;

    async fn backend() -> (ClerkStandIn, ClerkBackend) {
        let stand_in = ClerkStandIn::start(StandInOptions::default()).await;
        let settings = ClientSettings {
            api_url: stand_in.url().parse().unwrap(),
            ..ClientSettings::new(SecretString::from(stand_in.secret_key()))
        };
        (stand_in, ClerkBackend(Client::new(&settings).unwrap()))
    }

    fn refresh_request(expired_token: String) -> RefreshRequest {
        RefreshRequest {
            expired_token,
            refresh_token: "unknown".to_owned(),
            request_origin: "https://privacy.example.org".to_owned(),
            request_headers: std::collections::BTreeMap::new(),
            suffixed_cookies: true,
        }
    }

    #[test]
    fn client_and_session_speak_the_same_version_of_clerks_api() {
        assert_eq!(clerk::API_VERSION, clerk_session::API_VERSION);
    }

    #[tokio::test]
    async fn refusals_and_outages_of_clerk_are_distinguished() {
        let (mut stand_in, backend) = backend().await;
        assert_eq!(backend.jwks().await.unwrap().keys.len(), 1);
        let session = stand_in.sign_in(&person(0).id).await;
        let refused = backend.refresh_session(&session.session_id, refresh_request(session.jwt)).await.unwrap_err();
        assert_eq!((refused.kind, refused.code.as_deref()), (BackendErrorKind::Refused, Some("refresh_token_invalid")));
        assert_eq!(backend.handshake_payload("unknown").await.unwrap_err().kind, BackendErrorKind::Refused);

        stand_in.fail(Fault { status: Some(503), ..Fault::default() });
        assert_eq!(backend.handshake_payload("unknown").await.unwrap_err().kind, BackendErrorKind::Unavailable);
        stand_in.stop().await;
        assert_eq!(backend.handshake_payload("unknown").await.unwrap_err().kind, BackendErrorKind::Unreachable);
    }
}
