//! What this crate needs of Clerk's Backend API: three operations.

use std::collections::BTreeMap;
use std::error::Error;

use futures::future::BoxFuture;
use serde::Serialize;

use crate::jwks::Jwks;

/// The version of Clerk's API that handshakes name and that a [`BackendApi`] must send as `Clerk-API-Version`.
pub const API_VERSION: &str = "2026-05-12";

/// The three operations of Clerk's Backend API that sessions need.
///
/// [`HttpBackend`](crate::HttpBackend) implements them with `reqwest`. Implement the trait yourself if these calls must
/// go through a client that your application already has, for example to share its rate limit or circuit breaker.
///
/// A nonce and a refresh token may be valid for one use only: an implementation must not repeat
/// [`handshake_payload`](Self::handshake_payload) and [`refresh_session`](Self::refresh_session).
pub trait BackendApi: Send + Sync {
    /// `GET /v1/jwks`: the instance's public keys.
    fn jwks(&self) -> BoxFuture<'_, Result<Jwks, BackendError>>;

    /// `GET /v1/clients/handshake_payload`: the `Set-Cookie` lines (`directives`) that belong to a handshake's nonce.
    ///
    /// The nonce comes from the request: encode it as a query parameter.
    fn handshake_payload<'a>(&'a self, nonce: &'a str) -> BoxFuture<'a, Result<Vec<String>, BackendError>>;

    /// `POST /v1/sessions/{session_id}/refresh`: the `Set-Cookie` lines (`cookies`) of the refreshed session.
    ///
    /// `session_id` contains only ASCII letters, digits and underscores, at most 80.
    fn refresh_session<'a>(
        &'a self,
        session_id: &'a str,
        request: RefreshRequest,
    ) -> BoxFuture<'a, Result<Vec<String>, BackendError>>;
}

/// The body of `POST /v1/sessions/{session_id}/refresh`, which also contains `"format": "cookie"`.
#[derive(Clone, Serialize)]
pub struct RefreshRequest {
    /// The expired session token.
    pub expired_token: String,
    /// The value of the refresh cookie.
    pub refresh_token: String,
    /// The origin that the browser's request was sent to.
    pub request_origin: String,
    /// The browser's headers, without credentials.
    pub request_headers: BTreeMap<String, Vec<String>>,
    /// Whether the new cookies carry the instance's suffix: the query parameter `suffixed_cookies=true`, not part of
    /// the body.
    #[serde(skip)]
    pub suffixed_cookies: bool,
}

impl std::fmt::Debug for RefreshRequest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RefreshRequest").finish_non_exhaustive()
    }
}

/// A failed call to the Backend API.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct BackendError {
    /// What the failure means for the session.
    pub kind: BackendErrorKind,
    /// Clerk's error code, such as `resource_not_found`.
    pub code: Option<String>,
    /// The cause, for logs. It must not contain tokens or personal data.
    pub source: Box<dyn Error + Send + Sync>,
}

/// The classes of failure that lead to different decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendErrorKind {
    /// There was no response: no connection, a timeout, or the call was not made.
    Unreachable,
    /// Clerk cannot process the call now: 408, 423, 429 or 5xx. Or its response is not readable.
    Unavailable,
    /// Clerk refused the call.
    Refused,
}
