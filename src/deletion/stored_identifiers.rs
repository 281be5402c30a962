//! By what the rows of somebody whose deletion is under way are found.

use uuid::Uuid;

use crate::identifiers::Identifiers;
use crate::ids::ClerkUserId;
use crate::{Error, Lethe, Result};

/// Returns the identifiers that a deletion request has: the Clerk user id alone, until the first step has asked Clerk for the
/// addresses.
pub(super) fn stored_identifiers(
    lethe: &Lethe,
    request: Uuid,
    clerk_id: &str,
    sealed: Option<&[u8]>,
) -> Result<Identifiers> {
    let Some(sealed) = sealed else {
        let user_id = ClerkUserId::parse(clerk_id);
        let user_id = user_id.map_err(|_| Error::Internal("invalid Clerk user id in the database"))?;
        return Ok(Identifiers::from(&user_id));
    };
    let opened = lethe.keys.open_identifiers(request, sealed);
    opened.ok_or(Error::Internal("sealed identifiers can't be opened with the configured secrets"))
}
