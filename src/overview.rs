//! What the pages about a person show. Reads [`consent`] and [`audit`] on one connection: a checkout from the pool costs as
//! much as a query.

use sqlx::PgConnection;

use crate::audit::{self, Activity};
use crate::consent::{self, ConsentState, Titles};
use crate::export::Completed;
use crate::{ClerkUserId, Lethe, Result};

/// A user's consent and recent activity.
#[derive(Clone, Debug)]
pub struct Overview {
    /// The user's choices.
    pub consent: ConsentState,
    /// The latest audit entries about the user.
    pub activity: ActivityLog,
    /// The latest completed export.
    pub latest_export: Option<Completed>,
}

/// Audit entries about a user.
#[derive(Clone, Debug)]
pub struct ActivityLog {
    /// The entries, newest first.
    pub entries: Vec<Activity>,
    /// The titles of purposes as they were when the user decided.
    pub titles: Titles,
    /// Whether there are older entries.
    pub has_more: bool,
}

/// Returns the overview of `subject` with up to `limit` audit entries. `gpc` is the browser's opt-out signal, as in
/// [`consent::current`]; the first time that it comes it is [recorded](consent::record_signal).
pub async fn read(lethe: &Lethe, subject: &ClerkUserId, gpc: bool, limit: u32) -> Result<Overview> {
    let mut connection = lethe.database.acquire().await?;
    let mut consent = consent::current_on(lethe, &mut connection, subject, gpc).await?;
    if consent.has_unrecorded_signal() {
        drop(connection);
        consent::record_signal(lethe, subject).await?;
        connection = lethe.database.acquire().await?;
        consent = consent::current_on(lethe, &mut connection, subject, gpc).await?;
    }
    let activity = read_activity(lethe, &mut connection, subject, i64::MAX, limit).await?;
    let latest_export = match activity.entries.iter().find_map(Completed::from_activity) {
        None if activity.has_more => audit::latest_on(lethe, &mut connection, subject, "export.completed").await?,
        found => return Ok(Overview { consent, activity, latest_export: found }),
    };
    Ok(Overview { consent, activity, latest_export: latest_export.as_ref().and_then(Completed::from_activity) })
}

/// Returns up to `limit` audit entries about `subject` whose ids are below `before`.
pub async fn activity(lethe: &Lethe, subject: &ClerkUserId, before: i64, limit: u32) -> Result<ActivityLog> {
    read_activity(lethe, &mut *lethe.database.acquire().await?, subject, before, limit).await
}

async fn read_activity(
    lethe: &Lethe,
    connection: &mut PgConnection,
    subject: &ClerkUserId,
    before: i64,
    limit: u32,
) -> Result<ActivityLog> {
    let mut entries = audit::activity(lethe, connection, subject, before, limit + 1).await?;
    let has_more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let titles = consent::titles(lethe, connection, &entries).await?;
    Ok(ActivityLog { entries, titles, has_more })
}
