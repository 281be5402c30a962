//! What answers which path. One file an operation; the router puts them together.

pub mod assets;
pub mod clerk_webhook;
pub mod compliance;
pub mod confirm_identity;
pub mod consent;
pub mod deletion;
pub mod export;
pub mod gpc;
pub mod health;
pub mod metrics;
pub mod pages;
pub mod renewal;
pub mod sign_out;
