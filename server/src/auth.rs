//! Authentication: from a session's token to the [`CurrentUser`] that handlers and pages see.

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use clerk_session::Session;
use http::header::{LOCATION, SET_COOKIE};
use http::request::Parts;
use http::{HeaderValue, Method};
use lethe::{ClerkUserId, Presence, subject};
use lethe_app::dto::UserHandle;
use lethe_app::server::current_user::{Authentication, CurrentUser};
use lethe_error_code::ErrorCode;

use crate::cookie_check;
use crate::error::Problem;
use crate::middleware::{client_ip, security_headers};
use crate::profile_cache::Profile;
use crate::state::AppState;
use url::Url;

/// The page that renews a session in a frame.
pub const RENEWAL_PATH: &str = "/session";

/// The receipt opens without an account, and therefore also while Clerk is down.
const RECEIPT_ROUTE: &str = "/receipt/{code}";

/// A token younger than this was just issued, so the browser is coming from Clerk and can wait for it once more.
const FRESH_TOKEN_SECONDS: i64 = 5;

const ROOT: HeaderValue = HeaderValue::from_static("/");

/// The id of the Clerk session of a request, also where its user was erased: signing out ends it.
#[derive(Clone, Debug)]
pub struct SessionId(pub String);

/// The layer: authenticates the request for everything behind it.
pub async fn authenticate(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let was_checked = cookie_check::take(&mut parts);
    let has_cookies = cookie_check::has_cookies(&parts);
    let authenticated = state.authenticator.authenticate(&parts).await;
    if may_redirect(&parts)
        && let Some(mut redirect) = authenticated.redirect::<Body>()
    {
        let location = redirect.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        if let Some(mut location) = location.and_then(|location| Url::parse(location).ok()).filter(|_| !has_cookies) {
            let leaves = location.origin() != state.public_url.origin();
            if was_checked && leaves {
                return cookies_blocked();
            }
            cookie_check::add_to(&mut location);
            redirect.headers_mut().insert(LOCATION, HeaderValue::from_str(location.as_str()).unwrap_or(ROOT));
        }
        if is_route(&parts, RENEWAL_PATH) {
            security_headers::allow_same_origin_frame(redirect.headers_mut());
        }
        return redirect;
    }
    if was_checked && !has_cookies && may_redirect(&parts) {
        return cookies_blocked();
    }
    if was_checked && parts.method == Method::GET {
        let mut response = Redirect::to(&parts.uri.to_string()).into_response();
        authenticated.apply(response.headers_mut());
        return response;
    }
    let mut response = match attach_user(&state, &mut parts, authenticated.session()).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    };
    authenticated.apply(response.headers_mut());
    response
}

/// The response to a browser that refuses cookies.
fn cookies_blocked() -> Response {
    let mut response = Problem::new(ErrorCode::CookiesBlocked).into_response();
    response.headers_mut().insert(SET_COOKIE, cookie_check::PROBE);
    response
}

/// Only navigations to pages that depend on the user are redirected to Clerk.
fn may_redirect(parts: &Parts) -> bool {
    match parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str) {
        None | Some(RECEIPT_ROUTE) => false,
        Some(route) => !route.starts_with("/api/") || route == "/api/privacy/export",
    }
}

fn is_route(parts: &Parts, route: &str) -> bool {
    parts.extensions.get::<MatchedPath>().is_some_and(|matched| matched.as_str() == route)
}

/// Adds the [`Authentication`] to the request. Limits writes without a user.
async fn attach_user(state: &AppState, parts: &mut Parts, session: Option<&Session>) -> Result<(), Problem> {
    let authentication = authentication(state, parts, session).await?;
    let is_write = !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if authentication.is_err() && is_write {
        let client = client_ip::client_ip(&state.trusted_proxies, parts);
        state.rate_limits.anonymous_writes.check_ip(client)?;
    }
    parts.extensions.insert(authentication);
    if let Some(session) = session {
        parts.extensions.insert(SessionId(session.id.clone()));
    }
    Ok(())
}

/// A token may outlive its user: users who are being erased or were erased are refused whatever their token says.
async fn authentication(
    state: &AppState,
    parts: &mut Parts,
    session: Option<&Session>,
) -> Result<Authentication, Problem> {
    let user_id = session.and_then(|session| ClerkUserId::parse(&session.user_id).ok());
    let Some((session, user_id)) = session.zip(user_id) else { return Ok(Err(ErrorCode::NotSignedIn)) };
    match subject::presence(&state.lethe, &user_id).await? {
        Presence::Active => Ok(Ok(current_user(state, session, user_id).await)),
        Presence::Deleting(receipt) => {
            state.profiles.remove(&user_id).await;
            // The page leads them to it.
            parts.extensions.insert(receipt);
            Ok(Err(ErrorCode::AccountDeleted))
        }
        Presence::Erased => {
            state.profiles.remove(&user_id).await;
            Ok(Err(ErrorCode::AccountDeleted))
        }
    }
}

async fn current_user(state: &AppState, session: &Session, user_id: ClerkUserId) -> CurrentUser {
    let profile = match (&session.email, &session.name) {
        (Some(_), Some(_)) => None,
        _ => profile(state, session, &user_id).await,
    };
    let profile = profile.unwrap_or_default();
    CurrentUser {
        user_handle: UserHandle::new(state.lethe.keys.user_handle(&user_id).into()),
        clerk_user_id: user_id,
        session_id: session.id.clone(),
        email: session.email.clone().or(profile.email),
        name: session.name.clone().or(profile.name),
        impersonated: session.is_impersonated,
        recently_verified: session.is_verified_strictly(),
    }
}

async fn profile(state: &AppState, session: &Session, user_id: &ClerkUserId) -> Option<Profile> {
    let now = state.lethe.clock.now().unix_timestamp();
    let is_fresh = session.issued_at.is_some_and(|issued_at| now - issued_at < FRESH_TOKEN_SECONDS);
    let profile = if is_fresh {
        state.profiles.get_or_wait(user_id).await
    } else {
        state.profiles.get_or_prefetch(user_id).await
    };
    profile.map(|profile| (*profile).clone())
}
