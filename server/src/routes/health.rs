//! `/healthz` and `/readyz`, for monitoring and load balancers.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use lethe_error_code::ErrorCode;
use serde_json::{Value, json};

use crate::error::Problem;
use crate::state::AppState;

/// How long the database may take to respond.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

/// The process is running.
pub async fn liveness() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// The process can serve: the database responds and contains Lethe's tables.
///
/// Clerk's status is reported and doesn't affect readiness: sessions are verified with cached keys, consent and deletions
/// wait in the job queue, and no other instance would reach Clerk any better.
pub async fn readiness(State(state): State<AppState>) -> Result<Json<Value>, Problem> {
    let unavailable = || Problem::new(ErrorCode::Unavailable);
    let is_migrated = tokio::time::timeout(DATABASE_TIMEOUT, lethe::database::is_migrated(&state.lethe.database))
        .await
        .map_err(|error| unavailable().with_source(error))?
        .map_err(|error| unavailable().with_source(error))?;
    if !is_migrated {
        return Err(unavailable().with_source("the database isn't migrated"));
    }
    let clerk = if state.lethe.clerk.is_reachable() { "ok" } else { "down" };
    Ok(Json(json!({"status": "ready", "clerk": clerk})))
}
