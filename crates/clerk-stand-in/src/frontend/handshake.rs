//! Handshakes and sign-out: redirects between the application and the stand-in, and the cookies of the application's
//! origin.

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use url::Url;

use super::{Browser, CLIENT_COOKIE, DEV_BROWSER};
use crate::{
    StandIn, TokenOptions,
    api_error::{ApiError, ApiResult},
    clients::Client,
    handshakes,
    query::QueryParameters,
    sessions::{self, Session, SessionEnd},
};

const YEAR_SECONDS: i64 = 365 * 24 * 60 * 60;

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

/// The cookies of a signed-in browser. The refresh token goes only into the cookie that belongs to this instance.
pub(crate) fn session_directives(stand_in: &StandIn, session: &Session, jwt: &str, origin: &str) -> Vec<String> {
    let signed_in_at = (session.created_at / 1000).to_string();
    let mut directives = suffixed(stand_in, "__session", jwt, YEAR_SECONDS, false, origin);
    directives.extend(suffixed(stand_in, "__client_uat", &signed_in_at, YEAR_SECONDS, false, origin));
    let refresh = format!("__refresh_{}", stand_in.cookie_suffix());
    directives.push(directive(&refresh, &session.refresh_token, YEAR_SECONDS, true, origin));
    directives
}

fn signed_out_directives(stand_in: &StandIn, origin: &str) -> Vec<String> {
    let mut directives = suffixed(stand_in, "__session", "", 0, false, origin);
    directives.extend(suffixed(stand_in, "__client_uat", "0", YEAR_SECONDS, false, origin));
    directives.push(directive(&format!("__refresh_{}", stand_in.cookie_suffix()), "", 0, true, origin));
    directives
}

/// A cookie under its plain and its suffixed name.
fn suffixed(stand_in: &StandIn, name: &str, value: &str, age: i64, http_only: bool, origin: &str) -> Vec<String> {
    let with_suffix = format!("{name}_{}", stand_in.cookie_suffix());
    [name, &with_suffix].map(|name| directive(name, value, age, http_only, origin)).into()
}

/// `Secure` where the application uses TLS. Scripts may read every cookie but the refresh token, as Clerk's browser SDK
/// renews the others.
fn directive(name: &str, value: &str, age: i64, http_only: bool, origin: &str) -> String {
    let secure = if origin.starts_with("https:") { "; Secure" } else { "" };
    let http_only = if http_only { "; HttpOnly" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={age}; SameSite=Lax{secure}{http_only}")
}

/// The cookie that identifies the browser on the stand-in's origin.
pub(super) fn client_cookie(stand_in: &StandIn, client: &Client) -> String {
    directive(CLIENT_COOKIE, &client.cookie, YEAR_SECONDS, true, &stand_in.options().url)
}

/// The headers of a redirect, with the client's cookie.
pub(crate) fn redirect_headers(stand_in: &StandIn, client: &Client, target: &Url) -> HeaderMap {
    let cookie = client_cookie(stand_in, client);
    let fields =
        [(header::LOCATION, target.as_str()), (header::CACHE_CONTROL, "no-store"), (header::SET_COOKIE, &cookie)];
    fields
        .into_iter()
        .map(|(name, value)| (name, value.parse().expect("URLs, ids and digits are valid header values")))
        .collect()
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
