//! The list of all jobs and schedules, and the worker that runs them.

use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, join_all};
use graphile_worker::{
    IntoTaskHandlerResult, LocalQueueConfig, RefetchDelayConfig, TaskHandler, WorkerContext, WorkerOptions,
};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;

use crate::deletion::{self, clerk_events, due_dates, orphans, recheck, retention, schedule};
use crate::platform::queue::{self, Job, Payload, Registered, SCHEMA};
use crate::{CoreConfig, Lethe, Result, audit, clerk_recovery, consent, error_chain, map_alert};

/// How often the audit log's chain is extended, and so the longest time that an entry isn't part of it.
const SEAL_INTERVAL: Duration = Duration::from_secs(1);

/// How often each queue looks for jobs, beside notifications.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// The same for copies of consent, of which no notification tells.
const MIRROR_POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How many copies of consent are fetched at once, for each slot.
const MIRRORS_PER_SLOT: usize = 4;
/// How long they may wait for a slot before another process can have them.
const MIRROR_TTL: Duration = Duration::from_secs(30);

/// Pauses before a queue is started again: the first, and the longest.
const MIN_RESTART_PAUSE: Duration = Duration::from_millis(250);
const MAX_RESTART_PAUSE: Duration = Duration::from_secs(2);

/// A kind of work. Each has slots of its own, so that none waits for another: deletions that hang at a locked table keep
/// no withdrawal from Clerk and no receipt from its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Steps of deletions.
    Erasures,
    /// Rows whose retention has ended. They have an order, so one process purges one at a time.
    Purges,
    /// Copies of consent at Clerk.
    Mirrors,
    /// Receipts and alerts.
    Mails,
    /// What looks after the rest.
    Housekeeping,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Erasures, Self::Purges, Self::Mirrors, Self::Mails, Self::Housekeeping];

    /// How many jobs of this kind run at the same time in this process.
    fn slots(self, config: &CoreConfig) -> usize {
        match self {
            Self::Erasures | Self::Mirrors => config.workers,
            Self::Purges => 1,
            Self::Mails | Self::Housekeeping => 2,
        }
    }

    /// Sets how this kind's jobs are found.
    fn with_fetching(self, options: WorkerOptions, slots: usize) -> WorkerOptions {
        match self {
            // At once. The connection that listens is one of the pool's.
            Self::Erasures | Self::Mails => options.poll_interval(POLL_INTERVAL),
            Self::Purges | Self::Housekeeping => options.use_notification_delivery(false).poll_interval(POLL_INTERVAL),
            // There is no notification (see `Queue::enqueue_unnotified`), so they are looked for often, and fetched several
            // at once.
            Self::Mirrors => options.use_notification_delivery(false).poll_interval(MIRROR_POLL_INTERVAL).local_queue(
                LocalQueueConfig::default()
                    .with_size(slots * MIRRORS_PER_SLOT)
                    .with_ttl(MIRROR_TTL)
                    // Without it, graphile_worker 0.14.1 fetches without a pause: each fetch ends the pause after it.
                    .with_refetch_delay(RefetchDelayConfig::default().with_duration(MIRROR_POLL_INTERVAL)),
            ),
        }
    }
}

/// Defines what the worker runs: for each kind the jobs that other modules enqueue, each with its function, and the
/// schedules. A schedule is "minute hour day month weekday", the name, and the queue's options.
macro_rules! jobs {
    ($(
        $kind:ident {
            enqueued { $($job:path => $function:path,)* }
            scheduled { $($name:ident: $schedule:literal $identifier:literal $options:literal => $scheduled:path,)* }
        }
    )+) => {
        $($(
            impl Registered for $job {}

            impl TaskHandler for Payload<$job> {
                const IDENTIFIER: &'static str = <$job as Job>::NAME;

                async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
                    let Self { job, incident } = self;
                    run(Self::IDENTIFIER, incident, &context, async |lethe| $function(lethe, job).await).await
                }
            }
        )*)+

        $($(
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
                    run($identifier, None, &context, async |lethe| {
                        let result = $scheduled(lethe).await.map(drop);
                        schedule::record(lethe, $identifier, result.as_ref().err()).await?;
                        result
                    })
                    .await
                }
            }
        )*)+

        const CRONTAB: &str = concat!($($($schedule, " ", $identifier, " ", $options, "\n",)*)+);

        fn register(kind: Kind, options: WorkerOptions) -> WorkerOptions {
            match kind {
                $(Kind::$kind => options$(.define_job::<Payload<$job>>())*$(.define_job::<$name>())*,)+
            }
        }
    };
}

jobs! {
    Erasures {
        enqueued {
            deletion::AdvanceDeletion => deletion::advance_by_job,
        }
        scheduled {
            // One at a time, however long it takes.
            RecheckErased: "* * * * *" "recheck_erased" "?max=1&job_key=recheck_erased&queue=rechecks"
                => recheck::recheck_due,
        }
    }
    Purges {
        enqueued {
            retention::RetryPurges => retention::purge_by_job,
        }
        scheduled {
            PurgeExpired: "7 * * * *" "erase_due" "?fill=1d&max=5" => retention::purge_expired,
        }
    }
    Mirrors {
        enqueued {
            consent::MirrorConsent => consent::mirror,
        }
        scheduled {}
    }
    Mails {
        enqueued {
            deletion::SendReceipt => deletion::send_receipt,
            deletion::SendAlert => deletion::send_alert,
            deletion::SendRetentionAlert => deletion::send_retention_alert,
            deletion::SendNotice => deletion::send_notice,
            deletion::AskAgain => deletion::ask_again,
            map_alert::SendMapAlert => map_alert::send,
        }
        scheduled {}
    }
    // A schedule repairs what a lost job or a crash left undone. Nothing depends on one to be done in time.
    Housekeeping {
        enqueued {}
        scheduled {
            ResumeDeletions: "* * * * *" "resume_deletions" "?max=1&job_key=resume_deletions" => deletion::resume_all,
            // Here, so that no withdrawal waits for a slot behind it.
            MirrorCatalogue: "* * * * *" "mirror_catalogue" "?max=1&job_key=mirror_catalogue" => consent::mirror_catalogue,
            WatchDueDates: "11 * * * *" "watch_due_dates" "?max=3" => due_dates::watch_due_dates,
            SearchOrphans: "41 4 * * 1" "search_orphans" "?fill=1d&max=5&job_key=search_orphans"
                => orphans::search_on_schedule,
            DeleteLeftovers: "31 * * * *" "delete_leftovers" "?max=3" => delete_leftover_jobs,
            DeleteOldDeliveries: "23 3 * * *" "forget_deliveries" "?max=5" => clerk_events::delete_old_deliveries,
        }
    }
}

async fn delete_leftover_jobs(lethe: &Lethe) -> Result<()> {
    Ok(queue::delete_leftovers(&lethe.database).await?)
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
    let lethe = incident.map_or_else(|| lethe.refreshed(), |incident| lethe.with_incident(&incident));
    async {
        let result = job(&lethe).await;
        let outcome = if result.is_ok() { "done" } else { "failed" };
        metrics::counter!("lethe_jobs_total", "job" => name, "outcome" => outcome).increment(1);
        result.map_err(|error| {
            tracing::warn!(error = error_chain(&error), "job failed; it will be retried");
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
/// A queue ends at the first error of the database, for example a connection that was closed by a restart. It is started
/// again until the database is back: nothing that happens to the database ends this function.
pub async fn run_worker(lethe: Lethe, shutdown: impl Future<Output = ()> + Send + 'static) {
    let shutdown = shutdown.boxed().shared();
    let queues = Kind::ALL.map(|kind| supervise_queue(&lethe, kind, shutdown.clone()));
    tokio::select! {
        _ = join_all(queues) => {}
        () = seal_periodically(&lethe) => {}
        () = clerk_recovery::watch(&lethe) => {}
    }
    // Include what the last jobs wrote.
    if let Err(error) = audit::seal(&lethe).await {
        tracing::warn!(error = error_chain(&error), "the last entries will be sealed at the next start");
    }
}

async fn supervise_queue(lethe: &Lethe, kind: Kind, shutdown: Shared<BoxFuture<'static, ()>>) {
    let mut pause = MIN_RESTART_PAUSE;
    loop {
        let started = tokio::time::Instant::now();
        let ended = run_queue(lethe, kind, shutdown.clone()).await;
        if shutdown.peek().is_some() {
            return;
        }
        match ended {
            Ok(()) => tracing::warn!(?kind, "a job queue ended and is started again"),
            Err(error) => tracing::warn!(?kind, error = error_chain(&error), "a job queue failed and is started again"),
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

/// Runs the queue of one kind of work until `shutdown`, or until the database fails it.
async fn run_queue(lethe: &Lethe, kind: Kind, shutdown: Shared<BoxFuture<'static, ()>>) -> Result<()> {
    if kind == Kind::Erasures {
        // Deletions that another process left unfinished need not wait for the schedule.
        deletion::resume_all(lethe).await?;
    }
    let slots = kind.slots(&lethe.config);
    let options = WorkerOptions::default()
        .pg_pool(lethe.queue_database.clone())
        .schema(SCHEMA)
        .concurrency(slots)
        .heartbeat_interval(Duration::from_secs(10))
        .sweep_interval(Duration::from_secs(20))
        .sweep_threshold(Duration::from_mins(1))
        .recovery_delay(Duration::from_secs(1))
        .listen_os_shutdown_signals(false)
        .shutdown_signal(shutdown)
        .shutdown_grace_period(Duration::from_secs(10))
        .add_extension(lethe.clone());
    let options = kind.with_fetching(options, slots);
    let options = match kind {
        // What they enqueue is run by the queue of its own kind.
        Kind::Housekeeping => options.with_cron(CRONTAB).map_err(queue::Error::new)?,
        _ => options,
    };
    let worker = register(kind, options).init().await.map_err(queue::Error::new)?;
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
                tracing::warn!(error = error_chain(&error), "sealing the audit log failed; it will be retried");
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
            "* * * * * recheck_erased ?max=1&job_key=recheck_erased&queue=rechecks\n\
             7 * * * * erase_due ?fill=1d&max=5\n\
             * * * * * resume_deletions ?max=1&job_key=resume_deletions\n\
             * * * * * mirror_catalogue ?max=1&job_key=mirror_catalogue\n\
             11 * * * * watch_due_dates ?max=3\n\
             41 4 * * 1 search_orphans ?fill=1d&max=5&job_key=search_orphans\n\
             31 * * * * delete_leftovers ?max=3\n\
             23 3 * * * forget_deliveries ?max=5\n"
        );
    }
}
