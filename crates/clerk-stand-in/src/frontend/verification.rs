//! Reverification of a session.

use axum::extract::{Path, State};
use serde_json::json;

use super::{
    browser::{Browser, Envelope, Form},
    factors, objects,
    session::require_active,
};
use crate::{
    StandIn,
    api_error::{ApiError, ApiResult},
    clients::Client,
    sessions::{self, Session},
    users,
};

#[derive(sqlx::FromRow)]
struct Reverification {
    is_prepared: bool,
    attempts: i32,
    created_at: i64,
}

pub(super) async fn start(
    State(stand_in): State<StandIn>,
    browser: Browser,
    Path(id): Path<String>,
    _: Form,
) -> ApiResult<Envelope> {
    let (client, session) = require_session(&stand_in, &browser, &id).await?;
    let started = sqlx::query_as(
        "INSERT INTO reverifications (session_id, created_at) VALUES ($1, $2)
         ON CONFLICT (session_id) DO UPDATE SET is_prepared = false, attempts = 0, created_at = $2
         RETURNING is_prepared, attempts, created_at",
    )
    .bind(&session.id)
    .bind(stand_in.now())
    .fetch_one(stand_in.pool())
    .await?;
    respond(&stand_in, &browser, &client, &session, &started, false).await
}

pub(super) async fn prepare(
    State(stand_in): State<StandIn>,
    browser: Browser,
    Path(id): Path<String>,
    form: Form,
) -> ApiResult<Envelope> {
    let (client, session) = require_session(&stand_in, &browser, &id).await?;
    let user = users::find(stand_in.pool(), &session.user_id).await?;
    factors::check_preparation(&user, form.text("strategy"), form.text("email_address_id"))?;
    let prepared: Option<Reverification> = sqlx::query_as(
        "UPDATE reverifications SET is_prepared = true, attempts = 0 WHERE session_id = $1
         RETURNING is_prepared, attempts, created_at",
    )
    .bind(&session.id)
    .fetch_optional(stand_in.pool())
    .await?;
    respond(&stand_in, &browser, &client, &session, &prepared.ok_or_else(missing)?, false).await
}

pub(super) async fn attempt(
    State(stand_in): State<StandIn>,
    browser: Browser,
    Path(id): Path<String>,
    form: Form,
) -> ApiResult<Envelope> {
    let (client, session) = require_session(&stand_in, &browser, &id).await?;
    let started: Option<Reverification> = sqlx::query_as(
        "SELECT is_prepared, attempts, created_at FROM reverifications WHERE session_id = $1 AND is_prepared",
    )
    .bind(&session.id)
    .fetch_optional(stand_in.pool())
    .await?;
    let started = started.ok_or_else(missing)?;
    if let Err(error) = factors::check_code(form.text("strategy"), form.text("code"), started.attempts) {
        sqlx::query("UPDATE reverifications SET attempts = attempts + 1 WHERE session_id = $1")
            .bind(&session.id)
            .execute(stand_in.pool())
            .await?;
        return Err(error);
    }
    let session = sessions::record_verification(&stand_in, &session.id).await?;
    respond(&stand_in, &browser, &client, &session, &started, true).await
}

fn missing() -> ApiError {
    ApiError::verification_failed("verification_missing", "Nothing is waiting to be verified.")
}

async fn require_session(stand_in: &StandIn, browser: &Browser, id: &str) -> ApiResult<(Client, Session)> {
    let (client, session) = browser.own_session(stand_in, id).await.map_err(|error| error.status(401))?;
    let session = require_active(stand_in, session).map_err(|error| error.status(401))?;
    Ok((client, session))
}

async fn respond(
    stand_in: &StandIn,
    browser: &Browser,
    client: &Client,
    session: &Session,
    state: &Reverification,
    is_complete: bool,
) -> ApiResult<Envelope> {
    let user = users::find(stand_in.pool(), &session.user_id).await?;
    let status = if is_complete { "verified" } else { "unverified" };
    let verification = state.is_prepared.then(|| factors::verification(status, state.attempts, state.created_at));
    let object = json!({
        "object": "session_reverification",
        // Users have no second factor here; as at Clerk, the first one is used then.
        "level": "first_factor",
        "status": if is_complete { "complete" } else { "needs_first_factor" },
        "supported_first_factors": factors::supported(&user),
        "supported_second_factors": null,
        "first_factor_verification": verification,
        "second_factor_verification": null,
        "session": objects::bare_session(session),
    });
    browser.envelope(stand_in, client, object).await
}
