//! The browser's session: tokens for the page, and its end.

use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::json;

use super::{
    browser::{Browser, Envelope},
    objects,
};
use crate::clerk::{
    StandIn, TokenOptions,
    errors::{ApiError, ApiResult},
    sessions::{self, Ending, Session},
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

/// Notes that the person is there.
pub(super) async fn touch(
    State(stand_in): State<StandIn>,
    browser: Browser,
    Path(id): Path<String>,
) -> ApiResult<Envelope> {
    let (client, session) = browser.own_session(&stand_in, &id).await?;
    let session = living(&stand_in, session)?;
    let session = sessions::touch(&stand_in, &session.id).await?;
    let object = objects::session(&stand_in, &session, browser.origin.as_deref()).await?;
    browser.envelope(&stand_in, &client, object).await
}

pub(super) async fn end(
    State(stand_in): State<StandIn>,
    browser: Browser,
    Path(id): Path<String>,
) -> ApiResult<Envelope> {
    finish(&stand_in, &browser, &id, Ending::Ended).await
}

pub(super) async fn remove(
    State(stand_in): State<StandIn>,
    browser: Browser,
    Path(id): Path<String>,
) -> ApiResult<Envelope> {
    finish(&stand_in, &browser, &id, Ending::Removed).await
}

async fn finish(stand_in: &StandIn, browser: &Browser, id: &str, ending: Ending) -> ApiResult<Envelope> {
    let (_, session) = browser.own_session(stand_in, id).await?;
    let session = sessions::end(stand_in, &session.id, ending).await?;
    let client = browser.known_client(stand_in).await?;
    let object = objects::session(stand_in, &session, browser.origin.as_deref()).await?;
    browser.envelope(stand_in, &client, object).await
}

/// A fresh token for the page that has the browser's secret; its authorized party is the page's origin.
pub(super) async fn token(State(stand_in): State<StandIn>, browser: Browser, Path(id): Path<String>) -> ApiResult {
    let (_, session) = browser.own_session(&stand_in, &id).await?;
    let session = living(&stand_in, session)?;
    let options = TokenOptions { authorized_party: browser.origin, ..TokenOptions::default() };
    Ok(Json(json!({ "object": "token", "jwt": stand_in.session_token(&session, options) })))
}

/// The session, if it lives.
pub(super) fn living(stand_in: &StandIn, session: Session) -> ApiResult<Session> {
    if session.status == "active" && session.expire_at > stand_in.now() {
        Ok(session)
    } else {
        Err(ApiError::not_found("session", &session.id))
    }
}
