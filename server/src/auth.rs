//! Authentication: from a session's token to the [`CurrentUser`] that handlers and pages see.

use app::dto::UserHandle;
use app::server::current_user::{Authentication, CurrentUser};
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use clerk_session::Session;
use http::Method;
use http::request::Parts;
use lethe::{ClerkUserId, Presence, subject};
use lethe_error_code::ErrorCode;

use crate::error::Problem;
use crate::middleware::{client_ip, security_headers};
use crate::profile_cache::Profile;
use crate::state::AppState;

/// The page that renews a session in a frame.
pub const RENEWAL_PATH: &str = "/session";

/// The receipt opens without an account, and therefore also while Clerk is down.
const RECEIPT_ROUTE: &str = "/receipt/{code}";

/// A token younger than this was just issued, so the browser is coming from Clerk and can wait for it once more.
const FRESH_TOKEN_SECONDS: i64 = 5;

/// The id of the Clerk session of a request, also where its user was erased: signing out ends it.
#[derive(Clone, Debug)]
pub struct SessionId(pub String);

/// The layer: authenticates the request for everything behind it.
pub async fn authenticate(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let authenticated = state.authenticator.authenticate(&parts).await;
    if may_redirect(&parts)
        && let Some(mut redirect) = authenticated.redirect::<Body>()
    {
        if is_route(&parts, RENEWAL_PATH) {
            security_headers::allow_same_origin_frame(redirect.headers_mut());
        }
        return redirect;
    }
    let mut response = match attach_user(&state, &mut parts, authenticated.session()).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    };
    authenticated.apply(response.headers_mut());
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
    let authentication = authentication(state, session).await?;
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
async fn authentication(state: &AppState, session: Option<&Session>) -> Result<Authentication, Problem> {
    let user_id = session.and_then(|session| ClerkUserId::parse(&session.user_id).ok());
    let Some((session, user_id)) = session.zip(user_id) else { return Ok(Err(ErrorCode::NotSignedIn)) };
    match subject::presence(&state.lethe, &user_id).await? {
        Presence::Active => Ok(Ok(current_user(state, session, user_id).await)),
        Presence::Deleting(_) | Presence::Erased => {
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
