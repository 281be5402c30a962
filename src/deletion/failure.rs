//! Why a step or a purge failed: a closed list of words, which is all that the database, alerts and operators' commands
//! have of a failure. The causes are in the log.

use crate::platform::database_failure::DatabaseFailure;
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
    /// A constraint or a trigger refuses what the data map says.
    RowsRefused,
    /// A statement or a connection failed.
    Database,
    /// Another transaction held a lock for too long, or both waited for each other.
    Locked,
    /// Lethe's role isn't allowed to do what the erasure needs.
    MissingPrivilege,
    /// Anything else.
    Other,
}

impl Failure {
    const ALL: [Self; 11] = [
        Self::Clerk,
        Self::ManagedByScim,
        Self::DataMapMismatch,
        Self::PlanChanged,
        Self::RowsRemaining,
        Self::Storage,
        Self::RowsRefused,
        Self::Database,
        Self::Locked,
        Self::MissingPrivilege,
        Self::Other,
    ];

    /// Returns the word for an error.
    pub(crate) fn of(error: &Error) -> Self {
        match error.database_failure() {
            Some(DatabaseFailure::Contention) => return Self::Locked,
            Some(DatabaseFailure::MissingPrivilege) => return Self::MissingPrivilege,
            Some(DatabaseFailure::Refused) => return Self::RowsRefused,
            Some(DatabaseFailure::Unavailable | DatabaseFailure::Other) => return Self::Database,
            None => {}
        }
        match error {
            Error::Clerk(error) if error.kind() == clerk::Kind::ManagedByScim => Self::ManagedByScim,
            Error::Clerk(_) => Self::Clerk,
            Error::Map(_) => Self::DataMapMismatch,
            Error::Refused(ErrorCode::PlanChanged) => Self::PlanChanged,
            Error::RowsRemaining(_) => Self::RowsRemaining,
            Error::Storage(_) => Self::Storage,
            _ => Self::Other,
        }
    }

    /// Whether an operator must act before a retry can succeed.
    pub(super) const fn is_blocking(self) -> bool {
        matches!(
            self,
            Self::ManagedByScim
                | Self::DataMapMismatch
                | Self::PlanChanged
                | Self::RowsRemaining
                | Self::MissingPrivilege
        )
    }

    /// How often a step may fail in this way before operators are alerted, if a retry can succeed without them. What the
    /// application holds a lock for passes by itself; after half an hour it doesn't seem to.
    pub(super) const fn attempts_before_alert(self) -> i32 {
        match self {
            Self::Locked => 60,
            Self::RowsRefused => 1,
            _ => 5,
        }
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
            Self::RowsRefused => "rows_refused",
            Self::Database => "database_failed",
            Self::Locked => "rows_locked",
            Self::MissingPrivilege => "privilege_missing",
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
            Self::RowsRemaining => {
                "rows have the user's id that the data map has no rule for, or remain after the erasure"
            }
            Self::Storage => "the store failed",
            Self::RowsRefused => "a constraint or a trigger of the application refuses the erasure",
            Self::Database => "the database failed",
            Self::Locked => "another transaction locked rows or tables for too long",
            Self::MissingPrivilege => "Lethe's database role lacks a privilege",
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
                "Run `lethe map check` and solve what it names; the corrected map is read by itself. If it names \
                 nothing, rows refused a change; the log has their table. Then run `lethe deletions retry`."
            }
            Self::PlanChanged => {
                "Nothing if the user can be expected to confirm again: they are asked on the page and, where an \
                 address is known, by mail. Else put the outcomes that they confirmed back into the data map, or \
                 accept the present ones with `lethe deletions replan`."
            }
            Self::RowsRemaining => {
                "The log has table and column. Give them a rule in the data map, which is read by itself, or find what \
                 writes the rows and run `lethe deletions retry`."
            }
            Self::Storage => "Run `lethe doctor`, which checks that the store (LETHE_STORAGE) can be written.",
            Self::RowsRefused => {
                "The log has the table and the constraint, or the trigger's message. Nothing was erased by this step. Change \
                 the table's rule in the data map, or the constraint or trigger; it is retried by itself."
            }
            Self::Database => {
                "Nothing while the database is unavailable: it is retried until it succeeds. If it goes on, the log \
                 has the database's message."
            }
            Self::Locked => {
                "Nothing: it is retried every half minute. If it goes on, find the transaction that holds the lock \
                 (pg_stat_activity, pg_blocking_pids)."
            }
            Self::MissingPrivilege => {
                "The log has the table or function. Grant Lethe's role what it needs, also for what triggers do: they \
                 run with its rights unless their function is SECURITY DEFINER. It is retried every minute."
            }
            Self::Other => "The log has the cause.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_map;

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
        let unreadable_catalog = data_map::Error::Database(sqlx::Error::PoolTimedOut);
        for error in [Error::Database(sqlx::Error::PoolTimedOut), unreadable_catalog.into(), Error::Internal("a test")]
        {
            assert!(!Failure::of(&error).is_blocking(), "{error:?}");
        }
    }
}
