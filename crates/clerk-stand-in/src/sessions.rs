//! Sessions: a user who is signed in with a client.

use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::{
    StandIn,
    api_error::{ApiError, ApiResult},
    clients::Client,
    ids,
    query::QueryParameters,
    users, webhooks,
};

const DAY: i64 = 24 * 60 * 60 * 1000;

#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) client_id: String,
    pub(crate) status: String,
    pub(crate) refresh_token: String,
    pub(crate) verified_at: i64,
    pub(crate) last_active_at: i64,
    pub(crate) expire_at: i64,
    pub(crate) abandon_at: i64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

/// How a session is ended: by the application, by the browser, or by an administrator.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SessionEnd {
    Ended,
    Removed,
    Revoked,
}

impl SessionEnd {
    const fn status(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Removed => "removed",
            Self::Revoked => "revoked",
        }
    }

    const fn event(self) -> &'static str {
        match self {
            Self::Ended => "session.ended",
            Self::Removed => "session.removed",
            Self::Revoked => "session.revoked",
        }
    }
}

impl Session {
    /// The Session object of the Backend API.
    pub(crate) fn json(&self) -> Value {
        json!({
            "object": "session",
            "id": self.id,
            "user_id": self.user_id,
            "client_id": self.client_id,
            "actor": null,
            "status": self.status,
            "last_active_organization_id": null,
            "last_active_at": self.last_active_at,
            "latest_activity": {
                "object": "session_activity",
                "id": self.id.replacen("sess", "sess_activity", 1),
                "device_type": "desktop",
                "is_mobile": false,
                "browser_name": "Chromium",
                "browser_version": "140",
                "ip_address": "127.0.0.1",
                "city": "Kiel",
                "country": "DE",
            },
            "expire_at": self.expire_at,
            "abandon_at": self.abandon_at,
            "updated_at": self.updated_at,
            "created_at": self.created_at,
            "tasks": null,
        })
    }
}

/// The session that a client is signed in with.
pub(crate) async fn active_session(stand_in: &StandIn, client: &Client) -> sqlx::Result<Option<Session>> {
    sqlx::query_as("SELECT * FROM sessions WHERE client_id = $1 AND status = 'active' AND expire_at > $2 ORDER BY created_at DESC LIMIT 1")
        .bind(&client.id)
        .bind(stand_in.now())
        .fetch_optional(stand_in.pool())
        .await
}

/// Signs a user in: the new session replaces the client's former one.
pub(crate) async fn create(stand_in: &StandIn, client: &Client, user_id: &str) -> ApiResult<Session> {
    let now = stand_in.now();
    let mut transaction = stand_in.pool().begin().await?;
    let mut user = users::find(&mut *transaction, user_id).await?;
    if user["banned"] == true {
        return Err(ApiError::unprocessable("user_banned", "user_id", "is banned", "This person is banned."));
    }
    sqlx::query("UPDATE sessions SET status = 'replaced', updated_at = $2 WHERE client_id = $1 AND status = 'active'")
        .bind(&client.id)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
    let session: Session = sqlx::query_as(
        "INSERT INTO sessions (id, user_id, client_id, status, refresh_token, verified_at, last_active_at, expire_at, abandon_at,
                               created_at, updated_at)
         VALUES ($1, $2, $3, 'active', $4, $5, $5, $6, $7, $5, $5) RETURNING *",
    )
    .bind(ids::random("sess"))
    .bind(user_id)
    .bind(&client.id)
    .bind(ids::random("rt"))
    .bind(now)
    .bind(now + 7 * DAY)
    .bind(now + 30 * DAY)
    .fetch_one(&mut *transaction)
    .await?;
    users::record_sign_in(&mut transaction, user_id, now).await?;
    sqlx::query("UPDATE clients SET updated_at = $2 WHERE id = $1")
        .bind(&client.id)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
    user["last_sign_in_at"] = now.into();
    user["last_active_at"] = now.into();
    enqueue_event(stand_in, &mut transaction, "session.created", &session, user).await?;
    transaction.commit().await?;
    stand_in.notify_delivery();
    Ok(session)
}

pub(crate) async fn find(stand_in: &StandIn, id: &str) -> ApiResult<Session> {
    sqlx::query_as("SELECT * FROM sessions WHERE id = $1")
        .bind(id)
        .fetch_optional(stand_in.pool())
        .await?
        .ok_or_else(|| ApiError::not_found("session", id))
}

/// Records that a session was active.
pub(crate) async fn touch(stand_in: &StandIn, id: &str) -> ApiResult<Session> {
    Ok(sqlx::query_as("UPDATE sessions SET last_active_at = $2, updated_at = $2 WHERE id = $1 RETURNING *")
        .bind(id)
        .bind(stand_in.now())
        .fetch_one(stand_in.pool())
        .await?)
}

/// Records a verification of the first factor, from which the claim `fva` counts.
pub(crate) async fn record_verification(stand_in: &StandIn, id: &str) -> ApiResult<Session> {
    Ok(sqlx::query_as("UPDATE sessions SET verified_at = $2, updated_at = $2 WHERE id = $1 RETURNING *")
        .bind(id)
        .bind(stand_in.now())
        .fetch_one(stand_in.pool())
        .await?)
}

/// Ends an active session. Any other session is left unchanged.
pub(crate) async fn end(stand_in: &StandIn, id: &str, end: SessionEnd) -> ApiResult<Session> {
    let now = stand_in.now();
    let mut transaction = stand_in.pool().begin().await?;
    let ended: Option<Session> = sqlx::query_as(
        "UPDATE sessions SET status = $2, updated_at = $3 WHERE id = $1 AND status = 'active' RETURNING *",
    )
    .bind(id)
    .bind(end.status())
    .bind(now)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(session) = ended else {
        drop(transaction);
        return find(stand_in, id).await;
    };
    sqlx::query("UPDATE clients SET updated_at = $2 WHERE id = $1")
        .bind(&session.client_id)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
    let user = users::find(&mut *transaction, &session.user_id).await?;
    enqueue_event(stand_in, &mut transaction, end.event(), &session, user).await?;
    transaction.commit().await?;
    stand_in.notify_delivery();
    Ok(session)
}

/// A page of the sessions that match a query, the newest first, and the number of sessions on all pages.
pub(crate) async fn list(stand_in: &StandIn, query: &QueryParameters) -> ApiResult<(Vec<Session>, i64)> {
    const STATUSES: [&str; 8] =
        ["abandoned", "active", "ended", "expired", "removed", "replaced", "revoked", "pending"];
    let status = query.first("status");
    if status.is_some_and(|status| !STATUSES.contains(&status)) {
        return Err(ApiError::invalid_parameter("status", "status is not a session status."));
    }
    if query.first("user_id").is_none() && query.first("client_id").is_none() {
        return Err(ApiError::missing_parameter("user_id"));
    }
    let limit = query.number("limit", 1..=500)?.unwrap_or(10);
    let offset = query.number("offset", 0..=i64::MAX)?.unwrap_or(0);
    let sessions = sqlx::query_as(
        "SELECT * FROM sessions WHERE ($1::text IS NULL OR user_id = $1) AND ($2::text IS NULL OR client_id = $2)
         AND ($3::text IS NULL OR status = $3) ORDER BY created_at DESC, id LIMIT $4 OFFSET $5",
    )
    .bind(query.first("user_id"))
    .bind(query.first("client_id"))
    .bind(status)
    .bind(limit)
    .bind(offset)
    .fetch_all(stand_in.pool())
    .await?;
    let total = sqlx::query_scalar(
        "SELECT count(*) FROM sessions WHERE ($1::text IS NULL OR user_id = $1) AND ($2::text IS NULL OR client_id = $2)
         AND ($3::text IS NULL OR status = $3)",
    )
    .bind(query.first("user_id"))
    .bind(query.first("client_id"))
    .bind(status)
    .fetch_one(stand_in.pool())
    .await?;
    Ok((sessions, total))
}

async fn enqueue_event(
    stand_in: &StandIn,
    connection: &mut PgConnection,
    event: &str,
    session: &Session,
    user: Value,
) -> sqlx::Result<()> {
    let mut data = session.json();
    // Events don't have this field.
    data.as_object_mut().expect("a session is an object").remove("tasks");
    data["user"] = user;
    webhooks::enqueue(stand_in, connection, event, &data).await
}
