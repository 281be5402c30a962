//! Sign-in attempts: with a ticket that the application's server created, or with a code.

use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::{
    browser::{Browser, Envelope, Form},
    factors,
};
use crate::{
    StandIn,
    api_error::{ApiError, ApiResult},
    clients::Client,
    ids, sessions, sign_in_tokens, users,
};

const DAY: i64 = 24 * 60 * 60 * 1000;

#[derive(sqlx::FromRow)]
struct SignIn {
    id: String,
    client_id: String,
    user_id: Option<String>,
    identifier: Option<String>,
    strategy: Option<String>,
    attempts: i32,
    created_session_id: Option<String>,
    created_at: i64,
}

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

/// The client's unfinished sign-in.
pub(super) async fn unfinished(stand_in: &StandIn, client: &Client) -> ApiResult<Value> {
    let found: Option<SignIn> = sqlx::query_as(
        "SELECT * FROM sign_ins WHERE client_id = $1 AND created_session_id IS NULL AND created_at > $2
         ORDER BY created_at DESC, id LIMIT 1",
    )
    .bind(&client.id)
    .bind(stand_in.now() - DAY)
    .fetch_optional(stand_in.pool())
    .await?;
    match found {
        Some(sign_in) => sign_in.object(stand_in).await,
        None => Ok(Value::Null),
    }
}

async fn insert(
    stand_in: &StandIn,
    client: &Client,
    user_id: Option<&str>,
    identifier: Option<&str>,
    strategy: Option<&str>,
) -> ApiResult<SignIn> {
    // A client has one unfinished sign-in at a time.
    sqlx::query("DELETE FROM sign_ins WHERE client_id = $1 AND created_session_id IS NULL")
        .bind(&client.id)
        .execute(stand_in.pool())
        .await?;
    Ok(sqlx::query_as(
        "INSERT INTO sign_ins (id, client_id, user_id, identifier, strategy, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING *",
    )
    .bind(ids::random("sia"))
    .bind(&client.id)
    .bind(user_id)
    .bind(identifier)
    .bind(strategy)
    .bind(stand_in.now())
    .fetch_one(stand_in.pool())
    .await?)
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

impl SignIn {
    async fn user(&self, stand_in: &StandIn) -> ApiResult<Value> {
        let id = self.user_id.as_deref().ok_or_else(|| ApiError::missing_parameter("identifier"))?;
        users::find(stand_in.pool(), id).await
    }

    async fn object(&self, stand_in: &StandIn) -> ApiResult<Value> {
        let user = match self.user_id {
            Some(_) => self.user(stand_in).await?,
            None => Value::Null,
        };
        let is_complete = self.created_session_id.is_some();
        let status = match (is_complete, &self.user_id) {
            (true, _) => "complete",
            (false, Some(_)) => "needs_first_factor",
            (false, None) => "needs_identifier",
        };
        let verified = if is_complete { "verified" } else { "unverified" };
        let verification = match self.strategy.as_deref() {
            Some("ticket") => json!({ "object": "verification_ticket", "status": verified, "strategy": "ticket" }),
            Some(_) => factors::verification(verified, self.attempts, self.created_at),
            None => Value::Null,
        };
        let factors = (status == "needs_first_factor").then(|| factors::supported(&user));
        let user_data = self.user_id.as_ref().map(|_| {
            json!({
                "first_name": user["first_name"], "last_name": user["last_name"],
                "image_url": user["image_url"], "has_image": user["has_image"],
            })
        });
        Ok(json!({
            "object": "sign_in_attempt",
            "id": self.id,
            "status": status,
            "supported_identifiers": ["email_address"],
            "supported_first_factors": factors,
            "supported_second_factors": null,
            "first_factor_verification": verification,
            "second_factor_verification": null,
            "identifier": self.identifier,
            "user_data": user_data,
            "created_session_id": self.created_session_id,
            "abandon_at": self.created_at + DAY,
        }))
    }
}
