//! Clients: browsers, each with a cookie of its own and a `__clerk_db_jwt`.

use crate::{StandIn, ids};

/// A client: a browser, in Clerk's terms.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Client {
    pub(crate) id: String,
    /// Its `__client` cookie on the stand-in's own origin.
    pub(crate) cookie: String,
    /// Its `__clerk_db_jwt`, which identifies it to the application.
    #[sqlx(rename = "browser")]
    pub(crate) dev_browser: String,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

pub(crate) async fn create(stand_in: &StandIn) -> sqlx::Result<Client> {
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

/// Finds a client by `__clerk_db_jwt` or by its cookie.
pub(crate) async fn find(
    stand_in: &StandIn,
    dev_browser: Option<&str>,
    cookie: Option<&str>,
) -> sqlx::Result<Option<Client>> {
    // If both are sent and differ, `__clerk_db_jwt` is what the application means.
    sqlx::query_as(
        "SELECT * FROM clients WHERE browser = $1 OR cookie = $2 ORDER BY (browser = $1) IS TRUE DESC LIMIT 1",
    )
    .bind(dev_browser)
    .bind(cookie)
    .fetch_optional(stand_in.pool())
    .await
}
