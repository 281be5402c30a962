//! The binary `lethe`: serves pages and API, runs background jobs, and is the operators' tool.
//!
//! Knows HTTP, configuration and the command line. Rules and SQL are in the crate `lethe`, pages in `app`.

pub mod auth;
mod bearer_token;
pub mod bootstrap;
pub mod cli;
pub mod config;
pub mod connections;
mod cookie_check;
pub mod error;
pub mod logging;
pub mod maintenance;
pub mod map_watch;
pub mod middleware;
pub mod profile_cache;
pub mod routes;
pub mod serve;
mod session;
pub mod state;
