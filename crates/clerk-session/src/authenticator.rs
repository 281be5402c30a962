//! The I/O around the decision: fetches keys, resolves handshakes, refreshes sessions, logs.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::SET_COOKIE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use url::Url;

use crate::backend::{BackendApi, BackendErrorKind, RefreshRequest};
use crate::call_limits::CallLimits;
use crate::clock;
use crate::config::{Config, ConfigError};
use crate::cookies;
use crate::decision::{self, Decision, Handshake, Refresh};
use crate::handshake;
use crate::handshake_state;
use crate::key_cache::{INTERVALS, Intervals, KeyCache};
use crate::keys::{KeyMiss, KeySource};
use crate::outcome::{Authenticated, Outcome};
use crate::reason::{Reason, RefreshFailure};
use crate::request::AuthRequest;
use crate::validated_config::ValidatedConfig;

/// Clerk's nonces are shorter.
const MAX_NONCE_BYTES: usize = 512;

/// The browser's headers that Clerk is told of when a session is refreshed: what describes the browser and where it is.
const FORWARDED_HEADERS: [&str; 15] = [
    "accept",
    "accept-language",
    "cf-connecting-ip",
    "host",
    "origin",
    "referer",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "user-agent",
    "x-forwarded-for",
    "x-real-ip",
];

/// Authenticates requests: the SDK's `authenticateRequest`. Cheap to clone; clones share the keys.
#[derive(Clone)]
pub struct Authenticator(Arc<Shared>);

struct Shared {
    config: ValidatedConfig,
    keys: KeyCache,
    backend: Arc<dyn BackendApi>,
    limits: CallLimits,
}

/// How far the decision has come.
enum Stage {
    Start,
    HandshakeFailed,
    Handshake { lines: Vec<String>, has_clock_skew: bool },
    Refreshed(Result<Vec<String>, RefreshFailure>),
}

impl Authenticator {
    /// Validates the configuration; fetches nothing.
    pub fn new(config: Config, backend: impl BackendApi + 'static) -> Result<Self, ConfigError> {
        Self::with_intervals(INTERVALS, config, backend)
    }

    pub(crate) fn with_intervals(
        intervals: Intervals,
        config: Config,
        backend: impl BackendApi + 'static,
    ) -> Result<Self, ConfigError> {
        let config = ValidatedConfig::new(config)?;
        let backend: Arc<dyn BackendApi> = Arc::new(backend);
        let keys = KeyCache::new(backend.clone(), intervals);
        Ok(Self(Arc::new(Shared { config, keys, backend, limits: CallLimits::new() })))
    }

    /// Fetches the keys, so that the first request does not wait for them. A failure is logged; the first request that
    /// needs keys tries again.
    pub async fn warm_up(&self) {
        if self.0.config.jwt_key.is_none() {
            self.0.keys.refresh_for(&self.0.keys.ring()).await;
        }
    }

    /// Removes the counters of idle clients and sessions, so that memory doesn't grow with visitors. For a regular call.
    pub fn evict_idle(&self) {
        self.0.limits.evict_idle();
    }

    /// Authenticates a request. With cached keys and a valid session token this makes no call.
    ///
    /// Must run within a Tokio runtime.
    pub async fn authenticate(&self, parts: &Parts) -> Authenticated {
        let Shared { config, keys: cache, .. } = &*self.0;
        let now = self.now();
        let client = (config.config.client_address)(parts);
        let request = AuthRequest::new(parts, config, now);
        let has_foreign_handshake = request.has_foreign_handshake();
        if request.has_token() {
            cache.renew_outdated().await;
        }
        let mut stage = Stage::Start;
        let mut on_miss = KeyMiss::Fetch;
        loop {
            let ring = cache.ring();
            let keys = KeySource { ring: &ring, on_miss };
            let decision = match &stage {
                Stage::Start if has_foreign_handshake => {
                    decision::decide_without_handshake(&request, config, keys, now)
                }
                Stage::Start => decision::decide(&request, config, keys, now),
                Stage::HandshakeFailed => decision::decide_by_cookies(&request, config, keys, now),
                Stage::Handshake { lines, has_clock_skew: false } => {
                    decision::after_handshake(lines, &request, config, keys, now)
                }
                Stage::Handshake { lines, has_clock_skew: true } => {
                    decision::after_handshake_with_clock_skew(lines, &request, config, keys, now)
                }
                Stage::Refreshed(refreshed) => {
                    decision::after_refresh(refreshed.as_deref(), &request, config, keys, now)
                }
            };
            log(&decision, &self.0.limits);
            match decision {
                Decision::FetchKeys => on_miss = cache.refresh_for(&ring).await,
                Decision::ResolveNonce(nonce) => stage = self.resolve(&nonce, client).await,
                Decision::Resolved(lines) => stage = Stage::handshake(lines),
                Decision::HandshakeFailed(_) => stage = Stage::HandshakeFailed,
                Decision::ClockSkew(_) => stage = stage.with_clock_skew(),
                Decision::Refresh(refresh) => stage = Stage::Refreshed(self.refresh(refresh, &request, client).await),
                Decision::SignedIn(session) => return stage.finish(Outcome::SignedIn(session)),
                Decision::SignedOut(reason) | Decision::RedirectLoop(reason) => {
                    return stage.finish(Outcome::SignedOut(reason));
                }
                Decision::HandshakeRejected(error) => {
                    return stage.finish(Outcome::SignedOut(Reason::Token(error)));
                }
                Decision::RemoveHandshakeParams(location) => {
                    return stage.finish(Outcome::Redirect { location, reason: None });
                }
                Decision::Handshake(handshake) => return begin(*handshake, &request, config),
            }
        }
    }

    /// Whether the browser was sent on a handshake and was redirected back to this URL.
    #[must_use]
    pub fn is_from_own_handshake(&self, parts: &Parts) -> bool {
        AuthRequest::new(parts, &self.0.config, self.now()).is_from_own_handshake()
    }

    /// The request's path and query without what [binds](Self::is_from_own_handshake) them to a handshake; `None` if there
    /// is none of it. Redirect a page there, so that it doesn't stay in the address bar.
    #[must_use]
    pub fn without_handshake_state(parts: &Parts) -> Option<String> {
        handshake_state::without_state(&parts.uri)
    }

    /// The sign-in page.
    #[must_use]
    pub fn sign_in_url(&self) -> &Url {
        self.0.config.sign_in_url()
    }

    /// The sign-in page, which leads back to this request's URL.
    #[must_use]
    pub fn sign_in_url_for(&self, parts: &Parts) -> Url {
        handshake::sign_in_url(&AuthRequest::new(parts, &self.0.config, self.now()), &self.0.config)
    }

    /// The base URL of the Frontend API, which handshakes redirect to.
    #[must_use]
    pub fn frontend_url(&self) -> &Url {
        self.0.config.frontend_url()
    }

    /// `Set-Cookie` lines that sign the browser out at this application. The session stays active until you revoke it
    /// with the Backend API's `POST /v1/sessions/{session_id}/revoke`.
    #[must_use]
    pub fn sign_out_cookies(&self) -> Vec<HeaderValue> {
        cookies::expired_cookies(&self.0.config.cookie_names, &self.0.config.config.public_url)
    }

    /// Adds [`Self::sign_out_cookies`] to a response's headers.
    pub fn clear(&self, headers: &mut HeaderMap) {
        for cookie in self.sign_out_cookies() {
            headers.append(SET_COOKIE, cookie);
        }
    }

    fn now(&self) -> i64 {
        clock::unix_milliseconds(&self.0.config.config.clock)
    }

    async fn resolve(&self, nonce: &str, client: Option<IpAddr>) -> Stage {
        let is_plausible = nonce.len() <= MAX_NONCE_BYTES && nonce.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_plausible {
            return Stage::handshake(Vec::new());
        }
        if !self.0.limits.allows_nonce(client) {
            tracing::debug!("too many handshake nonces at once; this one is ignored");
            return Stage::HandshakeFailed;
        }
        match self.0.backend.handshake_payload(nonce).await {
            Ok(lines) => Stage::handshake(lines),
            Err(error) if error.kind == BackendErrorKind::Refused => {
                tracing::info!(%error, "a handshake nonce could not be resolved");
                Stage::handshake(Vec::new())
            }
            Err(error) => {
                tracing::warn!(%error, "a handshake nonce could not be resolved");
                Stage::HandshakeFailed
            }
        }
    }

    async fn refresh(
        &self,
        refresh: Refresh,
        request: &AuthRequest<'_>,
        client: Option<IpAddr>,
    ) -> Result<Vec<String>, RefreshFailure> {
        if let Some(failure) = self.0.limits.refusal(&refresh.session_id, &refresh.refresh_token) {
            return Err(failure);
        }
        if !self.0.limits.allows_refresh(client, &refresh.session_id) {
            tracing::debug!("too many refreshes at once; this one is refused");
            return Err(RefreshFailure::RefusedWithoutCode);
        }
        let headers = request.headers.iter().filter(|(name, _)| FORWARDED_HEADERS.contains(&name.as_str()));
        let request_headers = headers
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), vec![value.to_str().ok()?.to_owned()])))
            .collect();
        let body = RefreshRequest {
            expired_token: refresh.expired_token,
            refresh_token: refresh.refresh_token.clone(),
            request_origin: request.origin().to_owned(),
            request_headers,
            suffixed_cookies: request.uses_suffixed_cookies,
        };
        self.0.backend.refresh_session(&refresh.session_id, body).await.map_err(|error| {
            tracing::info!(%error, "a session could not be refreshed");
            let kind = error.kind;
            let failure = match (error.code, kind) {
                (Some(code), _) => RefreshFailure::Refused(code),
                (None, BackendErrorKind::Unreachable) => RefreshFailure::Unreachable,
                (None, BackendErrorKind::Unavailable | BackendErrorKind::Refused) => RefreshFailure::RefusedWithoutCode,
            };
            if kind == BackendErrorKind::Refused {
                self.0.limits.refuse(&refresh.session_id, &refresh.refresh_token, &failure);
            }
            failure
        })
    }
}

/// Sends the browser to Clerk. What an unused handshake left in cookies is removed, so that it causes one redirect only.
fn begin(handshake: Handshake, request: &AuthRequest<'_>, config: &ValidatedConfig) -> Authenticated {
    let Handshake { mut location, counter, reason } = handshake;
    let mut set_cookies = vec![counter];
    if let Some((bound, state)) = handshake::bind(&location, request, config) {
        location = bound;
        set_cookies.push(state);
    }
    if request.cookies.handshake.is_some() || request.cookies.handshake_nonce.is_some() {
        set_cookies.extend(cookies::expired_handshake(&config.config.public_url));
    }
    Authenticated { outcome: Outcome::Redirect { location, reason: Some(reason) }, set_cookies }
}

impl Stage {
    fn handshake(lines: Vec<String>) -> Self {
        Self::Handshake { lines, has_clock_skew: false }
    }

    fn with_clock_skew(self) -> Self {
        match self {
            Self::Handshake { lines, .. } => Self::Handshake { lines, has_clock_skew: true },
            stage => stage,
        }
    }

    /// The outcome with the cookies of this stage. Those of a refreshed session are set only if it is valid.
    fn finish(self, outcome: Outcome) -> Authenticated {
        let set_cookies = match (&self, &outcome) {
            (Self::Handshake { lines, .. }, _) | (Self::Refreshed(Ok(lines)), Outcome::SignedIn(_)) => {
                decision::cookies_to_set(lines)
            }
            _ => Vec::new(),
        };
        Authenticated { outcome, set_cookies }
    }
}

/// Logs decisions that an operator may have to act on. Anyone can cause them, so they are logged only so often.
fn log(decision: &Decision, limits: &CallLimits) {
    let is_notable = matches!(
        decision,
        Decision::RedirectLoop(_)
            | Decision::HandshakeRejected(_)
            | Decision::HandshakeFailed(_)
            | Decision::ClockSkew(_)
    );
    if !is_notable || !limits.allows_warning() {
        return;
    }
    match decision {
        Decision::RedirectLoop(reason) => tracing::warn!(
            reason = %reason.as_str(),
            "redirect loop: the session could not be established; check that the publishable key and the secret key \
             belong to the same instance",
        ),
        Decision::HandshakeRejected(error) => {
            tracing::error!(
                error = error.as_str(),
                "the handshake token is not valid; check whether Clerk's keys changed"
            );
        }
        Decision::HandshakeFailed(reason) => {
            tracing::warn!(reason = %reason.as_str(), "a handshake brought no valid session token and is ignored");
        }
        Decision::ClockSkew(error) => tracing::error!(
            error = error.as_str(),
            "this machine's clock differs from Clerk's; sessions fail until it is corrected",
        ),
        _ => {}
    }
}
