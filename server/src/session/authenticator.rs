//! The input and output around the decision: fetches keys, resolves handshakes, renews sessions.

use std::num::NonZeroU32;
use std::sync::Arc;

use futures::FutureExt;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONNECTION, COOKIE, LOCATION, PROXY_AUTHORIZATION, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use lethe::Clock;
use lethe::clerk::{Client, Kind, RefreshRequest};
use url::Url;

use super::cookies;
use super::decision::{self, Decision, Refresh};
use super::handshake;
use super::key_cache::{Fetch, INTERVALS, Intervals, KeyCache};
use super::keys::{Absent, KeySource};
use super::reason::{Reason, RefreshFailure};
use super::request::View;
use super::rules::Rules;
use super::settings::{Settings, SettingsError};
use super::token::Session;

const STATUS: HeaderName = HeaderName::from_static("x-clerk-auth-status");
const REASON: HeaderName = HeaderName::from_static("x-clerk-auth-reason");

/// Anybody can make up a nonce, and looking one up is a call. More at once than sign-ins that
/// happen at once would be somebody's attempt to use up the rate limit.
const NONCES_PER_SECOND: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
const NONCES_AT_ONCE: NonZeroU32 = NonZeroU32::new(50).expect("not zero");
/// No real nonce is longer.
const NONCE_BYTES: usize = 512;

/// Decides who asks. Cheap to clone.
#[derive(Clone)]
pub struct Authenticator(Arc<Shared>);

struct Shared {
    rules: Rules,
    keys: KeyCache,
    clerk: Client,
    clock: Clock,
    nonces: DefaultDirectRateLimiter,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Somebody who is signed in.
    SignedIn(Box<Session>),
    /// Nobody, and why.
    SignedOut(Reason),
    /// It isn't known yet: answer with this redirect. [`Authenticated::redirect`] makes it.
    Redirect {
        /// Where to.
        location: String,
        /// Why, unless it is the way back.
        reason: Option<Reason>,
    },
}

/// The answer to the question who asks, and what must be added to the response.
#[derive(Clone, Debug, PartialEq)]
pub struct Authenticated {
    /// Who asks.
    pub outcome: Outcome,
    /// `Set-Cookie` lines for the response.
    pub set_cookies: Vec<HeaderValue>,
}

impl Authenticated {
    /// The session of somebody who is signed in.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        match &self.outcome {
            Outcome::SignedIn(session) => Some(session),
            _ => None,
        }
    }

    /// Adds cookies and Clerk's reason to a response. What sets cookies must not be cached.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for cookie in &self.set_cookies {
            headers.append(SET_COOKIE, cookie.clone());
        }
        if !self.set_cookies.is_empty() {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        let (status, reason) = match &self.outcome {
            Outcome::SignedIn(_) | Outcome::Redirect { reason: None, .. } => return,
            Outcome::SignedOut(reason) => ("signed-out", reason),
            Outcome::Redirect { reason: Some(reason), .. } => ("handshake", reason),
        };
        headers.insert(STATUS, HeaderValue::from_static(status));
        if let Ok(reason) = HeaderValue::from_str(&reason.as_str()) {
            headers.insert(REASON, reason);
        }
    }

    /// The redirect, complete with its headers, where there is one.
    #[must_use]
    pub fn redirect<B: Default>(&self) -> Option<http::Response<B>> {
        let Outcome::Redirect { location, .. } = &self.outcome else { return None };
        let mut response = http::Response::new(B::default());
        *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
        let headers = response.headers_mut();
        headers.insert(LOCATION, HeaderValue::from_str(location).ok()?);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self.apply(headers);
        Some(response)
    }
}

/// How far the decision has come.
enum Stage {
    Start,
    ByCookies,
    Handshake(Vec<String>),
    Refreshed(Result<Vec<String>, RefreshFailure>),
}

impl Authenticator {
    /// Checks the settings; fetches nothing.
    pub fn new(settings: Settings, clerk: Client, clock: Clock) -> Result<Self, SettingsError> {
        Self::with_intervals(INTERVALS, settings, clerk, clock)
    }

    pub(super) fn with_intervals(
        intervals: Intervals,
        settings: Settings,
        clerk: Client,
        clock: Clock,
    ) -> Result<Self, SettingsError> {
        let rules = Rules::new(settings)?;
        let source = clerk.clone();
        let fetch: Fetch = Arc::new(move || {
            let source = source.clone();
            async move { source.jwks().await }.boxed()
        });
        let quota = Quota::per_second(NONCES_PER_SECOND).allow_burst(NONCES_AT_ONCE);
        let keys = KeyCache::new(fetch, intervals);
        Ok(Self(Arc::new(Shared { rules, keys, clerk, clock, nonces: RateLimiter::direct(quota) })))
    }

    /// Fetches the keys, so that the first visitor doesn't wait for them. A failure is logged and
    /// made good by whoever comes first.
    pub async fn warm_up(&self) {
        if self.0.rules.jwt_key.is_none() {
            self.0.keys.look_for(&self.0.keys.ring()).await;
        }
    }

    /// Decides who asks. With keys at hand and a session in order this waits for nothing.
    pub async fn authenticate(&self, parts: &Parts) -> Authenticated {
        let shared = &*self.0;
        let now = self.now();
        let view = View::new(parts, &shared.rules, now);
        let mut stage = Stage::Start;
        let mut absent = Absent::Ask;
        loop {
            let ring = shared.keys.ring();
            let keys = KeySource { ring: &ring, absent };
            let decision = match &stage {
                Stage::Start => decision::decide(&view, &shared.rules, keys, now),
                Stage::ByCookies => decision::by_cookies(&view, &shared.rules, keys, now),
                Stage::Handshake(lines) => decision::after_handshake(lines, &view, &shared.rules, keys, now),
                Stage::Refreshed(renewed) => {
                    decision::after_refresh(renewed.as_deref(), &view, &shared.rules, keys, now)
                }
            };
            match decision {
                Decision::FetchKeys => absent = shared.keys.look_for(&ring).await,
                Decision::ResolveNonce(nonce) => stage = self.resolve(&nonce).await,
                Decision::Resolved(lines) => stage = Stage::Handshake(lines),
                Decision::HandshakeFailed => stage = Stage::ByCookies,
                Decision::Refresh(refresh) => stage = Stage::Refreshed(self.refresh(refresh, &view).await),
                Decision::SignedIn(session) => return answer(Outcome::SignedIn(session), &stage),
                Decision::SignedOut(reason) => return answer(Outcome::SignedOut(reason), &stage),
                Decision::Clean(location) => return answer(Outcome::Redirect { location, reason: None }, &stage),
                Decision::Handshake(handshake) => {
                    let handshake = *handshake;
                    return Authenticated {
                        outcome: Outcome::Redirect { location: handshake.location, reason: Some(handshake.reason) },
                        set_cookies: vec![handshake.counter],
                    };
                }
            }
        }
    }

    /// The page where people sign in.
    #[must_use]
    pub fn sign_in_url(&self) -> &Url {
        &self.0.rules.sign_in_url
    }

    /// The page where people sign in, with the way back to where this request went.
    #[must_use]
    pub fn sign_in_url_for(&self, parts: &Parts) -> Url {
        handshake::sign_in(&View::new(parts, &self.0.rules, self.now()), &self.0.rules)
    }

    /// The base of the Frontend API, where handshakes lead to.
    #[must_use]
    pub fn frontend_url(&self) -> &Url {
        &self.0.rules.frontend_url
    }

    /// `Set-Cookie` lines that sign the browser out here. The session itself is ended at Clerk
    /// ([`Client::revoke_session`]).
    #[must_use]
    pub fn sign_out_cookies(&self) -> Vec<HeaderValue> {
        cookies::cleared(&self.0.rules.names, &self.0.rules.settings.public_url)
    }

    /// Adds those lines to a response.
    pub fn clear(&self, headers: &mut HeaderMap) {
        for cookie in self.sign_out_cookies() {
            headers.append(SET_COOKIE, cookie);
        }
    }

    fn now(&self) -> i64 {
        i64::try_from(self.0.clock.now().unix_timestamp_nanos() / 1_000_000).expect("a year before 292 million")
    }

    async fn resolve(&self, nonce: &str) -> Stage {
        let plausible = nonce.len() <= NONCE_BYTES && nonce.bytes().all(|byte| byte.is_ascii_graphic());
        if !plausible {
            return Stage::Handshake(Vec::new());
        }
        if self.0.nonces.check().is_err() {
            tracing::warn!("handshakes come faster than people sign in; the nonce is ignored");
            return Stage::ByCookies;
        }
        match self.0.clerk.handshake_payload(nonce).await {
            Ok(lines) => Stage::Handshake(lines),
            Err(error) if error.retryable() => {
                tracing::warn!(%error, "a handshake couldn't be resolved");
                Stage::ByCookies
            }
            Err(error) => {
                tracing::info!(%error, "a handshake couldn't be resolved");
                Stage::Handshake(Vec::new())
            }
        }
    }

    async fn refresh(&self, refresh: Refresh, view: &View<'_>) -> Result<Vec<String>, RefreshFailure> {
        let private = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, CONNECTION];
        let told = view.headers.iter().filter(|(name, _)| !private.contains(*name));
        let request_headers = told
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), vec![value.to_str().ok()?.to_owned()])))
            .collect();
        let request = RefreshRequest {
            expired_token: refresh.expired_token,
            refresh_token: refresh.refresh_token,
            request_origin: view.origin().to_owned(),
            request_headers,
            suffixed_cookies: view.suffixed,
        };
        self.0.clerk.refresh_session(&refresh.session, &request).await.map_err(|error| {
            tracing::info!(%error, "a session couldn't be renewed");
            match (error.code(), error.kind()) {
                (Some(code), _) => RefreshFailure::Refused(code.to_owned()),
                (None, Kind::Unavailable | Kind::RateLimited { .. }) if error.status().is_none() => {
                    RefreshFailure::Unreachable
                }
                (None, _) => RefreshFailure::RefusedWithoutCode,
            }
        })
    }
}

/// With the cookies that the stage brought. A renewed session's are set only when it is in order.
fn answer(outcome: Outcome, stage: &Stage) -> Authenticated {
    let set_cookies = match (stage, &outcome) {
        (Stage::Handshake(lines), _) | (Stage::Refreshed(Ok(lines)), Outcome::SignedIn(_)) => {
            decision::cookies_to_set(lines)
        }
        _ => Vec::new(),
    };
    Authenticated { outcome, set_cookies }
}
