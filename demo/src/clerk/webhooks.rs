//! Webhooks, signed and retried as Svix does it. A change and its event are committed together;
//! delivering is another task, which finds what is due after a restart too.

use std::time::Duration;

use anyhow::Context;
use data_encoding::BASE64;
use futures::StreamExt;
use ring::hmac;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{StandIn, ids};

const AT_ONCE: usize = 16;

/// What happens to events from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "mode")]
pub enum WebhookMode {
    /// Sent once, at once.
    #[default]
    On,
    /// Never sent.
    Off,
    /// Each sent twice, with one id.
    Doubled,
    /// Sent after a while.
    Late {
        /// Milliseconds until the first attempt.
        delay: u64,
    },
    /// Every other event is sent after the one that follows it.
    Reordered {
        /// Milliseconds that the earlier one waits.
        delay: u64,
    },
}

/// A delivery as the control route lists it.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub(super) struct Delivery {
    pub(super) id: String,
    pub(super) event_type: String,
    pub(super) state: String,
    pub(super) attempts: i32,
    pub(super) last_status: Option<i32>,
    pub(super) next_attempt_at: i64,
    pub(super) created_at: i64,
    #[sqlx(json)]
    pub(super) payload: Value,
}

/// Adds an event to the transaction that made it happen.
pub(super) async fn enqueue(
    stand_in: &StandIn,
    connection: &mut PgConnection,
    event_type: &str,
    data: &Value,
) -> sqlx::Result<()> {
    if stand_in.connections().webhook_url.is_none() {
        return Ok(());
    }
    let now = stand_in.now();
    let (state, copies, delay) = match stand_in.faults().webhook_mode() {
        WebhookMode::On => ("pending", 1, 0),
        WebhookMode::Off => ("lost", 0, 0),
        WebhookMode::Doubled => ("pending", 2, 0),
        WebhookMode::Late { delay } => ("pending", 1, delay),
        WebhookMode::Reordered { delay } => ("pending", 1, if stand_in.faults().every_other() { delay } else { 0 }),
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

/// Tells the delivering task that a transaction with an event was committed.
pub(super) fn wake(stand_in: &StandIn) {
    stand_in.0.undelivered.notify_one();
}

/// All deliveries, the newest first.
pub(super) async fn list(stand_in: &StandIn) -> sqlx::Result<Vec<Delivery>> {
    sqlx::query_as(
        "SELECT id, event_type, state, attempts, last_status, next_attempt_at, created_at, payload::jsonb AS payload
         FROM deliveries ORDER BY number DESC LIMIT 1000",
    )
    .fetch_all(stand_in.pool())
    .await
}

/// Delivers what is due, for ever.
pub(super) async fn deliver_for_ever(stand_in: StandIn) {
    loop {
        let wait = match deliver_due(&stand_in).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::error!(%error, "webhooks wait: the stand-in's database failed");
                Duration::from_secs(1)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stand_in.0.undelivered.notified() => {}
        }
    }
}

/// Delivers everything that is due and answers how long to wait for the next.
async fn deliver_due(stand_in: &StandIn) -> sqlx::Result<Duration> {
    const IDLE: Duration = Duration::from_mins(1);
    let Some(url) = stand_in.connections().webhook_url else { return Ok(IDLE) };
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
        // Starts them in order, one after the other's answer or not.
        .buffered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
        results.into_iter().collect::<sqlx::Result<()>>()?;
    }
}

/// One attempt; the status, or nothing where no answer came.
async fn send(stand_in: &StandIn, url: &str, id: &str, payload: &str) -> Option<i32> {
    let timestamp = stand_in.now() / 1000;
    let signature = sign(stand_in.options().webhook_secret.expose_secret(), id, timestamp, payload);
    let answer = stand_in
        .0
        .http
        .post(url)
        .header("content-type", "application/json")
        .header("user-agent", "Svix-Webhooks/stand-in")
        .header("svix-id", id)
        .header("svix-timestamp", timestamp.to_string())
        .header("svix-signature", signature)
        .body(payload.to_owned())
        .send()
        .await;
    match answer {
        Ok(answer) => Some(i32::from(answer.status().as_u16())),
        Err(error) => {
            tracing::debug!(%error, "a webhook was not answered");
            None
        }
    }
}

async fn record(stand_in: &StandIn, number: i64, attempts: i32, status: Option<i32>) -> sqlx::Result<()> {
    let waited = usize::try_from(attempts - 1).unwrap_or(0);
    let (state, wait) = match (status, stand_in.options().retry.get(waited)) {
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

/// Whether webhooks can be signed with it.
pub(super) fn check_secret(secret: &str) -> anyhow::Result<()> {
    signing_key(secret).map(drop).context("the webhook secret is not whsec_ and base64")
}

fn signing_key(secret: &str) -> anyhow::Result<hmac::Key> {
    let encoded = secret.strip_prefix("whsec_").context("it has no prefix")?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &BASE64.decode(encoded.as_bytes())?))
}

/// The header `svix-signature` for a body.
fn sign(secret: &str, id: &str, timestamp: i64, body: &str) -> String {
    let key = signing_key(secret).expect("the secret was checked when the stand-in was set up");
    let tag = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", BASE64.encode(tag.as_ref()))
}
