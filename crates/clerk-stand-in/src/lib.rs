#![doc = include_str!("../README.md")]
// The User object is one literal of many fields.
#![recursion_limit = "256"]

mod api_error;
mod backend;
#[cfg(feature = "cli")]
pub mod cli;
mod clients;
mod control;
mod database;
mod error;
mod faults;
mod frontend;
mod handshakes;
mod http_server;
mod ids;
mod keys;
mod openapi;
mod options;
pub mod people;
mod port;
mod query;
mod router;
mod server;
mod sessions;
mod sign_in_page;
mod sign_in_tokens;
mod stand_in;
mod templates;
mod test_api;
mod tokens;
mod users;
mod webhooks;

pub use database::TemporaryDatabase;
pub use error::Error;
pub use faults::{Fault, FaultMoment, WebhookMode};
pub use options::{Options, SVIX_RETRY_SECONDS, cookie_suffix, publishable_key};
pub use port::Port;
pub use server::{ClerkStandIn, StandInOptions};
pub use stand_in::StandIn;
pub use test_api::SessionToken;
pub use tokens::TokenOptions;
