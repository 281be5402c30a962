//! Ends an export whose reader stalls, dawdles or takes too long in all: until then it holds a temporary file and the
//! user's turn.

use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_util::bytes::Bytes;
use tracing::Instrument as _;

use crate::{Error, Result};

/// Chunks that are taken before the reader asks for them.
const CHANNEL_CAPACITY: usize = 2;

/// How slow a reader may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How long it may take for one chunk.
    pub(super) stall_timeout: Duration,
    /// What it must take, on average over each [`Pace::window`] that the export waits for it.
    pub(super) bytes_per_second: u64,
    /// See [`Pace::bytes_per_second`].
    pub(super) window: Duration,
    /// How long the whole export may take, reading from the database included.
    pub(super) deadline: Duration,
}

impl Pace {
    /// The usual pace, with the given deadline.
    pub(super) const fn until(deadline: Duration) -> Self {
        Self {
            stall_timeout: Duration::from_mins(1),
            // A tenth of what the slowest mobile networks have.
            bytes_per_second: 2 * 1024,
            window: Duration::from_mins(5),
            deadline,
        }
    }
}

/// Reads a stream in a task of its own.
pub(super) struct StallGuard(mpsc::Receiver<Option<Result<Bytes>>>);

impl StallGuard {
    /// Starts reading `chunks`. They are dropped as soon as the guard is, or the reader doesn't keep `pace`.
    pub(super) fn spawn(chunks: impl Stream<Item = Result<Bytes>> + Send + 'static, pace: Pace) -> Self {
        let (sender, receiver) = mpsc::channel(CHANNEL_CAPACITY);
        let reading = async move {
            tokio::select! {
                biased;
                () = sender.closed() => {}
                () = forward(chunks, &sender, pace) => {}
            }
        };
        tokio::spawn(reading.in_current_span());
        Self(receiver)
    }

    /// Returns the next chunk, `None` after the last one, or [`Error::ExportStalled`] if this comes too late.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes>> {
        self.0.recv().await.unwrap_or(Some(Err(Error::ExportStalled)))
    }
}

/// Sends every chunk, and `None` after the last one.
async fn forward(chunks: impl Stream<Item = Result<Bytes>>, sender: &mpsc::Sender<Option<Result<Bytes>>>, pace: Pace) {
    let deadline = Instant::now() + pace.deadline;
    let mut chunks = std::pin::pin!(chunks);
    let mut window = Window::default();
    loop {
        let Ok(chunk) = timeout_at(deadline, chunks.next()).await else { return };
        let is_last = chunk.is_none();
        let bytes = chunk.as_ref().and_then(|chunk| chunk.as_ref().ok()).map_or(0, Bytes::len);
        let begun = Instant::now();
        let sent = timeout_at(deadline.min(begun + pace.stall_timeout), sender.send(chunk)).await;
        if is_last || !matches!(sent, Ok(Ok(()))) || window.is_too_slow(begun.elapsed(), bytes as u64, pace) {
            return;
        }
    }
}

/// What was sent while the export waited for its reader.
#[derive(Debug, Default)]
struct Window {
    waited: Duration,
    bytes: u64,
}

impl Window {
    /// Adds one chunk. At the end of a window, returns whether it was too slow, and begins the next.
    fn is_too_slow(&mut self, waited: Duration, bytes: u64, pace: Pace) -> bool {
        self.waited += waited;
        self.bytes += bytes;
        if self.waited < pace.window {
            return false;
        }
        let ended = std::mem::take(self);
        ended.bytes < pace.bytes_per_second.saturating_mul(ended.waited.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const PACE: Pace = Pace::until(Duration::from_mins(30));

    /// Holds `alive` until it is dropped or read to its end.
    fn chunks(count: usize, alive: Arc<()>) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        async_stream::stream! {
            for _ in 0..count {
                yield Ok(Bytes::from_static(b"chunk"));
            }
            drop(alive);
        }
    }

    async fn wait_until_dropped(alive: &Arc<()>) {
        while Arc::strong_count(alive) > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn every_chunk_is_forwarded() {
        let mut guard = StallGuard::spawn(chunks(100, Arc::new(())), PACE);
        for _ in 0..100 {
            assert!(guard.next().await.unwrap().is_ok());
        }
        assert!(guard.next().await.is_none());
    }

    #[tokio::test]
    async fn stalled_reader_gets_an_error_and_never_a_complete_file() {
        let alive = Arc::new(());
        let pace = Pace { stall_timeout: Duration::from_millis(5), ..PACE };
        let mut guard = StallGuard::spawn(chunks(100, alive.clone()), pace);
        guard.next().await.unwrap().unwrap();
        wait_until_dropped(&alive).await;
        let mut last = None;
        while let Some(Ok(chunk)) = guard.next().await {
            last = Some(chunk);
        }
        assert!(last.is_some(), "what was read before is still delivered");
        assert!(matches!(guard.next().await, Some(Err(Error::ExportStalled))));
    }

    #[tokio::test]
    async fn dropping_the_stream_ends_the_reader() {
        let alive = Arc::new(());
        let mut guard = StallGuard::spawn(chunks(100, alive.clone()), PACE);
        guard.next().await.unwrap().unwrap();
        drop(guard);
        wait_until_dropped(&alive).await;
    }

    #[tokio::test]
    async fn error_is_forwarded() {
        let failing = futures::stream::iter([Ok(Bytes::new()), Err(Error::Internal("broken"))]);
        let mut guard = StallGuard::spawn(failing, PACE);
        assert!(guard.next().await.unwrap().is_ok());
        assert!(matches!(guard.next().await, Some(Err(Error::Internal("broken")))));
    }

    /// How many of 1,000 chunks of 32 KiB a reader gets that takes one every `interval`.
    async fn taken(pace: Pace, interval: Duration) -> usize {
        let chunk = Bytes::from(vec![b' '; 32 * 1024]);
        let mut guard = StallGuard::spawn(futures::stream::iter(vec![chunk; 1_000]).map(Ok), pace);
        let mut taken = 0;
        while let Some(Ok(_)) = guard.next().await {
            taken += 1;
            tokio::time::sleep(interval).await;
        }
        taken
    }

    #[tokio::test]
    async fn reader_that_is_slow_for_a_whole_window_is_cut_off() {
        // At least one chunk in a second, and one comes every two.
        let pace = Pace { bytes_per_second: 32 * 1024, window: Duration::from_secs(3), ..PACE };
        let too_slow = taken(pace, Duration::from_secs(2)).await;
        assert!(too_slow < 8, "{too_slow}");
        assert_eq!(taken(pace, Duration::from_millis(1)).await, 1_000);
    }

    #[tokio::test]
    async fn export_ends_at_its_deadline() {
        let pace = Pace::until(Duration::from_millis(500));
        let taken = taken(pace, Duration::from_millis(50)).await;
        assert!(taken < 20, "{taken}");
    }
}
