//! A database of its own for each test, copied from a template in some 30 ms.

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool, postgres::PgPoolOptions};
use url::Url;

use crate::{clerk, people::base62, sample};

/// A fresh database. Dropping the value drops the database.
#[derive(Debug)]
pub struct Database {
    admin_url: Url,
    name: String,
    url: String,
    pool: PgPool,
}

/// What a template holds besides nothing.
#[derive(Clone, Copy)]
pub(super) enum Template {
    Sample,
    Clerk,
}

impl Database {
    /// A database with the sample application's empty tables.
    pub async fn create() -> Self {
        Self::from_template(Template::Sample).await
    }

    pub(super) async fn from_template(template: Template) -> Self {
        let admin_url = admin_url();
        let mut admin = connect(&admin_url).await;
        let source = template.ensure(&admin_url, &mut admin).await;
        let mut bytes = [0; 27];
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
            .expect("the system has randomness");
        let name = format!("demo_test_{}", base62(&bytes).to_lowercase());
        execute(&mut admin, format!("CREATE DATABASE {name} TEMPLATE {source}")).await;
        admin.close().await.expect("the admin connection closes");
        let mut url = admin_url.clone();
        url.set_path(&name);
        let pool = PgPoolOptions::new()
            .max_connections(8)
            .connect_lazy(url.as_str())
            .expect("the admin URL stays a URL with another name in it");
        Self { admin_url, name, url: url.into(), pool }
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Connections to it, eight at most.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Drops the database and waits until it is gone.
    pub async fn drop_all(self) {
        self.pool.close().await;
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (admin_url, name) = (self.admin_url.clone(), self.name.clone());
        // A thread with a runtime of its own: the test's one may be shutting down.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut admin = PgConnection::connect(admin_url.as_str()).await?;
                let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut admin).await?;
                anyhow::Ok(())
            })
        });
        if !matches!(dropping.join(), Ok(Ok(()))) {
            eprintln!("database {} is left over", self.name);
        }
    }
}

impl Template {
    /// Makes the template where it is absent and gives its name, in which the schema's digest stands,
    /// so that a changed schema makes a new one.
    async fn ensure(self, admin_url: &Url, admin: &mut PgConnection) -> String {
        let (kind, schema) = match self {
            Self::Sample => ("sample", sample::SCHEMA),
            Self::Clerk => ("clerk", clerk::SCHEMA),
        };
        let digest = ring::digest::digest(&ring::digest::SHA256, schema.as_bytes());
        let name = format!("demo_template_{kind}_{}", base62(digest.as_ref()).to_lowercase());
        if exists(admin, &name).await {
            return name;
        }
        sqlx::query("SELECT pg_advisory_lock(hashtext($1))")
            .bind(&name)
            .execute(&mut *admin)
            .await
            .expect("the lock is free some day");
        if !exists(admin, &name).await {
            let unfinished = format!("{name}_new");
            execute(admin, format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)")).await;
            execute(admin, format!("CREATE DATABASE {unfinished}")).await;
            let mut url = admin_url.clone();
            url.set_path(&unfinished);
            let pool = PgPoolOptions::new().connect(url.as_str()).await.expect("the new database accepts connections");
            match self {
                Self::Sample => sample::create_schema(&pool).await.expect("the sample schema fits an empty database"),
                Self::Clerk => clerk::prepare(&pool).await.expect("the stand-in's schema fits an empty database"),
            }
            pool.close().await;
            execute(admin, format!("ALTER DATABASE {unfinished} RENAME TO {name}")).await;
        }
        sqlx::query("SELECT pg_advisory_unlock(hashtext($1))")
            .bind(&name)
            .execute(&mut *admin)
            .await
            .expect("the lock was taken here");
        name
    }
}

#[expect(clippy::disallowed_methods, reason = "tests have no other settings")]
fn admin_url() -> Url {
    let url = std::env::var("LETHE_TEST_DATABASE_URL")
        .expect("LETHE_TEST_DATABASE_URL names a database whose role may create databases; `cargo xtask test` sets it");
    Url::parse(&url).expect("LETHE_TEST_DATABASE_URL is a URL")
}

async fn connect(url: &Url) -> PgConnection {
    sqlx::postgres::PgConnectOptions::from_url(url)
        .expect("LETHE_TEST_DATABASE_URL is a Postgres URL")
        .connect()
        .await
        .expect("LETHE_TEST_DATABASE_URL is reachable")
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
