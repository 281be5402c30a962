//! Browsers ("clients") and the sessions in them.

use serde_json::{Value, json};
use sqlx::{PgConnection, types::Json};

use super::{
    StandIn,
    errors::{ApiError, ApiResult},
    ids, users, webhooks,
};

const DAY: i64 = 24 * 60 * 60 * 1000;

/// A session as it is stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) user_id: String,
    pub(super) client_id: String,
    pub(super) status: String,
    pub(super) refresh_token: String,
    pub(super) verified_at: i64,
    pub(super) last_active_at: i64,
    pub(super) expire_at: i64,
    pub(super) abandon_at: i64,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

/// A browser as it is stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Client {
    pub(super) id: String,
    /// Its secret on the stand-in's own origin.
    pub(super) cookie: String,
    /// Its secret in the application, `__clerk_db_jwt`.
    pub(super) browser: String,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

/// How a session comes to its end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    Ended,
    Removed,
    Revoked,
}

impl Ending {
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
    /// The object as it is answered.
    pub(super) fn json(&self) -> Value {
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

/// A new browser.
pub(super) async fn create_client(stand_in: &StandIn) -> sqlx::Result<Client> {
    let now = stand_in.now();
    sqlx::query_as(
        "INSERT INTO clients (id, cookie, browser, created_at, updated_at) VALUES ($1, $2, $3, $4, $4) RETURNING *",
    )
    .bind(ids::random("client"))
    .bind(ids::random("cookie"))
    .bind(ids::random("dvb"))
    .bind(now)
    .fetch_one(stand_in.pool())
    .await
}

/// The browser that either secret names.
pub(super) async fn find_client(
    stand_in: &StandIn,
    browser: Option<&str>,
    cookie: Option<&str>,
) -> sqlx::Result<Option<Client>> {
    // The application's secret says which sign-in is meant where both are sent and differ.
    sqlx::query_as(
        "SELECT * FROM clients WHERE browser = $1 OR cookie = $2 ORDER BY (browser = $1) IS TRUE DESC LIMIT 1",
    )
    .bind(browser)
    .bind(cookie)
    .fetch_optional(stand_in.pool())
    .await
}

/// The session that a browser is signed in with.
pub(super) async fn active_session(stand_in: &StandIn, client: &Client) -> sqlx::Result<Option<Session>> {
    sqlx::query_as("SELECT * FROM sessions WHERE client_id = $1 AND status = 'active' AND expire_at > $2 ORDER BY created_at DESC LIMIT 1")
        .bind(&client.id)
        .bind(stand_in.now())
        .fetch_optional(stand_in.pool())
        .await
}

/// Signs a person in: a new session takes the place of what the browser had.
pub(super) async fn create(stand_in: &StandIn, client: &Client, user_id: &str) -> ApiResult<Session> {
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
    users::touch(&mut transaction, user_id, now).await?;
    sqlx::query("UPDATE clients SET updated_at = $2 WHERE id = $1")
        .bind(&client.id)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
    user["last_sign_in_at"] = now.into();
    user["last_active_at"] = now.into();
    announce(stand_in, &mut transaction, "session.created", &session, user).await?;
    transaction.commit().await?;
    webhooks::wake(stand_in);
    Ok(session)
}

pub(super) async fn find(stand_in: &StandIn, id: &str) -> ApiResult<Session> {
    sqlx::query_as("SELECT * FROM sessions WHERE id = $1")
        .bind(id)
        .fetch_optional(stand_in.pool())
        .await?
        .ok_or_else(|| ApiError::not_found("session", id))
}

/// Notes that the person is there.
pub(super) async fn touch(stand_in: &StandIn, id: &str) -> ApiResult<Session> {
    Ok(sqlx::query_as("UPDATE sessions SET last_active_at = $2, updated_at = $2 WHERE id = $1 RETURNING *")
        .bind(id)
        .bind(stand_in.now())
        .fetch_one(stand_in.pool())
        .await?)
}

/// Notes that the person has just proved who they are: the claim `fva` starts anew.
pub(super) async fn verify(stand_in: &StandIn, id: &str) -> ApiResult<Session> {
    Ok(sqlx::query_as("UPDATE sessions SET verified_at = $2, updated_at = $2 WHERE id = $1 RETURNING *")
        .bind(id)
        .bind(stand_in.now())
        .fetch_one(stand_in.pool())
        .await?)
}

/// Ends an active session; one that isn't active stays as it is.
pub(super) async fn end(stand_in: &StandIn, id: &str, ending: Ending) -> ApiResult<Session> {
    let now = stand_in.now();
    let mut transaction = stand_in.pool().begin().await?;
    let ended: Option<Session> = sqlx::query_as(
        "UPDATE sessions SET status = $2, updated_at = $3 WHERE id = $1 AND status = 'active' RETURNING *",
    )
    .bind(id)
    .bind(ending.status())
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
    announce(stand_in, &mut transaction, ending.event(), &session, user).await?;
    transaction.commit().await?;
    webhooks::wake(stand_in);
    Ok(session)
}

/// Sessions by user, browser and status, the newest first, and how many there are on all pages.
pub(super) async fn list(stand_in: &StandIn, filter: &users::Filter) -> ApiResult<(Vec<Session>, i64)> {
    const STATUSES: [&str; 8] =
        ["abandoned", "active", "ended", "expired", "removed", "replaced", "revoked", "pending"];
    let status = filter.first("status");
    if status.is_some_and(|status| !STATUSES.contains(&status)) {
        return Err(ApiError::invalid_parameter("status", "status is none that a session can have."));
    }
    if filter.first("user_id").is_none() && filter.first("client_id").is_none() {
        return Err(ApiError::missing_parameter("user_id"));
    }
    let limit = filter.number("limit", 1..=500)?.unwrap_or(10);
    let offset = filter.number("offset", 0..=i64::MAX)?.unwrap_or(0);
    let sessions = sqlx::query_as(
        "SELECT * FROM sessions WHERE ($1::text IS NULL OR user_id = $1) AND ($2::text IS NULL OR client_id = $2)
         AND ($3::text IS NULL OR status = $3) ORDER BY created_at DESC, id LIMIT $4 OFFSET $5",
    )
    .bind(filter.first("user_id"))
    .bind(filter.first("client_id"))
    .bind(status)
    .bind(limit)
    .bind(offset)
    .fetch_all(stand_in.pool())
    .await?;
    let total = sqlx::query_scalar(
        "SELECT count(*) FROM sessions WHERE ($1::text IS NULL OR user_id = $1) AND ($2::text IS NULL OR client_id = $2)
         AND ($3::text IS NULL OR status = $3)",
    )
    .bind(filter.first("user_id"))
    .bind(filter.first("client_id"))
    .bind(status)
    .fetch_one(stand_in.pool())
    .await?;
    Ok((sessions, total))
}

async fn announce(
    stand_in: &StandIn,
    connection: &mut PgConnection,
    event: &str,
    session: &Session,
    user: Value,
) -> sqlx::Result<()> {
    let mut data = session.json();
    // Only answers have it.
    data.as_object_mut().expect("a session is an object").remove("tasks");
    data["user"] = user;
    webhooks::enqueue(stand_in, connection, event, &data).await
}

/// Stores Set-Cookie directives and gives the nonce by which the application's server fetches them once.
pub(super) async fn store_handshake(stand_in: &StandIn, directives: &[String]) -> sqlx::Result<String> {
    let nonce = ids::random("nonce").replace("nonce_", "");
    sqlx::query("INSERT INTO handshakes (nonce, directives, created_at) VALUES ($1, $2, $3)")
        .bind(&nonce)
        .bind(Json(directives))
        .bind(stand_in.now())
        .execute(stand_in.pool())
        .await?;
    Ok(nonce)
}

/// Takes the directives of a handshake of the last minute. A nonce is good for one answer.
pub(super) async fn take_handshake(stand_in: &StandIn, nonce: &str) -> ApiResult<Vec<String>> {
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
