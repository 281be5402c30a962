//! Erasure on a real Postgres: every table of the sample application, the rows of other people, and the ways in which
//! foreign keys get in the way.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails, and says where")]

mod foreign_keys;
mod identifiers;
mod purge;
mod sample_application;
mod support;
mod verification;
