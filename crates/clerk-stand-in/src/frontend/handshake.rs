//! Handshakes and sign-out: redirects between the application and the stand-in.

use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    browser::Browser,
    cookies::{DEV_BROWSER, YEAR_SECONDS, redirect_headers, session_directives, signed_out_directives, suffixed},
};
use crate::{
    StandIn, TokenOptions,
    api_error::{ApiError, ApiResult},
    handshakes,
    query::QueryParameters,
    sessions::{self, SessionEnd},
};

/// Redirects the browser back to the application with its session state.
pub(super) async fn handshake(
    State(stand_in): State<StandIn>,
    browser: Browser,
    RawQuery(query): RawQuery,
) -> ApiResult<Response> {
    let query = QueryParameters::parse(query.as_deref());
    let redirect_url = query.first("redirect_url").ok_or_else(|| ApiError::missing_parameter("redirect_url"))?;
    let mut target = stand_in.redirect_target(redirect_url).ok_or_else(|| {
        ApiError::invalid_parameter("redirect_url", "redirect_url is not on an origin of the application.")
    })?;
    let client = browser.client_or_new(&stand_in).await?;
    let origin = target.origin().ascii_serialization();
    let mut directives = match sessions::active_session(&stand_in, &client).await? {
        Some(session) => {
            let options = TokenOptions { authorized_party: Some(origin.clone()), ..TokenOptions::default() };
            let jwt = stand_in.session_token(&session, options);
            session_directives(&stand_in, &session, &jwt, &origin)
        }
        None => signed_out_directives(&stand_in, &origin),
    };
    directives.extend(suffixed(&stand_in, DEV_BROWSER, &client.dev_browser, YEAR_SECONDS, false, &origin));
    match query.first("format") {
        Some("nonce") => {
            let nonce = handshakes::store(&stand_in, &directives).await?;
            target.query_pairs_mut().append_pair("__clerk_handshake_nonce", &nonce);
        }
        None | Some("token") => {
            let token = stand_in.sign_claims(&json!({ "handshake": directives }));
            target.query_pairs_mut().append_pair("__clerk_handshake", &token);
        }
        Some(_) => return Err(ApiError::invalid_parameter("format", "format is nonce or token.")),
    }
    Ok((StatusCode::TEMPORARY_REDIRECT, redirect_headers(&stand_in, &client, &target)).into_response())
}

/// Signs the browser out and redirects it back. The application learns of it with the next handshake.
pub(super) async fn sign_out(
    State(stand_in): State<StandIn>,
    browser: Browser,
    RawQuery(query): RawQuery,
) -> ApiResult<Response> {
    let query = QueryParameters::parse(query.as_deref());
    let redirect_url = query.first("redirect_url").ok_or_else(|| ApiError::missing_parameter("redirect_url"))?;
    let mut target = stand_in.redirect_target(redirect_url).ok_or_else(|| {
        ApiError::invalid_parameter("redirect_url", "redirect_url is not on an origin of the application.")
    })?;
    let client = browser.client_or_new(&stand_in).await?;
    if let Some(session) = sessions::active_session(&stand_in, &client).await? {
        sessions::end(&stand_in, &session.id, SessionEnd::Ended).await?;
    }
    target.query_pairs_mut().append_pair(DEV_BROWSER, &client.dev_browser);
    Ok((StatusCode::SEE_OTHER, redirect_headers(&stand_in, &client, &target)).into_response())
}
