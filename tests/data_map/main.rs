//! The data map against live schemas: what matches, and every kind of mismatch.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod draft;
mod explanation;
mod file;
mod graph;
mod hidden_effects;
mod references;
mod rows;
mod schema;
mod second_language;
mod support;
mod warnings;
