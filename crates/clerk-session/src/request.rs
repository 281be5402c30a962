//! The parts of a request that decisions depend on, borrowed from it.

use std::borrow::Cow;

use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, REFERER};
use http::{Method, request::Parts};
use url::Url;
use url::form_urlencoded;

use crate::cookies::{Cookies, parse_client_uat};
use crate::handshake_state::{self, HANDSHAKE_STATE as STATE};
use crate::token::Token;
use crate::validated_config::ValidatedConfig;

pub(crate) const DEV_BROWSER: &str = "__clerk_db_jwt";
pub(crate) const LEGACY_DEV_BROWSER: &str = "__dev_session";
pub(crate) const HANDSHAKE: &str = "__clerk_handshake";
pub(crate) const HANDSHAKE_NONCE: &str = "__clerk_handshake_nonce";
pub(crate) const HANDSHAKE_HELP: &str = "__clerk_help";
pub(crate) const SYNCED: &str = "__clerk_synced";
pub(crate) const SATELLITE_URL: &str = "__clerk_redirect_url";

/// A request to authenticate: the SDK's `AuthenticateContext`.
pub struct AuthRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
    path_and_query: &'a str,
    origin: Cow<'a, str>,
    pub(crate) bearer: Option<Cow<'a, str>>,
    pub(crate) cookies: Cookies<'a>,
    /// Whether the cookies with the instance's suffix count, or those without.
    pub(crate) uses_suffixed_cookies: bool,
    /// Whether the URL has the parameter, even if it is empty.
    pub(crate) dev_browser_in_url: bool,
    dev_browser_from_url: Option<Cow<'a, str>>,
    pub(crate) handshake: Option<Cow<'a, str>>,
    pub(crate) handshake_nonce: Option<Cow<'a, str>>,
    /// The state of the handshake that led back to this URL.
    state: Option<Cow<'a, str>>,
    /// Whether a satellite has the primary domain's response (`true`) or must ask for it (`false`).
    pub(crate) synced: Option<Cow<'a, str>>,
    /// The satellite's URL that the primary domain's response goes to.
    pub(crate) satellite_url: Option<Cow<'a, str>>,
}

impl<'a> AuthRequest<'a> {
    /// `now` is in milliseconds since the Unix epoch. The choice between suffixed and unsuffixed cookies depends on it.
    #[must_use]
    pub fn new(parts: &'a Parts, config: &'a ValidatedConfig, now: i64) -> Self {
        let headers = &parts.headers;
        let cookies = Cookies::read(headers, &config.cookie_names);
        let mut request = Self {
            method: &parts.method,
            headers,
            path_and_query: parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str),
            origin: origin(parts, config),
            bearer: bearer(headers),
            uses_suffixed_cookies: uses_suffixed_cookies(&cookies, config, now),
            dev_browser_in_url: false,
            dev_browser_from_url: None,
            handshake: None,
            handshake_nonce: None,
            state: None,
            synced: None,
            satellite_url: None,
            cookies,
        };
        request.read_query(parts.uri.query().unwrap_or_default());
        request
    }

    /// Of several parameters with the same name the first one counts.
    fn read_query(&mut self, query: &'a str) {
        // Any character of a name may be percent-encoded.
        if !query.contains("__clerk") && !query.contains(STATE) && !query.contains('%') {
            return;
        }
        let (mut handshake, mut nonce, mut state, mut dev_browser) = (None, None, None, None);
        let (mut synced, mut satellite) = (None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let slot = match &*name {
                HANDSHAKE => &mut handshake,
                HANDSHAKE_NONCE => &mut nonce,
                STATE => &mut state,
                DEV_BROWSER => &mut dev_browser,
                SYNCED => &mut synced,
                SATELLITE_URL => &mut satellite,
                _ => continue,
            };
            slot.get_or_insert(value);
        }
        let non_empty = |value: Option<Cow<'a, str>>| value.filter(|value| !value.is_empty());
        self.dev_browser_in_url = dev_browser.is_some();
        self.dev_browser_from_url = non_empty(dev_browser);
        self.handshake = non_empty(handshake);
        self.handshake_nonce = non_empty(nonce);
        self.state = non_empty(state);
        self.synced = synced;
        self.satellite_url = non_empty(satellite);
    }

    /// The handshake's nonce, from the URL (development) or a cookie (production).
    pub(crate) fn nonce(&self) -> Option<&str> {
        self.handshake_nonce.as_deref().or(self.cookies.handshake_nonce.as_deref())
    }

    /// The handshake's token, from the URL (development) or a cookie (production).
    pub(crate) fn handshake_token(&self) -> Option<&str> {
        self.handshake.as_deref().or(self.cookies.handshake.as_deref())
    }

    /// Whether the browser was sent on a handshake and was redirected back to this URL.
    pub(crate) fn is_from_own_handshake(&self) -> bool {
        let state = self.state.as_deref().filter(|state| handshake_state::is_state(state));
        state.is_some() && state == self.cookies.state.as_deref()
    }

    /// Whether a handshake decides about the request that this browser wasn't sent on.
    pub(crate) fn has_foreign_handshake(&self) -> bool {
        let has_handshake = self.nonce().is_some() || self.handshake_token().is_some();
        self.bearer.is_none() && has_handshake && !self.is_from_own_handshake()
    }

    /// Whether there is anything that a key verifies.
    pub(crate) fn has_token(&self) -> bool {
        self.bearer.is_some() || self.session_token().is_some() || self.handshake_token().is_some()
    }

    pub(crate) fn session_token(&self) -> Option<&str> {
        self.cookies.session.get(self.uses_suffixed_cookies)
    }

    pub(crate) fn client_uat(&self) -> i64 {
        parse_client_uat(self.cookies.client_uat.get(self.uses_suffixed_cookies))
    }

    pub(crate) fn dev_browser(&self) -> Option<&str> {
        self.dev_browser_from_url.as_deref().or(self.cookies.dev_browser.get(self.uses_suffixed_cookies))
    }

    /// The request's URL as browsers see it.
    pub(crate) fn url(&self) -> Option<Url> {
        Url::parse(&format!("{}{}", self.origin, self.path_and_query)).ok()
    }

    /// The origin of [`Self::url`].
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether the browser declares the request to be a navigation.
    pub(crate) fn is_document(&self) -> bool {
        self.method == Method::GET
            && self.headers.get("sec-fetch-dest").is_some_and(|destination| destination.as_bytes() == b"document")
    }

    /// The referrer, unless it has the same origin.
    pub(crate) fn cross_origin_referrer(&self) -> Option<Url> {
        let referrer = Url::parse(self.headers.get(REFERER)?.to_str().ok()?).ok()?;
        (referrer.origin().ascii_serialization() != self.origin).then_some(referrer)
    }

    /// Whether the browser would follow redirects to Clerk and back: only when it navigates.
    pub(crate) fn is_eligible_for_handshake(&self) -> bool {
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

/// The configured origin, or the one that a trusted proxy forwards.
fn origin<'a>(parts: &'a Parts, config: &'a ValidatedConfig) -> Cow<'a, str> {
    let configured = &config.public_origin;
    if !(config.config.trust_forwarded)(parts) {
        return Cow::Borrowed(configured);
    }
    let first = |name: &str| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        value.split(',').next().map(str::trim).filter(|value| !value.is_empty())
    };
    let scheme = first("x-forwarded-proto").filter(|scheme| matches!(*scheme, "http" | "https"));
    let (own_scheme, own_host) = configured.split_once("://").unwrap_or(("https", configured));
    let forwarded = match (scheme, first("x-forwarded-host")) {
        (None, None) => return Cow::Borrowed(configured),
        (scheme, host) => format!("{}://{}", scheme.unwrap_or(own_scheme), host.unwrap_or(own_host)),
    };
    // The forwarded values must form an origin and nothing more.
    match Url::parse(&forwarded) {
        Ok(url)
            if url.path() == "/" && url.username().is_empty() && url.query().is_none() && url.fragment().is_none() =>
        {
            Cow::Owned(url.origin().ascii_serialization())
        }
        _ => Cow::Borrowed(configured),
    }
}

/// The token of the `Authorization` header: a bearer token, or the whole value if there is no scheme.
///
/// Several headers are one list, as HTTP and `fetch` read them, and a list is no token.
fn bearer(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let mut values = headers.get_all(AUTHORIZATION).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let first = values.next()?;
    let value = values.fold(first, |list, value| Cow::Owned(format!("{list}, {value}")));
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

/// Whether the cookies with the instance's suffix count, or those without. The checks are in the SDK's order.
fn uses_suffixed_cookies(cookies: &Cookies<'_>, config: &ValidatedConfig, now: i64) -> bool {
    let (uat, suffixed_uat) = (cookies.client_uat.unsuffixed.as_deref(), cookies.client_uat.suffixed.as_deref());
    let (session, suffixed_session) = (cookies.session.unsuffixed.as_deref(), cookies.session.suffixed.as_deref());
    let token = session.and_then(Token::parse);
    if session.is_some() {
        match &token {
            Some(token) if token.has_issuer() => {
                if !token.is_issued_by(&config.issuer_host) {
                    return true;
                }
            }
            _ => return false,
        }
    }
    if suffixed_uat.is_none() && suffixed_session.is_none() {
        return false;
    }
    let suffixed_token = suffixed_session.and_then(Token::parse);
    let issued_at = |token: &Option<Token<'_>>| token.as_ref().and_then(Token::issued_at).unwrap_or(0.0);
    let (signed_out, suffixed_signed_out) = (uat == Some("0"), suffixed_uat == Some("0"));
    if !suffixed_signed_out && !signed_out && issued_at(&token) > issued_at(&suffixed_token) {
        return false;
    }
    if suffixed_signed_out && !signed_out {
        return false;
    }
    let suffixed_is_expired = suffixed_token.is_some_and(|token| token.is_expired(now));
    if config.is_development() && !suffixed_signed_out && signed_out && suffixed_is_expired {
        return false;
    }
    suffixed_uat.is_some() || suffixed_session.is_none()
}
