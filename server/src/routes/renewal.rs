//! `/session`: an empty page that renews the session of another page, which loads it in a frame.
//!
//! Clerk renews sessions by a redirect of a document. A script's request can't be redirected that way, and reloading the
//! page would lose what the user has typed. A frame is a document of its own: its request is redirected to Clerk and back,
//! and the page around it stays as it is. Where a browser blocks that, the page's next request is refused again and the
//! page says so. The frame is of this site, so no browser treats its cookies as those of a third party; with a production
//! instance Clerk is on the same site too, and a development instance identifies the browser in the URL.

use axum::response::{Html, IntoResponse, Response};

use crate::middleware::security_headers;

const PAGE: &str = "<!DOCTYPE html>\n<html lang=\"en\"><title>Session</title></html>\n";

/// Returns the page, the same for everybody.
pub async fn page() -> Response {
    let mut response = Html(PAGE).into_response();
    security_headers::allow_same_origin_frame(response.headers_mut());
    response
}
