//! After an outage of Clerk, makes what waits for it due at once, instead of after pauses that have grown to hours.

use std::time::Duration;

use tokio::time::Instant;

use crate::{Lethe, Result, consent, deletion, error_chain};

/// How often Clerk is called while something waits for it. With [`CALL_TIMEOUT`] it is noticed within ten seconds.
const CHECK_INTERVAL: Duration = Duration::from_secs(3);
/// How long a call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Pauses before everything is made due once more although Clerk responds: it may respond to some calls and fail others.
const MIN_PAUSE: Duration = Duration::from_secs(10);
const MAX_PAUSE: Duration = Duration::from_mins(15);

/// What was learned from earlier checks.
#[derive(Debug)]
struct Recovery {
    not_before: Instant,
    pause: Duration,
}

impl Recovery {
    fn new() -> Self {
        Self { not_before: Instant::now(), pause: MIN_PAUSE }
    }

    async fn check(&mut self, lethe: &Lethe) -> Result<()> {
        if !consent::has_delayed(lethe).await? && !deletion::waits_for_clerk(lethe).await? {
            *self = Self::new();
            return Ok(());
        }
        let responds = tokio::time::timeout(CALL_TIMEOUT, lethe.clerk.jwks()).await.is_ok_and(|keys| keys.is_ok());
        if !responds {
            // The next response ends the outage.
            *self = Self::new();
            return Ok(());
        }
        let now = Instant::now();
        if now < self.not_before {
            return Ok(());
        }
        (self.not_before, self.pause) = (now + self.pause, (self.pause * 2).min(MAX_PAUSE));
        let mirrors = consent::make_delayed_due(lethe).await?;
        let deletions = deletion::make_clerk_failures_due(lethe).await?;
        tracing::info!(mirrors, deletions, "Clerk responds; what waited for it goes on");
        Ok(())
    }
}

/// Checks until it is dropped. Never fails: without the database, nothing can be made due.
pub(crate) async fn watch(lethe: &Lethe) {
    let mut recovery = Recovery::new();
    loop {
        tokio::time::sleep(CHECK_INTERVAL).await;
        if let Err(error) = recovery.check(lethe).await {
            tracing::debug!(error = error_chain(&error), "what waits for Clerk can't be read");
        }
    }
}
