//! The audit log: what happened, in an order that nobody can change afterwards.
//!
//! An entry is written inside the transaction of what it tells. Its open part never holds
//! personal data; its sealed part opens only with the person's key, which their deletion
//! destroys. The chain is put together by [`seal`] right after the commit, so that writers don't
//! wait for each other. This room appends, lists and verifies; it never changes or removes.

mod chain;

use ring::digest::{Context, SHA256};
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

pub use chain::{Verification, seal, verify};

use crate::subject::{self, ClerkUserId, DataSubject};
use crate::{Lethe, Result, clock, keys};

/// What is to be written down.
pub(crate) struct Entry<'a> {
    /// What happened, as `noun.verb`, for example `consent.changed`.
    pub(crate) kind: &'static str,
    /// Whom it is about.
    pub(crate) subject: Option<&'a DataSubject>,
    /// What anybody may read. Never personal data.
    pub(crate) open: Value,
    /// What only the person's key opens.
    pub(crate) personal: Option<Value>,
}

/// An entry as it is stored.
pub(crate) struct PreparedEntry {
    pub(crate) kind: &'static str,
    pub(crate) subject_id: Option<Uuid>,
    pub(crate) open: String,
    pub(crate) sealed: Option<Vec<u8>>,
    pub(crate) recorded_at: OffsetDateTime,
    pub(crate) digest: [u8; 32],
}

/// Makes an entry ready to be stored, for statements that store it together with something else.
pub(crate) fn prepare(lethe: &Lethe, entry: Entry<'_>) -> PreparedEntry {
    let subject_id = entry.subject.map(|subject| subject.id);
    let open = entry.open.to_string();
    let sealed = entry
        .subject
        .zip(entry.personal)
        .map(|(subject, personal)| keys::seal(&subject.sealing_key, personal.to_string().as_bytes(), &lethe.random));
    let recorded_at = lethe.clock.now();
    let digest = digest(entry.kind, subject_id, &open, sealed.as_deref(), recorded_at);
    PreparedEntry { kind: entry.kind, subject_id, open, sealed, recorded_at, digest }
}

/// Writes an entry within the caller's transaction. Answers its id.
pub(crate) async fn append(lethe: &Lethe, connection: &mut PgConnection, entry: Entry<'_>) -> Result<i64> {
    let entry = prepare(lethe, entry);
    let id = sqlx::query_scalar!(
        r#"with entry as (
            insert into lethe.audit_entry (kind, subject_id, open, sealed, recorded_at, digest)
            values ($1, $2, $3::text::json, $4, $5, $6) returning id
        )
        insert into lethe.audit_pending (entry_id) select id from entry returning entry_id"#,
        entry.kind,
        entry.subject_id,
        entry.open,
        entry.sealed,
        entry.recorded_at,
        &entry.digest,
    )
    .fetch_one(connection)
    .await?;
    Ok(id)
}

/// Hashes every field of an entry but its id, each with its length before it.
fn digest(kind: &str, subject: Option<Uuid>, open: &str, sealed: Option<&[u8]>, at: OffsetDateTime) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    let at = clock::microseconds(at).to_be_bytes();
    let fields: [Option<&[u8]>; 5] = [
        Some(kind.as_bytes()),
        subject.as_ref().map(|subject| subject.as_bytes().as_slice()),
        Some(open.as_bytes()),
        sealed,
        Some(&at),
    ];
    for field in fields {
        let length = field.map_or(u64::MAX, |field| field.len() as u64);
        context.update(&length.to_be_bytes());
        context.update(field.unwrap_or_default());
    }
    context.finish().as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

/// One line of a person's own history.
#[derive(Clone, Debug)]
pub struct Activity {
    /// What happened, as `noun.verb`.
    pub kind: String,
    /// When.
    pub at: OffsetDateTime,
    /// The entry's open part.
    pub detail: Value,
}

/// The newest entries about `subject`, newest first, `limit` at most.
pub(crate) async fn activity(
    connection: &mut PgConnection,
    subject: &ClerkUserId,
    limit: u32,
) -> Result<Vec<Activity>> {
    let rows = sqlx::query!(
        r#"select entry.kind, entry.recorded_at, entry.open as "open: Value"
        from lethe.data_subject person
        cross join lateral (
            select kind, recorded_at, open, id from lethe.audit_entry
            where subject_id = person.id order by id desc limit $2
        ) entry
        where person.clerk_id = $1
        order by entry.id desc"#,
        subject.as_str(),
        i64::from(limit),
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| Activity { kind: row.kind, at: row.recorded_at, detail: row.open }).collect())
}

/// The newest entry of one kind about `subject`.
pub async fn latest(lethe: &Lethe, subject: &ClerkUserId, kind: &str) -> Result<Option<Activity>> {
    let row = sqlx::query!(
        r#"select entry.kind, entry.recorded_at, entry.open as "open: Value"
        from lethe.data_subject person
        join lethe.audit_entry entry on entry.subject_id = person.id and entry.kind = $2
        where person.clerk_id = $1
        order by entry.id desc limit 1"#,
        subject.as_str(),
        kind,
    )
    .fetch_optional(&lethe.database)
    .await?;
    Ok(row.map(|row| Activity { kind: row.kind, at: row.recorded_at, detail: row.open }))
}

/// Writes an entry about `subject` in a transaction of its own, for events that change no state.
pub(crate) async fn record(lethe: &Lethe, subject: &ClerkUserId, kind: &'static str, open: Value) -> Result<()> {
    let mut transaction = lethe.database.begin().await?;
    let person = subject::ensure(lethe, &mut transaction, subject).await?;
    append(lethe, &mut transaction, Entry { kind, subject: Some(&person), open, personal: None }).await?;
    subject::refuse_erased(lethe, &mut transaction, subject).await?;
    transaction.commit().await?;
    Ok(())
}
