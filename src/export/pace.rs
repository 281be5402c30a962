//! Keeps a slow reader from holding a snapshot for ever: while a snapshot is open, Postgres can't
//! clean up after anybody.

use std::time::Duration;

use async_stream::stream;
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio_util::bytes::Bytes;

use crate::{Error, Result};

/// Pieces that are ready before the reader asks.
const AHEAD: usize = 2;

/// Reads `pieces` in a task of its own and hands them on. A reader who takes nothing for as long
/// as `patience` gets an error as the next piece, and a reader who goes away ends the task; either
/// way `pieces` is dropped at once.
pub(super) fn paced(
    pieces: impl Stream<Item = Result<Bytes>> + Send + 'static,
    patience: Duration,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    let (sender, mut receiver) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        tokio::select! {
            biased;
            () = sender.closed() => {}
            () = hand_on(pieces, &sender, patience) => {}
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
async fn hand_on(
    pieces: impl Stream<Item = Result<Bytes>>,
    sender: &mpsc::Sender<Option<Result<Bytes>>>,
    patience: Duration,
) {
    let mut pieces = std::pin::pin!(pieces.map(Some).chain(futures::stream::iter([None])));
    while let Some(piece) = pieces.next().await {
        if !matches!(tokio::time::timeout(patience, sender.send(piece)).await, Ok(Ok(()))) {
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
    fn pieces(count: usize, alive: Arc<()>) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        stream! {
            for _ in 0..count {
                yield Ok(Bytes::from_static(b"piece"));
            }
            drop(alive);
        }
    }

    async fn dropped(alive: &Arc<()>) {
        while Arc::strong_count(alive) > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn every_piece_comes_through() {
        let paced = paced(pieces(100, Arc::new(())), Duration::from_mins(1));
        assert_eq!(paced.try_collect::<Vec<_>>().await.unwrap().len(), 100);
    }

    #[tokio::test]
    async fn who_stalls_gets_an_error_and_never_a_whole_file() {
        let alive = Arc::new(());
        let mut paced = Box::pin(paced(pieces(100, alive.clone()), Duration::from_millis(5)));
        paced.next().await.unwrap().unwrap();
        dropped(&alive).await;
        assert!(paced.try_collect::<Vec<_>>().await.is_err());
    }

    #[tokio::test]
    async fn who_goes_away_ends_it() {
        let alive = Arc::new(());
        let mut paced = Box::pin(paced(pieces(100, alive.clone()), Duration::from_hours(1)));
        paced.next().await.unwrap().unwrap();
        drop(paced);
        dropped(&alive).await;
    }

    #[tokio::test]
    async fn an_error_comes_through() {
        let failing = futures::stream::iter([Ok(Bytes::new()), Err(Error::Internal("broken"))]);
        let mut paced = Box::pin(paced(failing, Duration::from_mins(1)));
        assert!(paced.next().await.unwrap().is_ok());
        assert!(matches!(paced.next().await, Some(Err(Error::Internal("broken")))));
    }
}
