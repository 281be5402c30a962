//! The control routes, with which tests inject failures and inspect requests. They require no key: every client that
//! can reach the stand-in may use them.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    routing::{get, post, put},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    StandIn,
    api_error::{ApiError, ApiResult},
    faults::{Fault, RateLimits, WebhookMode},
    handshakes, users, webhooks,
};

pub(crate) fn router() -> Router<StandIn> {
    Router::new()
        .route("/control/faults", get(list_faults).post(add_fault).delete(clear_faults))
        .route("/control/limits", get(limits).put(set_limits))
        .route("/control/webhooks", get(webhook_deliveries).put(set_webhook_mode))
        .route("/control/requests", get(requests).delete(clear_requests))
        .route("/control/conformance", get(conformance).delete(clear_conformance))
        .route("/control/people", post(create_people))
        .route("/control/clock", put(set_clock))
        .route("/control/keys", post(rotate_keys))
        .route("/control/tokens", post(sign_tokens))
        .route("/control/handshakes", post(store_handshakes))
        .route("/control/reset", post(reset))
}

async fn list_faults(State(stand_in): State<StandIn>) -> Json<Vec<Fault>> {
    Json(stand_in.faults().list())
}

async fn add_fault(State(stand_in): State<StandIn>, Json(fault): Json<Fault>) -> Json<Vec<Fault>> {
    stand_in.faults().add(fault);
    Json(stand_in.faults().list())
}

async fn clear_faults(State(stand_in): State<StandIn>) -> StatusCode {
    stand_in.faults().clear();
    StatusCode::NO_CONTENT
}

async fn limits(State(stand_in): State<StandIn>) -> Json<RateLimits> {
    Json(stand_in.faults().limits())
}

async fn set_limits(State(stand_in): State<StandIn>, Json(limits): Json<RateLimits>) -> Json<RateLimits> {
    stand_in.faults().set_limits(limits);
    Json(stand_in.faults().limits())
}

async fn webhook_deliveries(State(stand_in): State<StandIn>) -> ApiResult {
    let deliveries = webhooks::list(&stand_in).await?;
    Ok(Json(json!({ "mode": stand_in.faults().webhook_mode(), "deliveries": deliveries })))
}

async fn set_webhook_mode(State(stand_in): State<StandIn>, Json(mode): Json<WebhookMode>) -> Json<WebhookMode> {
    stand_in.faults().set_webhook_mode(mode);
    Json(mode)
}

async fn requests(State(stand_in): State<StandIn>) -> Json<Value> {
    let counts = stand_in.faults().counts();
    Json(json!({ "total": counts.values().sum::<u64>(), "operations": counts }))
}

async fn clear_requests(State(stand_in): State<StandIn>) -> StatusCode {
    stand_in.faults().clear_counts();
    StatusCode::NO_CONTENT
}

/// What was validated against Clerk's descriptions, and what violated them.
async fn conformance(State(stand_in): State<StandIn>) -> Json<Value> {
    let conformance = stand_in.conformance();
    Json(json!({ "checked": conformance.checked(), "violations": conformance.violations() }))
}

async fn clear_conformance(State(stand_in): State<StandIn>) -> StatusCode {
    stand_in.conformance().clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct CreatePeople {
    count: usize,
}

/// Creates the next `count` people as users, without events.
async fn create_people(State(stand_in): State<StandIn>, Json(request): Json<CreatePeople>) -> ApiResult {
    let before = stand_in.count_users().await.map_err(|_| ApiError::no_route())?;
    users::create_people(&stand_in, usize::try_from(before).unwrap_or(0), request.count).await?;
    let after = stand_in.count_users().await.map_err(|_| ApiError::no_route())?;
    Ok(Json(json!({ "created": after - before, "total": after })))
}

#[derive(Deserialize)]
struct SetClock {
    /// In milliseconds; negative if the clock is behind.
    ahead: i64,
}

/// Sets the stand-in's clock ahead of the system's.
async fn set_clock(State(stand_in): State<StandIn>, Json(request): Json<SetClock>) -> StatusCode {
    stand_in.set_clock_ahead(request.ahead);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct RotateKeys {
    #[serde(default)]
    forget: bool,
}

/// Rotates the signing key; `forget` deletes the old keys.
async fn rotate_keys(State(stand_in): State<StandIn>, Json(request): Json<RotateKeys>) -> ApiResult {
    stand_in.rotate_keys(request.forget).await.map_err(|error| {
        tracing::error!(%error, "signing key rotation failed");
        ApiError::no_route()
    })?;
    Ok(Json(stand_in.key_set()))
}

#[derive(Deserialize)]
struct Unsigned {
    #[serde(default)]
    header: Map<String, Value>,
    claims: Value,
}

/// Signs any claims with the newest key. Header fields override the usual ones; `null` removes a field.
async fn sign_tokens(State(stand_in): State<StandIn>, Json(tokens): Json<Vec<Unsigned>>) -> Json<Vec<String>> {
    let key = stand_in.signing_key();
    Json(tokens.into_iter().map(|token| key.sign(&token.claims, token.header)).collect())
}

/// Stores `Set-Cookie` directives as handshakes do, and returns their nonces.
async fn store_handshakes(State(stand_in): State<StandIn>, Json(handshakes): Json<Vec<Vec<String>>>) -> ApiResult {
    let mut nonces = Vec::new();
    for directives in handshakes {
        let stored = handshakes::store(&stand_in, &directives).await;
        nonces.push(stored.map_err(|_| ApiError::no_route())?);
    }
    Ok(Json(nonces.into()))
}

/// Resets faults, limits, counts, clock and webhook mode. Users are kept.
async fn reset(State(stand_in): State<StandIn>) -> StatusCode {
    stand_in.faults().clear();
    stand_in.faults().clear_counts();
    stand_in.faults().set_limits(RateLimits::default());
    stand_in.faults().set_webhook_mode(WebhookMode::default());
    stand_in.set_clock_ahead(0);
    StatusCode::NO_CONTENT
}
