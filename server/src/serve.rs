//! A serving process: from its settings to its last answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::serve::ListenerExt;
use clerk_session::{Authenticator, Config};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use lethe::Lethe;
use lethe::clerk::webhook;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::config::ServerConfig;
use crate::middleware::rate_limit::RateLimits;
use crate::middleware::security_headers::SecurityHeaders;
use crate::profile_cache::ProfileCache;
use crate::router;
use crate::routes::{assets, metrics};
use crate::middleware::client_ip;
use crate::session::{self, ClerkBackend};
use crate::state::{AppState, AppStateInner};

/// How long the last requests and jobs may take after the signal to stop.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(20);

const HOUSEKEEPING_INTERVAL: Duration = Duration::from_mins(1);

/// Puts a server together.
pub fn build_state(settings: &ServerConfig, lethe: Lethe) -> anyhow::Result<AppState> {
    let authenticator = authenticator(settings, &lethe)?;
    let warming = authenticator.clone();
    tokio::spawn(async move { warming.warm_up().await });
    let policy = SecurityHeaders::new(&settings.url, authenticator.sign_in_url(), authenticator.frontend_url());
    let webhook_secret = webhook::Secret::parse(&settings.clerk.webhook_secret)
        .context("CLERK_WEBHOOK_SIGNING_SECRET must be the endpoint's signing secret, whsec_…")?;
    Ok(AppState::new(AppStateInner {
        site: assets::load_site(&settings.site, &settings.brand)?,
        profiles: ProfileCache::new(lethe.clerk.clone()),
        limits: RateLimits::new(&settings.limits),
        security_headers: policy,
        authenticator,
        webhook_secret,
        public_url: settings.url.clone(),
        trusted_proxies: settings.trusted_proxies.clone(),
        metrics: metrics::recorder(),
        metrics_token: settings.metrics_token.clone(),
        lethe,
    }))
}

fn authenticator(settings: &ServerConfig, lethe: &Lethe) -> anyhow::Result<Authenticator> {
    let clerk = &settings.clerk;
    let proxies = settings.trusted_proxies.clone();
    let config = Config {
        proxy_url: clerk.proxy_url.clone(),
        jwt_key: clerk.jwt_key.clone(),
        authorized_parties: clerk.authorized_parties.clone(),
        sign_in_url: clerk.sign_in_url.clone(),
        is_satellite: clerk.is_satellite,
        satellite_auto_sync: clerk.satellite_auto_sync,
        domain: clerk.domain.clone(),
        trust_forwarded: Arc::new(move |parts| {
            client_ip::peer_ip(&parts.extensions).is_some_and(|peer| proxies.trusts(peer))
        }),
        clock: session::clock(&lethe.clock),
        ..Config::new(&clerk.publishable_key, settings.url.clone())
    };
    Authenticator::new(config, ClerkBackend(lethe.clerk.clone())).context("the settings of Clerk can't be used")
}

/// Answers until `stop` comes, then finishes what has begun.
pub async fn run(listener: TcpListener, server: AppState, stop: CancellationToken) -> anyhow::Result<()> {
    let limits = server.limits.clone();
    let recorder = server.metrics.clone();
    let router = router::router(server).context("LETHE_URL has no origin that a browser could send")?;
    let listener = listener.tap_io(|stream| {
        // Answers are small and complete: waiting for more to send only delays them.
        let _ = stream.set_nodelay(true);
    });
    let housekeeping = async {
        loop {
            tokio::time::sleep(HOUSEKEEPING_INTERVAL).await;
            limits.evict_idle();
            recorder.run_upkeep();
        }
    };
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned());
    tokio::select! {
        ended = async { serving.await } => ended.context("the listener failed"),
        () = housekeeping => Ok(()),
    }
}

/// Lets `parts` run until the signal to stop, or until one of them ends; then all of them finish what they have
/// begun, within the time of last orders.
pub async fn run_until_shutdown(
    stop: CancellationToken,
    parts: Vec<JoinHandle<anyhow::Result<()>>>,
) -> anyhow::Result<()> {
    let mut running = FuturesUnordered::from_iter(parts);
    let mut outcome = tokio::select! {
        () = shutdown_signal() => Ok(()),
        Some(ended) = running.next() => flatten(ended),
    };
    tracing::info!("stopping");
    stop.cancel();
    let last = async {
        while let Some(ended) = running.next().await {
            outcome = std::mem::replace(&mut outcome, Ok(())).and(flatten(ended));
        }
    };
    if tokio::time::timeout(SHUTDOWN_GRACE, last).await.is_err() {
        tracing::warn!("something didn't end in time and was broken off");
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
