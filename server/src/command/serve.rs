//! `lethe serve`.

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Finding;
use crate::settings::Settings;
use crate::{open, serve};

pub(super) async fn run(settings: &Settings, with_work: bool) -> anyhow::Result<Finding> {
    let lethe = open::open(settings).await?;
    open::check(&lethe).await?;
    let server = serve::assemble(settings, lethe.clone())?;
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("LETHE_LISTEN: {} can't be listened on", settings.listen))?;
    tracing::info!(listen = %listener.local_addr()?, url = %settings.url, "serving");

    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve::answer(listener, server, stop.clone()));
    let working = with_work.then(|| {
        let working = lethe::jobs::work(lethe.clone(), stop.clone().cancelled_owned());
        tokio::spawn(async move { working.await.context("the queue's worker failed") })
    });
    let parts: Vec<_> = [Some(serving), working].into_iter().flatten().collect();
    serve::until_signal(stop, parts).await?;
    lethe.database.close().await;
    Ok(Finding::Nothing)
}
