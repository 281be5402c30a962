//! Security headers of every response: what the browser may load, frame, store and send along.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use lethe_app::server::context::RequestContext;
use url::Url;

const PERMISSIONS_POLICY: &str = "accelerometer=(), autoplay=(), browsing-topics=(), camera=(), display-capture=(), \
     fullscreen=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), \
     publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=()";

/// For responses that are no pages: nothing in them may run or be framed.
const STRICT_CSP: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// For responses that pages of this site may frame.
const SAME_ORIGIN_FRAME_CSP: &str = "default-src 'none'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'";

/// What the headers depend on.
#[derive(Clone, Debug)]
pub struct SecurityHeaders {
    form_action_sources: String,
    frame_sources: String,
    uses_https: bool,
}

impl SecurityHeaders {
    /// Returns the headers of an installation at `public_url` whose users sign in at `sign_in`, and whose sessions are
    /// renewed at `frontend`.
    #[must_use]
    pub fn new(public_url: &Url, sign_in: &Url, frontend: &Url) -> Self {
        // A redirect of a form or a frame counts as its target, and an expired session is renewed through Clerk.
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

    /// Adds the headers that are missing.
    fn apply(&self, nonce: &str, headers: &mut HeaderMap) {
        let is_page = headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
        let csp = if is_page { HeaderValue::from_str(&self.page_csp(nonce)).ok() } else { None };
        let mut add = |name: HeaderName, value: HeaderValue| {
            headers.entry(name).or_insert(value);
        };
        add(header::CONTENT_SECURITY_POLICY, csp.unwrap_or(HeaderValue::from_static(STRICT_CSP)));
        add(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        add(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        add(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        add(HeaderName::from_static("permissions-policy"), HeaderValue::from_static(PERMISSIONS_POLICY));
        add(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
        add(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
        if self.uses_https {
            add(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        }
        // A response that says nothing about caching is personal or current.
        add(header::CACHE_CONTROL, HeaderValue::from_static("no-store, private"));
    }
}

/// Lets pages of this site frame the response. Some browsers require it of redirects too.
pub fn allow_same_origin_frame(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SAME_ORIGIN_FRAME_CSP));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
}

/// Returns this origin and those of the given URLs.
fn csp_sources<'a>(urls: impl IntoIterator<Item = &'a Url>) -> String {
    let mut sources = vec!["'self'".to_owned()];
    for origin in urls.into_iter().map(|url| url.origin().ascii_serialization()) {
        if !sources.contains(&origin) {
            sources.push(origin);
        }
    }
    sources.join(" ")
}

/// The layer.
pub(super) async fn security_headers(
    State(policy): State<std::sync::Arc<SecurityHeaders>>,
    request: Request,
    next: Next,
) -> Response {
    let nonce = request.extensions().get::<RequestContext>().map(|context| context.nonce.clone()).unwrap_or_default();
    let mut response = next.run(request).await;
    policy.apply(&nonce, response.headers_mut());
    response
}
