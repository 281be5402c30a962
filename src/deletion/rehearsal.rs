//! An erasure that is rolled back: what would happen, found out by trying.

use sqlx::{Connection as _, PgConnection};

use super::content_search::{self, ContentSearch, Needles};
use super::erasure::{TableResult, erase_and_observe};
use super::side_effects::SideEffect;
use super::verification::{Leftover, verify};
use crate::Result;
use crate::data_map::Resolved;
use crate::identifiers::Identifiers;
use crate::platform::connection;

/// What an erasure did before it was rolled back.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// What the map's rules did.
    pub results: Vec<TableResult>,
    /// What triggers, rules and foreign keys did beside them.
    pub side_effects: Vec<SideEffect>,
    /// What should have gone, and was there afterwards.
    pub leftovers: Vec<Leftover>,
    /// Where texts still had the Clerk user id or an address afterwards.
    pub content: ContentSearch,
}

impl Rehearsal {
    /// Whether nothing was left that somebody has to look at.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.leftovers.is_empty() && self.content.found().is_empty()
    }
}

/// Erases the person's rows and rolls that back. Fails as the erasure would. Rows are locked meanwhile, and what doesn't belong to the
/// transaction happens: sequences advance, and triggers that call other systems call them.
///
/// Texts aren't searched if all tables together are larger than `content_search_limit`, in bytes.
pub async fn rehearse(
    resolved: &Resolved,
    connection: &mut PgConnection,
    subject: &Identifiers,
    content_search_limit: u64,
) -> Result<Rehearsal> {
    let mut transaction = connection.begin().await?;
    let now = connection::now(&mut transaction).await?;
    let subject = resolved.identify(&mut transaction, subject.clone()).await?;
    let erasure = erase_and_observe(resolved, &mut transaction, &subject, now).await?;
    let leftovers = verify(resolved, &mut transaction, &subject).await?;
    let needles = Needles::of(&subject);
    let content = content_search::search(resolved, &mut transaction, &subject, &needles, content_search_limit).await?;
    transaction.rollback().await?;
    Ok(Rehearsal { results: erasure.results, side_effects: erasure.side_effects, leftovers, content })
}
