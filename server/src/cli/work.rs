//! `lethe work`.

use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use crate::config::ServerConfig;
use crate::{bootstrap, serve};

pub(super) async fn run(config: &ServerConfig) -> anyhow::Result<Exit> {
    let lethe = bootstrap::build(config).await?;
    bootstrap::ensure_ready(&lethe).await?;
    tracing::info!(workers = config.core.workers, "worker started");
    let shutdown = CancellationToken::new();
    let worker = serve::spawn_worker(lethe.clone(), &shutdown);
    serve::run_until_shutdown(shutdown, vec![worker]).await?;
    lethe.database.close().await;
    Ok(Exit::Success)
}
