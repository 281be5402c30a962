//! `/healthz` and `/readyz`, for monitoring and load balancers.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use lethe::database::SchemaState;
use lethe::drift;
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

/// The process can serve: the database responds, contains Lethe's tables, those of this version or of a newer one on which
/// this version can serve, and doesn't wait for a replay.
///
/// Clerk's status is reported and doesn't affect readiness: sessions are verified with cached keys, consent and deletions
/// wait in the job queue, and no other instance would reach Clerk any better. Neither does a data map that doesn't fit:
/// exports and erasures wait for its correction, everything else works.
pub async fn readiness(State(state): State<AppState>) -> Result<Json<Value>, Problem> {
    let unavailable = || Problem::new(ErrorCode::Unavailable);
    let schema = tokio::time::timeout(DATABASE_TIMEOUT, lethe::database::schema_state(&state.lethe.database))
        .await
        .map_err(|error| unavailable().with_source(error))?
        .map_err(|error| unavailable().with_source(error))?;
    match schema {
        SchemaState::Ready { .. } => {}
        SchemaState::Outdated => return Err(unavailable().with_source("the database isn't migrated")),
        SchemaState::TooNew { .. } => {
            return Err(unavailable().with_source("the database's schema is too new for this version"));
        }
    }
    if state.maintenance.is_active() {
        return Err(ErrorCode::Maintenance.into());
    }
    let fit = tokio::time::timeout(DATABASE_TIMEOUT, drift::look(&state.lethe))
        .await
        .map_err(|error| unavailable().with_source(error))?
        .map_err(|error| unavailable().with_source(error))?;
    let clerk = if state.lethe.clerk.is_reachable() { "ok" } else { "down" };
    let file = if state.lethe.active_map.is_file_rejected() { "rejected" } else { "ok" };
    Ok(Json(json!({"status": "ready", "clerk": clerk, "data_map": fit.name(), "data_map_file": file})))
}
