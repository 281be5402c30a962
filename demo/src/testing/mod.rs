//! The parts of the demonstration for tests of any crate: temporary databases, the Clerk stand-in and the inbox,
//! in-process on free ports, reached by real HTTP, SMTP and SQL.
//!
//! `LETHE_TEST_DATABASE_URL` is the URL of a database whose role may create databases. Everything is removed when its
//! value is dropped. These functions panic when a test can't continue.

#![expect(clippy::missing_panics_doc, reason = "documented once, for the whole module")]

mod clerk;
mod database;
mod eventually;
mod inbox;

pub use clerk::ClerkStandIn;
pub use database::{Database, rows_of};
pub use eventually::eventually;
pub use inbox::Inbox;

pub use crate::inbox::Message;
pub use clerk_stand_in::{Fault, FaultMoment, Port, SessionToken, StandInOptions, TokenOptions, WebhookMode};
