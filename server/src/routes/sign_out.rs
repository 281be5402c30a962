//! `POST /sign-out`: ends the session here and at Clerk.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::SET_COOKIE;
use lethe::subject;
use lethe_app::dto::UserHandle;
use lethe_app::server::flash::{self, Flash};

use crate::auth::SessionId;
use crate::state::AppState;

/// How long the response waits for Clerk. The hosted pages shouldn't find a live session when the user returns at once.
const REVOCATION_TIMEOUT: Duration = Duration::from_secs(2);

/// Revokes the session at Clerk, clears the cookies and redirects to the start page. While Clerk is down, the user is
/// signed out here all the same, and the session ends when Clerk is back or when it expires.
pub async fn sign_out(State(state): State<AppState>, session: Option<Extension<SessionId>>) -> Response {
    if let Some(Extension(session)) = session {
        revoke_session(&state, session).await;
    }
    let mut response = Redirect::to("/").into_response();
    state.authenticator.clear(response.headers_mut());
    if let Some(cookie) = flash::to_cookie(&state.lethe, &UserHandle::default(), Flash::SignedOut) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// Ends a session, here and at Clerk.
pub(super) async fn revoke_session(state: &AppState, SessionId(session): SessionId) {
    if let Err(error) = subject::end_session(&state.lethe, &session).await {
        tracing::warn!(error = lethe::error_chain(&error), "tokens of an ended session stay valid until they expire");
    }
    let clerk = state.lethe.clerk.clone();
    let revocation = tokio::spawn(async move {
        if let Err(error) = clerk.revoke_session(&session).await {
            tracing::warn!(%error, "session could not be revoked at Clerk");
        }
    });
    // After the timeout it goes on in the background.
    let _ = tokio::time::timeout(REVOCATION_TIMEOUT, revocation).await;
}
