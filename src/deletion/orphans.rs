//! Orphans: users in the application's database who no longer exist at Clerk.

use std::collections::HashSet;

use sqlx::PgConnection;

use crate::data_map::{self, Resolved, ResolvedOwner, sql};
use crate::ids::ClerkUserId;
use crate::{Lethe, Result};

/// The most ids that Clerk takes in one call.
const PAGE_SIZE: i64 = 100;

/// What a search found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Users in the application's database.
    pub people: u64,
    /// Those who don't exist at Clerk.
    pub orphans: Vec<ClerkUserId>,
    /// Keys that aren't Clerk user ids. They are skipped.
    pub unrecognised: u64,
}

/// Looks up every user of the application's database at Clerk, 100 in a call, and reports the state after each call to
/// `on_page`.
///
/// An error ends the search: a user who couldn't be looked up is neither an orphan nor not one.
#[tracing::instrument(name = "orphan_search", skip_all)]
pub async fn search(lethe: &Lethe, mut on_page: impl FnMut(&Report)) -> Result<Report> {
    let clerk = lethe.clerk.batch();
    let resolved = data_map::resolve(&lethe.data_map, &mut *lethe.database.acquire().await?).await?;
    let mut report = Report::default();
    let mut after: Option<String> = None;
    loop {
        // The connection is returned to the pool before Clerk is called.
        let keys = {
            let mut connection = lethe.database.acquire().await?;
            user_ids(&resolved, &mut connection, after.as_deref(), PAGE_SIZE).await?
        };
        let Some(last) = keys.last() else { return Ok(report) };
        after = Some(last.clone());
        let ids: Vec<ClerkUserId> = keys.iter().filter_map(|key| ClerkUserId::parse(key).ok()).collect();
        let existing: HashSet<ClerkUserId> = if ids.is_empty() { HashSet::new() } else { clerk.existing(&ids).await? };
        report.people += keys.len() as u64;
        report.unrecognised += (keys.len() - ids.len()) as u64;
        report.orphans.extend(ids.into_iter().filter(|id| !existing.contains(id)));
        on_page(&report);
    }
}

/// Returns the keys of subjects in the application's database, each once, sorted, at most `limit` after `after`.
pub async fn user_ids(
    resolved: &Resolved,
    connection: &mut PgConnection,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<String>> {
    let pages: Vec<String> = resolved
        .tables
        .iter()
        .filter(|table| table.rule.subject)
        .filter_map(|table| {
            let ResolvedOwner::Column(column) = &table.owner else { return None };
            Some(format!(
                "(SELECT {column}::text COLLATE \"default\" AS key FROM {} AS t \
                 WHERE {column}::text COLLATE \"default\" > $1 ORDER BY 1 LIMIT $2)",
                table.quoted_name
            ))
        })
        .collect();
    let query = format!("SELECT key FROM ({}) AS pages ORDER BY key LIMIT $2", pages.join(" UNION "));
    // Nothing sorts before the empty text.
    let query = sql::query_scalar::<String>(query).bind(after.unwrap_or_default().to_owned()).bind(limit);
    Ok(query.fetch_all(connection).await?)
}
