//! Who asks, and how a server function answers: with a value, or, to a plain form, with the page
//! to see next. Errors become public here, and are logged here, once.

use axum::http::StatusCode;
use axum::http::header::{ACCEPT, HeaderValue, LOCATION};
use axum::http::request::Parts;
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use lethe::Lethe;

use super::context::{Person, Visitor};
use super::resume::{self, PendingAction};
use super::{ErrorCode, PublicError};

/// Why a server function or a page has nothing to show.
pub(crate) enum Failure {
    /// Refused, for a reason that the person may know.
    Refused(ErrorCode),
    /// Failed, for reasons that only the log knows.
    Failed(lethe::Error),
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Self::Refused(code)
    }
}

impl From<lethe::Error> for Failure {
    fn from(error: lethe::Error) -> Self {
        match error.public() {
            lethe::ErrorCode::Internal | lethe::ErrorCode::Unavailable => Self::Failed(error),
            public => Self::Refused(code(public)),
        }
    }
}

/// The person who asks, with all that an operation needs.
pub(crate) struct Caller {
    pub(crate) lethe: Lethe,
    pub(crate) visitor: Visitor,
    pub(crate) person: Person,
}

impl Caller {
    /// Whoever the session names; refused when signed out.
    pub(crate) fn current() -> Result<Self, Failure> {
        let visitor = use_context::<Visitor>().ok_or(ErrorCode::Internal)?;
        let person = visitor.person.clone().ok_or(ErrorCode::NotSignedIn)?;
        Ok(Self { lethe: lethe()?, visitor, person })
    }

    /// The one for whom the page was made; refused when somebody else has signed in since.
    pub(crate) fn for_form_owner(user_handle: &str) -> Result<Self, Failure> {
        let caller = Self::current()?;
        if caller.user_handle() == user_handle { Ok(caller) } else { Err(ErrorCode::OtherUser.into()) }
    }

    /// Names this person to their own browser.
    pub(crate) fn user_handle(&self) -> String {
        self.lethe.keys.user_handle(&self.person.clerk_user_id).into()
    }

    /// Refuses a deletion or a disclosure to somebody else, and to whoever didn't lately prove who
    /// they are.
    pub(crate) fn require_fresh_sign_in(&self) -> Result<(), ErrorCode> {
        if self.person.impersonated {
            Err(ErrorCode::Impersonated)
        } else if self.person.recently_verified {
            Ok(())
        } else if resume::reverification_attempted(self) {
            Err(ErrorCode::StillUnverified)
        } else {
            Err(ErrorCode::ReverificationNeeded)
        }
    }
}

/// Everything an operation needs.
pub(crate) fn lethe() -> Result<Lethe, Failure> {
    Ok(use_context::<Lethe>().ok_or(ErrorCode::Internal)?)
}

/// Refuses anything but the words that confirm a deletion.
pub(crate) fn require_confirmation(typed: &str) -> Result<(), Failure> {
    if lethe::deletion::confirms(typed) { Ok(()) } else { Err(ErrorCode::ConfirmationMissing.into()) }
}

/// Answers with the value or the public error.
pub(crate) fn respond<T>(result: Result<T, Failure>) -> Result<T, PublicError> {
    result.map_err(|failure| {
        let error = into_public(failure);
        set_status(error.code.status());
        error
    })
}

/// Answers like [`plainly`]; a plain form is sent to the page that `next` names instead.
pub(crate) fn respond_to_form<T>(
    result: Result<T, Failure>,
    next: impl FnOnce(Result<&T, ErrorCode>) -> String,
) -> Result<T, PublicError> {
    if !from_plain_form() {
        return respond(result);
    }
    let result = result.map_err(into_public);
    see_other(&next(result.as_ref().map_err(|error| error.code)));
    result
}

/// Keeps what a plain form held when the session was over, so that the page has it again where the
/// person signs in; a script still has it, and nothing is kept for it.
pub(crate) fn stash_form<T>(result: &Result<T, Failure>, user_handle: &str, action: impl FnOnce() -> PendingAction) {
    if matches!(result, Err(Failure::Refused(ErrorCode::NotSignedIn)))
        && from_plain_form()
        && let Ok(lethe) = lethe()
    {
        resume::store(&lethe, user_handle, action());
    }
}

/// Makes a failure public, and logs it.
pub(crate) fn into_public(failure: Failure) -> PublicError {
    let incident = use_context::<Visitor>().map(|visitor| visitor.incident).unwrap_or_default();
    let code = match failure {
        Failure::Refused(code) => code,
        Failure::Failed(error) => {
            tracing::error!(incident, error = &error as &dyn std::error::Error, "a request of the page failed");
            code(error.public())
        }
    };
    PublicError { code, incident }
}

/// Sets the status for an answer that was refused before its function ran.
pub(crate) fn set_error_status(code: ErrorCode) {
    if !from_plain_form() {
        set_status(code.status());
    }
}

/// Sets the status of the answer, page or value.
pub(crate) fn set_status(status: u16) {
    if let (Some(response), Ok(status)) = (use_context::<ResponseOptions>(), StatusCode::from_u16(status)) {
        response.set_status(status);
    }
}

/// Sends the browser to `path` by GET. Paths are made here of codes, so they fit into a header.
fn see_other(path: &str) {
    if let (Some(response), Ok(location)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(path)) {
        response.insert_header(LOCATION, location);
        response.set_status(StatusCode::SEE_OTHER);
    }
}

/// Whether the browser itself sent the form, so that the answer is a page.
fn from_plain_form() -> bool {
    use_context::<Parts>()
        .and_then(|request| request.headers.get(ACCEPT)?.to_str().ok().map(|accepted| accepted.contains("text/html")))
        .unwrap_or(false)
}

fn code(public: lethe::ErrorCode) -> ErrorCode {
    ErrorCode::parse(public.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_code_and_status() {
        for public in [
            lethe::ErrorCode::ConfirmationMissing,
            lethe::ErrorCode::InvalidInput,
            lethe::ErrorCode::NotSignedIn,
            lethe::ErrorCode::AccountDeleted,
            lethe::ErrorCode::Impersonated,
            lethe::ErrorCode::NotFound,
            lethe::ErrorCode::PlanChanged,
            lethe::ErrorCode::TooManyRequests,
            lethe::ErrorCode::Unavailable,
        ] {
            assert_eq!(code(public).as_str(), public.as_str());
            assert_eq!(code(public).status(), public.status());
        }
    }

    #[test]
    fn the_words_that_are_shown_confirm() {
        assert!(require_confirmation(crate::api::CONFIRMATION).is_ok());
        assert!(require_confirmation("delete").is_err());
    }
}
