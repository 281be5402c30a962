//! What can go wrong: closed for the person ([`Refusal`]), open for the log ([`Error`]).

use crate::{clerk, data_map};

/// An operation's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation failed. Only [`Error::Refused`] may be told to the person; everything else is
/// logged once, at the boundary, and told as an incident.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request was refused for a reason that the person may know.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Postgres failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// A migration failed.
    #[error("a migration failed")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// Clerk failed, or refused.
    #[error("clerk failed")]
    Clerk(#[from] clerk::Error),
    /// The data map is unreadable or doesn't fit the database.
    #[error("the data map can't be used")]
    Map(#[from] data_map::Error),
    /// The archive store failed.
    #[error("the archive store failed")]
    Storage(#[from] object_store::Error),
    /// A message couldn't be handed over.
    #[error("the mail couldn't be sent")]
    Mail(#[from] crate::mail::Error),
    /// The job queue failed.
    #[error("the job queue failed")]
    Queue(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Rows that should be gone are still there.
    #[error("{0} rows were left behind")]
    RowsRemaining(u64),
    /// What must not happen did. The text is for the developers.
    #[error("{0}")]
    Internal(&'static str),
}

/// What a person may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The typed or sent confirmation is missing or wrong.
    #[error("the confirmation is missing")]
    ConfirmationMissing,
    /// The input isn't what is accepted here.
    #[error("the input can't be accepted: {0}")]
    InvalidInput(&'static str),
    /// Nobody is signed in.
    #[error("nobody is signed in")]
    NotSignedIn,
    /// The person was erased, or is being erased.
    #[error("the account is gone")]
    AccountDeleted,
    /// Somebody else acts in the person's name.
    #[error("not while somebody else acts for the person")]
    Impersonated,
    /// There is no such thing.
    #[error("not found")]
    NotFound,
    /// What would happen is no longer what was confirmed.
    #[error("the plan has changed since it was shown")]
    PlanChanged,
    /// Too many requests.
    #[error("too many requests")]
    TooManyRequests,
    /// Something that this needs is down; later it will work.
    #[error("not available at the moment")]
    Unavailable,
}

impl Refusal {
    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::ConfirmationMissing | Self::InvalidInput(_) => 400,
            Self::NotSignedIn | Self::AccountDeleted => 401,
            Self::Impersonated => 403,
            Self::NotFound => 404,
            Self::PlanChanged => 409,
            Self::TooManyRequests => 429,
            Self::Unavailable => 503,
        }
    }

    /// A stable word for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ConfirmationMissing => "confirmation_missing",
            Self::InvalidInput(_) => "invalid_input",
            Self::NotSignedIn => "not_signed_in",
            Self::AccountDeleted => "gone",
            Self::Impersonated => "impersonated",
            Self::NotFound => "not_found",
            Self::PlanChanged => "plan_changed",
            Self::TooManyRequests => "too_many_requests",
            Self::Unavailable => "unavailable",
        }
    }
}
