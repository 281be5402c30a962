//! The page for errors outside of the pages themselves: in the middleware, in authentication, after a panic.
//! Plain text in the pages' layout: whatever is broken, this isn't rendered by it.

use axum::response::{Html, IntoResponse, Response};
use lethe_app::server::context::Site;
use lethe_error_code::ErrorCode;

use super::Problem;

/// Renders the page.
#[must_use]
pub fn error_page(site: &Site, incident: &str, problem: &Problem) -> Response {
    let html = format!(
        include_str!("page.html"),
        title = title(problem.code()),
        brand = escape_html(&site.brand),
        style = escape_html(&site.style_path),
        message = escape_html(problem.code().message()),
        incident = incident,
    );
    let mut response = (problem.status(), Html(html)).into_response();
    problem.set_headers(&mut response);
    response
}

const fn title(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Maintenance => "Back soon",
        _ => "Something went wrong",
    }
}

fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
