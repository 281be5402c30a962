//! The list of all jobs and schedules, and the worker that runs them.

use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext, WorkerOptions};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;

use crate::deletion::{self, clerk_events, retention};
use crate::platform::queue::{self, Job, Payload, Registered, SCHEMA};
use crate::{Lethe, Result, audit, consent};

/// How often the audit log's chain is extended, and so the longest time that an entry isn't part of it.
const SEAL_INTERVAL: Duration = Duration::from_secs(1);

/// Pauses before the queue is started again: the first, and the longest.
const MIN_RESTART_PAUSE: Duration = Duration::from_millis(250);
const MAX_RESTART_PAUSE: Duration = Duration::from_secs(2);

/// Defines what the worker runs: the jobs that other modules enqueue, each with its function, and the schedules.
/// A schedule is "minute hour day month weekday", the name, and the queue's options.
macro_rules! jobs {
    (
        enqueued { $($job:path => $function:path,)+ }
        scheduled { $($name:ident: $schedule:literal $identifier:literal $options:literal => $scheduled:path,)+ }
    ) => {
        $(
            impl Registered for $job {}

            impl TaskHandler for Payload<$job> {
                const IDENTIFIER: &'static str = <$job as Job>::NAME;

                async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
                    let Self { job, incident } = self;
                    run(Self::IDENTIFIER, incident, &context, async |lethe| $function(lethe, job).await).await
                }
            }
        )+

        $(
            #[derive(Debug, Clone, Default, Serialize, Deserialize)]
            #[serde(from = "IgnoredAny")]
            struct $name {}

            // What a schedule enqueues has a payload of the queue's own, or none.
            impl From<IgnoredAny> for $name {
                fn from(_payload: IgnoredAny) -> Self {
                    Self {}
                }
            }

            impl TaskHandler for $name {
                const IDENTIFIER: &'static str = $identifier;

                async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
                    run($identifier, None, &context, async |lethe| $scheduled(lethe).await.map(drop)).await
                }
            }
        )+

        const CRONTAB: &str = concat!($($schedule, " ", $identifier, " ", $options, "\n"),+);

        fn register(options: WorkerOptions) -> WorkerOptions {
            options $(.define_job::<Payload<$job>>())+ $(.define_job::<$name>())+
        }
    };
}

jobs! {
    enqueued {
        consent::MirrorConsent => consent::mirror,
        deletion::AdvanceDeletion => deletion::advance_by_job,
        deletion::SendReceipt => deletion::send_receipt,
        deletion::SendAlert => deletion::send_alert,
        deletion::SendRetentionAlert => deletion::send_retention_alert,
        retention::RetryPurges => retention::purge_by_job,
    }
    // A schedule repairs what a lost job or a crash left undone. Nothing depends on one to be done in time.
    scheduled {
        ResumeDeletions: "* * * * *" "resume_deletions" "?max=1" => deletion::resume_all,
        PurgeExpired: "7 * * * *" "erase_due" "?fill=1d&max=5" => retention::purge_expired,
        DeleteOldDeliveries: "23 3 * * *" "forget_deliveries" "?max=5" => clerk_events::delete_old_deliveries,
    }
}

/// Runs a job in a span of its own, counts it, and logs its failure with all causes.
async fn run(
    name: &'static str,
    incident: Option<String>,
    context: &WorkerContext,
    job: impl AsyncFnOnce(&Lethe) -> Result<()>,
) -> Result<(), String> {
    let lethe = context.get_ext::<Lethe>().ok_or("the worker was started without Lethe")?;
    let span = tracing::info_span!("job", job = name, incident);
    let lethe = incident.map_or_else(|| lethe.clone(), |incident| lethe.with_incident(&incident));
    async {
        let result = job(&lethe).await;
        let outcome = if result.is_ok() { "done" } else { "failed" };
        metrics::counter!("lethe_jobs_total", "job" => name, "outcome" => outcome).increment(1);
        result.map_err(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "job failed; it will be retried");
            // The queue stores this text. The causes, which may quote anything, are in the log only.
            "failed".to_owned()
        })
    }
    .instrument(span)
    .await
}

/// Runs jobs and schedules and extends the audit log's chain, until `shutdown` completes. Then running jobs
/// have ten seconds to finish; unfinished ones go back to the queue.
///
/// The queue ends at the first error of the database, for example a connection that was closed by a restart. It is started
/// again until the database is back: nothing that happens to the database ends this function.
pub async fn run_worker(lethe: Lethe, shutdown: impl Future<Output = ()> + Send + 'static) {
    let shutdown = shutdown.boxed().shared();
    tokio::select! {
        () = supervise_queue(&lethe, shutdown) => {}
        () = seal_periodically(&lethe) => {}
    }
    // Include what the last jobs wrote.
    if let Err(error) = audit::seal(&lethe).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "the last entries will be sealed at the next start");
    }
}

async fn supervise_queue(lethe: &Lethe, shutdown: Shared<BoxFuture<'static, ()>>) {
    let mut pause = MIN_RESTART_PAUSE;
    loop {
        let started = tokio::time::Instant::now();
        let ended = run_queue(lethe, shutdown.clone()).await;
        if shutdown.peek().is_some() {
            return;
        }
        match ended {
            Ok(()) => tracing::warn!("the job queue ended and is started again"),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the job queue failed and is started again");
            }
        }
        metrics::counter!("lethe_queue_restarts_total").increment(1);
        if started.elapsed() > MAX_RESTART_PAUSE {
            pause = MIN_RESTART_PAUSE;
        }
        tokio::select! {
            () = shutdown.clone() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(MAX_RESTART_PAUSE);
    }
}

/// Runs the queue until `shutdown`, or until the database fails it.
async fn run_queue(lethe: &Lethe, shutdown: Shared<BoxFuture<'static, ()>>) -> Result<()> {
    // Deletions that another process left unfinished need not wait for the schedule.
    deletion::resume_all(lethe).await?;
    let options = WorkerOptions::default()
        .pg_pool(lethe.database.clone())
        .schema(SCHEMA)
        .concurrency(lethe.config.workers)
        .poll_interval(Duration::from_secs(2))
        .heartbeat_interval(Duration::from_secs(10))
        .sweep_interval(Duration::from_secs(20))
        .sweep_threshold(Duration::from_mins(1))
        .recovery_delay(Duration::from_secs(1))
        .listen_os_shutdown_signals(false)
        .shutdown_signal(shutdown)
        .shutdown_grace_period(Duration::from_secs(10))
        .add_extension(lethe.clone());
    let worker =
        register(options).with_cron(CRONTAB).map_err(queue::Error::new)?.init().await.map_err(queue::Error::new)?;
    Ok(worker.run().await.map_err(queue::Error::new)?)
}

async fn seal_periodically(lethe: &Lethe) {
    let mut is_failing = false;
    loop {
        match audit::seal(lethe).await {
            Ok(_) => is_failing = false,
            // Once for each outage, not each second.
            Err(error) if !is_failing => {
                is_failing = true;
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "sealing the audit log failed; it will be retried"
                );
            }
            Err(_) => {}
        }
        tokio::time::sleep(SEAL_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn scheduled_jobs_accept_any_payload() {
        for payload in [Value::Null, json!({}), json!({"_cron": {"ts": "2026-11-22T09:58:00Z"}})] {
            assert!(serde_json::from_value::<ResumeDeletions>(payload).is_ok());
        }
    }

    #[test]
    fn crontab_names_every_schedule() {
        assert_eq!(
            CRONTAB,
            "* * * * * resume_deletions ?max=1\n7 * * * * erase_due ?fill=1d&max=5\n\
             23 3 * * * forget_deliveries ?max=5\n"
        );
    }
}
