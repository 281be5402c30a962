//! The browser itself.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::{
    browser::{Browser, Envelope},
    objects,
};
use crate::clerk::{
    StandIn,
    errors::{ApiError, ApiResult},
    sessions::{self, Ending},
};

/// Gives the application's pages a secret for a browser that has none yet.
pub(super) async fn dev_browser(State(stand_in): State<StandIn>) -> ApiResult {
    let client = sessions::create_client(&stand_in).await?;
    Ok(Json(json!({ "object": "dev_browser", "id": client.browser, "created_at": client.created_at })))
}

pub(super) async fn show(State(stand_in): State<StandIn>, browser: Browser) -> ApiResult {
    let response = match browser.client(&stand_in).await? {
        Some(client) => objects::client(&stand_in, &client, browser.origin.as_deref()).await?,
        None if browser.has_secret() => return Err(ApiError::unknown_browser()),
        None => Value::Null,
    };
    Ok(Json(json!({ "response": response, "client": null })))
}

pub(super) async fn create(State(stand_in): State<StandIn>, browser: Browser) -> ApiResult<Envelope> {
    let client = browser.client_or_new(&stand_in).await?;
    let object = objects::client(&stand_in, &client, browser.origin.as_deref()).await?;
    browser.envelope(&stand_in, &client, object).await
}

/// Signs out and forgets the browser.
pub(super) async fn destroy(State(stand_in): State<StandIn>, browser: Browser) -> ApiResult {
    let client = browser.client(&stand_in).await?.ok_or_else(|| ApiError::not_found("client", "of this browser"))?;
    if let Some(session) = sessions::active_session(&stand_in, &client).await? {
        sessions::end(&stand_in, &session.id, Ending::Removed).await?;
    }
    Ok(Json(json!({ "response": null, "client": null })))
}

/// Signs out; the browser stays known.
pub(super) async fn remove_sessions(State(stand_in): State<StandIn>, browser: Browser) -> ApiResult<Envelope> {
    let client = browser.known_client(&stand_in).await?;
    if let Some(session) = sessions::active_session(&stand_in, &client).await? {
        sessions::end(&stand_in, &session.id, Ending::Removed).await?;
    }
    let client = browser.known_client(&stand_in).await?;
    let object = objects::client(&stand_in, &client, browser.origin.as_deref()).await?;
    browser.envelope(&stand_in, &client, object).await
}
