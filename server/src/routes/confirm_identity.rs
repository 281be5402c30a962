//! `POST /confirm-identity`: a person proves anew who they are, before a deletion or a download.
//!
//! Clerk's hosted pages re-verify nobody who is signed in: that takes a script of Clerk's in the page
//! (`useReverification`), and these pages work without any. So the session is ended, at Clerk too, the
//! person signs in once more, and comes back to where they were. What they were about to do is kept in
//! their browser ([`errand`]), bound to them: nothing of it is released to anybody else.

use app::server::resume::{self, PendingAction, ReturnTo};
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::SET_COOKIE;
use http::{StatusCode, Uri};
use http_body_util::BodyExt;
use url::{Url, form_urlencoded};

use super::sign_out;
use crate::auth::{CurrentUser, RequestSession};
use crate::problem::Problem;
use crate::state::AppState;

/// Ends the session and sends the person to sign in, with the way back to the place that the form names.
pub async fn begin(State(server): State<AppState>, request: Request) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|error| Problem::from_status(StatusCode::PAYLOAD_TOO_LARGE).with_source(error))?
        .to_bytes();
    let place = return_to(&body).ok_or(Problem::from_status(StatusCode::BAD_REQUEST))?;
    let (path, part) = place.path_and_fragment();
    let Some(person) = CurrentUser::from_parts(&parts) else {
        // Nobody is signed in any more; the page says what to do.
        return Ok(Redirect::to(path).into_response());
    };
    if person.impersonated {
        return person.require_fresh_sign_in().map(|()| Redirect::to(path).into_response());
    }
    if let Some(session) = parts.extensions.get::<RequestSession>().and_then(|visit| visit.session_id.clone()) {
        sign_out::revoke_session(&server, session).await;
    }
    parts.uri = Uri::from_static(path);
    let sign_in = with_fragment(server.authenticator.sign_in_url_for(&parts), part);
    let mut response = Redirect::to(sign_in.as_str()).into_response();
    server.authenticator.clear(response.headers_mut());
    let mark = app::dto::UserHandle::new(server.lethe.keys.user_handle(&person.subject).into());
    if let Some(cookie) = resume::to_cookie(&server.lethe, &mark, PendingAction::Confirm(place)) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

fn return_to(body: &Bytes) -> Option<ReturnTo> {
    let (_, word) = form_urlencoded::parse(body).find(|(name, _)| name == "for")?;
    ReturnTo::parse(&word)
}

/// The way back leads to a part of the page. Browsers carry it through every redirect.
fn with_fragment(mut sign_in: Url, part: Option<&str>) -> Url {
    let Some(part) = part else { return sign_in };
    let pairs: Vec<(String, String)> = sign_in
        .query_pairs()
        .map(|(name, value)| match &*name {
            "redirect_url" => (name.into_owned(), format!("{value}#{part}")),
            _ => (name.into_owned(), value.into_owned()),
        })
        .collect();
    sign_in.query_pairs_mut().clear().extend_pairs(pairs);
    sign_in
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_places_are_gone_to() {
        assert_eq!(return_to(&Bytes::from_static(b"for=dialog")), Some(ReturnTo::Dialog));
        for body in ["", "for=", "for=%2F%2Fevil.example", "place=dialog"] {
            assert_eq!(return_to(&Bytes::from(body)), None, "{body}");
        }
    }

    #[test]
    fn the_way_back_leads_to_a_part_of_the_page() {
        let sign_in = "https://accounts.example.org/sign-in?redirect_url=https%3A%2F%2Fprivacy.example.org%2F&x=1";
        let sign_in = with_fragment(sign_in.parse().expect("a URL"), Some("copy"));
        assert_eq!(
            sign_in.as_str(),
            "https://accounts.example.org/sign-in?redirect_url=https%3A%2F%2Fprivacy.example.org%2F%23copy&x=1"
        );
    }
}
