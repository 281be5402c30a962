//! The server's half of pages and server functions: who asks, what Leptos' context holds, how results are put into
//! words and sent. Knows `lethe` and HTTP; holds no rule of the domain.

pub(crate) mod activity_text;
pub mod context;
pub mod current_user;
pub mod error_texts;
pub mod flash;
pub(crate) mod markup;
pub(crate) mod respond;
pub mod resume;
mod sealed_cookie;
pub(crate) mod view_model;

pub use crate::response::accepts_html;
