//! The stand-in over HTTP, as applications and Clerk's SDKs use it.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod backend;
mod conformance;
mod control;
mod frontend;
mod handshake;
mod support;
mod tokens;
mod webhooks;
