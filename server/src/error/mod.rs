//! Errors on their way out: a problem document for programs, a page for people, the causes for the log.
//! Knows statuses and error codes, no operation.

mod page;
mod problem;

pub use page::error_page;
pub use problem::{MEDIA_TYPE, Problem, ProblemDocument};
