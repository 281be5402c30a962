//! The demonstration's parts for tests of any crate: fresh databases, the Clerk stand-in and the
//! inbox, in-process on free ports, spoken to over real HTTP, SMTP and SQL.
//!
//! `LETHE_TEST_DATABASE_URL` names a database of a role that may create databases. Everything is
//! torn down when its value is dropped. These functions panic where a test could not go on.

#![expect(clippy::missing_panics_doc, reason = "the page above says it of all of them")]

mod clerk;
mod database;
mod inbox;
mod port;

pub use clerk::{ClerkStandIn, SessionToken, StandInOptions};
pub use database::Database;
pub use inbox::Inbox;
pub use port::Port;

pub use crate::clerk::{Fault, FaultMoment, TokenOptions, WebhookMode};
pub use crate::inbox::Message;
