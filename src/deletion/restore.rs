//! Notices a database that was restored from a backup: the store has tombstones that it lacks. Whoever these are about may be
//! back, so nothing should be served until they were [replayed](super::replay), or until that was waived.

use std::collections::HashSet;

use super::tombstone::{self, Digest};
use crate::audit::{self, AuditEvent};
use crate::ids::ClerkUserId;
use crate::platform::connection::TimeLimits;
use crate::{Error, Lethe, Result};

/// Returns how many tombstones of the store the database lacks, apart from those that were waived and those of deletions that
/// aren't finished. A database that was never restored lacks none.
///
/// Costs a listing of the store and a query of all tombstones.
pub async fn missing_tombstones(lethe: &Lethe) -> Result<u64> {
    Ok(missing(lethe).await?.len() as u64)
}

/// Returns how many tombstones of the database the store lacks. It has all of them unless it is another store, lost files, or
/// isn't the one that other servers use. Costs as much as [`missing_tombstones`].
pub async fn tombstones_missing_in_store(lethe: &Lethe) -> Result<u64> {
    let copies = tombstone::copies(lethe).await?.digests;
    let mut connection = lethe.database.acquire().await?;
    let stored = tombstone::all(&mut connection).await?;
    Ok(stored.into_iter().filter(|digest| !copies.contains(digest)).count() as u64)
}

/// Records that the missing tombstones are not replayed, in the audit log too. Returns how many there are. The copies in the
/// store stay, so a replay can still be run.
pub async fn waive(lethe: &Lethe) -> Result<u64> {
    let missing = missing(lethe).await?;
    if missing.is_empty() {
        return Ok(0);
    }
    let digests: Vec<Vec<u8>> = missing.iter().map(|digest| digest.to_vec()).collect();
    let mut transaction = lethe.database.begin().await?;
    sqlx::query!(
        "insert into lethe.waived_tombstone (digest, waived_at) select digest, $2 from unnest($1::bytea[]) as waived (digest)
        on conflict on constraint waived_tombstone_pkey do nothing",
        &digests,
        lethe.clock.now(),
    )
    .execute(&mut *transaction)
    .await?;
    let tombstones = digests.len() as u64;
    audit::append(lethe, &mut transaction, None, AuditEvent::RestoreWaived { tombstones }).await?;
    transaction.commit().await?;
    Ok(tombstones)
}

async fn missing(lethe: &Lethe) -> Result<HashSet<Digest>> {
    // A deletion writes to the store, then to the database, and is then finished. In this order none is taken for missing that
    // is written meanwhile.
    let mut missing = tombstone::copies(lethe).await?.digests;
    if missing.is_empty() {
        return Ok(missing);
    }
    let mut transaction = TimeLimits::ERASURE.begin(&lethe.database).await?;
    let open =
        sqlx::query_scalar!(r#"select clerk_id as "clerk_id!" from lethe.deletion_request where clerk_id is not null"#)
            .fetch_all(&mut *transaction)
            .await?;
    for clerk_id in open {
        let id = ClerkUserId::parse(&clerk_id).map_err(|_| Error::Internal("invalid Clerk user id in the database"))?;
        for digest in lethe.keys.tombstones(&id) {
            missing.remove(&digest);
        }
    }
    for digest in tombstone::all(&mut transaction).await? {
        missing.remove(&digest);
    }
    let waived = sqlx::query_scalar!("select digest from lethe.waived_tombstone").fetch_all(&mut *transaction).await?;
    for digest in waived {
        missing.remove(digest.as_slice());
    }
    Ok(missing)
}
