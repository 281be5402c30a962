//! The schema of the database. Lethe's tables are in the schema `lethe`, the queue's in `lethe_jobs`; the
//! application's tables are left alone.

use sqlx::PgPool;

use super::keys::Keys;
use super::queue;

/// Why the database couldn't be migrated.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// A migration of the schema `lethe` failed.
    #[error("database migration failed")]
    Lethe(#[from] sqlx::migrate::MigrateError),
    /// A migration of the schema `lethe_jobs` failed.
    #[error("database migration of the job queue failed")]
    Queue(#[from] queue::Error),
}

/// Brings both schemas up to date. Idempotent.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrationError> {
    migrations().run(pool).await?;
    Ok(queue::migrate(pool).await?)
}

/// Whether both schemas exist and the newest migration of this build has run.
pub async fn is_migrated(pool: &PgPool) -> Result<bool, sqlx::Error> {
    let schemas_exist: bool = sqlx::query_scalar(
        "select to_regclass('lethe.migration') is not null and to_regclass('lethe_jobs.jobs') is not null",
    )
    .fetch_one(pool)
    .await?;
    if !schemas_exist {
        return Ok(false);
    }
    let latest: Option<i64> =
        sqlx::query_scalar("select max(version) from lethe.migration where success").fetch_one(pool).await?;
    Ok(latest == migrations().iter().map(|migration| migration.version).max())
}

/// Whether `keys` are from the secret that this database was first used with. The first call stores by what the secret is
/// recognised.
///
/// With another secret, tombstones wouldn't be found and addresses couldn't be read: erased users would count as active.
pub async fn recognizes_secret(pool: &PgPool, keys: &Keys) -> Result<bool, sqlx::Error> {
    let check = keys.check().as_slice();
    // The statement doesn't see the row that it inserts.
    let stored = sqlx::query_scalar!(
        "with stored as (insert into lethe.secret_check (digest) values ($1) on conflict do nothing)
        select digest from lethe.secret_check",
        check,
    )
    .fetch_optional(pool)
    .await?;
    Ok(stored.is_none_or(|stored| stored == check))
}

fn migrations() -> sqlx::migrate::Migrator {
    let mut migrations = sqlx::migrate!();
    migrations.create_schema("lethe");
    migrations.dangerous_set_table_name("lethe.migration");
    migrations
}
