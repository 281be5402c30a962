//! What answers which path. One file an operation; the router puts them together.

pub mod assets;
pub mod compliance;
pub mod confirmation;
pub mod consent;
pub mod deletion;
pub mod export;
pub mod health;
pub mod metrics;
pub mod pages;
pub mod renewal;
pub mod sign_out;
pub mod signal;
pub mod webhook;
