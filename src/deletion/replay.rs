//! Replay: after the database was restored from a backup, finds who was erased since the backup. Knows the copies of
//! tombstones in the store; the deletions themselves are requested by the caller.
//!
//! A user's tombstone is written to the database last, by their own deletion, and only tombstones of users without rows
//! are copied from the store. So whoever isn't erased yet is found again, wherever a replay was interrupted.

use std::collections::HashSet;

use sqlx::PgConnection;

use super::orphans::user_ids;
use super::tombstone::{self, Digest};
use crate::data_map;
use crate::ids::ClerkUserId;
use crate::{Lethe, Result};

/// How many users are read at once.
const PAGE_SIZE: i64 = 1000;

/// What a search found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Users in the application's database.
    pub people: u64,
    /// Tombstones in the store.
    pub tombstones: u64,
    /// Users who were erased and of whom the database has rows again, the application's or Lethe's own.
    pub restored: Vec<ClerkUserId>,
    /// Keys in the application's database that aren't Clerk user ids. They are skipped.
    pub unrecognised: u64,
    /// Objects among the store's tombstones that aren't tombstones. They are skipped.
    pub unrecognised_objects: u64,
    missing_in_database: HashSet<Digest>,
    missing_in_store: HashSet<Digest>,
}

impl Report {
    /// How many tombstones of the store the database lacks, apart from those of [`Report::restored`].
    #[must_use]
    pub fn missing_in_database(&self) -> usize {
        self.missing_in_database.len()
    }

    /// How many tombstones of the database the store lacks. A deletion writes to the store first, so there are none
    /// unless the store is another one or was itself restored.
    #[must_use]
    pub fn missing_in_store(&self) -> usize {
        self.missing_in_store.len()
    }
}

/// Compares every user of the application's database, and everybody who has a row of Lethe's own, with the tombstones
/// of the store that the database lacks. Reports the state after each page to `on_page`. Changes nothing.
///
/// Users whose tombstone the database has as well are left out: they were erased before the backup, and what the
/// database has of them stays by the data map. An error of the store, of the database or of the data map ends the
/// search: tombstones of users who weren't looked for must not count as those of users without rows.
#[tracing::instrument(name = "replay_search", skip_all)]
pub async fn search(lethe: &Lethe, mut on_page: impl FnMut(&Report)) -> Result<Report> {
    // The database is read first: a deletion that runs meanwhile writes to the store first.
    let known = tombstone::all(&mut *lethe.database.acquire().await?).await?;
    let copies = tombstone::copies(lethe).await?;
    let mut report = Report {
        tombstones: copies.digests.len() as u64,
        unrecognised_objects: copies.unrecognised,
        missing_in_database: copies.digests.difference(&known).copied().collect(),
        missing_in_store: known.difference(&copies.digests).copied().collect(),
        ..Report::default()
    };
    let mut connection = lethe.database.acquire().await?;
    let resolved = data_map::resolve(&lethe.data_map, &mut connection).await?;
    let mut after: Option<String> = None;
    loop {
        let keys = user_ids(&resolved, &mut connection, after.as_deref(), PAGE_SIZE).await?;
        let Some(last) = keys.last() else { break };
        after = Some(last.clone());
        report.people += keys.len() as u64;
        let unrecognised = compare(lethe, &keys, &known, &mut report);
        report.unrecognised += unrecognised;
        on_page(&report);
    }
    // Whoever only made choices has no row of the application's.
    let mut after = String::new();
    loop {
        let keys = data_subjects(&mut connection, &after, PAGE_SIZE).await?;
        let Some(last) = keys.last() else { return Ok(report) };
        after.clone_from(last);
        compare(lethe, &keys, &known, &mut report);
        on_page(&report);
    }
}

/// Moves those of `keys` who were erased from the missing tombstones to the restored users. Returns how many aren't
/// Clerk user ids.
fn compare(lethe: &Lethe, keys: &[String], known: &HashSet<Digest>, report: &mut Report) -> u64 {
    let mut unrecognised = 0;
    for key in keys {
        match ClerkUserId::parse(key) {
            Ok(id) => {
                // One for each secret. Whoever has one of them in the database was erased before the backup.
                let digests = lethe.keys.tombstones(&id);
                if digests.iter().any(|digest| known.contains(digest)) {
                    continue;
                }
                let missing = digests.iter().filter(|digest| report.missing_in_database.remove(*digest)).count();
                if missing > 0 {
                    report.restored.push(id);
                }
            }
            Err(_) => unrecognised += 1,
        }
    }
    unrecognised
}

/// Returns the Clerk user ids for which Lethe has a row of its own, sorted, at most `limit` after `after`.
async fn data_subjects(connection: &mut PgConnection, after: &str, limit: i64) -> Result<Vec<String>> {
    let found = sqlx::query_scalar!(
        "select clerk_id from lethe.data_subject where clerk_id > $1 order by clerk_id limit $2",
        after,
        limit,
    )
    .fetch_all(connection)
    .await?;
    Ok(found)
}

/// Writes the tombstones that `report` found missing, to the database and to the store. Afterwards a late token or
/// event brings none of these users back. Idempotent; an error leaves the database unchanged.
///
/// Those of [`Report::restored`] are left out: their deletions write them, so that an unfinished one is found again.
pub async fn write_tombstones(lethe: &Lethe, report: &Report) -> Result<()> {
    for digest in &report.missing_in_store {
        tombstone::write_copy(lethe, digest).await?;
    }
    let mut transaction = lethe.database.begin().await?;
    for digest in &report.missing_in_database {
        tombstone::write(lethe, &mut transaction, digest).await?;
    }
    transaction.commit().await?;
    Ok(())
}
