//! Tombstones: keyed hashes of the ids of erased users, in the database, with a copy of each in the store. Must not
//! know requests and steps.

use std::collections::HashSet;

use data_encoding::HEXLOWER;
use sqlx::PgConnection;

use crate::ids::ClerkUserId;
use crate::{Lethe, Result};

/// The folder of the copies in the store.
const FOLDER: &str = "tombstones";
/// The length of a digest.
const DIGEST_BYTES: usize = 32;

/// What identifies an erased user.
pub(super) type Digest = [u8; DIGEST_BYTES];

/// What the store has.
pub(super) struct Copies {
    pub(super) digests: HashSet<Digest>,
    /// Objects in the folder whose names aren't digests.
    pub(super) unrecognised: u64,
}

/// Writes the tombstone of `subject` to the database, by the newest secret. One that exists stays as it is.
pub(super) async fn write_new(lethe: &Lethe, connection: &mut PgConnection, subject: &ClerkUserId) -> Result<()> {
    sqlx::query!(
        "insert into lethe.tombstone (digest, erased_at, key_id) values ($1, $2, $3)
        on conflict on constraint tombstone_pkey do nothing",
        &lethe.keys.tombstone(subject),
        lethe.clock.now(),
        lethe.keys.newest_id().to_string(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes a copy from the store to the database, which doesn't say by which secret it was made. One that exists stays as it
/// is.
pub(super) async fn write(lethe: &Lethe, connection: &mut PgConnection, digest: &Digest) -> Result<()> {
    sqlx::query!(
        "insert into lethe.tombstone (digest, erased_at) values ($1, $2)
        on conflict on constraint tombstone_pkey do nothing",
        digest,
        lethe.clock.now(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes a copy to the store. A database that is restored from a backup lacks newer tombstones; the copy survives.
pub(super) async fn write_copy(lethe: &Lethe, digest: &Digest) -> Result<()> {
    // Empty: nothing may lead from it to the receipt, or to anything else.
    lethe.storage.put(&name(digest), Vec::new()).await?;
    Ok(())
}

fn name(digest: &Digest) -> String {
    format!("{FOLDER}/{}", HEXLOWER.encode(digest))
}

/// Writes the copy of a new tombstone to the store. Returns the tombstones by older secrets of which the store has copies:
/// the person was erased before, and the database that lacks them was restored.
pub(super) async fn write_new_copy(lethe: &Lethe, subject: &ClerkUserId) -> Result<Vec<Digest>> {
    write_copy(lethe, &lethe.keys.tombstone(subject)).await?;
    let mut former = Vec::new();
    for digest in lethe.keys.tombstones(subject).into_iter().skip(1) {
        if lethe.storage.exists(&name(&digest)).await? {
            former.push(digest);
        }
    }
    Ok(former)
}

/// Returns all tombstones of the database.
pub(super) async fn all(connection: &mut PgConnection) -> Result<HashSet<Digest>> {
    let digests = sqlx::query_scalar!("select digest from lethe.tombstone").fetch_all(connection).await?;
    // A constraint ensures the length.
    Ok(digests.into_iter().filter_map(|digest| digest.try_into().ok()).collect())
}

/// Returns all copies in the store.
pub(super) async fn copies(lethe: &Lethe) -> Result<Copies> {
    let mut copies = Copies { digests: HashSet::new(), unrecognised: 0 };
    for name in lethe.storage.list(FOLDER).await? {
        if let Some(digest) = parse(&name) {
            copies.digests.insert(digest);
        } else {
            copies.unrecognised += 1;
        }
    }
    Ok(copies)
}

fn parse(name: &str) -> Option<Digest> {
    HEXLOWER.decode(name.as_bytes()).ok()?.try_into().ok()
}
