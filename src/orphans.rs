//! Orphans: people in the application's database whom Clerk no longer knows.

use std::collections::HashSet;

use crate::ids::ClerkUserId;
use crate::{Lethe, Result, data_map, deletion};

/// Clerk answers so many ids a call.
const PAGE_SIZE: i64 = 100;

/// What a search found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// People in the application's database.
    pub people: u64,
    /// Those whom Clerk doesn't know.
    pub orphans: Vec<ClerkUserId>,
    /// Keys that aren't Clerk user ids; nothing is done about them.
    pub unrecognised: u64,
}

/// Asks Clerk about every person of the application's database, 100 a call. `on_page` is told
/// after each call how many were asked so far. An error ends the search: who could not be looked
/// up is neither an orphan nor not one.
pub async fn search(lethe: &Lethe, mut on_page: impl FnMut(&Report)) -> Result<Report> {
    let clerk = lethe.clerk.batch();
    let resolved = data_map::resolve(&lethe.data_map, &mut *lethe.database.acquire().await?).await?;
    let mut report = Report::default();
    let mut after: Option<String> = None;
    loop {
        // The connection goes back before Clerk is asked.
        let keys = {
            let mut connection = lethe.database.acquire().await?;
            deletion::user_ids(&resolved, &mut connection, after.as_deref(), PAGE_SIZE).await?
        };
        let Some(last) = keys.last() else { return Ok(report) };
        after = Some(last.clone());
        let asked: Vec<ClerkUserId> = keys.iter().filter_map(|key| ClerkUserId::parse(key).ok()).collect();
        let known: HashSet<ClerkUserId> =
            if asked.is_empty() { HashSet::new() } else { clerk.existing(&asked).await? };
        report.people += keys.len() as u64;
        report.unrecognised += (keys.len() - asked.len()) as u64;
        report.orphans.extend(asked.into_iter().filter(|subject| !known.contains(subject)));
        on_page(&report);
    }
}
