//! One span, one access-log line and the metrics of each request. Nothing personal is recorded: paths may contain receipt
//! codes and queries anything, so the route's pattern stands for them.

use lethe_app::server::context::RequestContext;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::{Method, StatusCode};
use tracing::Instrument;

/// The target of the access log's lines, for filters such as `LETHE_LOG=info,lethe::access=off`.
const ACCESS_LOG: &str = "lethe::access";

/// Requests of monitoring systems, which are logged at the debug level.
const MONITORING: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// The layer.
pub(super) async fn observe(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let incident = request.extensions().get::<RequestContext>().map(|context| context.incident.clone());
    let span = tracing::info_span!("request", %method, route, incident);
    let started = Instant::now();
    async move {
        let response = next.run(request).await;
        let (status, duration) = (response.status(), started.elapsed());
        log(&route, status, duration);
        count(&method, route, status, duration);
        response
    }
    .instrument(span)
    .await
}

/// The span adds method, route and incident.
fn log(route: &str, status: StatusCode, duration: Duration) {
    let (status, duration_ms) = (status.as_u16(), duration.as_secs_f64() * 1_000.0);
    if MONITORING.contains(&route) {
        tracing::debug!(target: ACCESS_LOG, status, duration_ms, "request completed");
    } else {
        tracing::info!(target: ACCESS_LOG, status, duration_ms, "request completed");
    }
}

fn count(method: &Method, route: String, status: StatusCode, duration: Duration) {
    let method = match *method {
        Method::GET | Method::HEAD => "GET",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        // A client may send any word, and each would be a time series of its own.
        _ => "other",
    };
    let labels = [("method", method.to_owned()), ("route", route), ("status", status.as_u16().to_string())];
    metrics::counter!("lethe_http_requests_total", &labels).increment(1);
    metrics::histogram!("lethe_http_request_seconds", &labels[..2]).record(duration.as_secs_f64());
}
