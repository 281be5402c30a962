//! What an error of the database means for whoever waits: whether it passes by itself.

use std::error::Error as StdError;
use std::io;

use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// The code of a statement that was ended, for example because its time was over.
const QUERY_CANCELED: &str = "57014";

/// What kind of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatabaseFailure {
    /// The server can't be reached, takes no connections or no changes at the moment, or had no time.
    Unavailable,
    /// Somebody else holds a lock: the same statement can succeed a moment later.
    Contention,
    /// Lethe's role isn't allowed to do what a statement, or a trigger behind it, does.
    MissingPrivilege,
    /// A constraint, or a trigger, refuses the rows.
    Refused,
    /// Anything else, a defect in a statement included.
    Other,
}

impl DatabaseFailure {
    /// Finds an error of the database among `error` and its causes, whichever module it came through.
    pub(crate) fn of(error: &(dyn StdError + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<sqlx::Error>() {
                return Some(of_sqlx(error));
            }
            if let Some(error) = error.downcast_ref::<graphile_worker::DbError>() {
                // Without a code it never came from the server: the connection failed, or there was none.
                return Some(error.code().map_or(Self::Unavailable, of_code));
            }
            cause = error.source();
        }
        None
    }
}

/// Whether the same attempt can succeed a little later, because the database can't be reached at the moment, is starting or shuts
/// down. A wrong password or name stays wrong.
#[must_use]
pub fn is_database_away(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(sqlx::Error::Database(error)) = error.downcast_ref() {
            // Invalid authorization, unknown database.
            let is_settled = |code: &str| ["28", "3D"].iter().any(|class| code.starts_with(class));
            if error.code().is_some_and(|code| is_settled(&code)) {
                return false;
            }
        }
        // A certificate that doesn't verify.
        if let Some(sqlx::Error::Io(error)) = error.downcast_ref()
            && error.kind() == io::ErrorKind::InvalidData
        {
            return false;
        }
        cause = error.source();
    }
    DatabaseFailure::of(error) == Some(DatabaseFailure::Unavailable)
}

/// Whether Postgres ended a statement because its time was over.
pub(crate) fn is_statement_timeout(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(sqlx::Error::Database(error)) = error.downcast_ref() {
            return error.code().as_deref() == Some(QUERY_CANCELED);
        }
        cause = error.source();
    }
    false
}

fn of_sqlx(error: &sqlx::Error) -> DatabaseFailure {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) => {
            DatabaseFailure::Unavailable
        }
        // What remains of a stream that was cut off can look like a reply.
        sqlx::Error::Protocol(_) => DatabaseFailure::Unavailable,
        // The session ended, or never began: for whatever reason the server refuses connections.
        sqlx::Error::Database(error) if error.try_downcast_ref().is_some_and(is_fatal) => DatabaseFailure::Unavailable,
        sqlx::Error::Database(error) => error.code().map_or(DatabaseFailure::Other, |code| of_code(&code)),
        _ => DatabaseFailure::Other,
    }
}

fn is_fatal(error: &PgDatabaseError) -> bool {
    matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic)
}

/// By the codes of Postgres' appendix A.
fn of_code(code: &str) -> DatabaseFailure {
    match code {
        // serialization_failure, deadlock_detected, lock_not_available
        "40001" | "40P01" | "55P03" => DatabaseFailure::Contention,
        // insufficient_privilege
        "42501" => DatabaseFailure::MissingPrivilege,
        // raise_exception
        "P0001" => DatabaseFailure::Refused,
        // Integrity constraint violations.
        _ if code.starts_with("23") => DatabaseFailure::Refused,
        // read_only_sql_transaction, idle_in_transaction_session_timeout, admin_shutdown,
        // crash_shutdown, cannot_connect_now, idle_session_timeout
        "25006" | "25P03" | QUERY_CANCELED | "57P01" | "57P02" | "57P03" | "57P05" => DatabaseFailure::Unavailable,
        // Connection exceptions, insufficient resources (a full disk, too many connections), system errors.
        _ if ["08", "53", "58"].iter().any(|class| code.starts_with(class)) => DatabaseFailure::Unavailable,
        _ => DatabaseFailure::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself_is_no_defect() {
        for code in ["08006", "08P01", "25006", "53100", "53300", "57014", "57P01", "58030"] {
            assert_eq!(of_code(code), DatabaseFailure::Unavailable, "{code}");
        }
        for code in ["40001", "40P01", "55P03"] {
            assert_eq!(of_code(code), DatabaseFailure::Contention, "{code}");
        }
        assert_eq!(of_code("42501"), DatabaseFailure::MissingPrivilege);
        for code in ["23505", "23503", "23514", "P0001"] {
            assert_eq!(of_code(code), DatabaseFailure::Refused, "{code}");
        }
        for code in ["42P01", "22P02"] {
            assert_eq!(of_code(code), DatabaseFailure::Other, "{code}");
        }
    }

    #[test]
    fn errors_of_the_queue_are_read_by_their_code() {
        let of = |error: graphile_worker::DbError| DatabaseFailure::of(&crate::queue::Error::new(error));
        assert_eq!(of(graphile_worker::DbError::with_code("full", "53100")), Some(DatabaseFailure::Unavailable));
        assert_eq!(of(graphile_worker::DbError::new("connection reset")), Some(DatabaseFailure::Unavailable));
        assert_eq!(of(graphile_worker::DbError::with_code("syntax", "42601")), Some(DatabaseFailure::Other));
    }
}
