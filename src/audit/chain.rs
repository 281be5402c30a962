//! The hash chain over the entries: extending and verifying it.

use futures::TryStreamExt as _;
use ring::digest::{Context, SHA256};

use super::digest;
use crate::{Lethe, Result};

/// The key of an advisory lock; nothing else in the database uses it.
const SEAL_LOCK_KEY: i64 = 0x6c65_7468_6531;

/// The most entries that are linked in one transaction.
const BATCH_SIZE: i64 = 1_000;

/// Appends every committed entry that isn't in the chain yet. Returns how many there were. Does nothing while
/// another process is at it.
pub async fn seal(lethe: &Lethe) -> Result<u64> {
    let mut sealed = 0;
    loop {
        let linked = seal_batch(lethe).await?;
        sealed += linked;
        if linked < BATCH_SIZE.unsigned_abs() {
            return Ok(sealed);
        }
    }
}

async fn seal_batch(lethe: &Lethe) -> Result<u64> {
    let mut transaction = lethe.database.begin().await?;
    let locked = sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock($1) as "alone!""#, SEAL_LOCK_KEY)
        .fetch_one(&mut *transaction)
        .await?;
    if !locked {
        return Ok(0);
    }
    let head = sqlx::query!("select position, hash from lethe.audit_link order by position desc limit 1")
        .fetch_optional(&mut *transaction)
        .await?;
    let (mut position, mut previous) = head.map_or((0, vec![0; 32]), |head| (head.position, head.hash));
    let pending = sqlx::query!(
        "with taken as (
            delete from lethe.audit_pending where entry_id in
                (select entry_id from lethe.audit_pending order by entry_id limit $1)
            returning entry_id
        )
        select entry.id, entry.digest from lethe.audit_entry entry join taken on taken.entry_id = entry.id order by entry.id",
        BATCH_SIZE,
    )
    .fetch_all(&mut *transaction)
    .await?;
    let (mut positions, mut entries, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for entry in &pending {
        position += 1;
        previous = link(&previous, position, &entry.digest);
        positions.push(position);
        entries.push(entry.id);
        hashes.push(previous.clone());
    }
    sqlx::query!(
        "insert into lethe.audit_link (position, entry_id, hash) select * from unnest($1::bigint[], $2::bigint[], $3::bytea[])",
        &positions,
        &entries,
        &hashes,
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(pending.len() as u64)
}

fn link(previous: &[u8], position: i64, digest: &[u8]) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    context.update(previous);
    context.update(&position.to_be_bytes());
    context.update(digest);
    context.finish().as_ref().to_vec()
}

/// The result of verifying the whole log.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Verification {
    /// How many links were verified.
    pub links: u64,
    /// Entries that aren't in the chain yet.
    pub pending: u64,
    /// Positions where the chain is broken: the entry was changed, or a link is missing or wrong.
    pub broken: Vec<i64>,
    /// Entries that aren't in the chain and aren't pending: their link was removed.
    pub unlinked: Vec<i64>,
}

impl Verification {
    /// Whether no change was detected.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.broken.is_empty() && self.unlinked.is_empty()
    }
}

/// Recomputes every digest and every link, from the start of the chain.
pub async fn verify(lethe: &Lethe) -> Result<Verification> {
    let mut found = Verification::default();
    let (mut expected, mut previous) = (1, vec![0; 32]);
    let mut links = sqlx::query!(
        r#"select link.position, link.hash, entry.kind, entry.subject_id, entry.open::text as "open!", entry.sealed,
            entry.recorded_at, entry.digest
        from lethe.audit_link link join lethe.audit_entry entry on entry.id = link.entry_id order by link.position"#
    )
    .fetch(&lethe.database);
    while let Some(row) = links.try_next().await? {
        let recomputed = digest(&row.kind, row.subject_id, &row.open, row.sealed.as_deref(), row.recorded_at);
        let intact = row.position == expected
            && recomputed.as_slice() == row.digest
            && link(&previous, row.position, &recomputed) == row.hash;
        if !intact {
            found.broken.push(row.position);
        }
        found.links += 1;
        expected = row.position + 1;
        previous = row.hash;
    }
    drop(links);
    found.unlinked = sqlx::query_scalar!(
        "select id from lethe.audit_entry entry
        where not exists (select from lethe.audit_link where entry_id = entry.id)
          and not exists (select from lethe.audit_pending where entry_id = entry.id) order by id"
    )
    .fetch_all(&lethe.database)
    .await?;
    let pending = sqlx::query_scalar!(r#"select count(*) as "count!" from lethe.audit_pending"#);
    found.pending = pending.fetch_one(&lethe.database).await?.unsigned_abs();
    Ok(found)
}
