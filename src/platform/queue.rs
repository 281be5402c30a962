//! The job queue: jobs are rows in Postgres, inserted in the transaction that makes them necessary.
//!
//! A job is a struct beside the function that does its work; [`jobs`](crate::jobs) lists them all. Jobs must
//! be idempotent, since one may run twice, and those that may never be given up must enqueue themselves
//! again: the queue counts attempts and stops at the highest number.

use std::time::Duration;

use graphile_worker::worker_utils::types::CleanupTask;
use graphile_worker::{JobKeyMode, JobSpec, WorkerUtils};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// The schema of the queue's tables.
pub(crate) const SCHEMA: &str = "lethe_jobs";

/// The highest number that the queue can count: with its delays, of six hours at most, some 20 years.
const MAX_ATTEMPTS: i16 = i16::MAX;

/// Due times that differ by less are the same: each is computed at a moment of its own.
const SAME_DUE_TIME: Duration = Duration::from_mins(1);

/// The queue failed.
#[derive(Debug, thiserror::Error)]
#[error("job queue error")]
pub struct Error(#[source] Box<dyn std::error::Error + Send + Sync>);

impl Error {
    pub(crate) fn new(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(cause))
    }
}

/// What is to be done, and with what. The payload is an id: everything else is read when the job runs.
pub(crate) trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name in the queue. Jobs that wait refer to it, so it never changes.
    const NAME: &'static str;

    /// The id in the payload. Of the jobs that wait, there is one for each name and id.
    fn id(&self) -> Uuid;
}

/// A job that the worker runs. Only the list in [`jobs`](crate::jobs) implements it, so that a job which isn't
/// in the list can't be enqueued.
pub(crate) trait Registered: Job {}

/// A job as it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Payload<J> {
    #[serde(flatten)]
    pub(crate) job: J,
    /// The incident id of the request that enqueued the job. Jobs of older versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) incident: Option<String>,
}

/// Where jobs are enqueued.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queue<'a> {
    pub(crate) pool: &'a PgPool,
    /// The incident id of the current request or job.
    pub(crate) incident: Option<&'a str>,
}

impl Queue<'_> {
    /// Enqueues `job` in the caller's transaction. It replaces a waiting job of the same name and id.
    pub(crate) async fn enqueue(&self, connection: &mut PgConnection, job: impl Registered) -> Result<(), Error> {
        self.add(connection, job, Duration::ZERO, JobKeyMode::Replace).await
    }

    /// Does what [`Queue::enqueue`] does, without a notification: the worker finds the job when it looks next.
    ///
    /// Postgres lets one notifying transaction commit at a time, so notifications would make all changes of consent wait for
    /// each other's write to the disk.
    pub(crate) async fn enqueue_unnotified<J: Registered>(
        &self,
        connection: &mut PgConnection,
        job: J,
    ) -> Result<(), Error> {
        let key = key(&job);
        let payload = Payload { job, incident: self.incident.map(str::to_owned) };
        // Not checked at build time: the queue's schema doesn't exist there.
        let stored: Option<i64> = sqlx::query_scalar(
            "insert into lethe_jobs._private_jobs as job (task_id, payload, run_at, max_attempts, key)
            select task.id, $2::text::json, now(), $3, $4 from lethe_jobs._private_tasks task where task.identifier = $1
            on conflict (key) do update set payload = excluded.payload, run_at = excluded.run_at, attempts = 0,
                last_error = null, revision = job.revision + 1, updated_at = now()
            where job.locked_at is null
            returning id",
        )
        .bind(J::NAME)
        .bind(serde_json::to_string(&payload).map_err(Error::new)?)
        .bind(MAX_ATTEMPTS)
        .bind(key)
        .fetch_optional(&mut *connection)
        .await
        .map_err(Error::new)?;
        if stored.is_some() {
            return Ok(());
        }
        // No worker has run yet, or the job that has the key is running.
        self.add(connection, payload.job, Duration::ZERO, JobKeyMode::Replace).await
    }

    /// Does what [`Queue::enqueue`] does, for a job that runs after `delay`.
    pub(crate) async fn enqueue_in(
        &self,
        connection: &mut PgConnection,
        job: impl Registered,
        delay: Duration,
    ) -> Result<(), Error> {
        self.add(connection, job, delay, JobKeyMode::Replace).await
    }

    /// Enqueues `job` to run after `delay`, unless a waiting job of the same name and id is due within a minute of that.
    /// What waits stays as it is, with the incident id of the request that enqueued it.
    pub(crate) async fn enqueue_unless_waiting<J: Registered>(
        &self,
        connection: &mut PgConnection,
        job: J,
        delay: Duration,
    ) -> Result<(), Error> {
        // Not checked at build time: the queue's schema doesn't exist there.
        let is_waiting: bool = sqlx::query_scalar(
            "select exists (
                select from lethe_jobs.jobs
                where key = $1 and locked_at is null and run_at <= clock_timestamp() + make_interval(secs => $2)
            )",
        )
        .bind(key(&job))
        .bind((delay + SAME_DUE_TIME).as_secs_f64())
        .fetch_one(&mut *connection)
        .await
        .map_err(Error::new)?;
        if is_waiting {
            return Ok(());
        }
        self.add(connection, job, delay, JobKeyMode::PreserveRunAt).await
    }

    /// Makes the waiting jobs of these ids due now. Those with a lower priority number run first; by default it is 0.
    pub(crate) async fn make_due<J: Registered>(
        &self,
        connection: &mut PgConnection,
        jobs: &[J],
        priority: i32,
    ) -> Result<(), Error> {
        let keys: Vec<String> = jobs.iter().map(key).collect();
        // Not checked at build time: the queue's schema doesn't exist there.
        sqlx::query(
            "select lethe_jobs.reschedule_jobs(
                array(select id from lethe_jobs.jobs where key = any($1) and locked_at is null order by run_at),
                run_at => now(), priority => $2
            )",
        )
        .bind(&keys)
        .bind(priority)
        .execute(connection)
        .await
        .map_err(Error::new)?;
        Ok(())
    }

    /// Removes the waiting job of the same name and id. One that runs goes on, but isn't retried.
    pub(crate) async fn remove(&self, connection: &mut PgConnection, job: &impl Registered) -> Result<(), Error> {
        worker_utils(self.pool).with_executor(connection).remove_job(&key(job)).await.map_err(Error::new)
    }

    async fn add<J: Registered>(
        &self,
        connection: &mut PgConnection,
        job: J,
        delay: Duration,
        mode: JobKeyMode,
    ) -> Result<(), Error> {
        let run_at = if delay.is_zero() { None } else { Some(due_time(connection, delay).await?) };
        let specification = JobSpec {
            job_key: Some(key(&job)),
            job_key_mode: Some(mode),
            max_attempts: Some(MAX_ATTEMPTS),
            run_at: run_at.map(Into::into),
            ..JobSpec::default()
        };
        let payload = Payload { job, incident: self.incident.map(str::to_owned) };
        let mut utils = worker_utils(self.pool).with_executor(connection);
        utils.add_raw_job(J::NAME, payload, specification).await.map(drop).map_err(Error::new)
    }
}

/// Returns when a job is due after `delay`, by the database's clock, with which the queue compares it.
#[expect(clippy::disallowed_types, reason = "the queue's type of time is made from it")]
async fn due_time(connection: &mut PgConnection, delay: Duration) -> Result<std::time::SystemTime, Error> {
    let now = super::connection::now(connection).await.map_err(Error::new)?;
    Ok(std::time::SystemTime::from(now) + delay)
}

/// What tells waiting jobs apart.
fn key<J: Job>(job: &J) -> String {
    format!("{}:{}", J::NAME, job.id())
}

fn worker_utils(pool: &PgPool) -> WorkerUtils {
    WorkerUtils::new(pool.clone(), SCHEMA)
}

/// Creates or updates the queue's tables.
pub(super) async fn migrate(pool: &PgPool) -> Result<(), Error> {
    worker_utils(pool).migrate().await.map_err(Error::new)
}

/// Returns how many jobs wait or run, and how many of them have failed at least once.
pub async fn backlog(pool: &PgPool) -> Result<(i64, i64), sqlx::Error> {
    // Not checked at build time: the queue's schema doesn't exist there.
    sqlx::query_as(
        "select count(*), count(*) filter (where attempts > 0 and locked_at is null) from lethe_jobs.jobs
        where attempts < max_attempts or locked_at is not null",
    )
    .fetch_one(pool)
    .await
}

/// Returns how many jobs of each kind have failed at least `attempts` times and wait for the next one.
pub async fn failing(connection: &mut PgConnection, attempts: i32) -> Result<Vec<(String, i64)>, sqlx::Error> {
    sqlx::query_as(
        "select task_identifier, count(*) from lethe_jobs.jobs
        where attempts >= $1 and attempts < max_attempts and locked_at is null
        group by task_identifier order by task_identifier",
    )
    .bind(attempts)
    .fetch_all(connection)
    .await
}

/// Deletes the jobs that are never run again: those that failed for good, and those that were replaced while they ran and
/// then failed.
pub async fn delete_leftovers(pool: &PgPool) -> Result<(), Error> {
    worker_utils(pool).cleanup(&[CleanupTask::DeletePermanentlyFailedJobs]).await.map_err(Error::new)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Example {
        request: Uuid,
    }

    #[test]
    fn payload_is_the_job_and_the_incident() {
        let job = || Example { request: Uuid::from_u128(7) };
        let stored = json!({"request": "00000000-0000-0000-0000-000000000007"});
        assert_eq!(serde_json::to_value(Payload { job: job(), incident: None }).unwrap(), stored);
        let old: Payload<Example> = serde_json::from_value(stored).unwrap();
        assert_eq!((old.job.request, old.incident), (Uuid::from_u128(7), None));

        let payload = Payload { job: job(), incident: Some("3T9KQ7XAB2CDE".to_owned()) };
        let read: Payload<Example> = serde_json::from_value(serde_json::to_value(payload).unwrap()).unwrap();
        assert_eq!(read.incident.as_deref(), Some("3T9KQ7XAB2CDE"));
    }
}
