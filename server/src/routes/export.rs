//! `/api/privacy/export`: one's data as a file, streamed.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use lethe::export::{self, Shape};
use tokio::sync::mpsc;

use crate::auth::CurrentUser;
use crate::lifecycle::{RequestContext, accepts_html};
use crate::problem::{Document, Problem, error_chain};
use crate::state::AppState;

/// How long a piece may wait to be taken.
const STALL_TIMEOUT: Duration = Duration::from_mins(1);

/// Everything that is kept about the person who asks.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the shape that the stream writes")]
#[schema(rename_all = "camelCase", as = Export)]
pub(super) struct Archive {
    #[schema(format = DateTime)]
    export_date: String,
    /// What Clerk keeps.
    clerk_profile: serde_json::Map<String, serde_json::Value>,
    /// Every mapped table by its name, with the person's rows.
    application_data: serde_json::Map<String, serde_json::Value>,
}

/// Streams the person's data.
#[utoipa::path(
    get,
    path = "/api/privacy/export",
    responses(
        (status = 200, body = Archive, description = "an attachment"),
        (status = 303, description = "for browsers that navigate, in place of 401, 403, 429 and 503: the page says why"),
        (status = 401, body = Document, content_type = "application/problem+json"),
        (status = 403, body = Document, content_type = "application/problem+json",
            description = "somebody else acts for the person, or, with `clerk_error` as Clerk's helpers read it, the sign-in is too old"),
        (status = 429, body = Document, content_type = "application/problem+json"),
        (status = 503, body = Document, content_type = "application/problem+json"),
    )
)]
pub async fn download(
    State(server): State<AppState>,
    axum::Extension(scope): axum::Extension<RequestContext>,
    method: Method,
    headers: HeaderMap,
    person: Result<CurrentUser, Problem>,
) -> Result<Response, Problem> {
    let incident = scope.incident.clone();
    let answer = match person {
        Ok(person) => start_export(&server, scope, &method, &person, Shape::Full).await,
        Err(problem) => Err(problem),
    };
    match answer {
        Err(problem) if accepts_html(&headers) && card_can_explain(&problem) => {
            problem.log(&incident);
            Ok(Redirect::to(&format!("/?export={}#copy", problem.code())).into_response())
        }
        answer => answer,
    }
}

/// What the card on the page has words for. Anything else is a failure, with its incident.
fn card_can_explain(problem: &Problem) -> bool {
    [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE]
        .contains(&problem.status())
}

/// Streams an export in the given shape.
pub(super) async fn start_export(
    server: &AppState,
    scope: RequestContext,
    method: &Method,
    person: &CurrentUser,
    shape: Shape,
) -> Result<Response, Problem> {
    if method == Method::HEAD {
        return Err(Problem::from_status(StatusCode::METHOD_NOT_ALLOWED));
    }
    person.require_fresh_sign_in()?;
    server.limits.exports.check(&person.subject)?;
    let export = export::start(&server.lethe, &person.subject, shape).await?;
    let body = with_stall_timeout(export.body, STALL_TIMEOUT, scope.incident);
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let disposition = HeaderValue::from_static("attachment; filename=\"my-data.json\"");
    headers.insert(header::CONTENT_DISPOSITION, disposition);
    Ok(response)
}

/// The same stream, broken off when nobody takes a piece for so long: each export holds a connection to the
/// database, and whoever stops reading must not keep it.
///
/// The head is sent by then, so that a failure can only cut the connection; and it must: a file that ends early
/// is no JSON, and nobody takes it for the whole.
fn with_stall_timeout(
    mut pieces: BoxStream<'static, lethe::Result<Bytes>>,
    patience: Duration,
    incident: String,
) -> impl Stream<Item = Result<Bytes, ExportAborted>> + Send + 'static {
    let (sender, receiver) = mpsc::channel(2);
    let reading = tokio::spawn(async move {
        while let Some(piece) = pieces.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => {
                    tracing::error!(incident, causes = error_chain(&error), "an export broke off");
                    return Err(ExportAborted);
                }
            };
            let taken = tokio::time::timeout(patience, sender.send(piece)).await;
            if !matches!(taken, Ok(Ok(()))) {
                tracing::info!(incident, "nobody takes an export any more");
                return Err(ExportAborted);
            }
        }
        Ok(())
    });
    stream::unfold((receiver, Some(reading)), async |(mut receiver, mut reading)| {
        if let Some(piece) = receiver.recv().await {
            return Some((Ok(piece), (receiver, reading)));
        }
        // Only what was read to its end may end in good order.
        match reading.take()?.await {
            Ok(Ok(())) => None,
            Ok(Err(ExportAborted)) | Err(_) => Some((Err(ExportAborted), (receiver, None))),
        }
    })
}

/// The connection is cut.
#[derive(Debug, thiserror::Error)]
#[error("the export broke off")]
struct ExportAborted;

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(list: Vec<lethe::Result<Bytes>>) -> BoxStream<'static, lethe::Result<Bytes>> {
        stream::iter(list).boxed()
    }

    #[tokio::test]
    async fn a_whole_export_ends_in_good_order() {
        let whole = pieces(vec![Ok("a".into()), Ok("b".into()), Ok("c".into()), Ok("d".into())]);
        let taken: Vec<_> =
            with_stall_timeout(whole, STALL_TIMEOUT, String::new()).map(|piece| piece.expect("whole")).collect().await;
        assert_eq!(taken, ["a", "b", "c", "d"]);
    }

    #[tokio::test]
    async fn an_export_that_fails_ends_with_an_error() {
        let broken = pieces(vec![Ok("a".into()), Err(lethe::Error::Internal("test")), Ok("b".into())]);
        let taken: Vec<_> = with_stall_timeout(broken, STALL_TIMEOUT, String::new()).collect().await;
        assert!(matches!(taken.as_slice(), [Ok(_), Err(ExportAborted)]), "{taken:?}");
    }

    #[tokio::test]
    async fn an_export_that_nobody_takes_is_broken_off() {
        let endless = stream::repeat_with(|| Ok("a".into())).boxed();
        let patience = Duration::from_millis(20);
        let mut taken = Box::pin(with_stall_timeout(endless, patience, String::new()));
        assert!(taken.next().await.is_some());
        tokio::time::sleep(patience * 20).await;
        let rest: Vec<_> = taken.collect().await;
        assert!(matches!(rest.last(), Some(Err(ExportAborted))), "{rest:?}");
    }
}
