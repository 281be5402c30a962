//! `POST /sign-out`: ends the session here and at Clerk.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};

use crate::auth::RequestSession;
use crate::state::AppState;

/// The hosted pages must not find a living session when the person comes back at once, so the answer waits a little.
const REVOCATION_TIMEOUT: Duration = Duration::from_secs(2);

/// Ends the session at Clerk, clears the cookies and goes to the start page. With Clerk down the person is
/// signed out here all the same, and the session ends when Clerk is back or when it expires.
pub async fn sign_out(State(server): State<AppState>, request: Request) -> Response {
    let visit = request.extensions().get::<RequestSession>();
    if let Some(session) = visit.and_then(|visit| visit.session_id.clone()) {
        revoke_session(&server, session).await;
    }
    let mut response = Redirect::to("/").into_response();
    server.authenticator.clear(response.headers_mut());
    response
}

/// Ends a session at Clerk.
pub(super) async fn revoke_session(server: &AppState, session: String) {
    let clerk = server.lethe.clerk.clone();
    let revoking = tokio::spawn(async move {
        if let Err(error) = clerk.revoke_session(&session).await {
            tracing::warn!(%error, "a session couldn't be ended at Clerk");
        }
    });
    // What takes longer goes on in the background.
    let _ = tokio::time::timeout(REVOCATION_TIMEOUT, revoking).await;
}
