//! `lethe work`.

use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use crate::bootstrap::wait_for_database;
use crate::config::ServerConfig;
use crate::maintenance::Maintenance;
use crate::{bootstrap, serve};

pub(super) async fn run(config: &ServerConfig) -> anyhow::Result<Exit> {
    let lethe = wait_for_database(async || bootstrap::build(config).await).await?;
    let fit = wait_for_database(async || bootstrap::ensure_ready(&lethe).await).await?;
    tracing::info!(workers = config.core.workers, "worker started");
    let maintenance = Maintenance::default();
    wait_for_database(async || {
        maintenance.check(&lethe).await?;
        Maintenance::check_store(&lethe).await
    })
    .await?;
    let shutdown = CancellationToken::new();
    let worker = serve::spawn_worker(lethe.clone(), maintenance, &shutdown);
    let watch = serve::spawn_map_watch(lethe.clone(), config, fit, &shutdown);
    serve::run_until_shutdown(shutdown, vec![worker, watch]).await?;
    lethe.database.close().await;
    lethe.queue_database.close().await;
    Ok(Exit::Success)
}
