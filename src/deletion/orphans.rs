//! Orphans: users in the application's database who no longer exist at Clerk.

use std::collections::HashSet;

use sqlx::PgConnection;

use super::alert::{self, Repeat, Topic};
use super::operator_notice::{Notice, send_later};
use crate::data_map::{self, Resolved, ResolvedPath, and_filter, sql};
use crate::ids::ClerkUserId;
use crate::{Lethe, Result, subject};

/// If Clerk knows none of so many users, it isn't their instance.
const UNKNOWN_BEFORE_WRONG_INSTANCE: u64 = 1000;
/// The most ids that Clerk takes in one call.
const PAGE_SIZE: i64 = 100;
/// What alerts about searches refer to.
const SCHEDULE: &str = "weekly";

/// What a search found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Users in the application's database.
    pub people: u64,
    /// Those who don't exist at Clerk.
    pub orphans: Vec<ClerkUserId>,
    /// Those who were erased before, and whose rows stay by the data map. They are no orphans.
    pub erased: u64,
    /// Keys that aren't Clerk user ids. They are skipped.
    pub unrecognised: u64,
}

/// Clerk knows none of the first users: the secret key is that of another instance.
#[derive(Debug, thiserror::Error)]
#[error(
    "Clerk knows none of the first {0} users of the database; is CLERK_SECRET_KEY that of another instance? Nothing was changed"
)]
pub struct WrongInstance(pub u64);

/// Why a search ended.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// See [`WrongInstance`].
    #[error(transparent)]
    WrongInstance(#[from] WrongInstance),
    /// A user couldn't be looked up.
    #[error(transparent)]
    Failed(#[from] crate::Error),
}

impl From<sqlx::Error> for SearchError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<data_map::Error> for SearchError {
    fn from(error: data_map::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<crate::clerk::Error> for SearchError {
    fn from(error: crate::clerk::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Looks up every user of the application's database at Clerk, 100 in a call, and reports the state after each call to
/// `on_page`.
///
/// Users who were erased before are left out. Whoever is missing in a list is looked up once more by the single id before
/// they count as an orphan. An error ends the search: a user who couldn't be looked up is neither an orphan nor not one.
#[tracing::instrument(name = "orphan_search", skip_all)]
pub async fn search(lethe: &Lethe, mut on_page: impl FnMut(&Report)) -> Result<Report, SearchError> {
    let clerk = lethe.clerk.batch();
    let resolved = data_map::resolve(&lethe.data_map, &mut *lethe.database.acquire().await?).await?;
    let mut report = Report::default();
    let mut known = 0;
    let mut after: Option<String> = None;
    loop {
        // The connection is returned to the pool before Clerk is called.
        let (keys, ids, erased) = {
            let mut connection = lethe.database.acquire().await?;
            let keys = user_ids(&resolved, &mut connection, after.as_deref(), PAGE_SIZE).await?;
            let ids: Vec<ClerkUserId> = keys.iter().filter_map(|key| ClerkUserId::parse(key).ok()).collect();
            let erased = subject::erased(lethe, &mut connection, &ids).await?;
            (keys, ids, erased)
        };
        let is_last = keys.is_empty();
        if known == 0 && report.people > 1 && (is_last || report.people >= UNKNOWN_BEFORE_WRONG_INSTANCE) {
            return Err(WrongInstance(report.people).into());
        }
        let Some(last) = keys.last() else { return Ok(report) };
        after = Some(last.clone());
        report.people += keys.len() as u64;
        report.unrecognised += (keys.len() - ids.len()) as u64;
        report.erased += erased.len() as u64;
        // Whoever was erased and is unknown says nothing about the instance.
        known += erased.len() as u64;
        let present: Vec<ClerkUserId> = ids.into_iter().filter(|id| !erased.contains(id)).collect();
        let existing = if present.is_empty() { HashSet::new() } else { clerk.existing(&present).await? };
        known += existing.len() as u64;
        for id in present.into_iter().filter(|id| !existing.contains(id)) {
            if clerk.user(&id).await?.is_none() {
                report.orphans.push(id);
            }
        }
        on_page(&report);
    }
}

/// Searches without changing anything, and alerts operators to what was found.
pub async fn search_on_schedule(lethe: &Lethe) -> Result<()> {
    let (cause, notice) = match search(lethe, |_| {}).await {
        Ok(report) if report.orphans.is_empty() => {
            return alert::clear(&mut *lethe.database.acquire().await?, Topic::Orphans, SCHEDULE).await;
        }
        Ok(report) => {
            let orphans = report.orphans.len() as u64;
            ("orphans_found", Notice::OrphansFound { orphans, people: report.people })
        }
        Err(SearchError::WrongInstance(WrongInstance(people))) => {
            ("wrong_instance", Notice::OrphanSearchRefused { people })
        }
        Err(SearchError::Failed(error)) => return Err(error),
    };
    let mut transaction = lethe.database.begin().await?;
    if alert::is_due(lethe, &mut transaction, Topic::Orphans, SCHEDULE, cause, Repeat::Growing).await? {
        send_later(lethe, &mut transaction, notice).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Returns the ids of users in the application's database, each once, sorted, at most `limit` after `after`: the keys of subjects or,
/// where there is no table of users, every owner that is named by the id. Ghost rows are nobody's.
pub async fn user_ids(
    resolved: &Resolved,
    connection: &mut PgConnection,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<String>> {
    let has_subject = resolved.tables.iter().any(|table| table.rule.subject);
    let mut pages = Vec::new();
    for (index, table) in resolved.tables.enumerate().filter(|(_, table)| table.rule.subject || !has_subject) {
        for owner in &table.owners {
            let ResolvedPath::UserId { column, .. } = &owner.path else { continue };
            pages.push(format!(
                "(SELECT t.{column}::text COLLATE \"default\" AS key FROM {} AS t \
                 WHERE t.{column}::text COLLATE \"default\" > $1{}{} GROUP BY 1 ORDER BY 1 LIMIT $2)",
                table.quoted_name,
                and_filter(owner, "t"),
                resolved.and_not_ghost(index, "t")
            ));
        }
    }
    let query = format!("SELECT key FROM ({}) AS pages ORDER BY key LIMIT $2", pages.join(" UNION "));
    // Nothing sorts before the empty text.
    let query = sql::query_scalar::<String>(query).bind(after.unwrap_or_default().to_owned()).bind(limit);
    // No addresses.
    let query = query.bind(Vec::<String>::new()).bind(Vec::<String>::new());
    let values = resolved.parameters.values().iter();
    Ok(values.fold(query, |query, value| query.bind(value.clone())).fetch_all(connection).await?)
}
