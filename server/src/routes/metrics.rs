//! `/metrics` in Prometheus' text format. The numbers say nothing about users, but are nobody else's business either.

use std::sync::LazyLock;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header;
use lethe::deletion::due_dates::{self, Figures};
use lethe_error_code::ErrorCode;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::bearer_token;
use crate::error::Problem;
use crate::state::AppState;

/// How long each query may take.
const BACKLOG_TIMEOUT: Duration = Duration::from_secs(2);
const EXPOSITION_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Upper bounds of the histograms' buckets, in seconds.
const DURATION_BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Returns the process's only recorder.
///
/// # Panics
/// When another recorder was installed before.
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

/// Serves requests with the configured token. For everybody else, and where none is configured, there is nothing here: a proxy
/// on this machine would otherwise show the numbers to everybody.
pub async fn render(State(state): State<AppState>, request: Request) -> Response {
    let (parts, _body) = request.into_parts();
    if !state.metrics_token.as_ref().is_some_and(|expected| bearer_token::is_sent(expected, &parts.headers)) {
        return Problem::new(ErrorCode::NotFound).into_response();
    }
    let pool = &state.lethe.database;
    metrics::gauge!("lethe_database_connections", "state" => "open").set(f64::from(pool.size()));
    let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    metrics::gauge!("lethe_database_connections", "state" => "idle").set(f64::from(idle));
    // While the database is down, these keep their last value.
    if let Ok(Ok(figures)) = tokio::time::timeout(BACKLOG_TIMEOUT, due_dates::figures(&state.lethe)).await {
        set_deletion_gauges(&figures);
    }
    if let Ok(Ok((waiting, failed))) = tokio::time::timeout(BACKLOG_TIMEOUT, lethe::queue::backlog(pool)).await {
        metrics::gauge!("lethe_jobs_waiting").set(gauge_value(waiting));
        metrics::gauge!("lethe_jobs_retrying").set(gauge_value(failed));
    }
    ([(header::CONTENT_TYPE, EXPOSITION_FORMAT)], state.metrics.render()).into_response()
}

fn set_deletion_gauges(figures: &Figures) {
    let states = [("open", figures.open), ("attention", figures.attention), ("overdue", figures.overdue)];
    for (state, count) in states {
        metrics::gauge!("lethe_deletions", "state" => state).set(gauge_value(count));
    }
    metrics::gauge!("lethe_deletions_oldest_seconds").set(figures.oldest_seconds);
    metrics::gauge!("lethe_purges_overdue").set(gauge_value(figures.late_purges));
    metrics::gauge!("lethe_clerk_events_waiting").set(gauge_value(figures.waiting_clerk_events));
    metrics::gauge!("lethe_audit_unsealed_seconds").set(figures.unsealed_seconds);
}

fn gauge_value(count: i64) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}
