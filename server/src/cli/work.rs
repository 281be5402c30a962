//! `lethe work`.

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::Exit;
use crate::config::ServerConfig;
use crate::{bootstrap, serve};

pub(super) async fn run(settings: &ServerConfig) -> anyhow::Result<Exit> {
    let lethe = bootstrap::build(settings).await?;
    bootstrap::ensure_ready(&lethe).await?;
    tracing::info!(workers = settings.workers, "working");
    let stop = CancellationToken::new();
    let working = lethe::jobs::run_worker(lethe.clone(), stop.clone().cancelled_owned());
    let working = tokio::spawn(async move { working.await.context("the queue's worker failed") });
    serve::run_until_shutdown(stop, vec![working]).await?;
    lethe.database.close().await;
    Ok(Exit::Success)
}
