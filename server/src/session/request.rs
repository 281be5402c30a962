//! What of a request matters for the decision, without copying it.

use std::borrow::Cow;
use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, REFERER};
use http::{Method, request::Parts};
use url::Url;
use url::form_urlencoded;

use super::cookies::{Cookies, seconds};
use super::rules::Rules;
use super::token::Token;

pub(super) const DEV_BROWSER: &str = "__clerk_db_jwt";
pub(super) const LEGACY_DEV_BROWSER: &str = "__dev_session";
pub(super) const HANDSHAKE: &str = "__clerk_handshake";
pub(super) const HANDSHAKE_NONCE: &str = "__clerk_handshake_nonce";
pub(super) const HANDSHAKE_HELP: &str = "__clerk_help";
pub(super) const SYNCED: &str = "__clerk_synced";
pub(super) const SATELLITE_URL: &str = "__clerk_redirect_url";

/// A request, as far as it matters.
pub struct View<'a> {
    pub(super) method: &'a Method,
    pub(super) headers: &'a HeaderMap,
    path_and_query: &'a str,
    origin: Cow<'a, str>,
    pub(super) bearer: Option<Cow<'a, str>>,
    pub(super) cookies: Cookies<'a>,
    /// Whether the cookies with the instance's suffix are those that count.
    pub(super) suffixed: bool,
    /// Whether the URL holds a browser's identity.
    pub(super) dev_browser_in_url: bool,
    dev_browser_of_url: Option<Cow<'a, str>>,
    pub(super) handshake: Option<Cow<'a, str>>,
    pub(super) handshake_nonce: Option<Cow<'a, str>>,
    /// Whether a satellite was told who is signed in (`true`) or must ask (`false`).
    pub(super) synced: Option<Cow<'a, str>>,
    /// Where a satellite wants the answer.
    pub(super) satellite_url: Option<Cow<'a, str>>,
}

impl<'a> View<'a> {
    /// Looks at a request. `now` is in milliseconds; the choice between two cookies depends on it.
    #[must_use]
    pub fn new(parts: &'a Parts, rules: &'a Rules, now: i64) -> Self {
        let headers = &parts.headers;
        let cookies = Cookies::read(headers, &rules.names);
        let mut view = Self {
            method: &parts.method,
            headers,
            path_and_query: parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str),
            origin: origin(parts, rules),
            bearer: bearer(headers),
            suffixed: uses_suffixed(&cookies, rules, now),
            dev_browser_in_url: false,
            dev_browser_of_url: None,
            handshake: None,
            handshake_nonce: None,
            synced: None,
            satellite_url: None,
            cookies,
        };
        view.read_query(parts.uri.query().unwrap_or_default());
        view
    }

    /// The first of several counts, as does an empty one's presence.
    fn read_query(&mut self, query: &'a str) {
        // Any character of a name may be escaped.
        if !query.contains("__clerk") && !query.contains('%') {
            return;
        }
        let (mut handshake, mut nonce, mut dev_browser, mut synced, mut satellite) = (None, None, None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match &*name {
                HANDSHAKE => &mut handshake,
                HANDSHAKE_NONCE => &mut nonce,
                DEV_BROWSER => &mut dev_browser,
                SYNCED => &mut synced,
                SATELLITE_URL => &mut satellite,
                _ => continue,
            };
            place.get_or_insert(value);
        }
        let filled = |value: Option<Cow<'a, str>>| value.filter(|value| !value.is_empty());
        self.dev_browser_in_url = dev_browser.is_some();
        self.dev_browser_of_url = filled(dev_browser);
        self.handshake = filled(handshake);
        self.handshake_nonce = filled(nonce);
        self.synced = synced;
        self.satellite_url = filled(satellite);
    }

    /// The handshake's nonce, from the URL (development) or a cookie (production).
    pub(super) fn nonce(&self) -> Option<&str> {
        self.handshake_nonce.as_deref().or(self.cookies.handshake_nonce.as_deref())
    }

    /// The handshake's token, likewise.
    pub(super) fn handshake_token(&self) -> Option<&str> {
        self.handshake.as_deref().or(self.cookies.handshake.as_deref())
    }

    pub(super) fn session_token(&self) -> Option<&str> {
        self.cookies.session.get(self.suffixed)
    }

    pub(super) fn client_uat(&self) -> i64 {
        seconds(self.cookies.client_uat.get(self.suffixed))
    }

    pub(super) fn dev_browser(&self) -> Option<&str> {
        self.dev_browser_of_url.as_deref().or(self.cookies.dev_browser.get(self.suffixed))
    }

    /// The address that the browser asked for, as people see it.
    pub(super) fn url(&self) -> Option<Url> {
        Url::parse(&format!("{}{}", self.origin, self.path_and_query)).ok()
    }

    /// Scheme, host and port of that address.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether a browser asks for a whole page, and says so.
    pub(super) fn is_document(&self) -> bool {
        self.method == Method::GET && self.headers.get("sec-fetch-dest").is_some_and(|to| to.as_bytes() == b"document")
    }

    /// Where the person came from, if that is another origin.
    pub(super) fn other_referrer(&self) -> Option<Url> {
        let referrer = Url::parse(self.headers.get(REFERER)?.to_str().ok()?).ok()?;
        (referrer.origin().ascii_serialization() != self.origin).then_some(referrer)
    }

    /// Whether a redirect to Clerk and back makes sense: for documents alone.
    pub(super) fn may_handshake(&self) -> bool {
        if self.method != Method::GET {
            return false;
        }
        let text = |name: &str| self.headers.get(name).and_then(|value| value.to_str().ok());
        match text("sec-fetch-dest").filter(|destination| !destination.is_empty()) {
            Some(destination) => matches!(destination, "document" | "iframe"),
            None => text(ACCEPT.as_str()).is_some_and(|accept| accept.starts_with("text/html")),
        }
    }
}

/// The public address is a setting; a trusted proxy may know another one.
fn origin<'a>(parts: &'a Parts, rules: &'a Rules) -> Cow<'a, str> {
    let first = |name: &str| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        value.split(',').next().map(str::trim).filter(|value| !value.is_empty())
    };
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    let known = &rules.public_origin;
    if !peer.is_some_and(|peer| (rules.settings.trusted_proxy)(peer)) {
        return Cow::Borrowed(known);
    }
    let scheme = first("x-forwarded-proto").filter(|scheme| matches!(*scheme, "http" | "https"));
    let (known_scheme, known_host) = known.split_once("://").unwrap_or(("https", known));
    let forwarded = match (scheme, first("x-forwarded-host")) {
        (None, None) => return Cow::Borrowed(known),
        (scheme, host) => format!("{}://{}", scheme.unwrap_or(known_scheme), host.unwrap_or(known_host)),
    };
    // Whatever was forwarded must be an origin and nothing more.
    match Url::parse(&forwarded) {
        Ok(url)
            if url.path() == "/" && url.username().is_empty() && url.query().is_none() && url.fragment().is_none() =>
        {
            Cow::Owned(url.origin().ascii_serialization())
        }
        _ => Cow::Borrowed(known),
    }
}

/// A token in the header goes before every cookie. Without a scheme the whole value is the token.
fn bearer(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let value = String::from_utf8_lossy(headers.get(AUTHORIZATION)?.as_bytes());
    let token = |value: &str| -> Option<std::ops::Range<usize>> {
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        let token = rest.split(' ').next().unwrap_or_default();
        match (scheme, token) {
            ("", "") => None,
            (scheme, "") => Some(0..scheme.len()),
            ("Bearer", token) => Some(scheme.len() + 1..scheme.len() + 1 + token.len()),
            _ => None,
        }
    };
    let range = token(&value)?;
    Some(match value {
        Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
        Cow::Owned(text) => Cow::Owned(text[range].to_owned()),
    })
}

/// Which cookies count: with the instance's suffix or without? In Clerk's order.
fn uses_suffixed(cookies: &Cookies<'_>, rules: &Rules, now: i64) -> bool {
    let (uat, suffixed_uat) = (cookies.client_uat.plain.as_deref(), cookies.client_uat.suffixed.as_deref());
    let (session, suffixed_session) = (cookies.session.plain.as_deref(), cookies.session.suffixed.as_deref());
    let token = session.and_then(Token::read);
    if session.is_some() {
        match &token {
            Some(token) if token.has_issuer() => {
                if !token.is_issued_by(&rules.issuer_host) {
                    return true;
                }
            }
            _ => return false,
        }
    }
    if suffixed_uat.is_none() && suffixed_session.is_none() {
        return false;
    }
    let suffixed_token = suffixed_session.and_then(Token::read);
    let issued_at = |token: &Option<Token<'_>>| token.as_ref().and_then(Token::issued_at).unwrap_or(0.0);
    let (signed_out, suffixed_signed_out) = (uat == Some("0"), suffixed_uat == Some("0"));
    if !suffixed_signed_out && !signed_out && issued_at(&token) > issued_at(&suffixed_token) {
        return false;
    }
    if suffixed_signed_out && !signed_out {
        return false;
    }
    let suffixed_is_over = suffixed_token.is_some_and(|token| token.is_over(now));
    if rules.is_development() && !suffixed_signed_out && signed_out && suffixed_is_over {
        return false;
    }
    suffixed_uat.is_some() || suffixed_session.is_none()
}
