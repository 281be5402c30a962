//! The HTTP request and response around a page or a server function, as far as pages and errors need them.
//! Knows axum and Leptos, nothing of Lethe.

use axum::http::StatusCode;
use axum::http::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, LOCATION};
use axum::http::request::Parts;
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

/// Whether the client accepts HTML: a browser that navigates does, a script and a program don't.
#[must_use]
pub fn accepts_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// Whether the browser itself sent the form that is being handled, so that the response is a page.
pub(crate) fn is_plain_form() -> bool {
    use_context::<Parts>().is_some_and(|request| accepts_html(&request.headers))
}

/// Sets the status of the response, page or value.
pub(crate) fn set_status(status: u16) {
    if let (Some(response), Ok(status)) = (use_context::<ResponseOptions>(), StatusCode::from_u16(status)) {
        response.set_status(status);
    }
}

/// Adds a header to the response.
pub(crate) fn append_header(name: HeaderName, value: HeaderValue) {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.append_header(name, value);
    }
}

/// Redirects the browser to `path`, which it requests with GET. `path` is made of ASCII here, so it fits into a header.
pub(crate) fn see_other(path: &str) {
    if let (Some(response), Ok(location)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(path)) {
        response.insert_header(LOCATION, location);
        response.set_status(StatusCode::SEE_OTHER);
    }
}
