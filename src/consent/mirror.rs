//! Writes a person's consent to Clerk's `public_metadata.consent`. A job: retried until it sticks.

use serde_json::{Map, Value, json};
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::{Record, snapshot};
use crate::clerk::MetadataOutcome;
use crate::subject::SubjectId;
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
            SubjectId::parse(&snapshot.clerk_id).map_err(|_| Error::Internal("a stored id is unreadable"))?;
        let metadata = json!({"consent": consent(&snapshot.record)});
        match lethe.clerk.merge_metadata(&clerk_id, metadata).await? {
            MetadataOutcome::Merged => written = Some(snapshot.newest),
            MetadataOutcome::UserGone => return Ok(()),
        }
    }
}

/// `{marketing, analytics, thirdParty, …, updatedAt}`.
fn consent(record: &Record) -> Value {
    let mut consent: Map<_, _> =
        record.standings.iter().map(|standing| (standing.purpose.key.clone(), Value::Bool(standing.granted))).collect();
    let at = record.updated_at.and_then(|at| at.format(&Rfc3339).ok());
    consent.insert("updatedAt".to_owned(), json!(at));
    Value::Object(consent)
}
