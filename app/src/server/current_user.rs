//! The signed-in user of a request. The server's authentication fills it in; handlers extract it, and pages and
//! server functions find it in Leptos' context.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use lethe::ClerkUserId;
use lethe::audit::{Actor, Source};
use lethe_error_code::ErrorCode;

use crate::dto::UserHandle;

/// What authentication found out: the user, or why there is none ([`ErrorCode::NotSignedIn`] or
/// [`ErrorCode::AccountDeleted`]). The server puts it into the request's extensions and into Leptos' context.
pub type Authentication = Result<CurrentUser, ErrorCode>;

/// A signed-in user. The values come from the session token's claims and from a cache of Clerk's profiles; none of
/// them costs a call to Clerk.
#[derive(Clone, Debug)]
pub struct CurrentUser {
    /// The user's id at Clerk.
    pub clerk_user_id: ClerkUserId,
    /// Identifies the user to their own browser.
    pub user_handle: UserHandle,
    /// What identified them before the secret was rotated. Forms and cookies of that time carry it.
    pub former_handles: Vec<UserHandle>,
    /// The session's id at Clerk.
    pub session_id: String,
    /// The primary e-mail address, if known. It is displayed, and messages about a deletion go there.
    pub email: Option<String>,
    /// The name to display, if known.
    pub name: Option<String>,
    /// Who acts as this user, if somebody else does (the token's claim `act`). Such a session may read and withdraw
    /// consent, but neither delete nor download.
    pub actor: Option<Actor>,
    /// Whether the user was verified within the last minutes (the token's claim `fva`).
    pub recently_verified: bool,
}

impl CurrentUser {
    /// Whether a form or a cookie with this handle was made for the user.
    #[must_use]
    pub fn has_handle(&self, handle: &UserHandle) -> bool {
        self.user_handle == *handle || self.former_handles.contains(handle)
    }

    /// What the user calls the account: its address, or its name.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.email.as_deref().or(self.name.as_deref())
    }

    /// Whether somebody else acts as this user.
    #[must_use]
    pub const fn is_impersonated(&self) -> bool {
        self.actor.is_some()
    }

    /// The source of a decision that is made in this session, where one of the user's own has the source `own`.
    #[must_use]
    pub fn source(&self, own: Source) -> Source {
        if self.is_impersonated() { Source::OnBehalf { actor: self.actor.clone() } } else { own }
    }

    /// Whether the browser's Global Privacy Control signal `is_sent` by the user: an actor's browser speaks for the actor.
    #[must_use]
    pub const fn sends_opt_out_signal(&self, is_sent: bool) -> bool {
        is_sent && !self.is_impersonated()
    }

    /// Refuses to delete or disclose data in an impersonated session, and in one without a recent verification.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Impersonated`] or [`ErrorCode::ReverificationNeeded`].
    pub const fn require_fresh_sign_in(&self) -> Result<(), ErrorCode> {
        if self.is_impersonated() {
            Err(ErrorCode::Impersonated)
        } else if self.recently_verified {
            Ok(())
        } else {
            Err(ErrorCode::ReverificationNeeded)
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CurrentUser {
    type Rejection = Unauthenticated;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Unauthenticated> {
        let authentication = parts.extensions.get::<Authentication>().cloned();
        authentication.unwrap_or(Err(ErrorCode::NotSignedIn)).map_err(Unauthenticated)
    }
}

/// The rejection of a request without a [`CurrentUser`]. Its response has no body: it carries the code in its
/// extensions, and the server's middleware turns that into a problem document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unauthenticated(pub ErrorCode);

impl IntoResponse for Unauthenticated {
    fn into_response(self) -> Response {
        let Self(code) = self;
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::UNAUTHORIZED);
        let mut response = status.into_response();
        response.extensions_mut().insert(code);
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;
    use crate::rendering::user;

    #[test]
    fn fresh_sign_in_is_required_of_the_user_in_person() {
        let fresh = user("Ada Lovelace");
        assert_eq!(fresh.require_fresh_sign_in(), Ok(()));
        let old = CurrentUser { recently_verified: false, ..fresh.clone() };
        assert_eq!(old.require_fresh_sign_in(), Err(ErrorCode::ReverificationNeeded));
        let impersonated = CurrentUser { actor: Some(Actor::default()), ..fresh };
        assert_eq!(impersonated.require_fresh_sign_in(), Err(ErrorCode::Impersonated));
    }

    #[test]
    fn handle_of_an_older_secret_is_the_users_too() {
        let (current, former) = (user("Ada Lovelace").user_handle, UserHandle::new("11ee".to_owned()));
        let ada = CurrentUser { former_handles: vec![former.clone()], ..user("Ada Lovelace") };
        assert!(ada.has_handle(&current) && ada.has_handle(&former));
        assert!(!ada.has_handle(&UserHandle::new("22dd".to_owned())) && !ada.has_handle(&UserHandle::default()));
    }

    #[tokio::test]
    async fn extractor_reports_why_there_is_no_user() {
        for (authentication, code) in [
            (None, ErrorCode::NotSignedIn),
            (Some(ErrorCode::NotSignedIn), ErrorCode::NotSignedIn),
            (Some(ErrorCode::AccountDeleted), ErrorCode::AccountDeleted),
        ] {
            let (mut parts, ()) = Request::new(()).into_parts();
            if let Some(code) = authentication {
                parts.extensions.insert(Authentication::Err(code));
            }
            let rejection = CurrentUser::from_request_parts(&mut parts, &()).await.unwrap_err();
            assert_eq!(rejection, Unauthenticated(code));
            let response = rejection.into_response();
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
            assert_eq!(response.extensions().get(), Some(&code));
        }
    }

    #[tokio::test]
    async fn extractor_returns_the_user() {
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.extensions.insert(Authentication::Ok(user("Ada Lovelace")));
        let extracted = CurrentUser::from_request_parts(&mut parts, &()).await.unwrap();
        assert_eq!(extracted.name.as_deref(), Some("Ada Lovelace"));
    }
}
