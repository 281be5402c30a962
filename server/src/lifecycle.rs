//! The outermost layer: gives every request its incident id and nonce, catches panics, ends what takes too long,
//! turns problems into documents or pages, logs and counts. Knows no operation.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use data_encoding::{BASE64URL_NOPAD, Encoding};
use futures::FutureExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tracing::Instrument;

use crate::middleware::security_headers;
use crate::problem::{MEDIA_TYPE, Problem};
use crate::routes::pages;
use crate::state::AppState;

/// A request that has no answer after this time is given up. Streams may go on for longer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What belongs to one request alone.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// Under this id the log, the answer and the page speak of the same thing.
    pub incident: String,
    /// The nonce of the content security policy.
    pub nonce: String,
}

impl RequestContext {
    fn new(server: &AppState) -> Self {
        let bytes: [u8; 24] = server.lethe.random.bytes();
        Self { incident: incident_encoding().encode(&bytes[..8]), nonce: BASE64URL_NOPAD.encode(&bytes[8..]) }
    }
}

/// The layer.
pub async fn lifecycle(State(server): State<AppState>, mut request: Request, next: Next) -> Response {
    let scope = RequestContext::new(&server);
    let method = request.method().clone();
    let wants_page = wants_html(&request);
    // The route's pattern: paths may hold receipt codes, queries may hold anything.
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let began = Instant::now();
    let span = tracing::info_span!("request", %method, route, incident = scope.incident);
    request.extensions_mut().insert(scope.clone());

    let answer = async {
        let answer = tokio::time::timeout(REQUEST_TIMEOUT, AssertUnwindSafe(next.run(request)).catch_unwind()).await;
        let response = match answer {
            Ok(Ok(response)) => response,
            Ok(Err(_panic)) => Problem::internal("a handler panicked").into_response(),
            Err(_elapsed) => Problem::from_status(StatusCode::SERVICE_UNAVAILABLE)
                .with_source("a request took too long")
                .into_response(),
        };
        render_error(&server, &scope, wants_page, response)
    };
    let mut response = answer.instrument(span).await;
    security_headers::apply(&server.security_headers, &scope, &mut response);
    record_metrics(&method, route, response.status(), began.elapsed());
    response
}

/// Fills in problems, and replaces the bare answers of the router and its layers.
fn render_error(server: &AppState, scope: &RequestContext, wants_page: bool, mut response: Response) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => Some(problem),
        None if has_error_body(&response) => None,
        None => Some(Problem::from_status(status)),
    };
    if let Some(problem) = problem {
        problem.log(&scope.incident);
        let kept: Vec<_> = [header::ALLOW, header::SET_COOKIE]
            .into_iter()
            .flat_map(|name| {
                let values: Vec<_> = response.headers().get_all(&name).iter().cloned().collect();
                values.into_iter().map(move |value| (name.clone(), value))
            })
            .collect();
        response =
            if wants_page { pages::error_page(server, scope, &problem) } else { problem.document(&scope.incident) };
        response.headers_mut().extend(kept);
    }
    if let Ok(value) = HeaderValue::from_str(&scope.incident) {
        response.headers_mut().insert("x-incident-id", value);
    }
    response
}

/// Whether an error was told by its own handler: a page, a server function's answer, a document.
fn has_error_body(response: &Response) -> bool {
    let Some(kind) = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else {
        return response.headers().contains_key("serverfnerror");
    };
    kind.starts_with("text/html")
        || kind.starts_with("application/json")
        || kind.starts_with(MEDIA_TYPE)
        || response.headers().contains_key("serverfnerror")
}

/// People who navigate get pages; programs get documents.
fn wants_html(request: &Request) -> bool {
    let path = request.uri().path();
    let is_form = path.starts_with("/api/_/") || path == "/api/privacy/export";
    accepts_html(request.headers()) && (is_form || !path.starts_with("/api/"))
}

/// Whether whoever asks can show a page.
pub(crate) fn accepts_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

fn record_metrics(method: &Method, route: String, status: StatusCode, took: Duration) {
    let method = match *method {
        Method::GET | Method::HEAD => "GET",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        _ => "other",
    };
    let labels = [("method", method.to_owned()), ("route", route), ("status", status.as_u16().to_string())];
    metrics::counter!("lethe_http_requests_total", &labels).increment(1);
    metrics::histogram!("lethe_http_request_seconds", &labels[..2]).record(took.as_secs_f64());
}

/// Crockford's alphabet: nothing that is misread on the telephone.
fn incident_encoding() -> Encoding {
    use std::sync::LazyLock;
    static ENCODING: LazyLock<Encoding> = LazyLock::new(|| {
        let mut specification = data_encoding::Specification::new();
        specification.symbols.push_str("0123456789ABCDEFGHJKMNPQRSTVWXYZ");
        specification.encoding().expect("a constant alphabet is valid")
    });
    ENCODING.clone()
}
