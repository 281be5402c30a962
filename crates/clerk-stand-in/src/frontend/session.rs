//! The browser's session: tokens, activity and end.

use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::json;

use super::{
    browser::{Browser, Envelope},
    objects,
};
use crate::{
    StandIn, TokenOptions,
    api_error::{ApiError, ApiResult},
    sessions::{self, Session, SessionEnd},
};

pub(super) async fn show(
    State(stand_in): State<StandIn>,
    browser: Browser,
    Path(id): Path<String>,
) -> ApiResult<Envelope> {
    let (client, session) = browser.own_session(&stand_in, &id).await?;
    let object = objects::session(&stand_in, &session, browser.origin.as_deref()).await?;
    browser.envelope(&stand_in, &client, object).await
}

/// Records that the session was active.
pub(super) async fn touch(
    State(stand_in): State<StandIn>,
    browser: Browser,
    Path(id): Path<String>,
) -> ApiResult<Envelope> {
    let (client, session) = browser.own_session(&stand_in, &id).await?;
    let session = require_active(&stand_in, session)?;
    let session = sessions::touch(&stand_in, &session.id).await?;
    let object = objects::session(&stand_in, &session, browser.origin.as_deref()).await?;
    browser.envelope(&stand_in, &client, object).await
}

pub(super) async fn end(
    State(stand_in): State<StandIn>,
    browser: Browser,
    Path(id): Path<String>,
) -> ApiResult<Envelope> {
    finish(&stand_in, &browser, &id, SessionEnd::Ended).await
}

pub(super) async fn remove(
    State(stand_in): State<StandIn>,
    browser: Browser,
    Path(id): Path<String>,
) -> ApiResult<Envelope> {
    finish(&stand_in, &browser, &id, SessionEnd::Removed).await
}

async fn finish(stand_in: &StandIn, browser: &Browser, id: &str, end: SessionEnd) -> ApiResult<Envelope> {
    let (_, session) = browser.own_session(stand_in, id).await?;
    let session = sessions::end(stand_in, &session.id, end).await?;
    let client = browser.require_client(stand_in).await?;
    let object = objects::session(stand_in, &session, browser.origin.as_deref()).await?;
    browser.envelope(stand_in, &client, object).await
}

/// A new session token; its authorized party is the page's origin.
pub(super) async fn token(State(stand_in): State<StandIn>, browser: Browser, Path(id): Path<String>) -> ApiResult {
    let (_, session) = browser.own_session(&stand_in, &id).await?;
    let session = require_active(&stand_in, session)?;
    let options = TokenOptions { authorized_party: browser.origin, ..TokenOptions::default() };
    Ok(Json(json!({ "object": "token", "jwt": stand_in.session_token(&session, options) })))
}

/// Returns the session if it is active.
pub(super) fn require_active(stand_in: &StandIn, session: Session) -> ApiResult<Session> {
    if session.status == "active" && session.expire_at > stand_in.now() {
        Ok(session)
    } else {
        Err(ApiError::not_found("session", &session.id))
    }
}
