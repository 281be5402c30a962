//! What the first page shows. Reads [`consent`] and [`audit`] on one connection: a checkout from the pool costs as much
//! as a query.

use crate::audit::{self, Activity};
use crate::consent::{self, ConsentState};
use crate::{ClerkUserId, Lethe, Result};

/// A user's consent and recent activity.
#[derive(Clone, Debug)]
pub struct Overview {
    /// The user's choices.
    pub consent: ConsentState,
    /// The latest audit entries about the user, newest first.
    pub activity: Vec<Activity>,
}

/// Returns the overview of `subject` with up to `entries` audit entries. `gpc` is the browser's opt-out signal, as in
/// [`consent::current`].
pub async fn read(lethe: &Lethe, subject: &ClerkUserId, gpc: bool, entries: u32) -> Result<Overview> {
    let mut connection = lethe.database.acquire().await?;
    Ok(Overview {
        consent: consent::current_on(lethe, &mut connection, subject, gpc).await?,
        activity: audit::activity(&mut connection, subject, entries).await?,
    })
}
