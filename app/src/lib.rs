//! Lethe's pages.
//!
//! With the feature `ssr` the crate renders pages and runs server functions. With `hydrate` it is what the browser
//! runs: the islands, and the values and server functions that they use.

#![recursion_limit = "256"]
#![expect(unreachable_pub, reason = "Leptos' macros generate public items in private modules")]

mod components;
pub mod dto;
pub mod error;
mod islands;
pub mod server_fns;
mod texts;

#[cfg(feature = "ssr")]
mod app;
#[cfg(feature = "ssr")]
mod format;
#[cfg(feature = "ssr")]
mod isolation;
#[cfg(feature = "ssr")]
mod pages;
#[cfg(all(test, feature = "ssr"))]
mod rendering;
#[cfg(feature = "ssr")]
mod response;
#[cfg(feature = "ssr")]
pub mod server;

#[cfg(feature = "hydrate")]
pub use islands::restore_markup;

#[cfg(feature = "ssr")]
pub use app::{App, shell};
