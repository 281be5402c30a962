//! Keeps a slow reader from holding a snapshot for ever: while a snapshot is open, Postgres can't
//! clean up after anybody.

use std::time::Duration;

use async_stream::stream;
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio_util::bytes::Bytes;

use crate::{Error, Result};

/// Pieces that are ready before the reader asks.
const CHANNEL_CAPACITY: usize = 2;

/// Reads `pieces` in a task of its own and hands them on. A reader who takes nothing for as long
/// as `patience` gets an error as the next piece, and a reader who goes away ends the task; either
/// way `pieces` is dropped at once.
pub(super) fn with_stall_timeout(
    chunks: impl Stream<Item = Result<Bytes>> + Send + 'static,
    stall_timeout: Duration,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    let (sender, mut receiver) = mpsc::channel(CHANNEL_CAPACITY);
    tokio::spawn(async move {
        tokio::select! {
            biased;
            () = sender.closed() => {}
            () = forward(chunks, &sender, stall_timeout) => {}
        }
    });
    stream! {
        while let Some(piece) = receiver.recv().await {
            match piece {
                Some(piece) => yield piece,
                None => return,
            }
        }
        yield Err(Error::Internal("nobody took the next piece of an export for too long"));
    }
}

/// Sends every piece, and `None` after the last.
async fn forward(
    chunks: impl Stream<Item = Result<Bytes>>,
    sender: &mpsc::Sender<Option<Result<Bytes>>>,
    stall_timeout: Duration,
) {
    let mut chunks = std::pin::pin!(chunks.map(Some).chain(futures::stream::iter([None])));
    while let Some(chunk) = chunks.next().await {
        if !matches!(tokio::time::timeout(stall_timeout, sender.send(chunk)).await, Ok(Ok(()))) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::TryStreamExt;

    use super::*;

    /// Holds `alive` for as long as it lives.
    fn chunks(count: usize, alive: Arc<()>) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        stream! {
            for _ in 0..count {
                yield Ok(Bytes::from_static(b"piece"));
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
        let paced = with_stall_timeout(chunks(100, Arc::new(())), Duration::from_mins(1));
        assert_eq!(paced.try_collect::<Vec<_>>().await.unwrap().len(), 100);
    }

    #[tokio::test]
    async fn stalled_reader_gets_an_error_and_never_a_complete_file() {
        let alive = Arc::new(());
        let mut paced = Box::pin(with_stall_timeout(chunks(100, alive.clone()), Duration::from_millis(5)));
        paced.next().await.unwrap().unwrap();
        wait_until_dropped(&alive).await;
        assert!(paced.try_collect::<Vec<_>>().await.is_err());
    }

    #[tokio::test]
    async fn dropping_the_stream_ends_the_reader() {
        let alive = Arc::new(());
        let mut paced = Box::pin(with_stall_timeout(chunks(100, alive.clone()), Duration::from_hours(1)));
        paced.next().await.unwrap().unwrap();
        drop(paced);
        wait_until_dropped(&alive).await;
    }

    #[tokio::test]
    async fn error_is_forwarded() {
        let failing = futures::stream::iter([Ok(Bytes::new()), Err(Error::Internal("broken"))]);
        let mut paced = Box::pin(with_stall_timeout(failing, Duration::from_mins(1)));
        assert!(paced.next().await.unwrap().is_ok());
        assert!(matches!(paced.next().await, Some(Err(Error::Internal("broken")))));
    }
}
