//! `/healthz` and `/readyz`: for whoever watches the process.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use lethe::ErrorCode;
use serde_json::{Value, json};

use crate::problem::Problem;
use crate::state::AppState;

const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

/// The process runs.
pub async fn liveness() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// The process can do its work: the database answers and holds Lethe's tables.
///
/// Whether Clerk answers is told beside it and decides nothing: sessions are verified with cached keys,
/// consent and deletions wait in their queues, and no other instance would reach Clerk better. Taking all
/// of them out of service would only take away what still works.
pub async fn readiness(State(server): State<AppState>) -> Result<Json<Value>, Problem> {
    let migrated = tokio::time::timeout(DATABASE_TIMEOUT, lethe::database::is_migrated(&server.lethe.database)).await;
    match migrated {
        Ok(Ok(true)) => {
            let clerk = if server.lethe.clerk.is_reachable() { "ok" } else { "down" };
            Ok(Json(json!({"status": "ready", "clerk": clerk})))
        }
        Ok(Ok(false)) => Err(Problem::from(ErrorCode::Unavailable).with_source("the database isn't migrated")),
        Ok(Err(error)) => Err(Problem::from(ErrorCode::Unavailable).with_source(error)),
        Err(elapsed) => Err(Problem::from(ErrorCode::Unavailable).with_source(elapsed)),
    }
}
