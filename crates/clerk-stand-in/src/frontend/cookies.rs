//! The cookies of the application's origin and of the stand-in's own.

use axum::http::{HeaderMap, header};
use url::Url;

use crate::{StandIn, clients::Client, sessions::Session};

/// The query parameter and cookie that identify a browser to a development instance.
pub(crate) const DEV_BROWSER: &str = "__clerk_db_jwt";
/// The cookie that identifies a browser on Clerk's own origin.
pub(super) const CLIENT_COOKIE: &str = "__client";

pub(super) const YEAR_SECONDS: i64 = 365 * 24 * 60 * 60;

/// The cookies of a signed-in browser. The refresh token goes only into the cookie that belongs to this instance.
pub(crate) fn session_directives(stand_in: &StandIn, session: &Session, jwt: &str, origin: &str) -> Vec<String> {
    let signed_in_at = (session.created_at / 1000).to_string();
    let mut directives = suffixed(stand_in, "__session", jwt, YEAR_SECONDS, false, origin);
    directives.extend(suffixed(stand_in, "__client_uat", &signed_in_at, YEAR_SECONDS, false, origin));
    let refresh = format!("__refresh_{}", stand_in.cookie_suffix());
    directives.push(directive(&refresh, &session.refresh_token, YEAR_SECONDS, true, origin));
    directives
}

pub(super) fn signed_out_directives(stand_in: &StandIn, origin: &str) -> Vec<String> {
    let mut directives = suffixed(stand_in, "__session", "", 0, false, origin);
    directives.extend(suffixed(stand_in, "__client_uat", "0", YEAR_SECONDS, false, origin));
    directives.push(directive(&format!("__refresh_{}", stand_in.cookie_suffix()), "", 0, true, origin));
    directives
}

/// A cookie under its plain and its suffixed name.
pub(super) fn suffixed(
    stand_in: &StandIn,
    name: &str,
    value: &str,
    age: i64,
    http_only: bool,
    origin: &str,
) -> Vec<String> {
    let with_suffix = format!("{name}_{}", stand_in.cookie_suffix());
    [name, &with_suffix].map(|name| directive(name, value, age, http_only, origin)).into()
}

/// `Secure` if the application uses TLS. Scripts may read every cookie but the refresh token, as Clerk's browser SDK
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
