//! Temporary databases for tests, each copied from a template in some 30 ms.

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool, postgres::PgPoolOptions};
use url::Url;

use crate::ids::{alphanumeric, random_bytes};

/// A database that is dropped together with this value.
///
/// Its functions panic when a test can't continue.
#[derive(Debug)]
pub struct TemporaryDatabase {
    server_url: Url,
    name: String,
    url: String,
    pool: PgPool,
}

impl TemporaryDatabase {
    /// Creates a database on the server at `server_url`, a Postgres URL of a role that may create databases.
    ///
    /// It is copied from a template database, which `fill` sets up if it doesn't exist yet. The template's name
    /// contains `template` (lower case) and a digest of `schema`, so that a changed schema gets a template of its own.
    ///
    /// # Panics
    /// If the server can't be reached or refuses a statement.
    pub async fn create(server_url: &str, template: &str, schema: &str, fill: impl AsyncFnOnce(&PgPool)) -> Self {
        let server_url = Url::parse(server_url).expect("the server's URL is valid");
        let mut admin = connect(&server_url).await;
        let digest = ring::digest::digest(&ring::digest::SHA256, schema.as_bytes());
        let source = format!("template_{template}_{}", alphanumeric(digest.as_ref()).to_lowercase());
        ensure_template(&server_url, &mut admin, &source, fill).await;
        Self::copied_from(server_url, admin, &source).await
    }

    /// Creates a copy of this database, as a backup of it would be. Its connections are closed, since the server copies
    /// only a database that has none.
    ///
    /// # Panics
    /// If the server can't be reached or refuses a statement, as it does while the database is in use.
    pub async fn copy(&self) -> Self {
        let mut admin = connect(&self.server_url).await;
        sqlx::query("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1")
            .bind(&self.name)
            .execute(&mut admin)
            .await
            .expect("the role may end its own sessions");
        Self::copied_from(self.server_url.clone(), admin, &self.name).await
    }

    async fn copied_from(server_url: Url, mut admin: PgConnection, source: &str) -> Self {
        let name = format!("test_{}", alphanumeric(&random_bytes::<27>()).to_lowercase());
        execute(&mut admin, format!("CREATE DATABASE {name} TEMPLATE {source}")).await;
        admin.close().await.expect("the connection can be closed");
        let url = with_database(&server_url, &name);
        let pool = PgPoolOptions::new()
            .max_connections(8)
            .connect_lazy(url.as_str())
            .expect("a Postgres URL stays one with another database");
        Self { server_url, name, url: url.into(), pool }
    }

    /// The database's URL, with the role's password.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A pool of at most eight connections.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Closes the pool, then drops the database and waits until that is done.
    pub async fn close(self) {
        self.pool.close().await;
        drop_database(&self.server_url, &self.name).await;
    }
}

impl Drop for TemporaryDatabase {
    fn drop(&mut self) {
        let (server_url, name) = (self.server_url.clone(), self.name.clone());
        // A thread with its own runtime, as the test's runtime may be shutting down. Nobody waits for it: the server drops no
        // database while a connection is being established, and the other end of that connection may be a task of the thread
        // that would wait. What a process leaves behind when it ends first goes with the server of the tests.
        std::thread::spawn(move || {
            if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
                runtime.block_on(drop_database(&server_url, &name));
            }
        });
    }
}

/// Drops the database if it exists. A failure is printed: the test itself has ended.
async fn drop_database(server_url: &Url, name: &str) {
    let dropped = async {
        let mut admin = PgConnection::connect(server_url.as_str()).await?;
        let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut admin).await
    };
    if let Err(error) = dropped.await {
        eprintln!("failed to drop the temporary database {name}: {error}");
    }
}

async fn ensure_template(server_url: &Url, admin: &mut PgConnection, name: &str, fill: impl AsyncFnOnce(&PgPool)) {
    if exists(admin, name).await {
        return;
    }
    sqlx::query("SELECT pg_advisory_lock(hashtext($1))")
        .bind(name)
        .execute(&mut *admin)
        .await
        .expect("the lock becomes free");
    if !exists(admin, name).await {
        // Renamed once complete, so that an interrupted test leaves no incomplete template.
        let incomplete = format!("{name}_new");
        execute(admin, format!("DROP DATABASE IF EXISTS {incomplete} WITH (FORCE)")).await;
        execute(admin, format!("CREATE DATABASE {incomplete}")).await;
        let url = with_database(server_url, &incomplete);
        let pool = PgPoolOptions::new().connect(url.as_str()).await.expect("the new database accepts connections");
        fill(&pool).await;
        pool.close().await;
        execute(admin, format!("ALTER DATABASE {incomplete} RENAME TO {name}")).await;
    }
    sqlx::query("SELECT pg_advisory_unlock(hashtext($1))")
        .bind(name)
        .execute(admin)
        .await
        .expect("this connection holds the lock");
}

fn with_database(server_url: &Url, name: &str) -> Url {
    let mut url = server_url.clone();
    url.set_path(name);
    url
}

async fn connect(url: &Url) -> PgConnection {
    sqlx::postgres::PgConnectOptions::from_url(url)
        .expect("the server's URL is a Postgres URL")
        .connect()
        .await
        .expect("the server can be reached")
}

async fn exists(admin: &mut PgConnection, name: &str) -> bool {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(name)
        .fetch_one(admin)
        .await
        .expect("the catalog can be read")
}

async fn execute(admin: &mut PgConnection, statement: String) {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(admin).await.expect("the role may create databases");
}
