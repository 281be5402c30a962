//! Brings the copy of a person's consent in Clerk's `public_metadata.consent` up to date.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::ledger::{self, snapshot};
use super::state::ConsentState;
use crate::clerk::MetadataOutcome;
use crate::platform::queue::Job;
use crate::{ClerkUserId, DataSubjectId, Error, Lethe, Result};

/// Pause before an edited copy is corrected, so that two programs that correct each other don't use up Clerk's rate limit.
const CORRECTION_DELAY: Duration = Duration::from_secs(3);
/// Jobs with a lower number run first; by default it is 0.
const WITHDRAWAL_PRIORITY: i32 = -1;

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
/// write, and writes once more if there is another entry, so the last write is the newest.
pub(crate) async fn mirror(lethe: &Lethe, MirrorConsent { subject }: MirrorConsent) -> Result<()> {
    sqlx::query!("delete from lethe.consent_mirror where subject_id = $1", subject.0).execute(&lethe.database).await?;
    let mut written = None;
    loop {
        if lethe.purposes.is_empty() {
            // Probably a mistake of the operator; what Clerk has stays until it is settled.
            return Ok(());
        }
        // An erased person has no row any more, and nothing is written about them.
        let Some(snapshot) = snapshot(lethe, subject).await? else { return Ok(()) };
        if written.as_ref() == Some(&snapshot.entries) {
            return Ok(());
        }
        let clerk_id =
            ClerkUserId::parse(&snapshot.clerk_id).map_err(|_| Error::Internal("a stored Clerk user id is invalid"))?;
        match lethe.clerk.merge_metadata(&clerk_id, json!({"consent": copy(&snapshot.state, &snapshot.removed)?})).await
        {
            Ok(MetadataOutcome::Merged) => {
                written = Some(snapshot.entries);
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

/// What Clerk's copy has to be. A purpose that is no more is null, which removes it; other keys are other people's.
fn copy(state: &ConsentState, removed: &[String]) -> Result<Value> {
    let mut copy = serde_json::to_value(state).map_err(|_| Error::Internal("a consent state isn't serializable"))?;
    for purpose in removed {
        copy[purpose] = Value::Null;
    }
    Ok(copy)
}

/// Compares Clerk's copy with the ledger, and has it written again if it differs: the ledger is authoritative, whoever edited
/// the copy. `metadata` is the user's public metadata as Clerk sent it, perhaps a moment ago; the job writes the newest state.
pub(crate) async fn correct_mirror(
    lethe: &Lethe,
    connection: &mut PgConnection,
    subject: &ClerkUserId,
    metadata: Option<&Value>,
) -> Result<()> {
    let stored = ledger::load(lethe, connection, subject).await?;
    let Some(person) = stored.subject.as_ref().filter(|_| !stored.decisions.is_empty()) else { return Ok(()) };
    let removed = ledger::removed_purposes(lethe, connection).await?;
    let expected = copy(&stored.state(&lethe.purposes, false), &removed)?;
    let found = metadata.and_then(|metadata| metadata.get("consent"));
    let is_equal =
        |(key, value): (&String, &Value)| found.and_then(|found| found.get(key)).unwrap_or(&Value::Null) == value;
    if !expected.as_object().is_some_and(|expected| expected.iter().all(is_equal)) {
        let job = MirrorConsent { subject: person.id };
        lethe.queue().enqueue_unless_waiting(connection, job, CORRECTION_DELAY).await?;
    }
    Ok(())
}

/// Whether the copy of any user is out of date.
pub(crate) async fn has_delayed(lethe: &Lethe) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select from lethe.data_subject where mirror_delayed_since is not null) as "exists!""#
    )
    .fetch_one(&lethe.database)
    .await?)
}

/// Makes the jobs of all users whose copy is out of date due now, those with a withdrawal before the others. Returns how many
/// users these are.
pub async fn make_delayed_due(lethe: &Lethe) -> Result<u64> {
    let delayed = sqlx::query!(
        r#"select person.id, exists (
            select from lethe.consent_entry entry
            where entry.subject_id = person.id and not entry.granted
              and entry.recorded_at >= person.mirror_delayed_since - interval '1 hour'
        ) as "has_withdrawn!"
        from lethe.data_subject person where person.mirror_delayed_since is not null
        order by person.mirror_delayed_since"#
    )
    .fetch_all(&lethe.database)
    .await?;
    let mut transaction = lethe.database.begin().await?;
    for (is_withdrawal, priority) in [(true, WITHDRAWAL_PRIORITY), (false, 0)] {
        let people = delayed.iter().filter(|person| person.has_withdrawn == is_withdrawal);
        let jobs: Vec<_> = people.map(|person| MirrorConsent { subject: DataSubjectId(person.id) }).collect();
        lethe.queue().make_due(&mut transaction, &jobs, priority).await?;
    }
    transaction.commit().await?;
    Ok(delayed.len() as u64)
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
