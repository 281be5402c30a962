//! The Frontend API, which browsers call. A browser is identified by its cookie or by `__clerk_db_jwt`.
//!
//! It behaves as a development instance does: application and API are on different sites, so the browser's
//! identification travels in the application's URLs.

mod browser;
mod client;
mod cookies;
mod environment;
mod factors;
mod handshake;
mod me;
mod objects;
mod session;
mod sign_in;
mod sign_in_attempt;
mod verification;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderName, header},
    routing::{delete, get, post},
};
use serde_json::Value;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

use crate::{StandIn, api_error::ApiError};

pub(crate) use browser::Browser;
pub(crate) use cookies::{DEV_BROWSER, redirect_headers, session_directives};

pub(crate) fn router(stand_in: &StandIn) -> Router<StandIn> {
    Router::new()
        .route("/.well-known/jwks.json", get(jwks))
        .route("/v1/environment", get(environment::environment).patch(environment::environment))
        .route("/v1/dev_browser", post(client::dev_browser))
        .route("/v1/client", get(client::show).put(client::create).post(client::create).delete(client::destroy))
        .route("/v1/client/handshake", get(handshake::handshake))
        .route("/v1/client/sign_ins", post(sign_in::create))
        .route("/v1/client/sign_ins/{sign_in_id}", get(sign_in::show))
        .route("/v1/client/sign_ins/{sign_in_id}/prepare_first_factor", post(sign_in::prepare))
        .route("/v1/client/sign_ins/{sign_in_id}/attempt_first_factor", post(sign_in::attempt))
        .route("/v1/client/sessions", delete(client::remove_sessions))
        .route("/v1/client/sessions/{session_id}", get(session::show))
        .route("/v1/client/sessions/{session_id}/touch", post(session::touch))
        .route("/v1/client/sessions/{session_id}/end", post(session::end))
        .route("/v1/client/sessions/{session_id}/remove", post(session::remove))
        .route("/v1/client/sessions/{session_id}/tokens", post(session::token))
        .route("/v1/client/sessions/{session_id}/verify", post(verification::start))
        .route("/v1/client/sessions/{session_id}/verify/prepare_first_factor", post(verification::prepare))
        .route("/v1/client/sessions/{session_id}/verify/attempt_first_factor", post(verification::attempt))
        .route("/v1/me", get(me::show).delete(me::destroy))
        // Before the CORS layer, which has to wrap it: it responds to preflights.
        .method_not_allowed_fallback(|| async { ApiError::no_method() })
        .layer(cross_origin(stand_in))
        .route("/sign-out", get(handshake::sign_out))
}

/// Allows requests with credentials from scripts of the application's pages.
fn cross_origin(stand_in: &StandIn) -> CorsLayer {
    let stand_in = stand_in.clone();
    let is_application = move |origin: &axum::http::HeaderValue, _: &axum::http::request::Parts| {
        origin.to_str().is_ok_and(|origin| stand_in.redirect_target(origin).is_some())
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(is_application))
        .allow_credentials(true)
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::AUTHORIZATION, header::RETRY_AFTER, HeaderName::from_static("x-clerk-trace-id")])
}

async fn jwks(State(stand_in): State<StandIn>) -> Json<Value> {
    Json(stand_in.key_set())
}
