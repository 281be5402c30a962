//! What the first page shows: the consent state and the latest activity, read over one connection.

use crate::audit::{self, Activity};
use crate::consent::{self, ConsentState};
use crate::{ClerkUserId, Lethe, Result};

/// The data of the first page.
#[derive(Clone, Debug)]
pub struct Overview {
    /// The state of each purpose.
    pub consent: ConsentState,
    /// Entries of the audit log about the person, newest first.
    pub activity: Vec<Activity>,
}

/// Reads the overview of `subject`, with at most `entries` of activity. `gpc` is as in [`consent::current`].
pub async fn read(lethe: &Lethe, subject: &ClerkUserId, gpc: bool, entries: u32) -> Result<Overview> {
    let mut connection = lethe.database.acquire().await?;
    Ok(Overview {
        consent: consent::current_on(lethe, &mut connection, subject, gpc).await?,
        activity: audit::activity(&mut connection, subject, entries).await?,
    })
}
