//! Watches the data map's file and the database's schema: a changed file is read without a restart, and whether the map fits is
//! checked every minute, also without traffic.
//!
//! The file is compared by its content, since a volume may be replaced as a whole. A changed one is taken once it has been the
//! same for two looks, so that a file which is being written isn't read in the middle; SIGHUP takes it at once.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use lethe::Lethe;
use lethe::data_map::{self, DataMap};
use lethe::drift::{self, Fit};
use ring::digest::{SHA256, digest};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::bootstrap;

/// Pause between two looks at the file.
const FILE_INTERVAL: Duration = Duration::from_secs(3);
/// Pause between two checks against the database. What waits for the map goes on within it.
const CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// Identifies what a file contains, or that it can't be read.
type Content = Option<[u8; 32]>;

/// Watches the map of one process.
pub struct MapWatch {
    lethe: Lethe,
    path: PathBuf,
    /// What the latest look at the file saw.
    seen: Content,
    /// A content that can't be used.
    rejected: Option<Rejected>,
    /// Whether the map fitted at the latest check. `None` after a change of the map.
    fit: Option<Fit>,
    last_check: Instant,
}

struct Rejected {
    content: Content,
    /// Whether operators were alerted.
    is_reported: bool,
}

impl MapWatch {
    /// `path` is that of the file from which the map in force was read, `fit` what was found at the start.
    #[must_use]
    pub fn new(lethe: Lethe, path: PathBuf, fit: Fit) -> Self {
        Self { lethe, path, seen: None, rejected: None, fit: Some(fit), last_check: Instant::now() }
    }

    /// Watches until `shutdown`. Nothing that happens to file or database ends it before.
    pub async fn run(mut self, shutdown: CancellationToken) {
        drift::accept_file(&self.lethe);
        let mut hangup = signal(SignalKind::hangup()).ok();
        let mut ticks = interval(FILE_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_demanded = tokio::select! {
                () = shutdown.cancelled() => return,
                () = received(hangup.as_mut()) => true,
                _ = ticks.tick() => false,
            };
            self.look_at_file(is_demanded).await;
            if is_demanded || self.fit.is_none() || self.last_check.elapsed() >= CHECK_INTERVAL {
                self.check().await;
            }
        }
    }

    async fn look_at_file(&mut self, is_demanded: bool) {
        let read = tokio::fs::read(&self.path).await;
        let content = read.as_ref().ok().map(|bytes| identify(bytes));
        let is_settled = content == self.seen;
        self.seen = content;
        if content == Some(self.lethe.refreshed().data_map.text_digest()) {
            if self.rejected.take().is_some() {
                drift::accept_file(&self.lethe);
                tracing::info!("the data map's file has the content of the map in force again");
            }
            return;
        }
        let is_known = self.rejected.as_ref().is_some_and(|known| known.content == content && known.is_reported);
        if is_demanded || (is_settled && !is_known) {
            match read.map_err(|source| self.unreadable(source)).and_then(|bytes| self.parse(bytes)) {
                Ok(map) => self.replace(map),
                Err(error) => self.reject(&error, content).await,
            }
        }
    }

    fn parse(&self, bytes: Vec<u8>) -> Result<DataMap, data_map::Error> {
        let text = String::from_utf8(bytes).map_err(|error| self.unreadable(io::Error::other(error)))?;
        DataMap::parse(&text)
    }

    fn unreadable(&self, source: io::Error) -> data_map::Error {
        data_map::Error::Unreadable { path: self.path.clone(), source }
    }

    fn replace(&mut self, map: DataMap) {
        let purposes = bootstrap::purposes(&map);
        self.lethe.active_map.replace(map, purposes);
        (self.rejected, self.fit) = (None, None);
        tracing::info!("the data map was read again; what begins from now on goes by it");
    }

    /// Keeps the map in force. Logs once for each content of the file.
    async fn reject(&mut self, error: &data_map::Error, content: Content) {
        if self.rejected.as_ref().is_none_or(|known| known.content != content) {
            tracing::error!(
                error = lethe::error_chain(error),
                "the data map's file has changed and can't be used: the earlier map stays in force"
            );
        }
        // While the database is away, the next look tries again.
        let is_reported = drift::reject_file(&self.lethe, error).await.is_ok();
        self.rejected = Some(Rejected { content, is_reported });
    }

    async fn check(&mut self) {
        self.last_check = Instant::now();
        // After a change of the map. The next look tries again.
        if self.fit.is_none() && bootstrap::register_purposes(&self.lethe.refreshed()).await.is_err() {
            return;
        }
        // While the database is away, nothing is known; others say so.
        if let Ok(fit) = drift::check(&self.lethe, self.fit).await {
            self.fit = Some(fit);
        }
    }
}

fn identify(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

/// Waits for SIGHUP; for ever where it can't be received.
async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
