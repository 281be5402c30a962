//! The life of a serving process: from its configuration to its graceful shutdown.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use lethe::Lethe;
use lethe::clerk::webhook;
use lethe::drift::Fit;
use lethe_app::server::context::Site;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::config::ServerConfig;
use crate::connections::{self, ConnectionLimits};
use crate::maintenance::Maintenance;
use crate::map_watch::MapWatch;
use crate::middleware::rate_limit::RateLimits;
use crate::middleware::security_headers::SecurityHeaders;
use crate::profile_cache::ProfileCache;
use crate::routes::{self, assets, metrics};
use crate::session;
use crate::state::{AppState, AppStateInner};

/// How long requests and jobs may go on after the signal to stop.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(20);

const HOUSEKEEPING_INTERVAL: Duration = Duration::from_mins(1);

/// A part of the process that runs until shutdown.
pub type Task = JoinHandle<anyhow::Result<()>>;

/// Builds the state of a serving process.
pub fn build_state(config: &ServerConfig, lethe: Lethe) -> anyhow::Result<AppState> {
    let authenticator = session::authenticator(config, &lethe)?;
    let warming_up = authenticator.clone();
    tokio::spawn(async move { warming_up.warm_up().await });
    let public_url = &config.core.public_url;
    let security_headers = SecurityHeaders::new(public_url, authenticator.sign_in_url(), authenticator.frontend_url());
    let webhook_secret = webhook::Secret::parse(&config.clerk.webhook_secret)
        .context("CLERK_WEBHOOK_SIGNING_SECRET must be the endpoint's signing secret, whsec_…")?;
    Ok(AppState::new(AppStateInner {
        site: site(config)?,
        profiles: ProfileCache::new(lethe.clerk.clone()),
        rate_limits: RateLimits::new(&config.limits),
        security_headers: Arc::new(security_headers),
        authenticator,
        maintenance: Maintenance::default(),
        webhook_secret,
        public_url: public_url.clone(),
        connection_limits: ConnectionLimits::new(&config.http),
        trusted_proxies: config.http.trusted_proxies.clone(),
        metrics: metrics::recorder(),
        metrics_token: config.http.metrics_token.clone(),
        operator_token: config.http.operator_token.clone(),
        lethe,
    }))
}

fn site(config: &ServerConfig) -> anyhow::Result<Site> {
    let pages = &config.pages;
    Ok(Site {
        contact_url: pages.contact.as_ref().map(|url| url.0.to_string()),
        privacy_notice_url: pages.privacy_notice.as_ref().map(Url::to_string),
        application_url: pages.application.as_ref().map(Url::to_string),
        content_language: pages.content_language.as_ref().map(|tag| tag.0.clone()),
        ..assets::load_site(&config.http.site, &config.core.brand)?
    })
}

/// Serves until `shutdown`, then finishes the requests that have begun.
pub async fn run(listener: TcpListener, state: AppState, shutdown: CancellationToken) -> anyhow::Result<()> {
    let rate_limits = state.rate_limits.clone();
    let lethe = state.lethe.clone();
    let limits = state.connection_limits.clone();
    let authenticator = state.authenticator.clone();
    let recorder = state.metrics.clone();
    let router = routes::router(state).context("LETHE_URL has no origin that a browser could send")?;
    let housekeeping = async {
        loop {
            tokio::time::sleep(HOUSEKEEPING_INTERVAL).await;
            rate_limits.evict_idle();
            authenticator.evict_idle();
            recorder.run_upkeep();
            if let Err(error) = lethe::rate_limit::remove_idle(&lethe).await {
                tracing::warn!(error = lethe::error_chain(&error), "idle counters of rate limits stay for now");
            }
        }
    };
    tokio::select! {
        () = connections::serve(listener, router, limits, shutdown) => {}
        () = housekeeping => {}
    }
    Ok(())
}

/// Runs background jobs until `shutdown`, once no maintenance prevents it.
#[must_use]
pub fn spawn_worker(lethe: Lethe, maintenance: Maintenance, shutdown: &CancellationToken) -> Task {
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = maintenance.until_over(&lethe) => {}
            () = shutdown.cancelled() => return Ok(()),
        }
        lethe::jobs::run_worker(lethe, shutdown.cancelled_owned()).await;
        Ok(())
    })
}

/// Waits until maintenance is over, so that a process without background jobs notices it too.
#[must_use]
pub fn spawn_maintenance_watch(lethe: Lethe, maintenance: Maintenance, shutdown: &CancellationToken) -> Task {
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = maintenance.until_over(&lethe) => shutdown.cancelled().await,
            () = shutdown.cancelled() => {}
        }
        Ok(())
    })
}

/// Watches the data map's file and the database's schema until `shutdown`.
#[must_use]
pub fn spawn_map_watch(lethe: Lethe, config: &ServerConfig, fit: Fit, shutdown: &CancellationToken) -> Task {
    let watch = MapWatch::new(lethe, config.data.data_map.clone(), fit).run(shutdown.clone());
    tokio::spawn(async move {
        watch.await;
        Ok(())
    })
}

/// Waits for the signal to stop, or for the first task that ends; then lets all tasks finish what they have begun,
/// within the grace period.
pub async fn run_until_shutdown(shutdown: CancellationToken, tasks: Vec<Task>) -> anyhow::Result<()> {
    let mut running = FuturesUnordered::from_iter(tasks);
    let mut outcome = tokio::select! {
        () = shutdown_signal() => Ok(()),
        Some(ended) = running.next() => flatten(ended),
    };
    tracing::info!("shutting down");
    shutdown.cancel();
    let finishing = async {
        while let Some(ended) = running.next().await {
            outcome = std::mem::replace(&mut outcome, Ok(())).and(flatten(ended));
        }
    };
    if tokio::time::timeout(SHUTDOWN_GRACE, finishing).await.is_err() {
        tracing::warn!(seconds = SHUTDOWN_GRACE.as_secs(), "grace period exceeded, remaining tasks aborted");
    }
    outcome
}

fn flatten(ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Result<()> {
    ended.context("a task panicked")?
}

/// Waits for SIGTERM or SIGINT.
async fn shutdown_signal() {
    use tokio::signal::unix::{SignalKind, signal};

    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
