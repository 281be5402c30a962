//! The Clerk stand-in with the demonstration's people, on the Postgres server of the tests.

use std::ops::{Deref, DerefMut};

use clerk_stand_in::StandInOptions;

use super::database::server_url;
use crate::people;

/// A running stand-in whose users are [`people`], with a database of its own. Its functions are those of
/// [`clerk_stand_in::ClerkStandIn`].
pub struct ClerkStandIn(clerk_stand_in::ClerkStandIn);

impl ClerkStandIn {
    /// Starts a stand-in. [`StandInOptions::person`] is ignored: the users are [`people`].
    pub async fn start(options: StandInOptions) -> Self {
        let options = StandInOptions { person: people::person, ..options };
        Self(clerk_stand_in::ClerkStandIn::start(&server_url(), options).await)
    }
}

impl Deref for ClerkStandIn {
    type Target = clerk_stand_in::ClerkStandIn;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for ClerkStandIn {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}
