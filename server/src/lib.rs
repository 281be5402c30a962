//! The binary `lethe`: serves the pages and the API, works the queue, and is the operators' tool.
//!
//! Knows HTTP, configuration and the command line. Rules and SQL are in the crate `lethe`, pages in `app`.

pub mod auth;
pub mod bootstrap;
pub mod cli;
pub mod config;
pub mod lifecycle;
pub mod logging;
pub mod middleware;
pub mod problem;
pub mod profile_cache;
pub mod router;
pub mod routes;
pub mod serve;
mod session;
pub mod state;
