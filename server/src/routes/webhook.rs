//! `/api/webhooks/clerk`: what Clerk tells. Verified before anything is written; a repeated delivery counts once.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use lethe::clerk::webhook::{self, Event, Rejection};
use lethe::webhook::Received;
use serde_json::json;

use crate::guards::address;
use crate::problem::Problem;
use crate::state::Server;

/// Takes in one delivery.
pub async fn receive(State(server): State<Server>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let body: Bytes = body
        .collect()
        .await
        .map_err(|error| Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE).because(error))?
        .to_bytes();
    let event = verify(&server, &parts.headers, &body).or_else(|rejection| {
        // Verifying costs less than counting would protect, and a flood of forgeries must never
        // shut out the real ones, which may come by the same proxy. So only the refusals count.
        let client = address::client(&server.trusted_proxies, &parts);
        server.limits.forged_webhooks.check_address(client)?;
        Err(Problem::new(StatusCode::BAD_REQUEST, "webhook_rejected").because(rejection))
    })?;
    let delivery = text(&parts.headers, "svix-id").ok_or(Problem::of_status(StatusCode::BAD_REQUEST))?;
    let received = lethe::webhook::receive(&server.lethe, delivery, &event).await?;
    match &event {
        Event::UserUpdated(user) => server.people.refresh(user.id(), user).await,
        Event::UserDeleted { id: Some(subject) } => server.people.forget(subject).await,
        _ => {}
    }
    let status = match received {
        Received::Processed => "processed",
        Received::Duplicate => "duplicate",
    };
    Ok(Json(json!({"status": status})).into_response())
}

fn verify(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Event, Rejection> {
    let signed = webhook::Headers {
        id: text(headers, "svix-id").unwrap_or_default(),
        timestamp: text(headers, "svix-timestamp").unwrap_or_default(),
        signature: text(headers, "svix-signature").unwrap_or_default(),
    };
    webhook::verify(&server.webhook_secret, &signed, body, server.lethe.clock.now())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
