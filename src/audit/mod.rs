//! The audit log: what happened, in an order that can't be changed afterwards without being noticed.
//!
//! An entry is written in the transaction of the change that it records, and names nobody. What an entry about a person says
//! is sealed with that person's key, which their deletion destroys; its kind and its time stay open.
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
pub use event::{Actor, AuditEvent, ConsentChange, Source};

use crate::keys::{EntryContext, SubjectKey};
use crate::platform::clock;
use crate::subject::{self, DataSubject};
use crate::{ClerkUserId, DataSubjectId, Lethe, Result};

/// The open part of a sealed entry.
const SEALED: &str = "{}";

/// An entry as it is stored.
pub(crate) struct PreparedEntry {
    pub(crate) kind: String,
    pub(crate) subject_id: Option<Uuid>,
    pub(crate) open: String,
    pub(crate) sealed: Option<Vec<u8>>,
    pub(crate) recorded_at: OffsetDateTime,
    pub(crate) digest: [u8; 32],
}

/// Prepares an entry about `subject`, for statements that store it together with something else.
pub(crate) fn prepare(lethe: &Lethe, subject: Option<&DataSubject>, event: AuditEvent) -> PreparedEntry {
    let subject_id = subject.map(|subject| subject.id.0);
    let (kind, content) = event.into_columns();
    let recorded_at = lethe.clock.now();
    let (open, sealed) = match subject {
        Some(subject) => {
            let sealed = subject.key.seal(entry_context(subject.id, &kind, recorded_at), &content, &lethe.random);
            (SEALED.to_owned(), Some(sealed))
        }
        None => (content, None),
    };
    let digest = digest(&kind, subject_id, &open, sealed.as_deref(), recorded_at);
    PreparedEntry { kind, subject_id, open, sealed, recorded_at, digest }
}

fn entry_context(subject: DataSubjectId, kind: &str, recorded_at: OffsetDateTime) -> EntryContext<'_> {
    EntryContext { subject, kind, recorded_at: clock::microseconds(recorded_at) }
}

/// Writes an entry about `subject`, or about nobody, in the caller's transaction. Returns its id.
pub(crate) async fn append(
    lethe: &Lethe,
    connection: &mut PgConnection,
    subject: Option<&DataSubject>,
    event: AuditEvent,
) -> Result<i64> {
    let entry = prepare(lethe, subject, event);
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

/// Hashes every column of an entry but its id, each preceded by its length.
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

/// A row of an entry, with its subject's wrapped key.
struct EntryRow {
    id: i64,
    kind: String,
    recorded_at: OffsetDateTime,
    open: Value,
    sealed: Option<Vec<u8>>,
    subject_id: Uuid,
    wrapped_key: Option<Vec<u8>>,
}

impl Activity {
    fn from_row(key: Option<&SubjectKey>, row: EntryRow) -> Self {
        let EntryRow { id, kind, recorded_at: at, open, sealed, subject_id, .. } = row;
        let Some(sealed) = sealed else { return Self { id, at, event: AuditEvent::from_columns(kind, &open) } };
        let context = entry_context(DataSubjectId(subject_id), &kind, at);
        let opened = key.and_then(|key| key.open(context, &sealed));
        let event = if let Some(columns) = opened.and_then(|opened| serde_json::from_str(&opened).ok()) {
            AuditEvent::from_columns(kind, &columns)
        } else {
            tracing::error!(entry = id, "an entry of the audit log can't be decrypted");
            AuditEvent::Unknown { kind }
        };
        Self { id, at, event }
    }
}

/// Reads entries about one person. Those of older versions aren't sealed.
fn unseal(lethe: &Lethe, rows: Vec<EntryRow>) -> Result<Vec<Activity>> {
    let wrapped = rows.first().and_then(|row| Some((DataSubjectId(row.subject_id), row.wrapped_key.as_deref()?)));
    let key = wrapped.map(|(id, wrapped_key)| subject::unwrap_key(lethe, id, wrapped_key)).transpose()?;
    Ok(rows.into_iter().map(|row| Activity::from_row(key.as_ref(), row)).collect())
}

/// Returns the newest entries about `subject` whose ids are below `before`, newest first, `limit` at most.
pub(crate) async fn activity(
    lethe: &Lethe,
    connection: &mut PgConnection,
    subject: &ClerkUserId,
    before: i64,
    limit: u32,
) -> Result<Vec<Activity>> {
    let rows = sqlx::query_as!(
        EntryRow,
        r#"select entry.id, entry.kind, entry.recorded_at, entry.open as "open: Value", entry.sealed,
            person.id as subject_id, person.wrapped_key
        from lethe.data_subject person
        cross join lateral (
            select kind, recorded_at, open, sealed, id from lethe.audit_entry
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
    unseal(lethe, rows)
}

/// Returns the newest entry of one kind about `subject`.
pub(crate) async fn latest(lethe: &Lethe, subject: &ClerkUserId, kind: &str) -> Result<Option<Activity>> {
    latest_on(lethe, &mut *lethe.database.acquire().await?, subject, kind).await
}

/// Does what [`latest`] does, on a connection that the caller has.
pub(crate) async fn latest_on(
    lethe: &Lethe,
    connection: &mut PgConnection,
    subject: &ClerkUserId,
    kind: &str,
) -> Result<Option<Activity>> {
    let rows = sqlx::query_as!(
        EntryRow,
        r#"select entry.id, entry.kind, entry.recorded_at, entry.open as "open: Value", entry.sealed,
            person.id as subject_id, person.wrapped_key
        from lethe.data_subject person
        join lethe.audit_entry entry on entry.subject_id = person.id and entry.kind = $2
        where person.clerk_id = $1
        order by entry.id desc limit 1"#,
        subject.as_str(),
        kind,
    )
    .fetch_all(connection)
    .await?;
    Ok(unseal(lethe, rows)?.pop())
}

/// Writes an entry about `subject` in a transaction of its own, for events that change nothing else.
pub(crate) async fn record(lethe: &Lethe, subject: &ClerkUserId, event: AuditEvent) -> Result<()> {
    let mut transaction = lethe.database.begin().await?;
    let person = subject::ensure(lethe, &mut transaction, subject).await?;
    append(lethe, &mut transaction, Some(&person), event).await?;
    subject::refuse_erased(lethe, &mut transaction, subject).await?;
    transaction.commit().await?;
    Ok(())
}
