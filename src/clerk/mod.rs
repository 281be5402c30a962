//! Clerk: the client of its Backend API, its objects, and its signed webhook events.
//!
//! This is the only module that knows Clerk's JSON. It knows nothing of requests, cookies, Postgres or jobs: a
//! call that still fails after a few attempts is reported, and retrying it later is up to the caller.

mod breaker;
mod call;
mod client;
mod error;
mod limiter;
mod object;
mod operations;
pub mod probe;
mod profile;
pub mod webhook;

pub use client::{Client, ClientSettings};
pub use error::{Error, Kind};
pub use object::{Jwk, Jwks, Session, User};
pub use operations::{DeleteOutcome, MetadataOutcome, RefreshRequest};
pub use profile::profile;

/// The version of Clerk's API that this client was written for. It is sent with every request.
pub const API_VERSION: &str = "2026-05-12";
