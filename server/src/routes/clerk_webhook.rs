//! `/api/webhooks/clerk`: what Clerk tells. Verified before anything is written; a repeated delivery counts once.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use lethe::clerk::webhook::{self, Event, Rejection};
use lethe::deletion::clerk_events::{self, Received};
use serde_json::json;

use crate::middleware::client_ip;
use crate::problem::Problem;
use crate::state::AppState;

/// Takes in one delivery.
pub async fn receive(State(server): State<AppState>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let body: Bytes = body
        .collect()
        .await
        .map_err(|error| Problem::from_status(StatusCode::PAYLOAD_TOO_LARGE).with_source(error))?
        .to_bytes();
    let event = verify(&server, &parts.headers, &body).or_else(|rejection| {
        // Verifying costs less than counting would protect, and a flood of forgeries must never
        // shut out the real ones, which may come by the same proxy. So only the refusals count.
        let client = client_ip::client_ip(&server.trusted_proxies, &parts);
        server.limits.rejected_webhooks.check_ip(client)?;
        Err(Problem::new(StatusCode::BAD_REQUEST, "webhook_rejected").with_source(rejection))
    })?;
    let delivery = header_text(&parts.headers, "svix-id").ok_or(Problem::from_status(StatusCode::BAD_REQUEST))?;
    let received = clerk_events::receive(&server.lethe, delivery, &event).await?;
    match &event {
        Event::UserUpdated(user) => server.profiles.update_cached(user.id(), user).await,
        Event::UserDeleted { id: Some(subject) } => server.profiles.remove(subject).await,
        _ => {}
    }
    let status = match received {
        Received::Processed => "processed",
        Received::Duplicate => "duplicate",
    };
    Ok(Json(json!({"status": status})).into_response())
}

fn verify(server: &AppState, headers: &HeaderMap, body: &[u8]) -> Result<Event, Rejection> {
    let signed = webhook::Headers {
        id: header_text(headers, "svix-id").unwrap_or_default(),
        timestamp: header_text(headers, "svix-timestamp").unwrap_or_default(),
        signature: header_text(headers, "svix-signature").unwrap_or_default(),
    };
    webhook::verify(&server.webhook_secret, &signed, body, server.lethe.clock.now())
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
