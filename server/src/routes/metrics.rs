//! `/metrics`: numbers for whoever watches. Numbers only, nothing about people; still nobody else's business.

use std::sync::LazyLock;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{StatusCode, header};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use ring::digest::{SHA256, digest};
use secrecy::ExposeSecret;

use crate::middleware::client_ip;
use crate::problem::Problem;
use crate::state::AppState;

const BACKLOG_TIMEOUT: Duration = Duration::from_secs(2);
const EXPOSITION_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
const DURATION_BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The process's one recorder.
///
/// # Panics
/// When something else has installed a recorder before.
pub fn recorder() -> PrometheusHandle {
    static HANDLE: LazyLock<PrometheusHandle> = LazyLock::new(|| {
        PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), DURATION_BUCKETS)
            .expect("constant buckets are valid")
            .install_recorder()
            .expect("nothing else records metrics in this process")
    });
    HANDLE.clone()
}

/// Answers peers on this machine that no proxy forwards for, and whoever brings the configured token.
/// For everybody else there is nothing here.
pub async fn render(State(server): State<AppState>, request: Request) -> Response {
    let (parts, _body) = request.into_parts();
    if !client_ip::is_direct_loopback(&parts) && !has_token(&server, &parts) {
        return Problem::from_status(StatusCode::NOT_FOUND).into_response();
    }
    let pool = &server.lethe.database;
    metrics::gauge!("lethe_database_connections", "state" => "open").set(f64::from(pool.size()));
    let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    metrics::gauge!("lethe_database_connections", "state" => "idle").set(f64::from(idle));
    // Where the database is down its numbers are missing, and that is told by their absence.
    if let Ok(Ok((waiting, failed))) = tokio::time::timeout(BACKLOG_TIMEOUT, lethe::queue::backlog(pool)).await {
        metrics::gauge!("lethe_jobs_waiting").set(gauge_value(waiting));
        metrics::gauge!("lethe_jobs_retrying").set(gauge_value(failed));
    }
    ([(header::CONTENT_TYPE, EXPOSITION_FORMAT)], server.metrics.render()).into_response()
}

fn gauge_value(count: i64) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

fn has_token(server: &AppState, parts: &Parts) -> bool {
    let Some(expected) = &server.metrics_token else { return false };
    let given = parts
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    // Digests are compared, so that the time taken tells nothing about the token.
    given.is_some_and(|given| {
        digest(&SHA256, given.as_bytes()).as_ref() == digest(&SHA256, expected.expose_secret().as_bytes()).as_ref()
    })
}
