//! The data subject: who a request is about, and whether they are still here.

use std::collections::HashSet;

use ring::digest::{Digest, SHA256, digest};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::identifiers::Identifiers;
use crate::ids::ClerkUserId;
use crate::keys::SubjectKey;
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

impl Presence {
    fn new(receipt: Option<String>, is_erased: bool) -> Self {
        match receipt {
            Some(code) => Self::Deleting(ReceiptCode::from_database(code)),
            None if is_erased => Self::Erased,
            None => Self::Active,
        }
    }
}

/// Returns by what the rows of `subject` are found. Clerk is asked for the verified addresses if the data map needs them.
pub(crate) async fn identifiers(lethe: &Lethe, subject: &ClerkUserId) -> Result<Identifiers> {
    if !lethe.data_map.finds_rows_by_address() {
        return Ok(Identifiers::from(subject));
    }
    let user = lethe.clerk.user(subject).await?;
    Ok(user.map_or_else(|| Identifiers::from(subject), |user| user.identifiers()))
}

/// Returns whether `subject` is active: one query, two indexes.
pub async fn presence(lethe: &Lethe, subject: &ClerkUserId) -> Result<Presence> {
    presence_on(lethe, &mut *lethe.database.acquire().await?, subject).await
}

/// Returns whether `subject` is active, or `None` if the session was ended after it issued this token. One query.
pub async fn presence_in_session(
    lethe: &Lethe,
    subject: &ClerkUserId,
    token: SessionToken<'_>,
) -> Result<Option<Presence>> {
    let session = session_digest(token.session_id);
    let row = sqlx::query!(
        r#"select
            (select receipt_code from lethe.deletion_request where clerk_id = $1) as receipt,
            exists (select from lethe.tombstone where digest = any($2)) as "erased!",
            exists (select from lethe.ended_session where digest = $3 and ended_at > $4) as "ended!""#,
        subject.as_str(),
        &digests(lethe, subject),
        session.as_ref(),
        token.issued_at,
    )
    .fetch_one(&lethe.database)
    .await?;
    let presence = Presence::new(row.receipt, row.erased);
    // Whose account is being deleted still finds its receipt.
    Ok(if row.ended && presence == Presence::Active { None } else { Some(presence) })
}

/// A session's token, as far as it matters whether the session was ended since.
#[derive(Clone, Copy, Debug)]
pub struct SessionToken<'a> {
    /// Clerk's id of the session.
    pub session_id: &'a str,
    /// When the token was issued.
    pub issued_at: OffsetDateTime,
}

/// Refuses the tokens that this session has issued so far. Clerk's tokens stay valid for a minute after the session has ended.
pub async fn end_session(lethe: &Lethe, session_id: &str) -> Result<()> {
    end_session_on(lethe, &mut *lethe.database.acquire().await?, session_id).await
}

/// Does what [`end_session`] does, on a connection that the caller has.
pub(crate) async fn end_session_on(lethe: &Lethe, connection: &mut PgConnection, session_id: &str) -> Result<()> {
    let session = session_digest(session_id);
    sqlx::query!(
        "insert into lethe.ended_session as ended (digest, ended_at) values ($1, $2)
        on conflict (digest) do update set ended_at = greatest(ended.ended_at, excluded.ended_at)",
        session.as_ref(),
        lethe.clock.now(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The ids are random, so that nobody guesses them from this.
fn session_digest(session_id: &str) -> Digest {
    digest(&SHA256, session_id.as_bytes())
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
    let row = sqlx::query!(
        r#"select
            (select receipt_code from lethe.deletion_request where clerk_id = $1) as receipt,
            exists (select from lethe.tombstone where digest = any($2)) as "erased!""#,
        subject.as_str(),
        &digests(lethe, subject),
    )
    .fetch_one(connection)
    .await?;
    Ok(Presence::new(row.receipt, row.erased))
}

/// What the tombstones of `subject` are found by: one digest for each secret.
fn digests(lethe: &Lethe, subject: &ClerkUserId) -> Vec<Vec<u8>> {
    lethe.keys.tombstones(subject).into_iter().map(Vec::from).collect()
}

/// Returns those of `subjects` who were erased.
pub(crate) async fn erased(
    lethe: &Lethe,
    connection: &mut PgConnection,
    subjects: &[ClerkUserId],
) -> Result<HashSet<ClerkUserId>> {
    let digests: Vec<Vec<Vec<u8>>> = subjects.iter().map(|subject| digests(lethe, subject)).collect();
    let found: HashSet<Vec<u8>> =
        sqlx::query_scalar!("select digest from lethe.tombstone where digest = any($1)", &digests.concat())
            .fetch_all(connection)
            .await?
            .into_iter()
            .collect();
    let erased =
        subjects.iter().zip(&digests).filter(|(_, digests)| digests.iter().any(|digest| found.contains(digest)));
    Ok(erased.map(|(subject, _)| subject.clone()).collect())
}

/// A person with a row, and the key that seals what the audit log says about them.
#[derive(Clone, Debug)]
pub(crate) struct DataSubject {
    pub(crate) id: DataSubjectId,
    pub(crate) key: SubjectKey,
}

/// The row of a person, as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredSubject {
    pub(crate) id: DataSubjectId,
    /// `None` where an older version inserted the row.
    pub(crate) wrapped_key: Option<Vec<u8>>,
}

impl StoredSubject {
    /// Decrypts the person's key. A row without one gets it.
    pub(crate) async fn unwrap_key(self, lethe: &Lethe, connection: &mut PgConnection) -> Result<DataSubject> {
        let Self { id, wrapped_key } = self;
        let wrapped_key = match wrapped_key {
            Some(wrapped_key) => wrapped_key,
            // Two at a time agree on the first.
            None => sqlx::query_scalar!(
                r#"update lethe.data_subject set wrapped_key = coalesce(wrapped_key, $2) where id = $1
                returning wrapped_key as "wrapped_key!""#,
                id.0,
                new_key(lethe, id),
            )
            .fetch_optional(connection)
            .await?
            .ok_or(Error::Internal("a data subject vanished before it got a key"))?,
        };
        Ok(DataSubject { id, key: unwrap_key(lethe, id, &wrapped_key)? })
    }
}

/// Decrypts the key of a person.
pub(crate) fn unwrap_key(lethe: &Lethe, id: DataSubjectId, wrapped_key: &[u8]) -> Result<SubjectKey> {
    let key = lethe.keys.unwrap_key(id, wrapped_key);
    key.ok_or(Error::Internal("the key of a data subject can't be decrypted with the configured secrets"))
}

fn new_key(lethe: &Lethe, id: DataSubjectId) -> Vec<u8> {
    lethe.keys.wrap(id, &SubjectKey::generate(&lethe.random), &lethe.random)
}

/// Returns the person, and inserts their row if there is none.
///
/// The insert waits for a deletion that is removing the row at this moment. A caller that must not bring
/// an erased person back calls [`refuse_erased`] afterwards, in the same transaction.
pub(crate) async fn ensure(lethe: &Lethe, connection: &mut PgConnection, subject: &ClerkUserId) -> Result<DataSubject> {
    if let Some(found) = find(connection, subject).await? {
        return found.unwrap_key(lethe, connection).await;
    }
    let id = DataSubjectId(lethe.random.uuid());
    sqlx::query!(
        "insert into lethe.data_subject (id, clerk_id, wrapped_key, created_at) values ($1, $2, $3, $4)
         on conflict on constraint data_subject_clerk_id_key do nothing",
        id.0,
        subject.as_str(),
        new_key(lethe, id),
        lethe.clock.now(),
    )
    .execute(&mut *connection)
    .await?;
    let found = find(connection, subject).await?;
    let found = found.ok_or(Error::Internal("a data subject vanished within its transaction"))?;
    found.unwrap_key(lethe, connection).await
}

/// Locks the person's row until the transaction ends and returns the person. Inserts the row if there is none.
/// Fails with [`ErrorCode::AccountDeleted`] if the person was erased.
pub(crate) async fn lock(lethe: &Lethe, connection: &mut PgConnection, subject: &ClerkUserId) -> Result<DataSubject> {
    if let Some(found) = find_and_lock(connection, subject).await? {
        return found.unwrap_key(lethe, connection).await;
    }
    ensure(lethe, connection, subject).await?;
    refuse_erased(lethe, connection, subject).await?;
    let found = find_and_lock(connection, subject).await?;
    let found = found.ok_or(Error::Internal("a data subject vanished before it was locked"))?;
    found.unwrap_key(lethe, connection).await
}

async fn find_and_lock(connection: &mut PgConnection, subject: &ClerkUserId) -> Result<Option<StoredSubject>> {
    let row = sqlx::query!(
        "select id, wrapped_key from lethe.data_subject where clerk_id = $1 for no key update",
        subject.as_str()
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| StoredSubject { id: DataSubjectId(row.id), wrapped_key: row.wrapped_key }))
}

async fn find(connection: &mut PgConnection, subject: &ClerkUserId) -> Result<Option<StoredSubject>> {
    let row = sqlx::query!("select id, wrapped_key from lethe.data_subject where clerk_id = $1", subject.as_str())
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| StoredSubject { id: DataSubjectId(row.id), wrapped_key: row.wrapped_key }))
}
