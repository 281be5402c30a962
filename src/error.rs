//! Errors of the core. [`Error`] has every cause, for the log; [`Error::public`] is all that a user or a
//! client learns of it.

use std::time::Duration;

use lethe_error_code::ErrorCode;

use crate::platform::database_failure::DatabaseFailure;
use crate::platform::queue;
use crate::{clerk, data_map};

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request was refused for a reason that its sender may know.
    #[error("refused: {0}")]
    Refused(ErrorCode),
    /// The input is invalid. The text is for the log.
    #[error("invalid input: {0}")]
    InvalidInput(&'static str),
    /// A query or a connection failed.
    #[error("database error")]
    Database(#[from] sqlx::Error),
    /// A call to Clerk failed.
    #[error("call to Clerk failed")]
    Clerk(#[from] clerk::Error),
    /// The data map is invalid or doesn't fit the database.
    #[error("data map error")]
    Map(#[from] data_map::Error),
    /// The archive store failed.
    #[error("archive store error")]
    Storage(#[from] object_store::Error),
    /// The SMTP server didn't accept a message.
    #[error("message not sent")]
    Mail(#[from] crate::mail::Error),
    /// The job queue failed.
    #[error(transparent)]
    Queue(#[from] queue::Error),
    /// The verification of an erasure found this many rows.
    #[error("{0} rows with the user's id aren't erased by the data map's rules")]
    RowsRemaining(u64),
    /// An export wasn't read to its end in time.
    #[error("the export was not read in time")]
    ExportStalled,
    /// The temporary file of an export can't be created, written or read, for example because the disk is full.
    #[error("the temporary file of an export failed (LETHE_EXPORT_FOLDER)")]
    TemporaryFile(#[source] std::io::Error),
    /// A user did something more often than is allowed. It is allowed again after this time.
    #[error("refused by a rate limit")]
    RateLimited(Duration),
    /// An invariant was violated.
    #[error("{0}")]
    Internal(&'static str),
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        Self::Refused(code)
    }
}

impl Error {
    /// Returns what a user or a client is told, on pages and in the HTTP interface alike.
    ///
    /// What can succeed when it is tried again later is [`ErrorCode::Unavailable`]: the database can't be
    /// reached, takes no changes, or something was locked for too long, or Clerk is down or busy. Everything
    /// else that isn't the sender's mistake is [`ErrorCode::Internal`], a defect in a statement included.
    ///
    /// ```
    /// use lethe::{Error, ErrorCode};
    ///
    /// assert_eq!(Error::from(ErrorCode::NotSignedIn).public(), ErrorCode::NotSignedIn);
    /// assert_eq!(Error::from(sqlx::Error::PoolTimedOut).public(), ErrorCode::Unavailable);
    /// assert_eq!(Error::from(sqlx::Error::RowNotFound).public(), ErrorCode::Internal);
    /// ```
    #[must_use]
    pub fn public(&self) -> ErrorCode {
        match self {
            Self::Refused(code) => *code,
            Self::InvalidInput(_) => ErrorCode::InvalidInput,
            Self::RateLimited(_) => ErrorCode::TooManyRequests,
            Self::Clerk(error) if error.retryable() => ErrorCode::Unavailable,
            // An operator corrects the map or makes room, and then it works.
            Self::Map(data_map::Error::Mismatch(_)) | Self::TemporaryFile(_) => ErrorCode::Unavailable,
            error => match error.database_failure() {
                Some(DatabaseFailure::Unavailable | DatabaseFailure::Contention) => ErrorCode::Unavailable,
                Some(DatabaseFailure::MissingPrivilege | DatabaseFailure::Refused | DatabaseFailure::Other) | None => {
                    ErrorCode::Internal
                }
            },
        }
    }

    /// Returns what kind of failure of the database caused it, if one did.
    pub(crate) fn database_failure(&self) -> Option<DatabaseFailure> {
        DatabaseFailure::of(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("as the queue's library wraps it")]
    struct QueueError(#[source] sqlx::Error);

    fn disconnected() -> sqlx::Error {
        sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into())
    }

    #[test]
    fn unreachable_database_is_unavailable_whichever_module_reports_it() {
        for error in [
            Error::Database(disconnected()),
            Error::Map(data_map::Error::Database(disconnected())),
            Error::Queue(queue::Error::new(QueueError(disconnected()))),
        ] {
            assert_eq!(error.public(), ErrorCode::Unavailable, "{error:?}");
        }
    }

    #[test]
    fn defects_are_internal() {
        for error in [
            Error::Database(sqlx::Error::ColumnNotFound("purpose".to_owned())),
            Error::RowsRemaining(1),
            Error::Internal("a test"),
        ] {
            assert_eq!(error.public(), ErrorCode::Internal, "{error:?}");
        }
    }
}
