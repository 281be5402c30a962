//! The headers that every answer carries: what the browser may load, keep and tell.

use axum::response::Response;
use http::{HeaderName, HeaderValue, header};
use url::Url;

use crate::lifecycle::RequestContext;

const PERMISSIONS_POLICY: &str = "accelerometer=(), autoplay=(), browsing-topics=(), camera=(), display-capture=(), \
     fullscreen=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), \
     publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=()";

/// For answers that are no pages: nothing of them may run or be framed.
const STRICT_CSP: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// What the headers depend on.
#[derive(Clone, Debug)]
pub struct SecurityHeaders {
    form_action_sources: String,
    frame_sources: String,
    uses_https: bool,
}

impl SecurityHeaders {
    /// The policy of an installation at `public_url` whose people sign in at `sign_in`, and whose sessions
    /// are renewed at `frontend`.
    #[must_use]
    pub fn new(public_url: &Url, sign_in: &Url, frontend: &Url) -> Self {
        // A form's or a frame's redirect counts as its target, and an expired session is renewed by way of Clerk.
        Self {
            form_action_sources: csp_sources([sign_in, frontend]),
            frame_sources: csp_sources([frontend]),
            uses_https: public_url.scheme() == "https",
        }
    }

    fn page_csp(&self, nonce: &str) -> String {
        format!(
            "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; \
             style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; \
             frame-src {}; form-action {}; base-uri 'none'; frame-ancestors 'none'",
            self.frame_sources, self.form_action_sources
        )
    }
}

/// This origin, and those of the given addresses.
fn csp_sources<'a>(urls: impl IntoIterator<Item = &'a Url>) -> String {
    let mut sources = vec!["'self'".to_owned()];
    for origin in urls.into_iter().map(|url| url.origin().ascii_serialization()) {
        if !sources.contains(&origin) {
            sources.push(origin);
        }
    }
    sources.join(" ")
}

/// Adds the headers that are missing.
pub fn apply(policy: &SecurityHeaders, scope: &RequestContext, response: &mut Response) {
    let is_page =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let content_policy = if is_page {
        HeaderValue::from_str(&policy.page_csp(&scope.nonce)).ok()
    } else {
        Some(HeaderValue::from_static(STRICT_CSP))
    };
    if let Some(content_policy) = content_policy {
        set_if_absent(response, header::CONTENT_SECURITY_POLICY, content_policy);
    }
    set_if_absent(response, header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    set_if_absent(response, header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    set_if_absent(response, header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    set_if_absent(
        response,
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static(PERMISSIONS_POLICY),
    );
    set_if_absent(
        response,
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    set_if_absent(
        response,
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    );
    if policy.uses_https {
        let value = HeaderValue::from_static("max-age=31536000");
        set_if_absent(response, header::STRICT_TRANSPORT_SECURITY, value);
    }
    // Whatever says nothing about caching is about somebody, or about now.
    set_if_absent(response, header::CACHE_CONTROL, HeaderValue::from_static("no-store, private"));
}

fn set_if_absent(response: &mut Response, name: HeaderName, value: HeaderValue) {
    response.headers_mut().entry(name).or_insert(value);
}
