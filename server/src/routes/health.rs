//! `/healthz` and `/readyz`, for monitoring and load balancers.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use lethe::{Lethe, data_map};
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
/// wait in the job queue, and no other instance would reach Clerk any better. Neither does a data map that doesn't fit:
/// exports and erasures wait for its correction, everything else works.
pub async fn readiness(State(state): State<AppState>) -> Result<Json<Value>, Problem> {
    let unavailable = || Problem::new(ErrorCode::Unavailable);
    let is_migrated = tokio::time::timeout(DATABASE_TIMEOUT, lethe::database::is_migrated(&state.lethe.database))
        .await
        .map_err(|error| unavailable().with_source(error))?
        .map_err(|error| unavailable().with_source(error))?;
    if !is_migrated {
        return Err(unavailable().with_source("the database isn't migrated"));
    }
    let data_map = tokio::time::timeout(DATABASE_TIMEOUT, data_map_state(&state.lethe))
        .await
        .map_err(|error| unavailable().with_source(error))?
        .map_err(|error| unavailable().with_source(error))?;
    let clerk = if state.lethe.clerk.is_reachable() { "ok" } else { "down" };
    Ok(Json(json!({"status": "ready", "clerk": clerk, "data_map": data_map})))
}

/// Compares the data map with the live schema.
async fn data_map_state(lethe: &Lethe) -> Result<&'static str, data_map::Error> {
    let mut connection = lethe.database.acquire().await.map_err(data_map::Error::Database)?;
    let (state, fits) = match data_map::resolve(&lethe.data_map, &mut connection).await {
        Ok(_) => ("ok", 1.0),
        Err(data_map::Error::Mismatch(_)) => ("mismatch", 0.0),
        Err(error) => return Err(error),
    };
    metrics::gauge!("lethe_data_map_fits").set(fits);
    Ok(state)
}
