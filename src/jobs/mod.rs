//! The job queue: what is done outside a request, and when. Jobs live in Postgres (schema
//! `lethe_jobs`) and are enqueued inside the transaction of what makes them necessary. A job's
//! payload is an id. This room doesn't know the domain: each job calls one verb of it.
//!
//! Own retries where a job may never be given up: the queue counts attempts and stops one day.

mod schedule;
mod worker;

use std::time::Duration;

use graphile_worker::{IntoTaskHandlerResult, JobKeyMode, JobSpec, TaskHandler, WorkerContext, WorkerUtils};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

pub use worker::run_worker;

use crate::{Error, Lethe, Result, consent, deletion};

/// The queue's own schema.
const SCHEMA: &str = "lethe_jobs";

/// As often as the queue can count: with its backoff, which ends at six hours, some 20 years.
const MAX_ATTEMPTS: i16 = i16::MAX;

/// A job with what the queue must know of it.
pub(crate) trait Job: TaskHandler + Sync {
    /// Two jobs with one key are one job.
    fn key(&self) -> String;
}

macro_rules! job {
    ($(#[$meta:meta])* $name:ident($identifier:literal, $field:ident) => $function:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        pub(crate) struct $name {
            pub(crate) $field: Uuid,
        }

        impl TaskHandler for $name {
            const IDENTIFIER: &'static str = $identifier;

            async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
                run($identifier, &context, async |lethe| $function(lethe, self.$field).await).await
            }
        }

        impl Job for $name {
            fn key(&self) -> String {
                format!("{}:{}", $identifier, self.$field)
            }
        }
    };
}

job!(
    /// Brings Clerk's copy of a person's consent up to the ledger.
    MirrorConsent("mirror_consent", subject) => consent::mirror
);
job!(
    /// Runs the next step of a deletion.
    AdvanceDeletion("advance_deletion", request) => deletion::advance_by_job
);
job!(
    /// Mails the receipt to who was erased.
    SendReceipt("send_receipt", request) => deletion::send_receipt
);
job!(
    /// Tells the operators that a deletion needs attention.
    SendAlert("send_alert", request) => deletion::send_alert
);

/// Runs a job's verb and logs its failure once, with all causes, without personal data.
async fn run(
    job: &'static str,
    context: &WorkerContext,
    function: impl AsyncFnOnce(&Lethe) -> Result<()>,
) -> Result<(), String> {
    let lethe = context.get_ext::<Lethe>().ok_or("the worker was started without Lethe")?;
    let result = function(lethe).await;
    let label = if result.is_ok() { "done" } else { "failed" };
    metrics::counter!("lethe_jobs_total", "job" => job, "outcome" => label).increment(1);
    result.map_err(|error| {
        tracing::warn!(job, error = &error as &dyn std::error::Error, "job failed and will be tried again");
        // What the queue stores of it is closed: causes are in the log.
        "failed".to_owned()
    })
}

/// Enqueues `job` within the caller's transaction. A job of the same key that waits is replaced.
pub(crate) async fn enqueue<J: Job>(lethe: &Lethe, connection: &mut PgConnection, job: J) -> Result<()> {
    add(lethe, connection, job, Duration::ZERO, JobKeyMode::Replace).await
}

/// Enqueues `job` to be run after `delay`.
pub(crate) async fn enqueue_in<J: Job>(
    lethe: &Lethe,
    connection: &mut PgConnection,
    job: J,
    delay: Duration,
) -> Result<()> {
    add(lethe, connection, job, delay, JobKeyMode::Replace).await
}

/// Enqueues `job` to be run after `delay`; one of the same key that waits keeps its time.
pub(crate) async fn enqueue_at_latest<J: Job>(
    lethe: &Lethe,
    connection: &mut PgConnection,
    job: J,
    delay: Duration,
) -> Result<()> {
    add(lethe, connection, job, delay, JobKeyMode::PreserveRunAt).await
}

#[expect(clippy::disallowed_types, reason = "the queue's type of time is made from it; the time itself is the clock's")]
async fn add<J: Job>(
    lethe: &Lethe,
    connection: &mut PgConnection,
    job: J,
    delay: Duration,
    mode: JobKeyMode,
) -> Result<()> {
    let now = std::time::SystemTime::from(lethe.clock.now());
    let specification = JobSpec {
        job_key: Some(job.key()),
        job_key_mode: Some(mode),
        max_attempts: Some(MAX_ATTEMPTS),
        run_at: (!delay.is_zero()).then(|| (now + delay).into()),
        ..JobSpec::default()
    };
    worker_utils(&lethe.database).with_executor(connection).add_job(job, specification).await.map_err(queue_error)?;
    Ok(())
}

fn worker_utils(pool: &PgPool) -> WorkerUtils {
    WorkerUtils::new(pool.clone(), SCHEMA)
}

fn queue_error(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Queue(Box::new(error))
}

/// How many jobs wait, and how many of them have failed at least once.
pub async fn backlog(pool: &PgPool) -> Result<(i64, i64)> {
    // The queue's schema isn't there when queries are checked at build time.
    Ok(sqlx::query_as(
        "select count(*), count(*) filter (where attempts > 0 and locked_at is null) from lethe_jobs.jobs",
    )
    .fetch_one(pool)
    .await?)
}

/// Brings the database up to date: Lethe's schema, then the queue's. Runs twice with one effect.
pub async fn migrate(pool: &PgPool) -> Result<()> {
    migrations().run(pool).await?;
    worker_utils(pool).migrate().await.map_err(queue_error)
}

/// Whether the database is as this build needs it.
pub async fn is_migrated(pool: &PgPool) -> Result<bool> {
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

fn migrations() -> sqlx::migrate::Migrator {
    let mut migrations = sqlx::migrate!();
    migrations.create_schema("lethe");
    migrations.dangerous_set_table_name("lethe.migration");
    migrations
}
