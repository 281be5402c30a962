//! The client object.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::{
    browser::{Browser, Envelope},
    objects,
};
use crate::{
    StandIn,
    api_error::{ApiError, ApiResult},
    clients,
    sessions::{self, SessionEnd},
};

/// Creates the `__clerk_db_jwt` of a browser that has none yet.
pub(super) async fn dev_browser(State(stand_in): State<StandIn>) -> ApiResult {
    let client = clients::create(&stand_in).await?;
    Ok(Json(json!({ "object": "dev_browser", "id": client.dev_browser, "created_at": client.created_at })))
}

pub(super) async fn show(State(stand_in): State<StandIn>, browser: Browser) -> ApiResult {
    let response = match browser.client(&stand_in).await? {
        Some(client) => objects::client(&stand_in, &client, browser.origin.as_deref()).await?,
        None if browser.has_dev_browser() => return Err(ApiError::unknown_dev_browser()),
        None => Value::Null,
    };
    Ok(Json(json!({ "response": response, "client": null })))
}

pub(super) async fn create(State(stand_in): State<StandIn>, browser: Browser) -> ApiResult<Envelope> {
    let client = browser.client_or_new(&stand_in).await?;
    let object = objects::client(&stand_in, &client, browser.origin.as_deref()).await?;
    browser.envelope(&stand_in, &client, object).await
}

/// Signs out. The response has no client.
pub(super) async fn destroy(State(stand_in): State<StandIn>, browser: Browser) -> ApiResult {
    let client = browser.client(&stand_in).await?.ok_or_else(|| ApiError::not_found("client", "of this browser"))?;
    if let Some(session) = sessions::active_session(&stand_in, &client).await? {
        sessions::end(&stand_in, &session.id, SessionEnd::Removed).await?;
    }
    Ok(Json(json!({ "response": null, "client": null })))
}

/// Signs out and returns the client.
pub(super) async fn remove_sessions(State(stand_in): State<StandIn>, browser: Browser) -> ApiResult<Envelope> {
    let client = browser.require_client(&stand_in).await?;
    if let Some(session) = sessions::active_session(&stand_in, &client).await? {
        sessions::end(&stand_in, &session.id, SessionEnd::Removed).await?;
    }
    let client = browser.require_client(&stand_in).await?;
    let object = objects::client(&stand_in, &client, browser.origin.as_deref()).await?;
    browser.envelope(&stand_in, &client, object).await
}
