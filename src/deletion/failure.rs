//! Why a step or a purge failed: a closed list of words, which is all that the database, alerts and operators' commands
//! have of a failure. The causes are in the log.

use crate::{Error, ErrorCode, clerk};

/// Why a step or a purge failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A call to Clerk failed.
    Clerk,
    /// A directory manages the user, so Clerk doesn't delete them.
    ManagedByScim,
    /// The data map doesn't fit the database, or a row refuses what the map says.
    DataMapMismatch,
    /// The map was changed after the user had confirmed what would happen.
    PlanChanged,
    /// The verification found rows that should have been erased.
    RowsRemaining,
    /// The archive store failed.
    Storage,
    /// A statement or a connection failed.
    Database,
    /// Anything else.
    Other,
}

impl Failure {
    const ALL: [Self; 8] = [
        Self::Clerk,
        Self::ManagedByScim,
        Self::DataMapMismatch,
        Self::PlanChanged,
        Self::RowsRemaining,
        Self::Storage,
        Self::Database,
        Self::Other,
    ];

    /// Returns the word for an error.
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::Clerk(error) if error.kind() == clerk::Kind::ManagedByScim => Self::ManagedByScim,
            Error::Clerk(_) => Self::Clerk,
            Error::Map(_) => Self::DataMapMismatch,
            Error::Refused(ErrorCode::PlanChanged) => Self::PlanChanged,
            Error::RowsRemaining(_) => Self::RowsRemaining,
            Error::Storage(_) => Self::Storage,
            Error::Database(_) => Self::Database,
            _ => Self::Other,
        }
    }

    /// Whether an operator must act before a retry can succeed.
    pub(super) const fn is_blocking(self) -> bool {
        matches!(self, Self::ManagedByScim | Self::DataMapMismatch | Self::PlanChanged | Self::RowsRemaining)
    }

    /// Returns the word in the database, in alerts and in the output of commands.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clerk => "clerk_failed",
            Self::ManagedByScim => "clerk_user_managed_by_scim",
            Self::DataMapMismatch => "data_map_mismatch",
            Self::PlanChanged => "plan_changed",
            Self::RowsRemaining => "rows_left_behind",
            Self::Storage => "archive_store_failed",
            Self::Database => "database_failed",
            Self::Other => "failed",
        }
    }

    /// Reads a word. One of another version is [`Failure::Other`]: operators must see the deletion all the same.
    pub(super) fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|failure| failure.name() == name).unwrap_or(Self::Other)
    }

    /// Returns the cause as operators read it.
    #[must_use]
    pub const fn cause(self) -> &'static str {
        match self {
            Self::Clerk => "a call to Clerk failed",
            Self::ManagedByScim => "a directory manages the user (SCIM), so Clerk doesn't delete them",
            Self::DataMapMismatch => "the data map doesn't fit the database",
            Self::PlanChanged => "the data map was changed after the user had confirmed what would happen",
            Self::RowsRemaining => "rows remain that should have been erased",
            Self::Storage => "the store failed",
            Self::Database => "the database failed",
            Self::Other => "an unexpected error",
        }
    }

    /// Returns what an operator does about it.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Clerk => {
                "Nothing while Clerk is unavailable: it is retried until it succeeds. If it goes on, run `lethe \
                 doctor`; the log has Clerk's status and code."
            }
            Self::ManagedByScim => "Remove the user from the directory, then run `lethe deletions retry`.",
            Self::DataMapMismatch => {
                "Run `lethe map check` and solve what it names. If it names nothing, rows refused a change; the log \
                 has their table. Restart the server after a change of the map."
            }
            Self::PlanChanged => {
                "Put the outcomes that the user confirmed back into the data map until this deletion is completed, and \
                 restart the server."
            }
            Self::RowsRemaining => {
                "The log has table and column. Give them a rule in the data map, or find what writes the rows, then \
                 run `lethe deletions retry`."
            }
            Self::Storage => "Run `lethe doctor`, which checks that the store (LETHE_STORAGE) can be written.",
            Self::Database => {
                "Nothing while the database is unavailable: it is retried until it succeeds. If it goes on, the log \
                 has the database's message."
            }
            Self::Other => "The log has the cause.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_failures_agree_and_unknown_ones_are_other() {
        for failure in Failure::ALL {
            assert_eq!(Failure::from_name(failure.name()), failure);
        }
        assert_eq!(Failure::from_name("moon_in_the_way"), Failure::Other);
    }

    #[test]
    fn only_what_an_operator_must_solve_is_blocking() {
        assert!(Failure::of(&Error::RowsRemaining(1)).is_blocking());
        assert!(Failure::of(&ErrorCode::PlanChanged.into()).is_blocking());
        for error in [Error::Database(sqlx::Error::PoolTimedOut), Error::Internal("a test")] {
            assert!(!Failure::of(&error).is_blocking(), "{error:?}");
        }
    }
}
