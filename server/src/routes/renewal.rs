//! `/session`: a page with nothing on it. Its only use is its request: that of a document, which may take the
//! way by Clerk and back, and so renews the session of a page that stands open and loads it in a frame.
//!
//! A frame is the sturdiest of the ways there are. A script's own request can't take that way, because
//! Clerk answers it for documents alone. Loading the whole page again would lose what was typed, or would
//! need it written down in the browser's storage. The frame leaves the page as it is; where it can't help,
//! the repeated call is refused again and the page says so. The frame is of this site, so no browser takes
//! its cookies for a third party's; with a production instance Clerk's are of the same site too, and a
//! development instance tells the browser by the address.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};

/// The route.
pub const PATH: &str = "/session";

const POLICY: &str = "default-src 'none'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'";
const PAGE: &str = "<!DOCTYPE html>\n<html lang=\"en\"><title>Session</title></html>\n";

/// The page, the same for everybody.
pub async fn page() -> Response {
    let mut response = Html(PAGE).into_response();
    allow_frame(response.headers_mut());
    response
}

/// Lets pages of this site frame the answer. Some browsers hold redirects to it as well.
pub fn allow_frame(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
}
