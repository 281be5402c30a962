//! Sign-in attempts: with a ticket that the application's server created, or with a code.

use axum::extract::{Path, State};

use super::{
    browser::{Browser, Envelope, Form},
    factors,
    sign_in_attempt::{SignIn, insert},
};
use crate::{
    StandIn,
    api_error::{ApiError, ApiResult},
    clients::Client,
    sessions, sign_in_tokens, users,
};

pub(super) async fn create(State(stand_in): State<StandIn>, browser: Browser, form: Form) -> ApiResult<Envelope> {
    let client = browser.client_or_new(&stand_in).await?;
    if sessions::active_session(&stand_in, &client).await?.is_some() {
        return Err(ApiError::session_exists());
    }
    let strategy = form.text("strategy");
    if !matches!(strategy, None | Some("ticket" | "email_code")) {
        return Err(ApiError::invalid_parameter("strategy", "The stand-in knows ticket and email_code."));
    }
    if let Some(ticket) = form.text("ticket") {
        let user_id = sign_in_tokens::accept(&stand_in, ticket).await?;
        let sign_in = insert(&stand_in, &client, Some(&user_id), None, Some("ticket")).await?;
        return finish(&stand_in, &browser, &client, sign_in).await;
    }
    let identifier = form.text("identifier");
    let user_id = match identifier {
        Some(identifier) => Some(users::find_by_email(&stand_in, identifier).await?),
        None => None,
    };
    let strategy = strategy.filter(|_| user_id.is_some());
    let sign_in = insert(&stand_in, &client, user_id.as_deref(), identifier, strategy).await?;
    respond(&stand_in, &browser, &client, &sign_in).await
}

pub(super) async fn show(
    State(stand_in): State<StandIn>,
    browser: Browser,
    Path(id): Path<String>,
) -> ApiResult<Envelope> {
    let (client, sign_in) = require_own(&stand_in, &browser, &id).await?;
    respond(&stand_in, &browser, &client, &sign_in).await
}

pub(super) async fn prepare(
    State(stand_in): State<StandIn>,
    browser: Browser,
    Path(id): Path<String>,
    form: Form,
) -> ApiResult<Envelope> {
    let (client, sign_in) = require_own(&stand_in, &browser, &id).await?;
    let user = sign_in.user(&stand_in).await?;
    factors::check_preparation(&user, form.text("strategy"), form.text("email_address_id"))?;
    let sign_in = sqlx::query_as("UPDATE sign_ins SET strategy = 'email_code', attempts = 0 WHERE id = $1 RETURNING *")
        .bind(&sign_in.id)
        .fetch_one(stand_in.pool())
        .await?;
    respond(&stand_in, &browser, &client, &sign_in).await
}

pub(super) async fn attempt(
    State(stand_in): State<StandIn>,
    browser: Browser,
    Path(id): Path<String>,
    form: Form,
) -> ApiResult<Envelope> {
    let (client, sign_in) = require_own(&stand_in, &browser, &id).await?;
    if sign_in.strategy.as_deref() != Some("email_code") || sign_in.created_session_id.is_some() {
        return Err(ApiError::verification_failed("verification_missing", "Nothing is waiting to be verified."));
    }
    if let Err(error) = factors::check_code(form.text("strategy"), form.text("code"), sign_in.attempts) {
        sqlx::query("UPDATE sign_ins SET attempts = attempts + 1 WHERE id = $1")
            .bind(&sign_in.id)
            .execute(stand_in.pool())
            .await?;
        return Err(error);
    }
    finish(&stand_in, &browser, &client, sign_in).await
}

async fn require_own(stand_in: &StandIn, browser: &Browser, id: &str) -> ApiResult<(Client, SignIn)> {
    let client = browser.require_client(stand_in).await?;
    let found: Option<SignIn> =
        sqlx::query_as("SELECT * FROM sign_ins WHERE id = $1").bind(id).fetch_optional(stand_in.pool()).await?;
    let sign_in = found.filter(|sign_in| sign_in.client_id == client.id);
    sign_in.map(|sign_in| (client, sign_in)).ok_or_else(|| ApiError::not_found("sign in", id))
}

/// Creates the session of a verified sign-in.
async fn finish(stand_in: &StandIn, browser: &Browser, client: &Client, sign_in: SignIn) -> ApiResult<Envelope> {
    let user_id = sign_in.user_id.as_deref().ok_or_else(|| ApiError::missing_parameter("identifier"))?;
    let session = sessions::create(stand_in, client, user_id).await?;
    let sign_in = sqlx::query_as("UPDATE sign_ins SET created_session_id = $2 WHERE id = $1 RETURNING *")
        .bind(&sign_in.id)
        .bind(&session.id)
        .fetch_one(stand_in.pool())
        .await?;
    // The new session changed the client.
    let client =
        browser.client(stand_in).await?.filter(|found| found.id == client.id).unwrap_or_else(|| client.clone());
    respond(stand_in, browser, &client, &sign_in).await
}

async fn respond(stand_in: &StandIn, browser: &Browser, client: &Client, sign_in: &SignIn) -> ApiResult<Envelope> {
    let object = sign_in.object(stand_in).await?;
    browser.envelope(stand_in, client, object).await
}
