//! Authentication: from a session's token to the [`CurrentUser`] that handlers and pages see.

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use clerk_session::{Authenticator, HANDSHAKE_STATE, Outcome, Session};
use http::header::{LOCATION, SET_COOKIE};
use http::request::Parts;
use http::{HeaderValue, Method};
use lethe::audit::Actor;
use lethe::subject::{self, SessionToken};
use lethe::{ClerkUserId, Presence};
use lethe_app::dto::UserHandle;
use lethe_app::server::context::DepartingUser;
use lethe_app::server::current_user::{Authentication, CurrentUser};
use lethe_error_code::ErrorCode;

use crate::cookie_check;
use crate::error::Problem;
use crate::middleware::{client_ip, security_headers};
use crate::profile_cache::Profile;
use crate::state::AppState;
use time::OffsetDateTime;
use url::{Url, form_urlencoded};

/// The page that renews a session in a frame.
pub const RENEWAL_PATH: &str = "/session";

/// A navigation to these starts an export.
const DOWNLOAD_ROUTES: [&str; 2] = ["/api/privacy/export", "/api/compliance/gdpr-export"];

/// The receipt opens without an account, and therefore also while Clerk is down.
const RECEIPT_ROUTE: &str = "/receipt/{code}";

/// The page on which a deletion is confirmed, and confirmed again.
const CONFIRMATION_ROUTE: &str = "/delete";

/// A token younger than this was just issued, so the browser is coming from Clerk and can wait for it once more.
const FRESH_TOKEN_SECONDS: i64 = 5;

const ROOT: HeaderValue = HeaderValue::from_static("/");

/// The id of the Clerk session of a request, also where its user was erased: signing out ends it.
#[derive(Clone, Debug)]
pub struct SessionId(pub String);

/// The layer: authenticates the request for everything behind it.
pub async fn authenticate(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    if is_cross_site_download(&state, &parts) {
        return Problem::new(ErrorCode::CrossOrigin).into_response();
    }
    let was_checked = cookie_check::take(&mut parts);
    let has_cookies = cookie_check::has_cookies(&parts);
    let authenticated = state.authenticator.authenticate(&parts).await;
    if may_redirect(&parts)
        && let Some(mut redirect) = authenticated.redirect::<Body>()
    {
        if is_download(&parts) && matches!(authenticated.outcome, Outcome::Redirect { reason: None, .. }) {
            keep_handshake_state(&parts, &mut redirect);
        }
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
    // What belongs to the handshake shouldn't stay in the address bar. A download has none, and its URL proves that a page
    // here led to it.
    let clean = Authenticator::without_handshake_state(&parts).filter(|_| !is_download(&parts));
    if parts.method == Method::GET && (was_checked || clean.is_some()) {
        let mut response = Redirect::to(&clean.unwrap_or_else(|| parts.uri.to_string())).into_response();
        authenticated.apply(response.headers_mut());
        if is_route(&parts, RENEWAL_PATH) {
            security_headers::allow_same_origin_frame(response.headers_mut());
        }
        return response;
    }
    let mut response = match attach_user(&state, &mut parts, authenticated.session()).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    };
    authenticated.apply(response.headers_mut());
    response
}

/// Adds to the redirect that ends a handshake what shows that it was one, for [`is_cross_site_download`].
fn keep_handshake_state(parts: &Parts, redirect: &mut Response) {
    let state = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
        .find_map(|(name, value)| (name == HANDSHAKE_STATE).then_some(value));
    let location = redirect.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let location = location.and_then(|location| Url::parse(location).ok());
    if let Some((state, mut location)) = state.zip(location) {
        location.query_pairs_mut().append_pair(HANDSHAKE_STATE, &state);
        redirect.headers_mut().insert(LOCATION, HeaderValue::from_str(location.as_str()).unwrap_or(ROOT));
    }
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

/// Whether a page of another site led to a download. Cookies come along with such a request, and it would write to the log
/// and use up the user's limit. A browser that was sent on a handshake comes back from another site; where it began was
/// checked before.
fn is_cross_site_download(state: &AppState, parts: &Parts) -> bool {
    let is_cross_site =
        parts.headers.get("sec-fetch-site").is_some_and(|site| !matches!(site.as_bytes(), b"none" | b"same-origin"));
    is_cross_site && is_download(parts) && !state.authenticator.is_from_own_handshake(parts)
}

fn is_download(parts: &Parts) -> bool {
    DOWNLOAD_ROUTES.iter().any(|route| is_route(parts, route))
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
        state.rate_limits.anonymous_writes.check(client)?;
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
    let issued_at = session.issued_at.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    let token = SessionToken { session_id: &session.id, issued_at: issued_at.unwrap_or(OffsetDateTime::UNIX_EPOCH) };
    let Some(presence) = subject::presence_in_session(&state.lethe, &user_id, token).await? else {
        return Ok(Err(ErrorCode::NotSignedIn));
    };
    match presence {
        Presence::Active => Ok(Ok(current_user(state, session, user_id).await)),
        Presence::Deleting(receipt) => {
            // The page leads them to it.
            parts.extensions.insert(receipt);
            let user = departing_user(state, parts, session, user_id).await;
            parts.extensions.insert(DepartingUser(user));
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
    with_profile(user_of_claims(state, session, user_id), profile)
}

/// A user whose deletion is under way. Their profile is read only for the page that asks them to confirm, and not cached.
async fn departing_user(state: &AppState, parts: &Parts, session: &Session, user_id: ClerkUserId) -> CurrentUser {
    let is_asked = parts.method == Method::GET && is_route(parts, CONFIRMATION_ROUTE);
    let profile = if is_asked { state.profiles.get_or_wait(&user_id).await } else { None };
    state.profiles.remove(&user_id).await;
    with_profile(user_of_claims(state, session, user_id), profile.map(|profile| (*profile).clone()))
}

/// Adds what the token doesn't say.
fn with_profile(user: CurrentUser, profile: Option<Profile>) -> CurrentUser {
    let profile = profile.unwrap_or_default();
    CurrentUser { email: user.email.or(profile.email), name: user.name.or(profile.name), ..user }
}

/// The user as the session's token names them.
fn user_of_claims(state: &AppState, session: &Session, user_id: ClerkUserId) -> CurrentUser {
    let keys = &state.lethe.keys;
    let former_handles = keys.former_user_handles(&user_id).into_iter().map(|handle| UserHandle::new(handle.into()));
    CurrentUser {
        user_handle: UserHandle::new(keys.user_handle(&user_id).into()),
        former_handles: former_handles.collect(),
        clerk_user_id: user_id,
        session_id: session.id.clone(),
        email: session.email.clone(),
        name: session.name.clone(),
        actor: session.actor.clone().map(|actor| Actor { issuer: actor.issuer, id: actor.id }),
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
