//! Temporary databases with the sample application's tables.

use std::collections::BTreeMap;

use clerk_stand_in::TemporaryDatabase;
use sqlx::{AssertSqlSafe, PgPool};

use crate::sample::{self, PERSONAL_TABLES};

/// A database with the sample application's tables, which are empty. It is dropped together with this value.
#[derive(Debug)]
pub struct Database(TemporaryDatabase);

impl Database {
    /// Creates a database with empty tables.
    pub async fn create() -> Self {
        let fill = async |pool: &_| sample::create_schema(pool).await.expect("an empty database accepts the schema");
        Self(TemporaryDatabase::create(&server_url(), "sample", sample::SCHEMA, fill).await)
    }

    /// A copy of the database as it is now, for use as its backup. Closes the connections of this one.
    pub async fn copy(&self) -> Self {
        Self(self.0.copy().await)
    }

    /// The database's URL.
    #[must_use]
    pub fn url(&self) -> &str {
        self.0.url()
    }

    /// A pool of at most eight connections.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        self.0.pool()
    }

    /// Drops the database and waits until it is gone.
    pub async fn drop_all(self) {
        self.0.close().await;
    }
}

/// Every row of a person in the sample application's tables, as JSON text, by table.
pub async fn rows_of(pool: &PgPool, user_id: &str) -> BTreeMap<&'static str, Vec<String>> {
    let mut rows = BTreeMap::new();
    for (table, column) in PERSONAL_TABLES {
        let query = format!("SELECT to_jsonb(t)::text FROM public.{table} t WHERE {column} = $1 ORDER BY 1");
        let found = sqlx::query_scalar(AssertSqlSafe(query)).bind(user_id).fetch_all(pool).await;
        rows.insert(table, found.expect("the database has the sample's tables"));
    }
    rows
}

#[expect(clippy::disallowed_methods, reason = "tests have no other settings")]
pub(super) fn server_url() -> String {
    std::env::var("LETHE_TEST_DATABASE_URL").expect(
        "LETHE_TEST_DATABASE_URL is the URL of a database whose role may create databases; `cargo xtask test` sets it",
    )
}
