//! Rotation of the secret: seals with the newest one what older ones sealed, and makes anew the tombstones of erased users
//! whose ids the database still has. The other tombstones are hashes of ids that nobody has, and stay as they are.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::orphans::user_ids;
use super::tombstone;
use crate::ids::ClerkUserId;
use crate::secrets::{self, RecordedSecret};
use crate::{DataSubjectId, Lethe, Result, data_map, subject};

/// How many rows are read at once.
const PAGE_SIZE: i64 = 500;

/// What a rotation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Keys of data subjects that were sealed anew.
    pub subject_keys: u64,
    /// Addresses for receipts that were sealed anew.
    pub contacts: u64,
    /// Identifiers of users who are being erased, which are stored until the last recheck, that were sealed anew.
    pub user_ids: u64,
    /// Tombstones that were made anew.
    pub tombstones: u64,
    /// Keys, addresses and ids that no configured secret opens. They were left alone.
    pub unreadable: u64,
}

/// What depends on a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretUse {
    /// The secret.
    pub secret: RecordedSecret,
    /// Whether it is configured.
    pub is_configured: bool,
    /// Whether everything new is made with it.
    pub is_newest: bool,
    /// Keys, addresses and ids that it sealed.
    pub sealed: u64,
    /// Tombstones that it made.
    pub tombstones: u64,
    /// When it made the newest of them.
    pub newest_tombstone_at: Option<OffsetDateTime>,
}

impl SecretUse {
    /// Whether nothing in the database needs it: backups may.
    #[must_use]
    pub const fn is_unused(&self) -> bool {
        !self.is_newest && self.sealed == 0 && self.tombstones == 0
    }
}

/// Seals and makes anew what can be. Idempotent; may be interrupted and run again, also while Lethe runs.
pub async fn rotate(lethe: &Lethe) -> Result<Rotated> {
    let mut rotated = Rotated::default();
    // First, because it refuses a data map that doesn't fit before anything is changed.
    renew_tombstones(lethe, &mut rotated).await?;
    rewrap_subject_keys(lethe, &mut rotated).await?;
    reseal_contacts(lethe, &mut rotated).await?;
    reseal_identifiers(lethe, &mut rotated).await?;
    Ok(rotated)
}

/// Erased users whose rows stay by the data map, or for a time, still have their ids there.
async fn renew_tombstones(lethe: &Lethe, rotated: &mut Rotated) -> Result<()> {
    let mut connection = lethe.database.acquire().await?;
    let resolved = data_map::resolve(&lethe.data_map, &mut connection).await?;
    let mut after: Option<String> = None;
    loop {
        let keys = user_ids(&resolved, &mut connection, after.as_deref(), PAGE_SIZE).await?;
        let Some(last) = keys.last() else { break };
        after = Some(last.clone());
        rotated.tombstones += renew(lethe, &mut connection, &keys).await?;
    }
    let retained = sqlx::query_scalar!(
        r#"select distinct clerk_id as "clerk_id!" from lethe.retention where clerk_id is not null"#
    )
    .fetch_all(&mut *connection)
    .await?;
    rotated.tombstones += renew(lethe, &mut connection, &retained).await?;
    let awaiting_recheck =
        sqlx::query!(r#"select request_id, clerk_id as "clerk_id!" from lethe.recheck where clerk_id is not null"#)
            .fetch_all(&mut *connection)
            .await?;
    let opened = awaiting_recheck.iter().filter_map(|row| lethe.keys.open_identifiers(row.request_id, &row.clerk_id));
    let opened: Vec<String> = opened.map(|subject| subject.user_id().as_str().to_owned()).collect();
    rotated.tombstones += renew(lethe, &mut connection, &opened).await?;
    Ok(())
}

/// Writes the tombstones by the newest secret of those who have one by an older secret only.
async fn renew(lethe: &Lethe, connection: &mut PgConnection, keys: &[String]) -> Result<u64> {
    let ids: Vec<ClerkUserId> = keys.iter().filter_map(|key| ClerkUserId::parse(key).ok()).collect();
    let erased = subject::erased(lethe, connection, &ids).await?;
    let digests: Vec<Vec<u8>> = erased.iter().map(|id| lethe.keys.tombstone(id).to_vec()).collect();
    let current = sqlx::query_scalar!("select digest from lethe.tombstone where digest = any($1)", &digests)
        .fetch_all(&mut *connection)
        .await?;
    let mut renewed = 0;
    for id in erased.iter().filter(|id| !current.contains(&lethe.keys.tombstone(id).to_vec())) {
        tombstone::write_copy(lethe, &lethe.keys.tombstone(id)).await?;
        tombstone::write_new(lethe, connection, id).await?;
        renewed += 1;
    }
    Ok(renewed)
}

async fn rewrap_subject_keys(lethe: &Lethe, rotated: &mut Rotated) -> Result<()> {
    let prefix = lethe.keys.newest_prefix();
    let mut after = Uuid::nil();
    loop {
        let mut transaction = lethe.database.begin().await?;
        let rows = sqlx::query!(
            r#"select id, wrapped_key as "wrapped_key!" from lethe.data_subject
            where id > $1 and wrapped_key is not null and substring(wrapped_key for octet_length($2::bytea)) <> $2
            order by id limit $3 for no key update"#,
            after,
            &prefix,
            PAGE_SIZE,
        )
        .fetch_all(&mut *transaction)
        .await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.id;
        for row in rows {
            let id = DataSubjectId(row.id);
            let Some(key) = lethe.keys.unwrap_key(id, &row.wrapped_key) else {
                rotated.unreadable += 1;
                continue;
            };
            let wrapped_key = lethe.keys.wrap(id, &key, &lethe.random);
            sqlx::query!("update lethe.data_subject set wrapped_key = $2 where id = $1", row.id, wrapped_key)
                .execute(&mut *transaction)
                .await?;
            rotated.subject_keys += 1;
        }
        transaction.commit().await?;
    }
}

async fn reseal_contacts(lethe: &Lethe, rotated: &mut Rotated) -> Result<()> {
    let prefix = lethe.keys.newest_prefix();
    let mut transaction = lethe.database.begin().await?;
    // There are as many as deletions are under way.
    let rows = sqlx::query!(
        r#"select id, contact as "contact!" from lethe.deletion_request
        where contact is not null and substring(contact for octet_length($1::bytea)) <> $1 for no key update"#,
        &prefix,
    )
    .fetch_all(&mut *transaction)
    .await?;
    for row in rows {
        let Some(address) = lethe.keys.open_contact(row.id, &row.contact) else {
            rotated.unreadable += 1;
            continue;
        };
        let contact = lethe.keys.seal_contact(row.id, &address, &lethe.random);
        sqlx::query!("update lethe.deletion_request set contact = $2 where id = $1", row.id, contact)
            .execute(&mut *transaction)
            .await?;
        rotated.contacts += 1;
    }
    transaction.commit().await?;
    Ok(())
}

async fn reseal_identifiers(lethe: &Lethe, rotated: &mut Rotated) -> Result<()> {
    let prefix = lethe.keys.newest_prefix();
    let mut transaction = lethe.database.begin().await?;
    // There are two for each deletion of the last day.
    let rows = sqlx::query!(
        r#"select request_id, position, clerk_id as "clerk_id!" from lethe.recheck
        where clerk_id is not null and substring(clerk_id for octet_length($1::bytea)) <> $1 for no key update"#,
        &prefix,
    )
    .fetch_all(&mut *transaction)
    .await?;
    for row in rows {
        let Some(subject) = lethe.keys.open_identifiers(row.request_id, &row.clerk_id) else {
            rotated.unreadable += 1;
            continue;
        };
        let clerk_id = lethe.keys.seal_identifiers(row.request_id, &subject, &lethe.random);
        sqlx::query!(
            "update lethe.recheck set clerk_id = $3 where request_id = $1 and position = $2",
            row.request_id,
            row.position,
            clerk_id,
        )
        .execute(&mut *transaction)
        .await?;
        rotated.user_ids += 1;
    }
    let rows = sqlx::query!(
        r#"select id, identifiers as "identifiers!" from lethe.deletion_request
        where identifiers is not null and substring(identifiers for octet_length($1::bytea)) <> $1 for no key update"#,
        &prefix,
    )
    .fetch_all(&mut *transaction)
    .await?;
    for row in rows {
        let Some(subject) = lethe.keys.open_identifiers(row.id, &row.identifiers) else {
            rotated.unreadable += 1;
            continue;
        };
        let identifiers = lethe.keys.seal_identifiers(row.id, &subject, &lethe.random);
        sqlx::query!("update lethe.deletion_request set identifiers = $2 where id = $1", row.id, identifiers)
            .execute(&mut *transaction)
            .await?;
        rotated.user_ids += 1;
    }
    transaction.commit().await?;
    Ok(())
}

/// Returns what depends on each secret that the database was used with, the oldest first.
///
/// A tombstone that doesn't say which secret made it is counted with the first one, and so is what was sealed before secrets
/// were named.
pub async fn secret_uses(lethe: &Lethe) -> Result<Vec<SecretUse>> {
    let recorded = secrets::recorded(&lethe.database).await?;
    let tombstones = sqlx::query!(
        r#"select key_id, count(*) as "count!", max(erased_at) as newest from lethe.tombstone group by key_id"#
    )
    .fetch_all(&lethe.database)
    .await?;
    let sealed = sqlx::query!(
        r#"select case when get_byte(text, 0) = 1 then encode(substring(text from 2 for 4), 'hex') end as key_id,
            count(*) as "count!"
        from (
            select wrapped_key as text from lethe.data_subject
            union all select contact from lethe.deletion_request
            union all select identifiers from lethe.deletion_request
            union all select clerk_id from lethe.recheck
        ) as texts
        where text is not null group by 1"#
    )
    .fetch_all(&lethe.database)
    .await?;
    let is_recorded = |id: &String| recorded.iter().any(|secret| secret.id == *id);
    let uses = recorded.iter().enumerate().map(|(index, secret)| {
        let is_of = |key_id: &Option<String>| match key_id.as_ref().filter(|id| is_recorded(id)) {
            Some(id) => *id == secret.id,
            None => index == 0,
        };
        let (mut count, mut newest) = (0, None);
        for row in tombstones.iter().filter(|row| is_of(&row.key_id)) {
            count += row.count.unsigned_abs();
            newest = newest.max(row.newest);
        }
        SecretUse {
            secret: secret.clone(),
            is_configured: lethe.keys.ids().any(|id| id.to_string() == secret.id),
            is_newest: lethe.keys.newest_id().to_string() == secret.id,
            sealed: sealed.iter().filter(|row| is_of(&row.key_id)).map(|row| row.count.unsigned_abs()).sum(),
            tombstones: count,
            newest_tombstone_at: newest,
        }
    });
    Ok(uses.collect())
}
