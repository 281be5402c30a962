//! The data subject: who a request is about, and whether they are still here.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::receipt_code::ReceiptCode;
use crate::{Lethe, Refusal, Result};

/// A Clerk user id, `user_…`. Its `Debug` shows nothing: an id is personal data.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClerkUserId(String);

/// The text isn't a Clerk user id.
#[derive(Debug, thiserror::Error)]
#[error("not a Clerk user id: it must be `user_` and letters, digits or `_`, 64 characters at most")]
pub struct InvalidClerkUserId;

impl ClerkUserId {
    /// Accepts `user_` followed by letters, digits or underscores, 64 characters at most.
    pub fn parse(text: &str) -> Result<Self, InvalidClerkUserId> {
        let rest = text.strip_prefix("user_").ok_or(InvalidClerkUserId)?;
        let valid = !rest.is_empty()
            && text.len() <= 64
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidClerkUserId) }
    }

    /// The id as Clerk writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for ClerkUserId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ClerkUserId(..)")
    }
}

/// Whether a person is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Nothing is known against it.
    Active,
    /// Their deletion is under way; its receipt tells how far.
    Deleting(ReceiptCode),
    /// They were erased. A token that still lives, or an event that comes late, changes nothing.
    Erased,
}

/// Looks up whether `subject` is here: one query by two indexes.
pub async fn presence(lethe: &Lethe, subject: &ClerkUserId) -> Result<Presence> {
    presence_on(lethe, &mut *lethe.database.acquire().await?, subject).await
}

/// Refuses who was erased or is being erased, as the transaction sees it at this moment.
pub(crate) async fn refuse_erased(lethe: &Lethe, connection: &mut PgConnection, subject: &ClerkUserId) -> Result<()> {
    match presence_on(lethe, connection, subject).await? {
        Presence::Active => Ok(()),
        Presence::Deleting(_) | Presence::Erased => Err(Refusal::AccountDeleted.into()),
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

/// The person's row: a random id and the key of their sealed entries.
pub(crate) struct DataSubject {
    pub(crate) id: Uuid,
    pub(crate) sealing_key: [u8; 32],
}

/// Finds the person's row, or makes it.
///
/// The insert waits for a deletion that is removing the row at this moment; who must not bring
/// an erased person back checks [`presence`] after it, within the same transaction.
pub(crate) async fn ensure(lethe: &Lethe, connection: &mut PgConnection, subject: &ClerkUserId) -> Result<DataSubject> {
    if let Some(found) = find(connection, subject).await? {
        return Ok(found);
    }
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
    find(connection, subject).await?.ok_or(crate::Error::Internal("a data subject vanished within its transaction"))
}

pub(crate) async fn find(connection: &mut PgConnection, subject: &ClerkUserId) -> Result<Option<DataSubject>> {
    let found = sqlx::query!("select id, sealing_key from lethe.data_subject where clerk_id = $1", subject.as_str())
        .fetch_optional(connection)
        .await?;
    Ok(found.map(|row| DataSubject { id: row.id, sealing_key: key(&row.sealing_key) }))
}

pub(crate) fn key(bytes: &[u8]) -> [u8; 32] {
    bytes.try_into().expect("data_subject_sealing_key_length holds")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_accepts_only_clerk_user_ids() {
        assert!(ClerkUserId::parse("user_2abcDEF0123456789").is_ok());
        for wrong in ["", "user_", "org_123", "user_a b", "user_é", &format!("user_{}", "a".repeat(60))] {
            assert!(ClerkUserId::parse(wrong).is_err(), "{wrong}");
        }
        let output = format!("{:?}", ClerkUserId::parse("user_2abc").unwrap());
        assert!(!output.contains("2abc"));
    }
}
