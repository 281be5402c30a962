//! The Frontend API: what a browser asks, recognised by its cookie or by `__clerk_db_jwt`.
//! Behaves as a development instance does: application and API are on different sites, so what
//! signs a browser in travels in the application's URL.

use axum::{
    Json, Router,
    extract::{FromRequestParts, Path, RawQuery, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use axum_extra::extract::CookieJar;
use serde_json::{Value, json};
use url::Url;

use super::{
    StandIn, TokenOptions,
    errors::{ApiError, ApiResult},
    sessions::{self, Client, Ending, Session},
    users::Filter,
};

const YEAR_SECONDS: i64 = 365 * 24 * 60 * 60;
pub(super) const BROWSER: &str = "__clerk_db_jwt";
const CLIENT: &str = "__client";

pub(super) fn router() -> Router<StandIn> {
    Router::new()
        .route("/.well-known/jwks.json", get(jwks))
        .route("/v1/client", get(client).delete(remove_sessions))
        .route("/v1/client/handshake", get(handshake))
        .route("/v1/client/sessions", delete(remove_sessions))
        .route("/v1/client/sessions/{session_id}/end", post(end_session))
        .route("/v1/client/sessions/{session_id}/remove", post(remove_session))
        .route("/v1/client/sessions/{session_id}/tokens", post(session_token))
        .route("/sign-out", get(sign_out))
}

/// Who asks: the browser's two secrets, where it sent them.
pub(super) struct Browser {
    cookie: Option<String>,
    application: Option<String>,
}

impl Browser {
    pub(super) async fn client(&self, stand_in: &StandIn) -> sqlx::Result<Option<Client>> {
        sessions::find_client(stand_in, self.application.as_deref(), self.cookie.as_deref()).await
    }

    pub(super) async fn client_or_new(&self, stand_in: &StandIn) -> sqlx::Result<Client> {
        match self.client(stand_in).await? {
            Some(client) => Ok(client),
            None => sessions::create_client(stand_in).await,
        }
    }

    async fn known_client(&self, stand_in: &StandIn) -> ApiResult<Client> {
        self.client(stand_in).await?.ok_or_else(ApiError::unauthenticated)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Browser {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let cookie = CookieJar::from_headers(&parts.headers).get(CLIENT).map(|cookie| cookie.value().to_owned());
        let application = Filter::parse(parts.uri.query()).first(BROWSER).map(ToOwned::to_owned);
        Ok(Self { cookie, application })
    }
}

async fn jwks(State(stand_in): State<StandIn>) -> Json<Value> {
    Json(stand_in.key_set())
}

/// Tells the application's server, by way of the browser, whether and as whom the browser is signed in.
async fn handshake(
    State(stand_in): State<StandIn>,
    browser: Browser,
    RawQuery(query): RawQuery,
) -> ApiResult<Response> {
    let query = Filter::parse(query.as_deref());
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
    directives.extend(named(&stand_in, BROWSER, &client.browser, YEAR_SECONDS, false, &origin));
    match query.first("format") {
        Some("nonce") => {
            let nonce = sessions::store_handshake(&stand_in, &directives).await?;
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
pub(super) fn session_directives(stand_in: &StandIn, session: &Session, jwt: &str, origin: &str) -> Vec<String> {
    let signed_in_at = (session.verified_at / 1000).to_string();
    let mut directives = named(stand_in, "__session", jwt, YEAR_SECONDS, false, origin);
    directives.extend(named(stand_in, "__client_uat", &signed_in_at, YEAR_SECONDS, false, origin));
    let refresh = format!("__refresh_{}", stand_in.cookie_suffix());
    directives.push(directive(&refresh, &session.refresh_token, YEAR_SECONDS, true, origin));
    directives
}

fn signed_out_directives(stand_in: &StandIn, origin: &str) -> Vec<String> {
    let mut directives = named(stand_in, "__session", "", 0, false, origin);
    directives.extend(named(stand_in, "__client_uat", "0", YEAR_SECONDS, false, origin));
    directives.push(directive(&format!("__refresh_{}", stand_in.cookie_suffix()), "", 0, true, origin));
    directives
}

/// A cookie under its plain name and under the instance's own.
fn named(stand_in: &StandIn, name: &str, value: &str, age: i64, http_only: bool, origin: &str) -> Vec<String> {
    let suffixed = format!("{name}_{}", stand_in.cookie_suffix());
    [name, &suffixed].map(|name| directive(name, value, age, http_only, origin)).into()
}

/// `Secure` where the application has TLS. Scripts may read all but the refresh token: Clerk's own renews the others.
fn directive(name: &str, value: &str, age: i64, http_only: bool, origin: &str) -> String {
    let secure = if origin.starts_with("https:") { "; Secure" } else { "" };
    let http_only = if http_only { "; HttpOnly" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={age}; SameSite=Lax{secure}{http_only}")
}

/// Location, no caching, and the cookie by which this origin knows the browser again.
pub(super) fn redirect_headers(stand_in: &StandIn, client: &Client, target: &Url) -> HeaderMap {
    let cookie = directive(CLIENT, &client.cookie, YEAR_SECONDS, true, &stand_in.options().url);
    let fields =
        [(header::LOCATION, target.as_str()), (header::CACHE_CONTROL, "no-store"), (header::SET_COOKIE, &cookie)];
    fields
        .into_iter()
        .map(|(name, value)| (name, value.parse().expect("URLs, ids and digits are header text")))
        .collect()
}

async fn client(State(stand_in): State<StandIn>, browser: Browser) -> ApiResult {
    let Some(client) = browser.client(&stand_in).await? else {
        return Ok(Json(json!({ "response": null, "client": null })));
    };
    let session = sessions::active_session(&stand_in, &client).await?;
    let ids: Vec<&str> = session.iter().map(|session| session.id.as_str()).collect();
    let response = json!({
        "object": "client",
        "id": client.id,
        "sessions": session.iter().map(Session::json).collect::<Vec<_>>(),
        "session_ids": ids,
        "sign_in": null,
        "sign_up": null,
        "last_active_session_id": ids.first(),
        "created_at": client.created_at,
        "updated_at": client.updated_at,
    });
    Ok(Json(json!({ "response": response, "client": null })))
}

async fn remove_sessions(State(stand_in): State<StandIn>, browser: Browser) -> ApiResult {
    let client = browser.known_client(&stand_in).await?;
    if let Some(session) = sessions::active_session(&stand_in, &client).await? {
        sessions::end(&stand_in, &session.id, Ending::Removed).await?;
    }
    Ok(Json(json!({ "response": { "object": "client", "id": client.id, "deleted": true }, "client": null })))
}

async fn end_session(State(stand_in): State<StandIn>, browser: Browser, Path(id): Path<String>) -> ApiResult {
    let session = own_session(&stand_in, &browser, &id).await?;
    Ok(Json(json!({ "response": sessions::end(&stand_in, &session.id, Ending::Ended).await?.json(), "client": null })))
}

async fn remove_session(State(stand_in): State<StandIn>, browser: Browser, Path(id): Path<String>) -> ApiResult {
    let session = own_session(&stand_in, &browser, &id).await?;
    Ok(Json(
        json!({ "response": sessions::end(&stand_in, &session.id, Ending::Removed).await?.json(), "client": null }),
    ))
}

/// A fresh token for the page that has the browser's secret; its authorized party is the page's origin.
async fn session_token(
    State(stand_in): State<StandIn>,
    browser: Browser,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> ApiResult {
    let session = own_session(&stand_in, &browser, &id).await?;
    if session.status != "active" || session.expire_at <= stand_in.now() {
        return Err(ApiError::not_found("session", &id));
    }
    let authorized_party = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()).map(ToOwned::to_owned);
    let jwt = stand_in.session_token(&session, TokenOptions { authorized_party, ..TokenOptions::default() });
    Ok(Json(json!({ "object": "token", "jwt": jwt })))
}

async fn own_session(stand_in: &StandIn, browser: &Browser, id: &str) -> ApiResult<Session> {
    let client = browser.known_client(stand_in).await?;
    let session = sessions::find(stand_in, id).await?;
    if session.client_id == client.id { Ok(session) } else { Err(ApiError::not_found("session", id)) }
}

/// Signs the browser out and sends it back, to an application that finds out by the next handshake.
async fn sign_out(State(stand_in): State<StandIn>, browser: Browser, RawQuery(query): RawQuery) -> ApiResult<Response> {
    let query = Filter::parse(query.as_deref());
    let redirect_url = query.first("redirect_url").ok_or_else(|| ApiError::missing_parameter("redirect_url"))?;
    let mut target = stand_in.redirect_target(redirect_url).ok_or_else(|| {
        ApiError::invalid_parameter("redirect_url", "redirect_url is not on an origin of the application.")
    })?;
    let client = browser.client_or_new(&stand_in).await?;
    if let Some(session) = sessions::active_session(&stand_in, &client).await? {
        sessions::end(&stand_in, &session.id, Ending::Ended).await?;
    }
    target.query_pairs_mut().append_pair(BROWSER, &client.browser);
    Ok((StatusCode::SEE_OTHER, redirect_headers(&stand_in, &client, &target)).into_response())
}
