//! `lethe work`.

use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use crate::config::ServerConfig;
use crate::maintenance::Maintenance;
use crate::{bootstrap, serve};

pub(super) async fn run(config: &ServerConfig) -> anyhow::Result<Exit> {
    let lethe = bootstrap::build(config).await?;
    let fit = bootstrap::ensure_ready(&lethe).await?;
    tracing::info!(workers = config.core.workers, "worker started");
    let maintenance = Maintenance::default();
    maintenance.check(&lethe).await?;
    Maintenance::check_store(&lethe).await?;
    let shutdown = CancellationToken::new();
    let worker = serve::spawn_worker(lethe.clone(), maintenance, &shutdown);
    let watch = serve::spawn_map_watch(lethe.clone(), config, fit, &shutdown);
    serve::run_until_shutdown(shutdown, vec![worker, watch]).await?;
    lethe.database.close().await;
    lethe.queue_database.close().await;
    Ok(Exit::Success)
}
