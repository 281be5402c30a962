//! The overview: what a person sees first. It knows nothing that [`consent`] and [`audit`] don't
//! say, and reads both by one connection: giving one back costs as much as a query.

use crate::audit::{self, Activity};
use crate::consent::{self, ConsentState};
use crate::{ClerkUserId, Lethe, Result};

/// How things stand, and how they came to stand so.
#[derive(Clone, Debug)]
pub struct Overview {
    /// The person's choices.
    pub consent: ConsentState,
    /// The newest entries about them, newest first.
    pub activity: Vec<Activity>,
}

/// Reads it for `subject`, with the browser's opt-out `signal` as in [`consent::current`], and
/// with so many entries at most.
pub async fn read(lethe: &Lethe, subject: &ClerkUserId, gpc: bool, entries: u32) -> Result<Overview> {
    let mut connection = lethe.database.acquire().await?;
    Ok(Overview {
        consent: consent::current_on(lethe, &mut connection, subject, gpc).await?,
        activity: audit::activity(&mut connection, subject, entries).await?,
    })
}
