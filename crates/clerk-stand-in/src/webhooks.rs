//! Webhooks, signed and retried as Svix does. An event is committed together with its change. A separate task delivers
//! it, even after a restart.

use std::time::Duration;

use data_encoding::BASE64;
use futures::StreamExt;
use ring::hmac;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::{StandIn, faults::WebhookMode, ids};

const MAX_CONCURRENT_DELIVERIES: usize = 16;

/// A delivery as `GET /control/webhooks` lists it.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub(crate) struct Delivery {
    pub(crate) id: String,
    pub(crate) event_type: String,
    pub(crate) state: String,
    pub(crate) attempts: i32,
    pub(crate) last_status: Option<i32>,
    pub(crate) next_attempt_at: i64,
    pub(crate) created_at: i64,
    #[sqlx(json)]
    pub(crate) payload: Value,
}

/// Adds an event to the transaction that causes it.
pub(crate) async fn enqueue(
    stand_in: &StandIn,
    connection: &mut PgConnection,
    event_type: &str,
    data: &Value,
) -> sqlx::Result<()> {
    if stand_in.endpoints().webhook_url.is_none() {
        return Ok(());
    }
    let now = stand_in.now();
    let (state, copies, delay) = match stand_in.faults().webhook_mode() {
        WebhookMode::On => ("pending", 1, 0),
        WebhookMode::Off => ("lost", 0, 0),
        WebhookMode::Doubled => ("pending", 2, 0),
        WebhookMode::Late { delay } => ("pending", 1, delay),
        WebhookMode::Reordered { delay } => ("pending", 1, if stand_in.faults().alternate() { delay } else { 0 }),
    };
    let payload = json!({
        "data": data,
        "event_attributes": { "http_request": { "client_ip": "127.0.0.1", "user_agent": "stand-in" } },
        "instance_id": stand_in.instance_id(),
        "object": "event",
        "timestamp": now,
        "type": event_type,
    });
    stand_in.conformance().check_event(event_type, &payload);
    sqlx::query(
        "INSERT INTO deliveries (id, event_type, payload, state, copies, next_attempt_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(ids::random("msg"))
    .bind(event_type)
    .bind(payload.to_string())
    .bind(state)
    .bind(copies)
    .bind(now + i64::try_from(delay).unwrap_or(i64::MAX / 2))
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// The last thousand deliveries, the newest first.
pub(crate) async fn list(stand_in: &StandIn) -> sqlx::Result<Vec<Delivery>> {
    sqlx::query_as(
        "SELECT id, event_type, state, attempts, last_status, next_attempt_at, created_at, payload::jsonb AS payload
         FROM deliveries ORDER BY number DESC LIMIT 1000",
    )
    .fetch_all(stand_in.pool())
    .await
}

/// Delivers events as they become due. Never returns.
pub(crate) async fn deliver_events(stand_in: StandIn) {
    loop {
        let wait = match deliver_due(&stand_in).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::error!(%error, "webhook delivery failed, retrying");
                Duration::from_secs(1)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stand_in.delivery_notified() => {}
        }
    }
}

/// Delivers everything that is due and returns how long to wait for the next.
async fn deliver_due(stand_in: &StandIn) -> sqlx::Result<Duration> {
    const IDLE: Duration = Duration::from_mins(1);
    let Some(url) = stand_in.endpoints().webhook_url else { return Ok(IDLE) };
    loop {
        let now = stand_in.now();
        let due: Vec<(i64, String, String, i32, i32)> = sqlx::query_as(
            "SELECT number, id, payload, attempts, copies FROM deliveries
             WHERE state = 'pending' AND next_attempt_at <= $1 ORDER BY next_attempt_at, number LIMIT 100",
        )
        .bind(now)
        .fetch_all(stand_in.pool())
        .await?;
        if due.is_empty() {
            let next: Option<i64> =
                sqlx::query_scalar("SELECT min(next_attempt_at) FROM deliveries WHERE state = 'pending'")
                    .fetch_one(stand_in.pool())
                    .await?;
            let wait = next.map_or(IDLE, |next| Duration::from_millis(u64::try_from(next - now).unwrap_or(0)));
            return Ok(wait.min(IDLE));
        }
        let results = futures::stream::iter(due.into_iter().map(|(number, id, payload, attempts, copies)| {
            let url = url.as_str();
            async move {
                let mut status = None;
                for _ in 0..copies {
                    status = send(stand_in, url, &id, &payload).await;
                }
                record(stand_in, number, attempts + 1, status).await
            }
        }))
        // Starts them in order, without waiting for the previous response.
        .buffered(MAX_CONCURRENT_DELIVERIES)
        .collect::<Vec<_>>()
        .await;
        results.into_iter().collect::<sqlx::Result<()>>()?;
    }
}

/// Attempts a delivery; returns the status of the response, if there was one.
async fn send(stand_in: &StandIn, url: &str, id: &str, payload: &str) -> Option<i32> {
    let timestamp = stand_in.now() / 1000;
    let response = stand_in
        .http()
        .post(url)
        .header("content-type", "application/json")
        .header("user-agent", "Svix-Webhooks/stand-in")
        .header("svix-id", id)
        .header("svix-timestamp", timestamp.to_string())
        .header("svix-signature", sign(stand_in.webhook_key(), id, timestamp, payload))
        .body(payload.to_owned())
        .send()
        .await;
    match response {
        Ok(response) => Some(i32::from(response.status().as_u16())),
        Err(error) => {
            tracing::debug!(%error, "webhook delivery got no response");
            None
        }
    }
}

async fn record(stand_in: &StandIn, number: i64, attempts: i32, status: Option<i32>) -> sqlx::Result<()> {
    let retries = usize::try_from(attempts - 1).unwrap_or(0);
    let (state, wait) = match (status, stand_in.options().retry.get(retries)) {
        (Some(200..=299), _) => ("delivered", Duration::ZERO),
        (_, Some(wait)) => ("pending", *wait),
        (_, None) => ("failed", Duration::ZERO),
    };
    sqlx::query(
        "UPDATE deliveries SET state = $2, attempts = $3, last_status = $4, next_attempt_at = $5 WHERE number = $1",
    )
    .bind(number)
    .bind(state)
    .bind(attempts)
    .bind(status)
    .bind(stand_in.now() + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2))
    .execute(stand_in.pool())
    .await?;
    Ok(())
}

/// The `svix-signature` header of a body.
fn sign(key: &hmac::Key, id: &str, timestamp: i64, body: &str) -> String {
    let tag = hmac::sign(key, format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", BASE64.encode(tag.as_ref()))
}
