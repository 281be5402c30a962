//! Writes a person's consent to Clerk's `public_metadata.consent`. A job: retried until it sticks.

use serde_json::{Map, Value, json};
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::{ConsentState, snapshot};
use crate::clerk::MetadataOutcome;
use crate::ids::ClerkUserId;
use crate::{Error, Lethe, Result};

/// Brings Clerk's copy up to the ledger. Runs twice with one effect.
///
/// The order is taken off before the ledger is read, so that a later choice orders anew. Two
/// mirrors of one person may overlap and write in any order; each looks again after its write
/// and writes once more when the ledger went on, so the last write is the newest.
pub(crate) async fn mirror(lethe: &Lethe, subject: Uuid) -> Result<()> {
    sqlx::query!("delete from lethe.consent_mirror where subject_id = $1", subject).execute(&lethe.database).await?;
    let mut written = None;
    loop {
        // An erased person has no row any more, and nothing is written about them.
        let Some(snapshot) = snapshot(lethe, subject).await? else { return Ok(()) };
        if written == Some(snapshot.newest) {
            return Ok(());
        }
        let clerk_id =
            ClerkUserId::parse(&snapshot.clerk_id).map_err(|_| Error::Internal("a stored id is unreadable"))?;
        let metadata = json!({"consent": metadata(&snapshot.state)});
        match lethe.clerk.merge_metadata(&clerk_id, metadata).await {
            Ok(MetadataOutcome::Merged) => {
                written = Some(snapshot.newest);
                clear_delayed(lethe, subject).await?;
            }
            Ok(MetadataOutcome::UserNotFound) => return Ok(()),
            Err(error) => {
                set_delayed(lethe, subject).await?;
                if !error.retryable() {
                    // It is tried again for all that: whoever reads this can mend it at Clerk.
                    metrics::counter!("lethe_consent_mirror_refused_total").increment(1);
                    tracing::error!(person = %subject, %error, "Clerk refuses a person's consent; is their metadata full (8 KB)?");
                }
                return Err(error.into());
            }
        }
    }
}

/// Notes since when the person's consent waits. The page tells them.
async fn set_delayed(lethe: &Lethe, subject: Uuid) -> Result<()> {
    sqlx::query!(
        "update lethe.data_subject set mirror_delayed_since = $2 where id = $1 and mirror_delayed_since is null",
        subject,
        lethe.clock.now(),
    )
    .execute(&lethe.database)
    .await?;
    Ok(())
}

async fn clear_delayed(lethe: &Lethe, subject: Uuid) -> Result<()> {
    sqlx::query!(
        "update lethe.data_subject set mirror_delayed_since = null where id = $1 and mirror_delayed_since is not null",
        subject,
    )
    .execute(&lethe.database)
    .await?;
    Ok(())
}

/// `{marketing, analytics, thirdParty, …, updatedAt}`.
fn metadata(state: &ConsentState) -> Value {
    let mut consent: Map<_, _> =
        state.purposes.iter().map(|purpose| (purpose.purpose.key.clone(), Value::Bool(purpose.granted))).collect();
    let at = state.updated_at.and_then(|at| at.format(&Rfc3339).ok());
    consent.insert("updatedAt".to_owned(), json!(at));
    Value::Object(consent)
}
