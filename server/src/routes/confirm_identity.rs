//! `POST /confirm-identity`: a user verifies their identity again, before a deletion or an export.
//!
//! Clerk's hosted pages verify nobody again who is signed in: that needs Clerk's script in the page (`useReverification`),
//! and these pages work without scripts. So the session is ended, at Clerk too, the user signs in once more and returns.
//! Their browser keeps what they were about to do in a sealed cookie ([`resume`]) that is bound to them.

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::SET_COOKIE;
use http::{StatusCode, Uri};
use http_body_util::BodyExt;
use lethe_app::server::current_user::Authentication;
use lethe_app::server::flash::{self, Flash};
use lethe_app::server::resume::{self, PendingAction, ReturnTo};
use lethe_error_code::ErrorCode;
use url::{Url, form_urlencoded};

use super::sign_out;
use crate::auth::SessionId;
use crate::error::Problem;
use crate::state::AppState;

/// Ends the session and redirects to the sign-in page, which leads back to the place that the form names.
pub async fn begin(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|error| Problem::from_status(StatusCode::PAYLOAD_TOO_LARGE).with_source(error))?
        .to_bytes();
    let return_to = return_to(&body).ok_or(Problem::new(ErrorCode::InvalidInput))?;
    let (path, fragment) = return_to.path_and_fragment();
    let Some(Ok(user)) = parts.extensions.get::<Authentication>().cloned() else {
        // The session has ended; the page offers to sign in.
        return Ok(Redirect::to(path).into_response());
    };
    if user.is_impersonated() {
        return Err(ErrorCode::Impersonated.into());
    }
    if let Some(session) = parts.extensions.get::<SessionId>().cloned() {
        sign_out::revoke_session(&state, session).await;
    }
    parts.uri = Uri::from_static(path);
    let sign_in = with_fragment(state.authenticator.sign_in_url_for(&parts), fragment);
    let mut response = Redirect::to(sign_in.as_str()).into_response();
    state.authenticator.clear(response.headers_mut());
    if let Some(cookie) = resume::to_cookie(&state.lethe, &user.user_handle, PendingAction::Confirm(return_to)) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    if let Some(cookie) = flash::to_cookie(&state.lethe, &user.user_handle, left_undone(return_to)) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// What the page says to a user who comes back without having signed in.
fn left_undone(return_to: ReturnTo) -> Flash {
    match return_to {
        ReturnTo::Export => Flash::ExportRefused(ErrorCode::NotSignedIn, String::new()),
        ReturnTo::Dialog | ReturnTo::Page => Flash::DeletionRefused(ErrorCode::NotSignedIn),
    }
}

fn return_to(body: &Bytes) -> Option<ReturnTo> {
    let (_, value) = form_urlencoded::parse(body).find(|(name, _)| name == "for")?;
    ReturnTo::parse(&value)
}

/// Adds the fragment to the URL that the sign-in page leads back to. Browsers keep it through every redirect.
fn with_fragment(mut sign_in: Url, fragment: Option<&str>) -> Url {
    let Some(fragment) = fragment else { return sign_in };
    let pairs: Vec<(String, String)> = sign_in
        .query_pairs()
        .map(|(name, value)| match &*name {
            "redirect_url" => (name.into_owned(), format!("{value}#{fragment}")),
            _ => (name.into_owned(), value.into_owned()),
        })
        .collect();
    sign_in.query_pairs_mut().clear().extend_pairs(pairs);
    sign_in
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("for=dialog", Some(ReturnTo::Dialog))]
    #[case("", None)]
    #[case("for=", None)]
    #[case("for=%2F%2Fevil.example", None)]
    #[case("place=dialog", None)]
    fn return_to_is_one_of_a_closed_list(#[case] body: &str, #[case] expected: Option<ReturnTo>) {
        assert_eq!(return_to(&Bytes::from(body.to_owned())), expected);
    }

    #[test]
    fn fragment_is_added_to_the_redirect_url() {
        let sign_in = "https://accounts.example.org/sign-in?redirect_url=https%3A%2F%2Fprivacy.example.org%2F&x=1";
        let sign_in = with_fragment(sign_in.parse().expect("a URL"), Some("copy"));
        assert_eq!(
            sign_in.as_str(),
            "https://accounts.example.org/sign-in?redirect_url=https%3A%2F%2Fprivacy.example.org%2F%23copy&x=1"
        );
    }
}
