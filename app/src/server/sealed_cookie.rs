//! Cookies that only the server can make and read. Knows nothing of what is in them.

use axum::http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use axum::http::request::Parts;
use cookie::{Cookie, SameSite};
use leptos::prelude::use_context;
use lethe::Lethe;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::Duration;

use crate::response;

/// Browsers limit a cookie to 4096 bytes. Sealing and encoding add about a third.
const MAX_BYTES: usize = 2048;

/// A cookie.
pub(super) struct SealedCookie {
    /// The name with HTTPS. The prefix `__Host-` keeps other hosts of the domain from setting it; browsers accept it with
    /// HTTPS alone.
    pub(super) host_name: &'static str,
    /// The name without HTTPS.
    pub(super) plain_name: &'static str,
    pub(super) lifetime: Duration,
}

#[derive(Serialize, Deserialize)]
struct Payload<T> {
    /// Expiry, in seconds since the Unix epoch.
    until: i64,
    #[serde(flatten)]
    content: T,
}

impl SealedCookie {
    /// Returns the `Set-Cookie` value that stores `content`, or `None` if it is too large for a cookie.
    pub(super) fn header(&self, lethe: &Lethe, content: impl Serialize) -> Option<HeaderValue> {
        let until = (lethe.clock.now() + self.lifetime).unix_timestamp();
        let payload = serde_json::to_vec(&Payload { until, content }).ok()?;
        if payload.len() > MAX_BYTES {
            return None;
        }
        self.set(lethe, lethe.keys.seal_for_browser(self.plain_name, &payload, &lethe.random), self.lifetime)
    }

    /// Stores `content` with the response.
    pub(super) fn store(&self, lethe: &Lethe, content: impl Serialize) {
        append(self.header(lethe, content));
    }

    /// Returns what the request's cookie contains.
    pub(super) fn read<T: DeserializeOwned>(&self, lethe: &Lethe) -> Option<T> {
        let request = use_context::<Parts>()?;
        let sealed = cookie_value(&request.headers, self.name(lethe))?;
        let payload: Payload<T> =
            serde_json::from_slice(&lethe.keys.open_from_browser(self.plain_name, &sealed)?).ok()?;
        (lethe.clock.now().unix_timestamp() < payload.until).then_some(payload.content)
    }

    /// Removes the cookie from the browser.
    pub(super) fn remove(&self, lethe: &Lethe) {
        append(self.set(lethe, String::new(), Duration::ZERO));
    }

    fn name(&self, lethe: &Lethe) -> &'static str {
        if uses_https(lethe) { self.host_name } else { self.plain_name }
    }

    fn set(&self, lethe: &Lethe, value: String, max_age: Duration) -> Option<HeaderValue> {
        let cookie = Cookie::build((self.name(lethe), value))
            .path("/")
            .max_age(max_age)
            .http_only(true)
            // The redirect from the sign-in page comes from another site.
            .same_site(SameSite::Lax)
            .secure(uses_https(lethe));
        HeaderValue::try_from(cookie.to_string()).ok()
    }
}

fn append(value: Option<HeaderValue>) {
    if let Some(value) = value {
        response::append_header(SET_COOKIE, value);
    }
}

fn uses_https(lethe: &Lethe) -> bool {
    lethe.config.public_url.scheme() == "https"
}

fn cookie_value(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(Cookie::split_parse).filter_map(Result::ok);
    cookies.find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; broken; lethe-errand-2=x"));
        headers.append(COOKIE, HeaderValue::from_static("b=2;lethe-errand=sealed"));
        assert_eq!(cookie_value(&headers, "lethe-errand").as_deref(), Some("sealed"));
        assert_eq!(cookie_value(&headers, "lethe-errands"), None);
    }
}
