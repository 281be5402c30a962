//! `/api/webhooks/clerk`: Clerk's events. Verified before anything is written; a repeated delivery has no effect.

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use lethe::clerk::webhook::{self, Event, Rejection};
use lethe::deletion::clerk_events::{self, Received};
use lethe_app::server::context::RequestContext;
use lethe_error_code::ErrorCode;
use serde_json::json;

use crate::error::Problem;
use crate::middleware::client_ip;
use crate::state::AppState;

/// Handles one delivery.
pub async fn receive(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    // A body of up to a MiB isn't read for headers that no body makes valid.
    signed_headers(&parts.headers)
        .check(state.lethe.clock.now())
        .map_err(|rejection| reject(&state, &parts, rejection))?;
    let body: Bytes = body
        .collect()
        .await
        .map_err(|error| Problem::from_status(StatusCode::PAYLOAD_TOO_LARGE).with_source(error))?
        .to_bytes();
    let headers = signed_headers(&parts.headers);
    let event = webhook::verify(&state.webhook_secret, &headers, &body, state.lethe.clock.now())
        .map_err(|rejection| reject(&state, &parts, rejection))?;
    let delivery = header_text(&parts.headers, "svix-id").ok_or(Problem::new(ErrorCode::InvalidInput))?;
    let received = clerk_events::receive(&state.lethe.with_incident(&context.incident), delivery, &event).await?;
    match &event {
        Event::UserUpdated(user) => state.profiles.update_cached(user).await,
        Event::UserDeleted { id: Some(user) } => state.profiles.remove(user).await,
        _ => {}
    }
    let status = match received {
        Received::Processed => "processed",
        Received::Duplicate => "duplicate",
    };
    Ok(Json(json!({"status": status})).into_response())
}

/// Only rejections are counted: a flood of forgeries must never shut out the real deliveries, which may come through the same
/// proxy.
fn reject(state: &AppState, parts: &Parts, rejection: Rejection) -> Problem {
    let client = client_ip::client_ip(&state.trusted_proxies, parts);
    match state.rate_limits.rejected_webhooks.check(client) {
        Ok(()) => Problem::new(ErrorCode::WebhookRejected).with_source(rejection),
        Err(problem) => problem,
    }
}

fn signed_headers(headers: &HeaderMap) -> webhook::Headers<'_> {
    webhook::Headers {
        id: header_text(headers, "svix-id").unwrap_or_default(),
        timestamp: header_text(headers, "svix-timestamp").unwrap_or_default(),
        signature: header_text(headers, "svix-signature").unwrap_or_default(),
    }
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
