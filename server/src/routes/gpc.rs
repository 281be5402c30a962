//! `/.well-known/gpc.json`: says that the browser's opt-out signal is honoured here.

use axum::Json;
use serde_json::{Value, json};

/// When the way in which the signal is honoured last changed.
const LAST_CHANGE: &str = "2026-11-22";

/// The statement, as the Global Privacy Control specification words it.
pub async fn statement() -> Json<Value> {
    Json(json!({"gpc": true, "lastUpdate": LAST_CHANGE}))
}
