//! The data subject: who a request is about, and whether they are still here.

use std::collections::HashSet;

use sqlx::PgConnection;

use crate::ids::ClerkUserId;
use crate::receipt_code::ReceiptCode;
use crate::{DataSubjectId, Error, ErrorCode, Lethe, Result};

/// Whether a user may use the privacy center.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Neither erased nor being erased. They needn't have a row yet.
    Active,
    /// Their deletion is under way; its receipt shows the progress.
    Deleting(ReceiptCode),
    /// They were erased. A token that is still valid, or a late event, changes nothing.
    Erased,
}

/// Returns whether `subject` is active: one query, two indexes.
pub async fn presence(lethe: &Lethe, subject: &ClerkUserId) -> Result<Presence> {
    presence_on(lethe, &mut *lethe.database.acquire().await?, subject).await
}

/// Fails with [`ErrorCode::AccountDeleted`] when the transaction sees that `subject` was erased or is being
/// erased.
pub(crate) async fn refuse_erased(lethe: &Lethe, connection: &mut PgConnection, subject: &ClerkUserId) -> Result<()> {
    match presence_on(lethe, connection, subject).await? {
        Presence::Active => Ok(()),
        Presence::Deleting(_) | Presence::Erased => Err(ErrorCode::AccountDeleted.into()),
    }
}

async fn presence_on(lethe: &Lethe, connection: &mut PgConnection, subject: &ClerkUserId) -> Result<Presence> {
    let digest = lethe.keys.tombstone(subject);
    let row = sqlx::query!(
        r#"select
            (select receipt_code from lethe.deletion_request where clerk_id = $1) as receipt,
            exists (select from lethe.tombstone where digest = $2) as "erased!""#,
        subject.as_str(),
        &digest,
    )
    .fetch_one(connection)
    .await?;
    Ok(match row.receipt {
        Some(code) => Presence::Deleting(ReceiptCode::from_database(code)),
        None if row.erased => Presence::Erased,
        None => Presence::Active,
    })
}

/// Returns those of `subjects` who were erased.
pub(crate) async fn erased(
    lethe: &Lethe,
    connection: &mut PgConnection,
    subjects: &[ClerkUserId],
) -> Result<HashSet<ClerkUserId>> {
    let digests: Vec<Vec<u8>> = subjects.iter().map(|subject| lethe.keys.tombstone(subject).to_vec()).collect();
    let found: HashSet<Vec<u8>> =
        sqlx::query_scalar!("select digest from lethe.tombstone where digest = any($1)", &digests)
            .fetch_all(connection)
            .await?
            .into_iter()
            .collect();
    let erased = subjects.iter().zip(&digests).filter(|(_, digest)| found.contains(*digest));
    Ok(erased.map(|(subject, _)| subject.clone()).collect())
}

/// Returns the id of the person's row, and inserts the row if there is none.
///
/// The insert waits for a deletion that is removing the row at this moment. A caller that must not bring
/// an erased person back calls [`refuse_erased`] afterwards, in the same transaction.
pub(crate) async fn ensure(
    lethe: &Lethe,
    connection: &mut PgConnection,
    subject: &ClerkUserId,
) -> Result<DataSubjectId> {
    if let Some(id) = find(connection, subject).await? {
        return Ok(id);
    }
    // The column must be filled; nothing is sealed with the key.
    let key: [u8; 32] = lethe.random.bytes();
    sqlx::query!(
        "insert into lethe.data_subject (id, clerk_id, sealing_key, created_at) values ($1, $2, $3, $4)
         on conflict on constraint data_subject_clerk_id_key do nothing",
        lethe.random.uuid(),
        subject.as_str(),
        &key,
        lethe.clock.now(),
    )
    .execute(&mut *connection)
    .await?;
    find(connection, subject).await?.ok_or(Error::Internal("a data subject vanished within its transaction"))
}

/// Locks the person's row until the transaction ends and returns its id. Inserts the row if there is none.
/// Fails with [`ErrorCode::AccountDeleted`] if the person was erased.
pub(crate) async fn lock(lethe: &Lethe, connection: &mut PgConnection, subject: &ClerkUserId) -> Result<DataSubjectId> {
    if let Some(id) = find_and_lock(connection, subject).await? {
        return Ok(id);
    }
    ensure(lethe, connection, subject).await?;
    refuse_erased(lethe, connection, subject).await?;
    find_and_lock(connection, subject).await?.ok_or(Error::Internal("a data subject vanished before it was locked"))
}

async fn find_and_lock(connection: &mut PgConnection, subject: &ClerkUserId) -> Result<Option<DataSubjectId>> {
    let id = sqlx::query_scalar!(
        "select id from lethe.data_subject where clerk_id = $1 for no key update",
        subject.as_str()
    )
    .fetch_optional(connection)
    .await?;
    Ok(id.map(DataSubjectId))
}

/// Returns the id of the person's row.
pub(crate) async fn find(connection: &mut PgConnection, subject: &ClerkUserId) -> Result<Option<DataSubjectId>> {
    let id = sqlx::query_scalar!("select id from lethe.data_subject where clerk_id = $1", subject.as_str())
        .fetch_optional(connection)
        .await?;
    Ok(id.map(DataSubjectId))
}
