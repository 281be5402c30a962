//! What a demonstration and the tests need and production must not contain: a local stand-in for
//! Clerk, a sample application with people and data, and a catcher for mail.
//!
//! The same parts run as processes (`demo clerk`, `demo inbox`, `demo seed`) and in-process for
//! tests of other crates ([`testing`]). Nothing here knows Lethe: it is reached as the real
//! services are, by HTTP, SMTP and SQL.

// The User object is one literal of many fields.
#![recursion_limit = "256"]

pub mod clerk;
mod html;
pub mod inbox;
pub mod people;
pub mod sample;
mod serve;
pub mod testing;
