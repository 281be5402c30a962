//! Erasure on a real Postgres: every table of the sample application, other people's rows, and foreign keys that would
//! block a deletion.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod foreign_keys;
mod identifiers;
mod purge;
mod sample_application;
mod side_effects;
mod support;
mod verification;
