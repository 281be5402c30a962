//! `/api/webhooks/clerk`: Clerk's events. Verified before anything is written; a repeated delivery has no effect.

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
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
    let body: Bytes = body
        .collect()
        .await
        .map_err(|error| Problem::from_status(StatusCode::PAYLOAD_TOO_LARGE).with_source(error))?
        .to_bytes();
    let event = verify(&state, &parts.headers, &body).or_else(|rejection| {
        // Only rejections are counted: verification is cheap, and a flood of forgeries must never shut out the real
        // deliveries, which may come through the same proxy.
        let client = client_ip::client_ip(&state.trusted_proxies, &parts);
        state.rate_limits.rejected_webhooks.check_ip(client)?;
        Err(Problem::new(ErrorCode::WebhookRejected).with_source(rejection))
    })?;
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

fn verify(state: &AppState, headers: &HeaderMap, body: &[u8]) -> Result<Event, Rejection> {
    let signed = webhook::Headers {
        id: header_text(headers, "svix-id").unwrap_or_default(),
        timestamp: header_text(headers, "svix-timestamp").unwrap_or_default(),
        signature: header_text(headers, "svix-signature").unwrap_or_default(),
    };
    webhook::verify(&state.webhook_secret, &signed, body, state.lethe.clock.now())
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
