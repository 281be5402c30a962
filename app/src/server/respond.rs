//! How a server function responds: with a value, or with the next page if the browser sent a plain form. Errors
//! become public here, and are logged here, once.

use lethe_error_code::ErrorCode;

use super::flash::{self, Flash};
use super::{context, resume};
use crate::dto::UserHandle;
use crate::error::PublicError;
use crate::response;

/// Returns the value, or the public error with its status.
pub(crate) fn respond<T>(result: lethe::Result<T>) -> Result<T, PublicError> {
    result.map_err(|error| {
        let error = into_public(&error);
        response::set_status(error.code.status());
        error
    })
}

/// Like [`respond`]; a plain form is redirected to the path that `next` returns instead, where the message is shown.
pub(crate) fn respond_to_form<T>(
    result: lethe::Result<T>,
    user_handle: &UserHandle,
    next: impl FnOnce(Result<&T, ErrorCode>) -> (String, Option<Flash>),
) -> Result<T, PublicError> {
    if !response::is_plain_form() {
        return respond(result);
    }
    let result = result.map_err(|error| into_public(&error));
    let (path, flash) = next(result.as_ref().map_err(|error| error.code));
    if let (Some(flash), Ok(lethe)) = (flash, context::lethe()) {
        flash::store(&lethe, user_handle, flash);
    }
    response::see_other(&path);
    result
}

/// Stores what a plain form contained when the session had ended, so that the page can fill it in again after the
/// next sign-in. A script still has its values, so nothing is stored for it.
pub(crate) fn stash_form<T>(
    result: &lethe::Result<T>,
    user_handle: &UserHandle,
    action: impl FnOnce() -> resume::PendingAction,
) {
    let is_signed_out = result.as_ref().is_err_and(|error| error.public() == ErrorCode::NotSignedIn);
    if is_signed_out
        && response::is_plain_form()
        && let Ok(lethe) = context::lethe()
    {
        resume::store(&lethe, user_handle, action());
    }
}

/// Returns what may be reported of an error. Logs it if the server is to blame.
pub(crate) fn into_public(error: &lethe::Error) -> PublicError {
    let code = error.public();
    if matches!(code, ErrorCode::Internal | ErrorCode::Unavailable) {
        tracing::error!(error = lethe::error_chain(error), "page or server function failed");
    }
    PublicError { code, incident: context::incident() }
}

#[cfg(test)]
mod tests {
    /// The browser can't link the core, so there are two implementations of one rule.
    #[test]
    fn browser_and_server_agree_on_what_confirms_a_deletion() {
        let words = crate::dto::CONFIRMATION;
        for typed in [
            words,
            "delete",
            "",
            " DELETE  my\taccount ",
            "“delete my account”",
            "'delete my account.'",
            "delete my account!",
        ] {
            assert_eq!(crate::dto::confirms(typed), lethe::deletion::confirms(typed), "{typed}");
        }
        assert!(lethe::deletion::confirms(words));
    }
}
