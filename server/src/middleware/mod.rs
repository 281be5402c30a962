//! What surrounds every operation: request context, access log, errors, security headers, CSRF, rate limits.
//! Knows HTTP, no operation; each layer is given what it needs, so that none depends on the server's state.

use lethe_app::server::context::Site;
use std::sync::Arc;
use std::time::Duration;

use axum::BoxError;
use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use lethe::Random;
use lethe_error_code::ErrorCode;
use tower::ServiceBuilder;
use tower::timeout::TimeoutLayer;
use tower_http::catch_panic::CatchPanicLayer;

use crate::error::Problem;

pub mod client_ip;
pub mod csrf;
mod errors;
mod observe;
pub mod rate_limit;
mod request_context;
pub mod security_headers;

use security_headers::SecurityHeaders;

/// How long a request may take until its response begins. Bodies may be streamed for longer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What the layers need.
pub struct Parts {
    /// Makes incident ids and nonces.
    pub random: Random,
    /// For the error page.
    pub site: Site,
    /// The security headers.
    pub security_headers: Arc<SecurityHeaders>,
}

/// Puts the layers around `router`.
pub fn wrap<S: Clone + Send + Sync + 'static>(router: Router<S>, parts: Parts) -> Router<S> {
    // The first is the outermost.
    let layers = ServiceBuilder::new()
        .layer(from_fn_with_state(parts.random, request_context::request_context))
        .layer(from_fn(observe::observe))
        .layer(from_fn_with_state(parts.security_headers, security_headers::security_headers))
        .layer(from_fn_with_state(parts.site, errors::render_errors))
        .layer(HandleErrorLayer::new(async |error: BoxError| Problem::new(ErrorCode::Unavailable).with_source(error)))
        .layer(TimeoutLayer::new(REQUEST_TIMEOUT))
        .layer(CatchPanicLayer::custom(|_panic| Problem::internal("a handler panicked").into_response()));
    router.layer(layers)
}
