//! Writes an error with its causes in one line.

use std::error::Error;
use std::fmt::Write as _;

/// Returns the messages of `error` and of its causes, separated by colons. A cause that the message before it
/// already ends with is left out: many wrappers repeat their source.
///
/// ```
/// let cause = std::io::Error::other("connection refused");
/// let error = lethe::Error::from(sqlx::Error::Io(cause));
/// assert!(lethe::error_chain(&error).ends_with(": connection refused"));
/// ```
#[must_use]
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.ends_with(&message) {
            let _ = write!(text, ": {message}");
        }
        cause = error.source();
    }
    text
}
