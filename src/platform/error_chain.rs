//! Writes an error with its causes in one line.

use std::error::Error;
use std::fmt::Write as _;

use sqlx::postgres::PgDatabaseError;

/// The classes of SQLSTATE whose messages name tables, columns and settings, and no values.
const CLASSES_WITHOUT_VALUES: [&str; 12] = ["08", "0A", "25", "28", "3D", "3F", "40", "42", "53", "55", "57", "58"];

/// Where Postgres itself refuses a privilege: for objects, and for sequences. A function's own RAISE has another one.
const REFUSING_ROUTINES: [&str; 4] = ["aclcheck_error", "nextval_internal", "do_setval", "currval_oid"];

/// Returns the messages of `error` and of its causes, separated by colons. A cause that the message before it
/// already ends with is left out: many wrappers repeat their source.
///
/// Of an error of Postgres, only what holds no value of a row: the application's triggers and functions may quote some.
///
/// ```
/// let cause = std::io::Error::other("connection refused");
/// let error = lethe::Error::from(sqlx::Error::Io(cause));
/// assert!(lethe::error_chain(&error).ends_with(": connection refused"));
/// ```
#[must_use]
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let from_postgres = match error.downcast_ref() {
            Some(sqlx::Error::Database(error)) => Some(error.try_downcast_ref().map(database_message)),
            _ => None,
        };
        // Its source is the same error with its whole message.
        next = error.source().filter(|_| from_postgres.is_none());
        let message = match from_postgres {
            Some(message) => message.unwrap_or_else(|| "database error".to_owned()),
            None => error.to_string(),
        };
        if text.is_empty() {
            text = message;
        } else if !text.ends_with(&message) {
            let _ = write!(text, ": {message}");
        }
    }
    text
}

fn database_message(error: &PgDatabaseError) -> String {
    let code = error.code();
    let mut text = format!("database error {code}");
    for (name, value) in [("constraint", error.constraint()), ("table", error.table())] {
        if let Some(value) = value {
            let _ = write!(text, ", {name} {value}");
        }
    }
    // A refusal by the server itself names the object, also within a trigger of the application.
    if error.routine().is_some_and(|routine| REFUSING_ROUTINES.contains(&routine)) {
        let _ = write!(text, ": {}", error.message());
        return text;
    }
    // Without a context, no function of the application was running.
    if error.r#where().is_none() && CLASSES_WITHOUT_VALUES.iter().any(|class| code.starts_with(class)) {
        let _ = write!(text, ": {}", error.message());
    }
    text
}
