//! Authenticates HTTP requests with [Clerk](https://clerk.com) sessions and makes the same decisions as Clerk's backend
//! SDK for JavaScript (`@clerk/backend` 3.25): cookies with and without suffix, bearer tokens, handshakes, refreshing,
//! development and production instances, satellites. `http` types in, a decision out; no web framework.
//!
//! [`Authenticator`] authenticates a request. With cached keys and a valid session token that costs one RSA
//! verification and no call. It does the I/O around [`decision`], which is a pure function of request, configuration,
//! keys and time: it fetches keys, resolves handshakes and refreshes sessions through a [`BackendApi`], for which
//! [`HttpBackend`] is the ready-made implementation.
//!
//! This crate determines who sent a request. Permissions, users and organizations are up to the application.
//!
//! # Example: axum
//! ```
//! use axum::extract::{Request, State};
//! use axum::http::StatusCode;
//! use axum::middleware::{Next, from_fn_with_state};
//! use axum::response::Response;
//! use axum::routing::get;
//! use axum::{Extension, Router};
//! use clerk_session::{Authenticator, Config, HttpBackend, Session};
//!
//! /// Adds the session to the request's extensions, where there is one.
//! async fn authenticate(State(authenticator): State<Authenticator>, request: Request, next: Next) -> Response {
//!     let (mut parts, body) = request.into_parts();
//!     let authenticated = authenticator.authenticate(&parts).await;
//!     if let Some(redirect) = authenticated.redirect() {
//!         return redirect;
//!     }
//!     if let Some(session) = authenticated.session() {
//!         parts.extensions.insert(session.clone());
//!     }
//!     let mut response = next.run(Request::from_parts(parts, body)).await;
//!     authenticated.apply(response.headers_mut());
//!     response
//! }
//!
//! async fn profile(session: Option<Extension<Session>>) -> Result<String, StatusCode> {
//!     let Extension(session) = session.ok_or(StatusCode::UNAUTHORIZED)?;
//!     Ok(format!("signed in as {}", session.user_id))
//! }
//!
//! fn router(authenticator: Authenticator) -> Router {
//!     Router::new().route("/profile", get(profile)).layer(from_fn_with_state(authenticator, authenticate))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # rustls::crypto::ring::default_provider().install_default().map_err(|_| "there is a TLS provider already")?;
//! // The publishable key and the secret key are in Clerk's dashboard, under API keys.
//! let config = Config::new("pk_test_Y2xlcmsuY2xlcmsuZGV2JA", "https://app.example.org".parse()?);
//! let backend = HttpBackend::new(reqwest::Client::new(), "sk_test_secret")?;
//! let router = router(Authenticator::new(config, backend)?);
//!
//! // A browser without cookies is sent to Clerk and back; an API client is signed out.
//! use tower::ServiceExt;
//! let page = Request::get("/profile").header("sec-fetch-dest", "document").body(axum::body::Body::empty())?;
//! let response = router.clone().oneshot(page).await?;
//! assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
//! assert!(response.headers()["location"].to_str()?.starts_with("https://clerk.clerk.dev/v1/client/handshake?"));
//! let call = Request::get("/profile").header("accept", "application/json").body(axum::body::Body::empty())?;
//! let response = router.oneshot(call).await?;
//! assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
//! assert_eq!(response.headers()["x-clerk-auth-reason"], "dev-browser-missing");
//! # Ok(())
//! # }
//! ```
//!
//! # Deliberate differences from the SDK
//! * A handshake counts only in the browser that was sent on it: a random state is in a short-lived cookie and in the URL
//!   that Clerk redirects back to. Another handshake is ignored, and the browser is sent on one of its own unless its
//!   cookies sign it in. The SDK takes any, so that a link can sign a browser in to somebody else's account.
//! * A write with an expired token and a refresh cookie is refreshed on the server. The SDK refreshes only `GET` and
//!   leaves the rest to Clerk's script; this crate also serves pages that work without one.
//! * The redirect counter ends a loop at three *or more*; the SDK compares with three exactly.
//! * Tokens are read strictly: base64url without padding, valid UTF-8, JSON objects without repeated claims, 16 KiB at
//!   most. The SDK tolerates padding and broken UTF-8.
//! * The category of a token is checked wherever a session token is accepted, including within a handshake and after a
//!   refresh; so is the presence of a session id.
//! * A pending session (`sts`) is signed out here; in the SDK that is up to the caller.
//! * A nonce that can't be resolved because Clerk is down, or because too many come at once, falls back to the
//!   request's cookies instead of signing the user out.
//! * Only Clerk's own cookies, whose names begin with `__`, are set from a handshake.
//! * A handshake token that can't be used on a development instance, for a bad signature or any other reason, is logged
//!   and signed out; the SDK throws.
//! * Keys are fetched again in the background after five minutes, and the old ones are used for up to an hour while
//!   Clerk can't be reached; the SDK signs everyone out.
//! * The public address is a setting. `Host` isn't trusted at all, and `X-Forwarded-*` only from proxies that the
//!   caller trusts; the SDK trusts both.
//! * A primary domain responds only to satellites that it knows: those whose origins are authorized parties. The SDK
//!   sends the token of a development instance's browser to any URL in the request, throws if that isn't a URL, and
//!   sends everyone who follows a link from another site to Clerk first, so that no link works while Clerk is down.
//! * No organization is activated by URL: this crate has no option for it.
//! * A handshake's response carries no `Access-Control-Allow-Origin: null`.
//! * Refreshing sends those of the browser's headers that describe it and where it is; the SDK sends all.
//!
//! The list above is tested: both decide thousands of generated requests, and the test fails if an entry is missing or
//! no longer true.
//!
//! # Further differences
//! Tokens, keys and requests that Clerk and browsers don't produce are treated differently in more cases, mostly more
//! strictly:
//! * A user id (`sub`) must be `user_` and letters, digits or underscores, 64 characters at most. A session whose id is
//!   not made of letters, digits and underscores, 80 at most, is not refreshed.
//! * Times beyond the range of a JavaScript `Date` are compared as numbers.
//! * JSON that is not UTF-8, begins with a byte order mark, has lone surrogates, numbers beyond the range of a double or
//!   more than 128 levels, and a `kid` that is not a string, are refused.
//! * Empty texts in a token's list of audiences are compared like others; the SDK leaves them out, and checks nothing
//!   if none is left. Among the configured parties, issuers and audiences, empty texts are refused, and so is an empty domain.
//! * RSA keys of fewer than 256 bytes verify nothing. A JWK that has an unsupported `alg` (also `PS256` and `rs256`)
//!   or padding, or is not for signatures, is left out, so that its `kid` is unknown.
//! * An unknown `kid` causes the next fetch no sooner than ten seconds after the last one. Keys that are between five and
//!   ten minutes old decide the request that starts the fetch in the background; older ones are fetched first.
//! * Of several `Sec-Fetch-Dest` or `Referer` headers the first counts, as with Node's own server.
//! * Cookies are read as UTF-8, not as Latin-1, and around a broken percent escape the others are decoded. Redirect
//!   counters are decimal numbers of 32 bits and `__client_uat` is one of 64 bits; JavaScript also reads `0x3` and
//!   larger numbers. A line of a handshake is left out if it can't be a header, or has no equals sign; the SDK drops
//!   the whole handshake. `Accept`, `Sec-Fetch-Dest` and `Referer` count only if they are ASCII.
//! * Before a token is verified, its times are compared if they are numbers or decimal texts, among them `inf`. For
//!   JavaScript, lists and texts such as `0x10` are numbers too, but not `inf`. So the other one of two cookies may
//!   count, or a handshake may begin or not; no token with such a time signs in.
//! * When cookies are chosen, an issuer loses one scheme at its beginning, so that `https://https://host` is another
//!   instance's; the SDK removes every scheme. Nor does the SDK recognize there, from 2038 on, that a token has
//!   expired: its seconds overflow 32 bits.
//! * A path that begins with two slashes stays on this host when handshake parameters are removed; behind a proxy the
//!   SDK redirects to the host that it names.
//! * Malformed claims of organizations (`o`, `fea`) are ignored; the SDK fails. A request whose `Origin` is the
//!   sign-in page's is decided; the SDK throws for a satellite. PEM keys may have written `\n`.
//! * Some reasons are others than the SDK's. A token that can't be read is `token-invalid`, whatever else is wrong
//!   with it. The `kid` of a key that is left out, or one such as `constructor`, leads to `jwk-kid-mismatch`. Keys
//!   that can't be fetched, or none of which can be used, lead to `jwk-remote-failed-to-load`, also when Clerk refuses
//!   the secret key. A failed refresh is named by the first error code in Clerk's response; it is
//!   `unexpected-bapi-error` if there is none or the response can't be read, and that of a missing `sid` if the
//!   session's id can't be used. `session-token-pending` is this crate's own.
//! * A publishable key is refused when the configuration is made, also if it contains white space, or a scheme, a
//!   user, a path or a query beside the host; the SDK accepts these. Its padding may be of any length.
//! * Forwarded values must form an origin: `http` or `https`, and no user, path or query.
//! * A satellite needs a sign-in URL in production too.
//! * Nonces are resolved and sessions refreshed only so often for each client, each session and in all: see
//!   [`Config::client_address`]. A refresh beyond the limit counts as refused by Clerk.
//! * Not supported: machine tokens (API keys, M2M and OAuth tokens), which are signed out.

mod authenticator;
mod backend;
mod call_limits;
mod clock;
mod config;
mod cookies;
pub mod decision;
mod handshake;
mod handshake_state;
#[cfg(feature = "reqwest")]
mod http_backend;
mod jwks;
mod key_cache;
mod keys;
mod outcome;
mod publishable_key;
mod reason;
mod refresh;
mod request;
mod session;
mod token;
mod validated_config;
mod verification;

#[cfg(test)]
mod tests;

/// Compiles the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use authenticator::Authenticator;
pub use backend::{API_VERSION, BackendApi, BackendError, BackendErrorKind, RefreshRequest};
pub use clock::Clock;
pub use config::{ClientAddress, Config, ConfigError, TrustForwarded};
pub use handshake_state::HANDSHAKE_STATE;
#[cfg(feature = "reqwest")]
pub use http_backend::HttpBackend;
pub use jwks::{Jwk, Jwks};
pub use keys::{Algorithm, KeyMiss, KeyRing, KeySource, PublicKey};
pub use outcome::{Authenticated, Outcome};
pub use publishable_key::{InstanceKind, PublishableKey, PublishableKeyError};
pub use reason::{Reason, RefreshFailure, TokenError};
pub use request::AuthRequest;
pub use session::{Actor, FactorAges, Session};
pub use validated_config::ValidatedConfig;
