//! The page for errors outside of the pages themselves: in the middleware, in authentication, after a panic.
//! Plain text in the pages' layout: whatever is broken, this isn't rendered by it.

use axum::response::{Html, IntoResponse, Response};
use lethe_app::server::context::Site;
use lethe_app::server::error_texts;

use super::Problem;

/// Renders the page.
#[must_use]
pub fn error_page(site: &Site, incident: &str, problem: &Problem) -> Response {
    let texts = error_texts::of(problem.code());
    let reference =
        texts.reference.map(|label| format!("<p class=\"mt-4 text-soft\">{label} <code>{incident}</code></p>"));
    let suffix = error_texts::brand_suffix(&site.brand);
    let html = format!(
        include_str!("page.html"),
        title = texts.title,
        brand = escape_html(&site.brand),
        suffix = suffix.map(|suffix| format!("<span class=\"brand-suffix\">{suffix}</span>")).unwrap_or_default(),
        style = escape_html(&site.style_path),
        message = escape_html(problem.code().message()),
        reference = reference.unwrap_or_default(),
        start = texts.start,
    );
    let mut response = (problem.status(), Html(html)).into_response();
    problem.set_headers(&mut response);
    response
}

fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
