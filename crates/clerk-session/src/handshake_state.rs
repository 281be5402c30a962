//! What binds a handshake to the browser that was sent on it: a random state, in a cookie and in the URL that Clerk redirects
//! back to. Whoever makes a browser open a URL with the handshake of another session doesn't know the state.

use data_encoding::BASE64URL_NOPAD;
use http::{HeaderValue, Uri};
use ring::rand::{SecureRandom, SystemRandom};
use url::{Url, form_urlencoded};

/// The parameter of the URL that Clerk redirects back to. It stays in the URL; see
/// [`Authenticator::without_handshake_state`](crate::Authenticator::without_handshake_state).
pub const HANDSHAKE_STATE: &str = "handshake_state";
/// The cookie with HTTPS: the prefix keeps other hosts of the domain from setting it. Browsers accept it with HTTPS alone.
const SECURE_COOKIE: &str = "__Host-handshake_state";
const PLAIN_COOKIE: &str = "__handshake_state";
/// How long Clerk may take to redirect back, in seconds.
const LIFETIME: u32 = 300;
const STATE_BYTES: usize = 16;

/// The cookie's name at this public URL.
pub(crate) fn cookie_name(public_url: &Url) -> &'static str {
    if is_secure(public_url) { SECURE_COOKIE } else { PLAIN_COOKIE }
}

/// The `Set-Cookie` line.
pub(crate) fn cookie(state: &str, public_url: &Url) -> Option<HeaderValue> {
    let (name, secure) = (cookie_name(public_url), if is_secure(public_url) { "; Secure" } else { "" });
    let line = format!("{name}={state}; Path=/; Max-Age={LIFETIME}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(line).ok()
}

fn is_secure(public_url: &Url) -> bool {
    public_url.scheme() == "https"
}

/// A new state; `None` if the operating system has no random number.
pub(crate) fn random() -> Option<String> {
    let mut bytes = [0; STATE_BYTES];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(BASE64URL_NOPAD.encode(&bytes))
}

/// Whether the text is a state as [`random`] makes them.
pub(crate) fn is_state(text: &str) -> bool {
    BASE64URL_NOPAD.decode(text.as_bytes()).is_ok_and(|bytes| bytes.len() == STATE_BYTES)
}

/// The path and query without the state, if they have one.
pub(crate) fn without_state(uri: &Uri) -> Option<String> {
    let query = uri.query().filter(|query| query.contains(HANDSHAKE_STATE))?;
    let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let others: Vec<_> = pairs.iter().filter(|(name, _)| name != HANDSHAKE_STATE).collect();
    if others.len() == pairs.len() {
        return None;
    }
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(others).finish();
    Some(if query.is_empty() { uri.path().to_owned() } else { format!("{}?{query}", uri.path()) })
}
