//! Brings the copy of a person's consent in Clerk's `public_metadata.consent` up to date.

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::ledger::snapshot;
use crate::clerk::MetadataOutcome;
use crate::platform::queue::Job;
use crate::{ClerkUserId, DataSubjectId, Error, Lethe, Result};

/// The job that writes a person's state to Clerk.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MirrorConsent {
    pub(crate) subject: DataSubjectId,
}

impl Job for MirrorConsent {
    const NAME: &'static str = "mirror_consent";

    fn id(&self) -> Uuid {
        self.subject.0
    }
}

/// Writes the newest state to Clerk. Idempotent.
///
/// The row that asks for the job is deleted before the ledger is read, so a later change enqueues another
/// job. Two jobs of one person may overlap and write in any order; each reads the ledger again after its
/// write, and writes once more if there is a newer entry, so the last write is the newest.
pub(crate) async fn mirror(lethe: &Lethe, MirrorConsent { subject }: MirrorConsent) -> Result<()> {
    sqlx::query!("delete from lethe.consent_mirror where subject_id = $1", subject.0).execute(&lethe.database).await?;
    let mut written = None;
    loop {
        // An erased person has no row any more, and nothing is written about them.
        let Some(snapshot) = snapshot(lethe, subject).await? else { return Ok(()) };
        if written == Some(snapshot.newest_entry) {
            return Ok(());
        }
        let clerk_id =
            ClerkUserId::parse(&snapshot.clerk_id).map_err(|_| Error::Internal("a stored Clerk user id is invalid"))?;
        match lethe.clerk.merge_metadata(&clerk_id, json!({"consent": snapshot.state})).await {
            Ok(MetadataOutcome::Merged) => {
                written = Some(snapshot.newest_entry);
                clear_delayed(lethe, subject).await?;
            }
            Ok(MetadataOutcome::UserNotFound) => return Ok(()),
            Err(error) => {
                set_delayed(lethe, subject).await?;
                if !error.retryable() {
                    // The job is retried all the same: an operator can remove the cause at Clerk.
                    metrics::counter!("lethe_consent_mirror_refused_total").increment(1);
                    tracing::error!(
                        data_subject = %subject, %error,
                        "Clerk refused the consent metadata of a user; the metadata may be full (8 KB)"
                    );
                }
                return Err(error.into());
            }
        }
    }
}

/// Records since when the copy is out of date, if it isn't recorded yet. The page shows it.
async fn set_delayed(lethe: &Lethe, subject: DataSubjectId) -> Result<()> {
    sqlx::query!(
        "update lethe.data_subject set mirror_delayed_since = $2 where id = $1 and mirror_delayed_since is null",
        subject.0,
        lethe.clock.now(),
    )
    .execute(&lethe.database)
    .await?;
    Ok(())
}

async fn clear_delayed(lethe: &Lethe, subject: DataSubjectId) -> Result<()> {
    sqlx::query!(
        "update lethe.data_subject set mirror_delayed_since = null where id = $1 and mirror_delayed_since is not null",
        subject.0,
    )
    .execute(&lethe.database)
    .await?;
    Ok(())
}
