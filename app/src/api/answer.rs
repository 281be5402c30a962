//! Who asks, and how a server function answers: with a value, or, to a plain form, with the page
//! to see next. Errors become public here, and are logged here, once.

use axum::http::StatusCode;
use axum::http::header::{ACCEPT, HeaderValue, LOCATION};
use axum::http::request::Parts;
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use lethe::{Lethe, Refusal};

use super::context::{Person, Visitor};
use super::errand::{self, Errand};
use super::{Code, PublicError};

/// Why a server function or a page has nothing to show.
pub(crate) enum Failure {
    /// Refused, for a reason that the person may know.
    Refused(Code),
    /// Failed, for reasons that only the log knows.
    Failed(lethe::Error),
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self::Refused(code)
    }
}

impl From<lethe::Error> for Failure {
    fn from(error: lethe::Error) -> Self {
        match error {
            lethe::Error::Refused(refusal) => Self::Refused(code(refusal)),
            error => Self::Failed(error),
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
        let visitor = use_context::<Visitor>().ok_or(Code::Internal)?;
        let person = visitor.person.clone().ok_or(Code::NotSignedIn)?;
        Ok(Self { lethe: lethe()?, visitor, person })
    }

    /// The one for whom the page was made; refused when somebody else has signed in since.
    pub(crate) fn of_page(person: &str) -> Result<Self, Failure> {
        let caller = Self::current()?;
        if caller.mark() == person { Ok(caller) } else { Err(Code::AnotherPerson.into()) }
    }

    /// Names this person to their own browser.
    pub(crate) fn mark(&self) -> String {
        self.lethe.keys.mark(&self.person.subject)
    }

    /// Refuses a deletion or a disclosure to somebody else, and to whoever didn't lately prove who
    /// they are.
    pub(crate) fn may_act(&self) -> Result<(), Code> {
        if self.person.impersonated {
            Err(Code::Impersonated)
        } else if self.person.recently_verified {
            Ok(())
        } else if errand::has_tried(self) {
            Err(Code::NotConfirmed)
        } else {
            Err(Code::ReverificationNeeded)
        }
    }
}

/// Everything an operation needs.
pub(crate) fn lethe() -> Result<Lethe, Failure> {
    Ok(use_context::<Lethe>().ok_or(Code::Internal)?)
}

/// Refuses anything but the words that confirm a deletion.
pub(crate) fn confirmed(typed: &str) -> Result<(), Failure> {
    if lethe::deletion::confirms(typed) { Ok(()) } else { Err(Code::ConfirmationMissing.into()) }
}

/// Answers with the value or the public error.
pub(crate) fn plainly<T>(result: Result<T, Failure>) -> Result<T, PublicError> {
    result.map_err(|failure| {
        let error = public(failure);
        set_status(error.code.status());
        error
    })
}

/// Answers like [`plainly`]; a plain form is sent to the page that `next` names instead.
pub(crate) fn to_form<T>(
    result: Result<T, Failure>,
    next: impl FnOnce(Result<&T, Code>) -> String,
) -> Result<T, PublicError> {
    if !from_plain_form() {
        return plainly(result);
    }
    let result = result.map_err(public);
    see_other(&next(result.as_ref().map_err(|error| error.code)));
    result
}

/// Keeps what a plain form held when the session was over, so that the page has it again where the
/// person signs in; a script still has it, and nothing is kept for it.
pub(crate) fn keep_form<T>(result: &Result<T, Failure>, person: &str, errand: impl FnOnce() -> Errand) {
    if matches!(result, Err(Failure::Refused(Code::NotSignedIn)))
        && from_plain_form()
        && let Ok(lethe) = lethe()
    {
        errand::keep_here(&lethe, person, errand());
    }
}

/// Makes a failure public, and logs it.
pub(crate) fn public(failure: Failure) -> PublicError {
    let incident = use_context::<Visitor>().map(|visitor| visitor.incident).unwrap_or_default();
    let code = match failure {
        Failure::Refused(code) => code,
        Failure::Failed(error) => {
            tracing::error!(incident, error = &error as &dyn std::error::Error, "a request of the page failed");
            unavailable_or_internal(&error)
        }
    };
    PublicError { code, incident }
}

/// Sets the status for an answer that was refused before its function ran.
pub(crate) fn refused_before(code: Code) {
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

fn code(refusal: Refusal) -> Code {
    Code::parse(refusal.code())
}

/// A connection that fails will work again; anything else is a defect.
const fn unavailable_or_internal(error: &lethe::Error) -> Code {
    match error {
        lethe::Error::Clerk(_) | lethe::Error::Database(_) => Code::Unavailable,
        _ => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_code_and_status() {
        for refusal in [
            Refusal::ConfirmationMissing,
            Refusal::InvalidInput("test"),
            Refusal::NotSignedIn,
            Refusal::Gone,
            Refusal::Impersonated,
            Refusal::NotFound,
            Refusal::PlanChanged,
            Refusal::TooMany,
            Refusal::Unavailable,
        ] {
            assert_eq!(code(refusal).word(), refusal.code());
            assert_eq!(code(refusal).status(), refusal.status());
        }
    }

    #[test]
    fn the_words_that_are_shown_confirm() {
        assert!(confirmed(crate::api::CONFIRMATION).is_ok());
        assert!(confirmed("delete").is_err());
    }
}
