//! The core's verbs on a real Postgres, a Clerk that is spoken to over HTTP, and a real inbox.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails, and says where")]

mod audit;
mod consent;
mod deletion;
mod export;
mod world;
