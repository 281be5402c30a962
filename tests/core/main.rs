//! The core's functions with a real Postgres, the Clerk stand-in over HTTP, and a real mail inbox.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod addresses;
mod audit;
mod clocks;
mod consent;
mod database;
mod database_errors;
mod deletion;
mod drift;
mod export;
mod inspection;
mod obstacles;
mod orphans;
mod queues;
mod receipts;
mod rechecks;
mod replay;
mod resilience;
mod rotation;
mod sealing;
mod watching;
mod world;
