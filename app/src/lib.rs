//! Lethe's pages, components and wire types.
//!
//! With `ssr` it renders pages and answers server functions; with `hydrate` it is what the browser
//! runs: the islands of `components` and the types of [`api`], nothing else.

#![recursion_limit = "256"]
#![expect(unreachable_pub, reason = "what Leptos' macros make is public, wherever it stands")]

pub mod api;
mod components;

#[cfg(feature = "ssr")]
mod app;
#[cfg(feature = "ssr")]
mod format;
#[cfg(feature = "ssr")]
mod pages;
#[cfg(all(test, feature = "ssr"))]
mod rendering;

#[cfg(feature = "ssr")]
pub use app::{App, shell};
