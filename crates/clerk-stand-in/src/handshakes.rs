//! Handshake payloads: cookies that the application's server fetches with a nonce.

use sqlx::types::Json;

use crate::{
    StandIn,
    api_error::{ApiError, ApiResult},
    ids,
};

/// Stores `Set-Cookie` directives and returns the nonce with which the application's server fetches them, once.
pub(crate) async fn store(stand_in: &StandIn, directives: &[String]) -> sqlx::Result<String> {
    let nonce = ids::random("nonce").replace("nonce_", "");
    sqlx::query("INSERT INTO handshakes (nonce, directives, created_at) VALUES ($1, $2, $3)")
        .bind(&nonce)
        .bind(Json(directives))
        .bind(stand_in.now())
        .execute(stand_in.pool())
        .await?;
    Ok(nonce)
}

/// Returns the directives of a handshake of the last minute and deletes them.
pub(crate) async fn take(stand_in: &StandIn, nonce: &str) -> ApiResult<Vec<String>> {
    sqlx::query("DELETE FROM handshakes WHERE created_at < $1")
        .bind(stand_in.now() - 60_000)
        .execute(stand_in.pool())
        .await?;
    let directives: Option<Json<Vec<String>>> =
        sqlx::query_scalar("DELETE FROM handshakes WHERE nonce = $1 RETURNING directives")
            .bind(nonce)
            .fetch_optional(stand_in.pool())
            .await?;
    directives.map(|Json(directives)| directives).ok_or_else(|| ApiError::not_found("handshake", nonce))
}
