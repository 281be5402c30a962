//! The audit log: what happened, in an order that can't be changed afterwards without being noticed.
//!
//! An entry is written in the transaction of the change that it records, and never holds personal data.
//! The hash chain is extended by [`seal`] after the commit, so that writers don't wait for each other.
//! This module appends, reads and verifies. It never changes or deletes an entry.

mod chain;
mod event;

use ring::digest::{Context, SHA256};
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

pub use chain::{Verification, seal, verify};
pub use event::{AuditEvent, ConsentChange, Source};

use crate::platform::clock;
use crate::{ClerkUserId, DataSubjectId, Lethe, Result, subject};

/// An entry as it is stored.
pub(crate) struct PreparedEntry {
    pub(crate) kind: String,
    pub(crate) subject_id: Option<Uuid>,
    pub(crate) open: String,
    pub(crate) recorded_at: OffsetDateTime,
    pub(crate) digest: [u8; 32],
}

/// Prepares an entry about `subject`, for statements that store it together with something else.
pub(crate) fn prepare(lethe: &Lethe, subject: Option<DataSubjectId>, event: AuditEvent) -> PreparedEntry {
    let subject_id = subject.map(|id| id.0);
    let (kind, open) = event.into_columns();
    let recorded_at = lethe.clock.now();
    let digest = digest(&kind, subject_id, &open, None, recorded_at);
    PreparedEntry { kind, subject_id, open, recorded_at, digest }
}

/// Writes an entry about `subject` in the caller's transaction. Returns its id.
pub(crate) async fn append(
    lethe: &Lethe,
    connection: &mut PgConnection,
    subject: Option<DataSubjectId>,
    event: AuditEvent,
) -> Result<i64> {
    let entry = prepare(lethe, subject, event);
    let id = sqlx::query_scalar!(
        r#"with entry as (
            insert into lethe.audit_entry (kind, subject_id, open, recorded_at, digest)
            values ($1, $2, $3::text::json, $4, $5) returning id
        )
        insert into lethe.audit_pending (entry_id) select id from entry returning entry_id"#,
        entry.kind,
        entry.subject_id,
        entry.open,
        entry.recorded_at,
        &entry.digest,
    )
    .fetch_one(connection)
    .await?;
    Ok(id)
}

/// Hashes every column of an entry but its id, each preceded by its length. `sealed` is a column that no
/// entry fills; it is part of the digest.
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

/// An entry about a person.
#[derive(Clone, Debug)]
pub struct Activity {
    /// Orders the entries: later ones have greater numbers.
    pub id: i64,
    /// When it was recorded.
    pub at: OffsetDateTime,
    /// What happened.
    pub event: AuditEvent,
}

impl Activity {
    fn from_columns(id: i64, at: OffsetDateTime, kind: String, open: &Value) -> Self {
        Self { id, at, event: AuditEvent::from_columns(kind, open) }
    }
}

/// Returns the newest entries about `subject` whose ids are below `before`, newest first, `limit` at most.
pub(crate) async fn activity(
    connection: &mut PgConnection,
    subject: &ClerkUserId,
    before: i64,
    limit: u32,
) -> Result<Vec<Activity>> {
    let rows = sqlx::query!(
        r#"select entry.id, entry.kind, entry.recorded_at, entry.open as "open: Value"
        from lethe.data_subject person
        cross join lateral (
            select kind, recorded_at, open, id from lethe.audit_entry
            where subject_id = person.id and id < $3 order by id desc limit $2
        ) entry
        where person.clerk_id = $1
        order by entry.id desc"#,
        subject.as_str(),
        i64::from(limit),
        before,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| Activity::from_columns(row.id, row.recorded_at, row.kind, &row.open)).collect())
}

/// Returns the newest entry of one kind about `subject`.
pub(crate) async fn latest(lethe: &Lethe, subject: &ClerkUserId, kind: &str) -> Result<Option<Activity>> {
    latest_on(&mut *lethe.database.acquire().await?, subject, kind).await
}

/// Does what [`latest`] does, on a connection that the caller has.
pub(crate) async fn latest_on(
    connection: &mut PgConnection,
    subject: &ClerkUserId,
    kind: &str,
) -> Result<Option<Activity>> {
    let row = sqlx::query!(
        r#"select entry.id, entry.kind, entry.recorded_at, entry.open as "open: Value"
        from lethe.data_subject person
        join lethe.audit_entry entry on entry.subject_id = person.id and entry.kind = $2
        where person.clerk_id = $1
        order by entry.id desc limit 1"#,
        subject.as_str(),
        kind,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Activity::from_columns(row.id, row.recorded_at, row.kind, &row.open)))
}

/// Writes an entry about `subject` in a transaction of its own, for events that change nothing else.
pub(crate) async fn record(lethe: &Lethe, subject: &ClerkUserId, event: AuditEvent) -> Result<()> {
    let mut transaction = lethe.database.begin().await?;
    let id = subject::ensure(lethe, &mut transaction, subject).await?;
    append(lethe, &mut transaction, Some(id), event).await?;
    subject::refuse_erased(lethe, &mut transaction, subject).await?;
    transaction.commit().await?;
    Ok(())
}
