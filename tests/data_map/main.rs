//! The data map against live schemas: what matches, and every kind of mismatch.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails, and says where")]

mod draft;
mod file;
mod references;
mod schema;
mod support;
