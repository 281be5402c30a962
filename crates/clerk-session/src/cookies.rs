//! Clerk's cookies: reads them from a request, filters those of a handshake, and expires them.

use std::borrow::Cow;
use std::net::IpAddr;

use http::header::{COOKIE, HeaderMap, HeaderValue};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::handshake_state;

/// The names of cookies that carry the instance's suffix.
pub(crate) struct CookieNames {
    session: String,
    client_uat: String,
    refresh: String,
    dev_browser: String,
    state: &'static str,
}

const SESSION: &str = "__session";
const CLIENT_UAT: &str = "__client_uat";
const REFRESH: &str = "__refresh";
const DEV_BROWSER: &str = "__clerk_db_jwt";
const HANDSHAKE: &str = "__clerk_handshake";
const HANDSHAKE_NONCE: &str = "__clerk_handshake_nonce";
pub(crate) const REDIRECT_COUNT: &str = "__clerk_redirect_count";

impl CookieNames {
    pub(crate) fn new(suffix: &str, public_url: &Url) -> Self {
        let suffixed = |name: &str| format!("{name}_{suffix}");
        Self {
            session: suffixed(SESSION),
            client_uat: suffixed(CLIENT_UAT),
            refresh: suffixed(REFRESH),
            dev_browser: suffixed(DEV_BROWSER),
            state: handshake_state::cookie_name(public_url),
        }
    }
}

/// A cookie with and without the instance's suffix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CookiePair<'a> {
    pub(crate) unsuffixed: Option<Cow<'a, str>>,
    pub(crate) suffixed: Option<Cow<'a, str>>,
}

impl CookiePair<'_> {
    pub(crate) fn get(&self, suffixed: bool) -> Option<&str> {
        if suffixed { self.suffixed.as_deref() } else { self.unsuffixed.as_deref() }
    }
}

/// The cookies that decisions depend on. An empty cookie counts as missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cookies<'a> {
    pub(crate) session: CookiePair<'a>,
    pub(crate) client_uat: CookiePair<'a>,
    pub(crate) refresh: Option<Cow<'a, str>>,
    pub(crate) dev_browser: CookiePair<'a>,
    pub(crate) handshake: Option<Cow<'a, str>>,
    pub(crate) handshake_nonce: Option<Cow<'a, str>>,
    /// The state of the handshakes that this browser was sent on.
    pub(crate) state: Option<Cow<'a, str>>,
    pub(crate) redirect_count: u32,
}

impl<'a> Cookies<'a> {
    /// Reads the `Cookie` headers. Of several cookies with the same name the first one counts.
    pub(crate) fn read(headers: &'a HeaderMap, names: &CookieNames) -> Self {
        let mut cookies = Self::default();
        let mut count = None;
        for header in headers.get_all(COOKIE) {
            for pair in header.as_bytes().split(|byte| *byte == b';') {
                let Some(equals) = pair.iter().position(|byte| *byte == b'=') else { continue };
                let (name, value) = (pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii());
                if !name.starts_with(b"__") {
                    continue;
                }
                let slot = match name {
                    _ if name == SESSION.as_bytes() => &mut cookies.session.unsuffixed,
                    _ if name == names.session.as_bytes() => &mut cookies.session.suffixed,
                    _ if name == CLIENT_UAT.as_bytes() => &mut cookies.client_uat.unsuffixed,
                    _ if name == names.client_uat.as_bytes() => &mut cookies.client_uat.suffixed,
                    _ if name == names.refresh.as_bytes() => &mut cookies.refresh,
                    _ if name == DEV_BROWSER.as_bytes() => &mut cookies.dev_browser.unsuffixed,
                    _ if name == names.dev_browser.as_bytes() => &mut cookies.dev_browser.suffixed,
                    _ if name == HANDSHAKE.as_bytes() => &mut cookies.handshake,
                    _ if name == HANDSHAKE_NONCE.as_bytes() => &mut cookies.handshake_nonce,
                    _ if name == names.state.as_bytes() => &mut cookies.state,
                    _ if name == REDIRECT_COUNT.as_bytes() => &mut count,
                    _ => continue,
                };
                slot.get_or_insert_with(|| percent_decode(value));
            }
        }
        cookies.redirect_count = count.and_then(|count| count.parse().ok()).unwrap_or(0);
        cookies.drop_empty();
        cookies
    }

    fn drop_empty(&mut self) {
        for slot in [
            &mut self.session.unsuffixed,
            &mut self.session.suffixed,
            &mut self.client_uat.unsuffixed,
            &mut self.client_uat.suffixed,
            &mut self.refresh,
            &mut self.dev_browser.unsuffixed,
            &mut self.dev_browser.suffixed,
            &mut self.handshake,
            &mut self.handshake_nonce,
            &mut self.state,
        ] {
            if slot.as_ref().is_some_and(|value| value.is_empty()) {
                *slot = None;
            }
        }
    }
}

/// Decodes percent-encoding, unless the result is not UTF-8: then the value stays as it is.
fn percent_decode(value: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(value) {
        Cow::Borrowed(text) if text.contains('%') => {
            percent_decode_str(text).decode_utf8().unwrap_or(Cow::Borrowed(text))
        }
        text => text,
    }
}

/// The value of `__client_uat`: when the browser's sign-in state last changed, in seconds since the Unix epoch; 0 when
/// signed out or unreadable. Reads leading digits only, as JavaScript's `parseInt`.
pub(crate) fn parse_client_uat(value: Option<&str>) -> i64 {
    let Some(text) = value else { return 0 };
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.find(|character: char| !character.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse::<i64>().map_or(0, |number| sign * number)
}

/// The name and the value of a `Set-Cookie` line.
fn name_and_value(directive: &str) -> Option<(&str, &str)> {
    let (name, value) = directive.split(';').next()?.split_once('=')?;
    Some((name, value))
}

/// The session token among `Set-Cookie` lines; of several the last one counts.
pub(crate) fn session_token(directives: &[String]) -> Option<&str> {
    directives
        .iter()
        .filter_map(|directive| name_and_value(directive))
        .filter(|(name, _)| name.starts_with(SESSION))
        .map(|(_, value)| value)
        .next_back()
        .filter(|token| !token.is_empty())
}

/// The `Set-Cookie` lines that set Clerk's own cookies, whose names begin with `__`.
pub(crate) fn clerk_cookies(directives: &[String]) -> Vec<HeaderValue> {
    directives
        .iter()
        .filter(|directive| name_and_value(directive).is_some_and(|(name, _)| name.starts_with("__")))
        .filter_map(|directive| HeaderValue::from_str(directive).ok())
        .collect()
}

/// `Set-Cookie` lines that expire every session cookie, with and without suffix, of this host and of the domain above
/// it, where production instances set theirs.
pub(crate) fn expired_cookies(names: &CookieNames, public_url: &Url) -> Vec<HeaderValue> {
    let session = [SESSION, &names.session, CLIENT_UAT, &names.client_uat, REFRESH, &names.refresh];
    expired(&[session.as_slice(), &[HANDSHAKE, HANDSHAKE_NONCE]].concat(), public_url)
}

/// `Set-Cookie` lines that expire what a handshake brought, so that a handshake that wasn't used isn't sent again.
pub(crate) fn expired_handshake(public_url: &Url) -> Vec<HeaderValue> {
    expired(&[HANDSHAKE, HANDSHAKE_NONCE], public_url)
}

fn expired(names: &[&str], public_url: &Url) -> Vec<HeaderValue> {
    let secure = if public_url.scheme() == "https" { "; Secure" } else { "" };
    let mut domains = vec![String::new()];
    if let Some(Host::Domain(host)) = public_url.host()
        && host.parse::<IpAddr>().is_err()
    {
        let above = host.split_once('.').map(|(_, above)| above).filter(|above| above.contains('.'));
        domains.extend([Some(host), above].into_iter().flatten().map(|domain| format!("; Domain={domain}")));
    }
    let line = |name: &str, domain: &str| format!("{name}=; Path=/; Max-Age=0; SameSite=Lax{secure}{domain}");
    names
        .iter()
        .flat_map(|name| domains.iter().map(move |domain| line(name, domain)))
        .filter_map(|line| HeaderValue::try_from(line).ok())
        .collect()
}
