//! Recognizes browsers that refuse cookies. Without one nobody stays signed in, and Clerk's handshake would redirect for
//! ever: the counter that ends such a loop is a cookie too.
//!
//! A redirect for a browser without any cookie leads back with a parameter. If the browser comes back with the parameter
//! and still without a cookie, it refuses them.

use http::header::COOKIE;
use http::request::Parts;
use http::{HeaderValue, Uri};
use url::{Url, form_urlencoded};

const PARAMETER: &str = "cookie-check";
const REDIRECT_URL: &str = "redirect_url";

/// A cookie that is set beside the message, so that a reload shows whether cookies are allowed now.
pub(crate) const PROBE: HeaderValue =
    HeaderValue::from_static("lethe-cookie-check=1; Path=/; SameSite=Lax; Max-Age=600");

/// Whether the request has any cookie.
pub(crate) fn has_cookies(parts: &Parts) -> bool {
    parts.headers.contains_key(COOKIE)
}

/// Removes the parameter from the request's URL. Returns whether it was there.
pub(crate) fn take(parts: &mut Parts) -> bool {
    let Some(query) = parts.uri.query().filter(|query| query.contains(PARAMETER)) else { return false };
    let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != PARAMETER).collect();
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let path = parts.uri.path();
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let Ok(uri) = target.parse::<Uri>() else { return false };
    parts.uri = uri;
    true
}

/// Adds the parameter to where a URL leads back to, or to the URL itself if it leads to no other site.
pub(crate) fn add_to(url: &mut Url) {
    let leads_back = url.query_pairs().any(|(name, _)| name == REDIRECT_URL);
    if !leads_back {
        url.query_pairs_mut().append_pair(PARAMETER, "1");
        return;
    }
    let pairs: Vec<(String, String)> = url
        .query_pairs()
        .map(|(name, value)| match Url::parse(&value) {
            Ok(mut back) if name == REDIRECT_URL => {
                back.query_pairs_mut().append_pair(PARAMETER, "1");
                (name.into_owned(), back.into())
            }
            _ => (name.into_owned(), value.into_owned()),
        })
        .collect();
    url.query_pairs_mut().clear().extend_pairs(pairs);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(uri: &str) -> (bool, String) {
        let (mut parts, ()) = http::Request::get(uri).body(()).expect("the URI is valid").into_parts();
        let found = take(&mut parts);
        (found, parts.uri.to_string())
    }

    #[test]
    fn parameter_is_taken_out_of_the_url() {
        assert_eq!(taken("/?cookie-check=1"), (true, "/".to_owned()));
        assert_eq!(taken("/delete?a=1&cookie-check=1&b=%2F"), (true, "/delete?a=1&b=%2F".to_owned()));
        assert_eq!(taken("/?a=cookie"), (false, "/?a=cookie".to_owned()));
    }

    #[test]
    fn parameter_is_added_where_the_redirect_leads_back_to() {
        let marked = |url: &str| {
            let mut url = Url::parse(url).expect("it is a URL");
            add_to(&mut url);
            url.to_string()
        };
        assert_eq!(marked("https://p.example.org/delete"), "https://p.example.org/delete?cookie-check=1");
        assert_eq!(
            marked(
                "https://clerk.example.org/v1/client/handshake?redirect_url=https%3A%2F%2Fp.example.org%2F&format=nonce"
            ),
            "https://clerk.example.org/v1/client/handshake?redirect_url=https%3A%2F%2Fp.example.org%2F%3Fcookie-check%3D1&format=nonce"
        );
    }
}
