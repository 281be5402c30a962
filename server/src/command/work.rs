//! `lethe work`.

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::Finding;
use crate::settings::Settings;
use crate::{open, serve};

pub(super) async fn run(settings: &Settings) -> anyhow::Result<Finding> {
    let lethe = open::open(settings).await?;
    open::check(&lethe).await?;
    tracing::info!(workers = settings.workers, "working");
    let stop = CancellationToken::new();
    let working = lethe::jobs::work(lethe.clone(), stop.clone().cancelled_owned());
    let working = tokio::spawn(async move { working.await.context("the queue's worker failed") });
    serve::until_signal(stop, vec![working]).await?;
    lethe.database.close().await;
    Ok(Finding::Nothing)
}
