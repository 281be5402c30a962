//! `GET /api/privacy/export`: the user's data as a streamed file.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Redirect, Response};
use futures::TryStreamExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use lethe::export::{self, Shape};
use lethe_app::dto::UserHandle;
use lethe_app::server::accepts_html;
use lethe_app::server::context::RequestContext;
use lethe_app::server::current_user::{Authentication, CurrentUser};
use lethe_app::server::flash::{self, Flash};

use crate::error::{Problem, ProblemDocument};
use crate::middleware::security_headers;
use crate::state::AppState;
use time::OffsetDateTime;

/// Everything that is stored about the user.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the shape that the stream writes")]
#[schema(rename_all = "camelCase", as = Export)]
pub(super) struct Archive {
    #[schema(format = DateTime)]
    export_date: String,
    /// The user at Clerk.
    clerk_profile: serde_json::Map<String, serde_json::Value>,
    /// The user's rows, by the name of the mapped table.
    application_data: serde_json::Map<String, serde_json::Value>,
}

/// The export failed after its first bytes were sent, so only the connection can be cut. That must happen: a file that ends
/// early is no valid JSON, and nobody takes it for a complete one.
#[derive(Debug, thiserror::Error)]
#[error("the export was aborted")]
struct ExportAborted;

/// Streams the user's data.
#[utoipa::path(
    get,
    path = "/api/privacy/export",
    responses(
        (status = 200, body = Archive, description = "an attachment"),
        (status = 303, description = "for browsers that navigate, in place of an error: the page shows the reason"),
        (status = 401, body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, body = ProblemDocument, content_type = "application/problem+json",
            description = "the session is impersonated, or, with `clerk_error` as Clerk's helpers read it, the last verification is too old"),
        (status = 409, body = ProblemDocument, content_type = "application/problem+json",
            description = "another export of the same user is running"),
        (status = 429, body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn download(
    State(state): State<AppState>,
    Extension(authentication): Extension<Authentication>,
    Extension(context): Extension<RequestContext>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let user_handle = authentication.as_ref().map(|user| user.user_handle.clone()).unwrap_or_default();
    let response = match authentication {
        Ok(user) => start_export(&state, &method, &user, Shape::Full).await,
        Err(code) => Err(code.into()),
    };
    match response {
        Err(problem) if accepts_html(&headers) => Ok(explain(&state, &context, &user_handle, &headers, &problem)),
        response => response,
    }
}

/// The response to a browser that navigates: the center says why there is no file. In the frame of a page's script it is
/// an empty page, after which the script loads the center again.
fn explain(
    state: &AppState,
    context: &RequestContext,
    user_handle: &UserHandle,
    headers: &HeaderMap,
    problem: &Problem,
) -> Response {
    problem.log();
    let incident = if problem.status().is_server_error() { context.incident.clone() } else { String::new() };
    let flash = Flash::ExportRefused(problem.code(), incident);
    let mut response = if headers.get("sec-fetch-dest").is_some_and(|value| value == "iframe") {
        let mut response = (problem.status(), Html(EMPTY_PAGE)).into_response();
        security_headers::allow_same_origin_frame(response.headers_mut());
        response
    } else {
        Redirect::to("/#copy").into_response()
    };
    if let Some(cookie) = flash::to_cookie(&state.lethe, user_handle, flash) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

const EMPTY_PAGE: &str = "<!DOCTYPE html>\n<html lang=\"en\"><title>Download</title></html>\n";

/// Streams an export in the given shape.
pub(super) async fn start_export(
    state: &AppState,
    method: &Method,
    user: &CurrentUser,
    shape: Shape,
) -> Result<Response, Problem> {
    if method == Method::HEAD {
        return Err(Problem::from_status(StatusCode::METHOD_NOT_ALLOWED));
    }
    user.require_fresh_sign_in()?;
    let lethe = state.lethe.refreshed();
    let export = export::start(&lethe, &user.clerk_user_id, shape, &state.rate_limits.exports).await?;
    // The body is sent after the request's span was left.
    let span = tracing::Span::current();
    let body = export.body.map_err(move |error| {
        span.in_scope(|| tracing::error!(error = lethe::error_chain(&error), "export aborted"));
        ExportAborted
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_DISPOSITION, disposition(&state.site.brand, state.lethe.clock.now()));
    Ok(response)
}

/// Names the file after the application and the day: `northwind-journal-data-2026-11-27.json`.
fn disposition(brand: &str, now: OffsetDateTime) -> HeaderValue {
    let words = brand.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut name = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    if name.is_empty() {
        "my".clone_into(&mut name);
    }
    let name = format!("attachment; filename=\"{name}-data-{}.json\"", now.date());
    HeaderValue::from_str(&name).unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn file_is_named_after_the_application_and_the_day() {
        let now = datetime!(2026-11-27 23:00 UTC);
        let name = |brand| disposition(brand, now).to_str().expect("it is ASCII").to_owned();
        assert_eq!(name("Northwind Journal"), "attachment; filename=\"northwind-journal-data-2026-11-27.json\"");
        assert_eq!(name("Søk & \"Finn\"\r\n"), "attachment; filename=\"s-k-finn-data-2026-11-27.json\"");
        assert_eq!(name("東京"), "attachment; filename=\"my-data-2026-11-27.json\"");
    }
}
