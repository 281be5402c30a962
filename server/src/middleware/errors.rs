//! Renders problems as documents or pages, and replaces the bare error responses of the router and its layers.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use lethe_app::server::accepts_html;
use lethe_app::server::context::{RequestContext, Site};
use lethe_error_code::ErrorCode;

use crate::error::{MEDIA_TYPE, Problem, error_page};

/// What a 503 says that says nothing else, in seconds.
const UNAVAILABLE_RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// The layer.
pub(super) async fn render_errors(State(site): State<Site>, request: Request, next: Next) -> Response {
    let wants_html = wants_html(&request);
    let context = request.extensions().get::<RequestContext>().cloned();
    let incident = context.map(|context| context.incident).unwrap_or_default();
    let mut response = next.run(request).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    if let Some(problem) = problem_of(&mut response) {
        problem.log();
        let headers = response.headers();
        let preserved: Vec<_> = [header::ALLOW, header::SET_COOKIE]
            .into_iter()
            .flat_map(|name| headers.get_all(&name).iter().map(move |value| (name.clone(), value.clone())))
            .collect();
        response = if wants_html { error_page(&site, &incident, &problem) } else { problem.document(&incident) };
        response.headers_mut().extend(preserved);
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        // Pages and server functions render their errors themselves.
        response.headers_mut().entry(header::RETRY_AFTER).or_insert(UNAVAILABLE_RETRY_AFTER);
    }
    if let Ok(value) = HeaderValue::from_str(&incident) {
        response.headers_mut().insert("x-incident-id", value);
    }
    response
}

/// Returns what is to be rendered, unless the handler has rendered the error itself.
fn problem_of(response: &mut Response) -> Option<Problem> {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return Some(problem);
    }
    if let Some(code) = response.extensions_mut().remove::<ErrorCode>() {
        return Some(code.into());
    }
    (!has_error_body(response)).then(|| Problem::from_status(response.status()))
}

/// Returns whether the body is a page, the response of a server function, or a document.
fn has_error_body(response: &Response) -> bool {
    let headers = response.headers();
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    headers.contains_key("serverfnerror")
        || ["text/html", "application/json", MEDIA_TYPE].iter().any(|own| media_type.starts_with(own))
}

/// People who navigate get pages; programs get documents.
fn wants_html(request: &Request) -> bool {
    let path = request.uri().path();
    let is_form = path.starts_with("/api/_/") || path == "/api/privacy/export";
    accepts_html(request.headers()) && (is_form || !path.starts_with("/api/"))
}
