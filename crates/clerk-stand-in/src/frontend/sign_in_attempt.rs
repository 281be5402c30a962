//! A sign-in attempt: its row, and the object that the Frontend API has for it.

use serde_json::{Value, json};

use super::factors;
use crate::{
    StandIn,
    api_error::{ApiError, ApiResult},
    clients::Client,
    ids, users,
};

const DAY: i64 = 24 * 60 * 60 * 1000;

/// A sign-in attempt as it is stored.
#[derive(sqlx::FromRow)]
pub(super) struct SignIn {
    pub(super) id: String,
    pub(super) client_id: String,
    pub(super) user_id: Option<String>,
    pub(super) identifier: Option<String>,
    pub(super) strategy: Option<String>,
    pub(super) attempts: i32,
    pub(super) created_session_id: Option<String>,
    pub(super) created_at: i64,
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

/// Stores a new attempt, which replaces the client's unfinished one.
pub(super) async fn insert(
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

impl SignIn {
    pub(super) async fn user(&self, stand_in: &StandIn) -> ApiResult<Value> {
        let id = self.user_id.as_deref().ok_or_else(|| ApiError::missing_parameter("identifier"))?;
        users::find(stand_in.pool(), id).await
    }

    pub(super) async fn object(&self, stand_in: &StandIn) -> ApiResult<Value> {
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
