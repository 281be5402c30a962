//! That a user has one export at a time, whichever process serves it.

use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::{ClerkUserId, ErrorCode, Lethe, Result};

/// After the process has died, the next export is refused for so long at most.
const LEASE_SECONDS: f64 = 60.0;
const RENEWAL_INTERVAL: Duration = Duration::from_secs(20);

/// A user's running export. Dropping it ends it in the background.
pub(super) struct RunningExport {
    lethe: Lethe,
    id: Uuid,
    has_ended: bool,
    _renewal: AbortOnDropHandle<()>,
}

impl RunningExport {
    /// Fails with [`ErrorCode::ExportRunning`] while the user has another one.
    pub(super) async fn begin(lethe: &Lethe, subject: &ClerkUserId) -> Result<Self> {
        let id = lethe.random.uuid();
        let user_handle = lethe.keys.user_handle(subject);
        let begun = sqlx::query!(
            "insert into lethe.running_export as running (user_handle, id, expires_at)
            values ($1, $2, now() + make_interval(secs => $3))
            on conflict (user_handle) do update set id = excluded.id, expires_at = excluded.expires_at
            where running.expires_at < now()",
            user_handle.as_str(),
            id,
            LEASE_SECONDS,
        )
        .execute(&lethe.database)
        .await?;
        if begun.rows_affected() == 0 {
            return Err(ErrorCode::ExportRunning.into());
        }
        metrics::gauge!("lethe_exports_running").increment(1.0);
        let renewal = renew(lethe.clone(), id).in_current_span();
        let renewal = AbortOnDropHandle::new(tokio::spawn(renewal));
        Ok(Self { lethe: lethe.clone(), id, has_ended: false, _renewal: renewal })
    }

    /// Ends it, so that the next one may begin.
    pub(super) async fn end(mut self) -> Result<()> {
        remove(&self.lethe, self.id).await?;
        self.has_ended = true;
        Ok(())
    }
}

impl Drop for RunningExport {
    fn drop(&mut self) {
        metrics::gauge!("lethe_exports_running").decrement(1.0);
        if self.has_ended {
            return;
        }
        let (lethe, id) = (self.lethe.clone(), self.id);
        // Without a runtime the process is ending, and the lease runs out.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = remove(&lethe, id).await {
                    tracing::warn!(
                        error = crate::error_chain(&error),
                        "the lease of an export stays until it runs out"
                    );
                }
            });
        }
    }
}

async fn remove(lethe: &Lethe, id: Uuid) -> Result<()> {
    sqlx::query!("delete from lethe.running_export where id = $1", id).execute(&lethe.database).await?;
    Ok(())
}

/// A renewal that fails is made up for by the next: the lease outlives two.
async fn renew(lethe: Lethe, id: Uuid) {
    loop {
        tokio::time::sleep(RENEWAL_INTERVAL).await;
        let renewed = sqlx::query!(
            "update lethe.running_export set expires_at = now() + make_interval(secs => $2) where id = $1",
            id,
            LEASE_SECONDS,
        );
        if let Err(error) = renewed.execute(&lethe.database).await {
            tracing::warn!(error = crate::error_chain(&error), "the lease of an export was not renewed");
        }
    }
}
