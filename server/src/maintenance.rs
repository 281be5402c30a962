//! Maintenance: a database that was restored from a backup has users again who were erased since. Until their erasure was
//! repeated (`lethe replay`), nothing is served from it and no job runs.

use std::time::Duration;

use anyhow::Context;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use lethe::Lethe;
use lethe::deletion::restore;
use lethe_error_code::ErrorCode;
use tokio::sync::watch;

use crate::error::Problem;

/// How often it is checked whether maintenance is over.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Whether the database waits for a replay. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Maintenance(watch::Sender<bool>);

impl Default for Maintenance {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Maintenance {
    /// Whether nothing may be served.
    #[must_use]
    pub fn is_active(&self) -> bool {
        *self.0.borrow()
    }

    /// Compares the store with the database. Fails if one of them can't be read: then nobody knows.
    pub async fn check(&self, lethe: &Lethe) -> anyhow::Result<()> {
        let missing =
            restore::missing_tombstones(lethe).await.context("the store can't be compared with the database")?;
        if missing > 0 && !self.is_active() {
            tracing::error!(
                tombstones = missing,
                "the store has tombstones that the database lacks: it was restored from a backup, or LETHE_STORAGE is the store \
                 of another one. Nothing is served and no job runs until `lethe replay` has erased again who was erased since, \
                 or `lethe replay --waive` was run"
            );
        } else if missing == 0 && self.is_active() {
            tracing::info!("the database lacks no tombstone any more; maintenance is over");
        }
        self.0.send_replace(missing > 0);
        Ok(())
    }

    /// Logs if the store lacks tombstones of the database: a restore of the database from an earlier backup wouldn't be noticed.
    pub async fn check_store(lethe: &Lethe) -> anyhow::Result<()> {
        let missing = restore::tombstones_missing_in_store(lethe)
            .await
            .context("the store can't be compared with the database")?;
        if missing > 0 {
            tracing::error!(
                tombstones = missing,
                "the store lacks tombstones that the database has: LETHE_STORAGE is another folder than before, or not the one \
                 that all servers share. After a restore, whoever they are about could be back unnoticed. `lethe replay` copies \
                 them to the store"
            );
        }
        Ok(())
    }

    /// Waits until maintenance is over.
    pub async fn until_over(&self, lethe: &Lethe) {
        while self.is_active() {
            tokio::time::sleep(CHECK_INTERVAL).await;
            if let Err(error) = self.check(lethe).await {
                tracing::warn!(
                    error = lethe::error_chain(error.as_ref()),
                    "it is still not known whether maintenance is over"
                );
            }
        }
    }
}

/// The layer: refuses every request during maintenance.
pub async fn refuse(State(maintenance): State<Maintenance>, request: Request, next: Next) -> Response {
    if maintenance.is_active() {
        return Problem::new(ErrorCode::Maintenance).into_response();
    }
    next.run(request).await
}
