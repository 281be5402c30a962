//! The demonstration's parts, as those who use them see them: over HTTP, SMTP and SQL.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says where")]

mod backend;
mod conformance;
mod control;
mod frontend;
mod handshake;
mod inbox;
mod process;
mod sample;
mod support;
mod tokens;
mod webhooks;
