//! `GET /api/privacy/export`: the user's data as a streamed file.

use app::server::accepts_html;
use app::server::current_user::{Authentication, CurrentUser};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use futures::TryStreamExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use lethe::export::{self, Shape};

use crate::error::{Problem, ProblemDocument};
use crate::state::AppState;

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
        (status = 303, description = "for browsers that navigate, in place of 401, 403, 429 and 503: the page shows the reason"),
        (status = 401, body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, body = ProblemDocument, content_type = "application/problem+json",
            description = "the session is impersonated, or, with `clerk_error` as Clerk's helpers read it, the last verification is too old"),
        (status = 429, body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn download(
    State(state): State<AppState>,
    Extension(authentication): Extension<Authentication>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let response = match authentication {
        Ok(user) => start_export(&state, &method, &user, Shape::Full).await,
        Err(code) => Err(code.into()),
    };
    match response {
        Err(problem) if accepts_html(&headers) && card_can_explain(&problem) => {
            problem.log();
            Ok(Redirect::to(&format!("/?export={}#copy", problem.code())).into_response())
        }
        response => response,
    }
}

/// Returns whether the page has a sentence for this. Anything else is an error page with its incident id.
fn card_can_explain(problem: &Problem) -> bool {
    [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE]
        .contains(&problem.status())
}

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
    state.rate_limits.exports.check(&user.clerk_user_id)?;
    let export = export::start(&state.lethe, &user.clerk_user_id, shape).await?;
    // The body is sent after the request's span was left.
    let span = tracing::Span::current();
    let body = export.body.map_err(move |error| {
        span.in_scope(|| tracing::error!(error = lethe::error_chain(&error), "export aborted"));
        ExportAborted
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let disposition = HeaderValue::from_static("attachment; filename=\"my-data.json\"");
    headers.insert(header::CONTENT_DISPOSITION, disposition);
    Ok(response)
}
