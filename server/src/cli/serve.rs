//! `lethe serve`.

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Exit;
use crate::config::ServerConfig;
use crate::{bootstrap, serve};

pub(super) async fn run(settings: &ServerConfig, with_work: bool) -> anyhow::Result<Exit> {
    let lethe = bootstrap::build(settings).await?;
    bootstrap::ensure_ready(&lethe).await?;
    let server = serve::build_state(settings, lethe.clone())?;
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("LETHE_LISTEN: {} can't be listened on", settings.listen))?;
    tracing::info!(listen = %listener.local_addr()?, url = %settings.url, "serving");

    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve::run(listener, server, stop.clone()));
    let working = with_work.then(|| {
        let working = lethe::jobs::run_worker(lethe.clone(), stop.clone().cancelled_owned());
        tokio::spawn(async move { working.await.context("the queue's worker failed") })
    });
    let parts: Vec<_> = [Some(serving), working].into_iter().flatten().collect();
    serve::run_until_shutdown(stop, parts).await?;
    lethe.database.close().await;
    Ok(Exit::Success)
}
