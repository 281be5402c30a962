//! The binary `lethe`: serves the pages and the API, works the queue, and is the operators' tool.
//!
//! Knows HTTP, configuration and the command line. Rules and SQL are in the crate `lethe`, pages in `app`.

pub mod boundary;
pub mod command;
pub mod guards;
pub mod logging;
pub mod open;
pub mod people;
pub mod problem;
pub mod router;
pub mod routes;
pub mod serve;
pub mod session;
pub mod settings;
pub mod state;
pub mod visit;
