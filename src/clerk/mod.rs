//! Clerk: the Backend API's client, what its objects hold, and its signed events.
//!
//! This is the only room that knows Clerk's JSON. It knows nothing of requests, cookies, Postgres
//! or jobs: a call that fails after its few tries is reported, and trying again for as long as it
//! takes is the caller's work.

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

pub use client::{Client, ClientSettings, is_loopback};
pub use error::{Error, Kind};
pub use object::{Jwk, Jwks, Session, User};
pub use operations::{DeleteOutcome, MetadataOutcome, RefreshRequest};
pub use profile::profile;

/// The version of Clerk's API that this client speaks.
pub const API_VERSION: &str = "2026-05-12";
