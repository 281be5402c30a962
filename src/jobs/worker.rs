//! The worker: takes jobs from the queue, keeps the schedules, and seals the audit log.

use std::time::Duration;

use graphile_worker::WorkerOptions;
use tokio::sync::watch;

use super::schedule::{CRONTAB, EraseDue, ForgetDeliveries, ResumeDeletions};
use super::{AdvanceDeletion, MirrorConsent, SCHEMA, SendAlert, SendReceipt, queue_error};
use crate::{Lethe, Result, audit, deletion};

/// How long entries wait for their place in the chain, at most.
const SEAL_INTERVAL: Duration = Duration::from_secs(1);

/// Works until `shutdown` comes: then it finishes what it has begun, for ten seconds at most, and
/// gives back the rest.
pub async fn run_worker(lethe: Lethe, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<()> {
    // What another process left in the middle need not wait for the schedule.
    deletion::resume_all(&lethe).await?;
    let (stop_sender, stop_receiver) = watch::channel(false);
    let mut stop_requested = stop_receiver.clone();
    let worker = WorkerOptions::default()
        .pg_pool(lethe.database.clone())
        .schema(SCHEMA)
        .concurrency(lethe.config.workers)
        .poll_interval(Duration::from_secs(2))
        .heartbeat_interval(Duration::from_secs(10))
        .sweep_interval(Duration::from_secs(20))
        .sweep_threshold(Duration::from_mins(1))
        .recovery_delay(Duration::from_secs(1))
        .listen_os_shutdown_signals(false)
        .shutdown_signal(async move {
            shutdown.await;
            let _ = stop_sender.send(true);
        })
        .shutdown_grace_period(Duration::from_secs(10))
        .add_extension(lethe.clone())
        .define_job::<MirrorConsent>()
        .define_job::<AdvanceDeletion>()
        .define_job::<SendReceipt>()
        .define_job::<SendAlert>()
        .define_job::<ResumeDeletions>()
        .define_job::<EraseDue>()
        .define_job::<ForgetDeliveries>()
        .with_cron(CRONTAB)
        .map_err(queue_error)?
        .init()
        .await
        .map_err(queue_error)?;
    tokio::select! {
        ended = worker.run() => ended.map_err(queue_error)?,
        () = seal_periodically(&lethe) => {}
    }
    // What the last jobs wrote gets its place too.
    if *stop_requested.borrow_and_update() {
        audit::seal(&lethe).await?;
    }
    Ok(())
}

async fn seal_periodically(lethe: &Lethe) {
    loop {
        if let Err(error) = audit::seal(lethe).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the audit log couldn't be sealed; trying again");
        }
        tokio::time::sleep(SEAL_INTERVAL).await;
    }
}
