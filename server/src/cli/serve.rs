//! `lethe serve`.

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use crate::bootstrap::wait_for_database;
use crate::config::ServerConfig;
use crate::maintenance::Maintenance;
use crate::{bootstrap, serve};

pub(super) async fn run(config: &ServerConfig, with_jobs: bool) -> anyhow::Result<Exit> {
    let lethe = wait_for_database(async || bootstrap::build(config).await).await?;
    let fit = wait_for_database(async || bootstrap::ensure_ready(&lethe).await).await?;
    let state = serve::build_state(config, lethe.clone())?;
    let maintenance = state.maintenance.clone();
    wait_for_database(async || {
        maintenance.check(&lethe).await?;
        Maintenance::check_store(&lethe).await
    })
    .await?;
    let address = config.http.listen;
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("LETHE_LISTEN: can't listen on {address}"))?;
    tracing::info!(address = %listener.local_addr()?, url = %config.core.public_url, "server started");

    let shutdown = CancellationToken::new();
    let mut tasks = vec![
        tokio::spawn(serve::run(listener, state, shutdown.clone())),
        serve::spawn_map_watch(lethe.clone(), config, fit, &shutdown),
    ];
    if with_jobs {
        tasks.push(serve::spawn_worker(lethe.clone(), maintenance, &shutdown));
    } else {
        tasks.push(serve::spawn_maintenance_watch(lethe.clone(), maintenance, &shutdown));
    }
    serve::run_until_shutdown(shutdown, tasks).await?;
    lethe.database.close().await;
    lethe.queue_database.close().await;
    Ok(Exit::Success)
}
