//! The signed-in user.

use axum::{Json, extract::State};
use serde_json::json;

use super::{
    browser::{Browser, Envelope},
    objects,
};
use crate::{
    StandIn,
    api_error::{ApiError, ApiResult},
    users,
};

pub(super) async fn show(State(stand_in): State<StandIn>, browser: Browser) -> ApiResult<Envelope> {
    let (client, session) = browser.current_session(&stand_in).await?;
    let user = users::find(stand_in.pool(), &session.user_id).await?;
    browser.envelope(&stand_in, &client, objects::user(user)).await
}

pub(super) async fn destroy(State(stand_in): State<StandIn>, browser: Browser) -> ApiResult {
    let (client, session) = browser.current_session(&stand_in).await?;
    let user = users::find(stand_in.pool(), &session.user_id).await?;
    if user["delete_self_enabled"] == false {
        return Err(ApiError::self_deletion_forbidden());
    }
    users::delete(&stand_in, &session.user_id).await?;
    let deleted = json!({ "object": "user", "id": session.user_id, "deleted": true });
    let client = objects::client(&stand_in, &client, browser.origin.as_deref()).await?;
    Ok(Json(json!({ "response": deleted, "client": client })))
}
