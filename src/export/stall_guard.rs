//! Ends an export whose reader stalls: while its snapshot is open, Postgres can't remove dead rows of any table.

use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio_util::bytes::Bytes;
use tracing::Instrument as _;

use crate::{Error, Result};

/// Chunks that are read before the reader asks for them.
const CHANNEL_CAPACITY: usize = 2;

/// Reads a stream in a task of its own.
pub(super) struct StallGuard(mpsc::Receiver<Option<Result<Bytes>>>);

impl StallGuard {
    /// Starts reading `chunks`. They are dropped as soon as the guard is, or the reader hasn't taken a chunk for
    /// as long as `stall_timeout`.
    pub(super) fn spawn(chunks: impl Stream<Item = Result<Bytes>> + Send + 'static, stall_timeout: Duration) -> Self {
        let (sender, receiver) = mpsc::channel(CHANNEL_CAPACITY);
        let reading = async move {
            tokio::select! {
                biased;
                () = sender.closed() => {}
                () = forward(chunks, &sender, stall_timeout) => {}
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
async fn forward(
    chunks: impl Stream<Item = Result<Bytes>>,
    sender: &mpsc::Sender<Option<Result<Bytes>>>,
    stall_timeout: Duration,
) {
    let mut chunks = std::pin::pin!(chunks);
    loop {
        let chunk = chunks.next().await;
        let is_last = chunk.is_none();
        let sent = tokio::time::timeout(stall_timeout, sender.send(chunk)).await;
        if is_last || !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const STALL_TIMEOUT: Duration = Duration::from_mins(1);

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
        let mut guard = StallGuard::spawn(chunks(100, Arc::new(())), STALL_TIMEOUT);
        for _ in 0..100 {
            assert!(guard.next().await.unwrap().is_ok());
        }
        assert!(guard.next().await.is_none());
    }

    #[tokio::test]
    async fn stalled_reader_gets_an_error_and_never_a_complete_file() {
        let alive = Arc::new(());
        let mut guard = StallGuard::spawn(chunks(100, alive.clone()), Duration::from_millis(5));
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
        let mut guard = StallGuard::spawn(chunks(100, alive.clone()), STALL_TIMEOUT);
        guard.next().await.unwrap().unwrap();
        drop(guard);
        wait_until_dropped(&alive).await;
    }

    #[tokio::test]
    async fn error_is_forwarded() {
        let failing = futures::stream::iter([Ok(Bytes::new()), Err(Error::Internal("broken"))]);
        let mut guard = StallGuard::spawn(failing, STALL_TIMEOUT);
        assert!(guard.next().await.unwrap().is_ok());
        assert!(matches!(guard.next().await, Some(Err(Error::Internal("broken")))));
    }
}
