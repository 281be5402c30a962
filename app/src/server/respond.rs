//! How a server function responds: with a value, or with the next page if the browser sent a plain form. Errors
//! become public here, and are logged here, once.

use std::error::Error;

use lethe_error_code::ErrorCode;

use super::{context, resume};
use crate::dto::UserHandle;
use crate::error::PublicError;
use crate::response;

/// Why a page or a server function failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Refused by the presentation layer.
    Refused(ErrorCode),
    /// An operation of `lethe` refused or failed.
    Failed(lethe::Error),
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Self::Refused(code)
    }
}

impl From<lethe::Error> for Failure {
    fn from(error: lethe::Error) -> Self {
        Self::Failed(error)
    }
}

impl Failure {
    /// Returns the code to report.
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(code) => *code,
            Self::Failed(error) => public(error),
        }
    }
}

/// Returns the value, or the public error with its status.
pub(crate) fn respond<T>(result: Result<T, Failure>) -> Result<T, PublicError> {
    result.map_err(|failure| {
        let error = into_public(failure);
        response::set_status(error.code.status());
        error
    })
}

/// Like [`respond`]; a plain form is redirected to the path that `next` returns instead.
pub(crate) fn respond_to_form<T>(
    result: Result<T, Failure>,
    next: impl FnOnce(Result<&T, ErrorCode>) -> String,
) -> Result<T, PublicError> {
    if !response::is_plain_form() {
        return respond(result);
    }
    let result = result.map_err(into_public);
    response::see_other(&next(result.as_ref().map_err(|error| error.code)));
    result
}

/// Stores what a plain form contained when the session had ended, so that the page can fill it in again after the
/// next sign-in. A script still has its values, so nothing is stored for it.
pub(crate) fn stash_form<T>(
    result: &Result<T, Failure>,
    user_handle: &UserHandle,
    action: impl FnOnce() -> resume::PendingAction,
) {
    let is_signed_out = result.as_ref().is_err_and(|failure| failure.code() == ErrorCode::NotSignedIn);
    if is_signed_out
        && response::is_plain_form()
        && let Ok(lethe) = context::lethe()
    {
        resume::store(&lethe, user_handle, action());
    }
}

/// Logs a failure of the server, and returns what may be reported.
pub(crate) fn into_public(failure: Failure) -> PublicError {
    let code = failure.code();
    if let Failure::Failed(error) = failure
        && !matches!(error, lethe::Error::Refused(_))
    {
        tracing::error!(error = &error as &dyn Error, "page or server function failed");
    }
    PublicError { code, incident: context::incident() }
}

/// A connection that fails will work again; anything else is a defect.
fn public(error: &lethe::Error) -> ErrorCode {
    match error {
        lethe::Error::Refused(refusal) => ErrorCode::parse(refusal.code()),
        lethe::Error::Clerk(_) | lethe::Error::Database(_) => ErrorCode::Unavailable,
        _ => ErrorCode::Internal,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_that_the_dialog_shows_confirm_a_deletion() {
        assert!(lethe::deletion::confirms(crate::dto::CONFIRMATION));
        assert!(!lethe::deletion::confirms("delete"));
    }
}
