//! The core's functions with a real Postgres, the Clerk stand-in over HTTP, and a real mail inbox.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod audit;
mod consent;
mod deletion;
mod export;
mod inspection;
mod replay;
mod resilience;
mod world;
