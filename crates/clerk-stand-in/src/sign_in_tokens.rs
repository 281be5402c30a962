//! Sign-in tokens: tickets with which an application's server signs a user in, once.

use serde_json::{Value, json};

use crate::{
    StandIn,
    api_error::{ApiError, ApiResult},
    ids, users,
};

const MONTH_SECONDS: i64 = 30 * 24 * 60 * 60;

/// Creates a sign-in token. `lifetime` is in seconds; by default it is 30 days.
pub(crate) async fn create(stand_in: &StandIn, user_id: &str, lifetime: Option<i64>) -> ApiResult<Value> {
    users::find(stand_in.pool(), user_id).await?;
    let (id, token, now) = (ids::random("sit"), ids::random("ticket"), stand_in.now());
    sqlx::query(
        "INSERT INTO sign_in_tokens (id, token, user_id, status, expire_at, created_at, updated_at)
         VALUES ($1, $2, $3, 'pending', $4, $5, $5)",
    )
    .bind(&id)
    .bind(&token)
    .bind(user_id)
    .bind(now.saturating_add(lifetime.unwrap_or(MONTH_SECONDS).saturating_mul(1000)))
    .bind(now)
    .execute(stand_in.pool())
    .await?;
    Ok(json!({
        "object": "sign_in_token",
        "id": id,
        "status": "pending",
        "user_id": user_id,
        "token": token,
        "url": null,
        "created_at": now,
        "updated_at": now,
    }))
}

/// Uses a ticket up and returns the id of the user that it signs in.
pub(crate) async fn accept(stand_in: &StandIn, token: &str) -> ApiResult<String> {
    let now = stand_in.now();
    let accepted: Option<String> = sqlx::query_scalar(
        "UPDATE sign_in_tokens SET status = 'accepted', updated_at = $2
         WHERE token = $1 AND status = 'pending' AND expire_at > $2 RETURNING user_id",
    )
    .bind(token)
    .bind(now)
    .fetch_optional(stand_in.pool())
    .await?;
    if let Some(user_id) = accepted {
        return Ok(user_id);
    }
    let status: Option<String> = sqlx::query_scalar("SELECT status FROM sign_in_tokens WHERE token = $1")
        .bind(token)
        .fetch_optional(stand_in.pool())
        .await?;
    Err(match status.as_deref() {
        None => ApiError::verification_failed("ticket_invalid_code", "The ticket is invalid."),
        Some("pending") => ApiError::verification_failed("ticket_expired_code", "The ticket has expired."),
        Some(_) => {
            ApiError::verification_failed("sign_in_token_already_used_code", "The ticket has been used already.")
        }
    })
}
