//! `/.well-known/gpc.json`: declares that Global Privacy Control is honoured.

use axum::Json;
use serde_json::{Value, json};

/// When the handling of the signal last changed.
const LAST_UPDATE: &str = "2026-11-22";

/// Returns the GPC support resource, as the specification defines it.
pub async fn statement() -> Json<Value> {
    Json(json!({"gpc": true, "lastUpdate": LAST_UPDATE}))
}
