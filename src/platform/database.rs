//! The schema of the database. Lethe's tables are in the schema `lethe`, the queue's in `lethe_jobs`; the
//! application's tables are left alone.

use std::time::Duration;

use sqlx::PgPool;

use super::database_failure::DatabaseFailure;
use super::error_chain::error_chain;
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
    /// See [`SchemaState::TooNew`].
    #[error(
        "a newer version of Lethe has updated the database, and this version can't use it any more (it needs migration {minimum})"
    )]
    TooNew {
        /// The newest migration of the oldest version that can serve.
        minimum: i64,
    },
    /// The state of the schema can't be read.
    #[error("the state of the schema can't be read")]
    Unreadable(#[from] sqlx::Error),
}

/// How often a migration is tried that waits for a lock for too long.
const MIGRATION_ATTEMPTS: u32 = 6;
const MIGRATION_PAUSE: Duration = Duration::from_secs(1);

/// Brings both schemas up to date. Idempotent. Does nothing to a schema that a newer version has updated, if this version can
/// serve on it.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrationError> {
    if let SchemaState::TooNew { minimum } = schema_state(pool).await? {
        return Err(MigrationError::TooNew { minimum });
    }
    let mut attempt = 1;
    loop {
        match migrations().run(pool).await {
            Ok(()) => break,
            // Nothing was changed. Meanwhile those who waited behind the migration get on.
            Err(error)
                if attempt < MIGRATION_ATTEMPTS && DatabaseFailure::of(&error) == Some(DatabaseFailure::Contention) =>
            {
                attempt += 1;
                tracing::warn!(error = error_chain(&error), "a migration waits for a lock; trying again");
                tokio::time::sleep(MIGRATION_PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(queue::migrate(pool).await?)
}

/// How the schema relates to this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// Tables are missing, or a migration of this version hasn't run.
    Outdated,
    /// This version can serve.
    Ready {
        /// Whether a newer version has updated it.
        is_newer: bool,
    },
    /// A newer version has taken away what this version needs.
    TooNew {
        /// The newest migration of the oldest version that can serve.
        minimum: i64,
    },
}

/// Returns how the schema relates to this version: every migration of this version must have run, and those of newer
/// versions may have, as long as `lethe.schema_requirement` doesn't rule this version out.
pub async fn schema_state(pool: &PgPool) -> Result<SchemaState, sqlx::Error> {
    let tables_exist: bool = sqlx::query_scalar(
        "select to_regclass('lethe.migration') is not null and to_regclass('lethe_jobs.jobs') is not null
            and to_regclass('lethe.schema_requirement') is not null",
    )
    .fetch_one(pool)
    .await?;
    if !tables_exist {
        return Ok(SchemaState::Outdated);
    }
    let (applied, minimum): (Vec<i64>, Option<i64>) = sqlx::query_as(
        "select array(select version from lethe.migration where success),
            (select minimum_migration from lethe.schema_requirement)",
    )
    .fetch_one(pool)
    .await?;
    Ok(compare(&migrations().iter().map(|migration| migration.version).collect::<Vec<_>>(), &applied, minimum))
}

fn compare(known: &[i64], applied: &[i64], minimum: Option<i64>) -> SchemaState {
    let newest = known.iter().copied().max().unwrap_or_default();
    match minimum {
        Some(minimum) if minimum > newest => SchemaState::TooNew { minimum },
        _ if known.iter().any(|version| !applied.contains(version)) => SchemaState::Outdated,
        _ => SchemaState::Ready { is_newer: applied.iter().any(|version| *version > newest) },
    }
}

fn migrations() -> sqlx::migrate::Migrator {
    let mut migrations = sqlx::migrate!();
    migrations.create_schema("lethe");
    migrations.dangerous_set_table_name("lethe.migration");
    // Those of newer versions.
    migrations.set_ignore_missing(true);
    migrations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_serves_on_newer_schemas_unless_they_rule_it_out() {
        let state = |applied: &[i64], minimum| compare(&[1, 2, 3], applied, minimum);
        assert_eq!(state(&[1, 2], Some(1)), SchemaState::Outdated);
        assert_eq!(state(&[1, 2, 3], Some(3)), SchemaState::Ready { is_newer: false });
        assert_eq!(state(&[1, 2, 3, 4, 5], Some(3)), SchemaState::Ready { is_newer: true });
        assert_eq!(state(&[1, 2, 3, 4, 5], Some(4)), SchemaState::TooNew { minimum: 4 });
        assert_eq!(state(&[1, 2, 4], Some(2)), SchemaState::Outdated, "a branch's own migration doesn't replace ours");
    }
}
