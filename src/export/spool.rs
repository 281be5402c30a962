//! Reads the file from the database at the database's speed, and hands it out at the reader's. What the reader hasn't
//! taken yet is in memory as long as it is small, then in a temporary file that no other process can open or read:
//! it has no name, and it is encrypted with a key that is nowhere but in memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, spawn_blocking};
use tokio_util::bytes::Bytes;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use crate::platform::Random;
use crate::{Error, Result};

/// Chunks that are held in memory before there is a file.
const MEMORY_CHUNKS: usize = 8;
/// What precedes each chunk in the file: the length of its ciphertext.
const LENGTH_BYTES: usize = size_of::<u32>();

/// A stream that is read ahead of its reader by a task of its own.
pub(super) struct Spool {
    memory: mpsc::Receiver<Bytes>,
    stored: watch::Receiver<Option<Stored>>,
    /// `None` once its result was returned.
    reading: Option<AbortOnDropHandle<Result<()>>>,
    /// What of the file was handed out.
    taken: Position,
}

/// What is in the file so far.
#[derive(Clone)]
struct Stored {
    file: Arc<SpoolFile>,
    end: Position,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Position {
    chunks: u64,
    bytes: u64,
}

impl Spool {
    /// Starts reading `chunks`. The file, if there will be one, is created in `folder`, or in the system's folder for
    /// temporary files.
    pub(super) fn fill(
        chunks: impl Stream<Item = Result<Bytes>> + Send + 'static,
        folder: Option<PathBuf>,
        random: Random,
    ) -> Self {
        let (into_memory, memory) = mpsc::channel(MEMORY_CHUNKS);
        let (report, stored) = watch::channel(None);
        let reading = read_all(chunks, folder, random, into_memory, report).in_current_span();
        let reading = AbortOnDropHandle::new(tokio::spawn(reading));
        Self { memory, stored, reading: Some(reading), taken: Position::default() }
    }

    /// Waits until everything was read, but not longer than `timeout`. Fails if the reading has failed by then.
    pub(super) async fn wait(&mut self, timeout: Duration) -> Result<()> {
        let Some(reading) = &mut self.reading else { return Ok(()) };
        let Ok(ended) = tokio::time::timeout(timeout, reading).await else { return Ok(()) };
        self.reading = None;
        flatten(ended)
    }

    /// Whether everything was read and there is no file.
    pub(super) fn is_in_memory(&self) -> bool {
        self.reading.is_none() && self.stored.borrow().is_none()
    }

    /// Returns the next chunk, and `None` after the last one.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes>> {
        if let Some(chunk) = self.memory.recv().await {
            return Some(Ok(chunk));
        }
        loop {
            let stored = self.stored.borrow_and_update().clone();
            if let Some(Stored { file, end }) = stored
                && end != self.taken
            {
                return Some(self.take(file).await);
            }
            if self.stored.changed().await.is_err() {
                break;
            }
        }
        let ended = self.reading.take()?.await;
        flatten(ended).err().map(Err)
    }

    async fn take(&mut self, file: Arc<SpoolFile>) -> Result<Bytes> {
        let at = self.taken;
        let (chunk, end) = blocking(move || file.read(at)).await?;
        self.taken = end;
        Ok(chunk)
    }
}

/// Reads `chunks` to their end, into memory while there is room and then into a file.
async fn read_all(
    chunks: impl Stream<Item = Result<Bytes>>,
    folder: Option<PathBuf>,
    random: Random,
    memory: mpsc::Sender<Bytes>,
    report: watch::Sender<Option<Stored>>,
) -> Result<()> {
    let mut chunks = std::pin::pin!(chunks);
    let overflowing = loop {
        let Some(chunk) = chunks.next().await else { return Ok(()) };
        match memory.try_send(chunk?) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(chunk)) => break chunk,
            Err(mpsc::error::TrySendError::Closed(_)) => return Ok(()),
        }
    };
    // After its end, the reader continues with the file.
    drop(memory);
    let file = Arc::new(blocking(move || SpoolFile::create(folder.as_deref(), &random)).await?);
    let (mut end, mut next) = (Position::default(), Some(overflowing));
    while let Some(chunk) = next {
        let writing = file.clone();
        end = blocking(move || writing.write(end, &chunk)).await?;
        report.send_replace(Some(Stored { file: file.clone(), end }));
        next = chunks.next().await.transpose()?;
    }
    Ok(())
}

fn flatten(ended: Result<Result<()>, JoinError>) -> Result<()> {
    ended.unwrap_or(Err(Error::Internal("the task that reads an export failed")))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    let done = spawn_blocking(work).await.map_err(|_| Error::Internal("a task that uses a temporary file failed"))?;
    done.map_err(Error::TemporaryFile)
}

/// Creates a file without a name: it is gone with the process.
pub(super) fn create_file(folder: Option<&Path>) -> io::Result<File> {
    folder.map_or_else(tempfile::tempfile, tempfile::tempfile_in)
}

/// A file without a name, in which each chunk is encrypted.
struct SpoolFile {
    file: File,
    key: LessSafeKey,
}

impl SpoolFile {
    fn create(folder: Option<&Path>, random: &Random) -> io::Result<Self> {
        let key: [u8; 32] = random.bytes();
        let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).expect("the key has 32 bytes"));
        Ok(Self { file: create_file(folder)?, key })
    }

    /// Writes the chunk that begins at `at`. Returns where it ends.
    fn write(&self, at: Position, chunk: &[u8]) -> io::Result<Position> {
        let mut record = vec![0; LENGTH_BYTES];
        let mut sealed = chunk.to_vec();
        self.key
            .seal_in_place_append_tag(nonce(at), Aad::empty(), &mut sealed)
            .map_err(|_| io::Error::other("a chunk is too long to be encrypted"))?;
        let length = u32::try_from(sealed.len()).map_err(io::Error::other)?;
        record.copy_from_slice(&length.to_be_bytes());
        record.append(&mut sealed);
        self.file.write_all_at(&record, at.bytes)?;
        Ok(Position { chunks: at.chunks + 1, bytes: at.bytes + record.len() as u64 })
    }

    /// Reads the chunk that begins at `at`. Returns it and where it ends.
    fn read(&self, at: Position) -> io::Result<(Bytes, Position)> {
        let mut length = [0; LENGTH_BYTES];
        self.file.read_exact_at(&mut length, at.bytes)?;
        let mut sealed = vec![0; usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?];
        let begin = at.bytes + LENGTH_BYTES as u64;
        self.file.read_exact_at(&mut sealed, begin)?;
        let end = Position { chunks: at.chunks + 1, bytes: begin + sealed.len() as u64 };
        let plain = self
            .key
            .open_in_place(nonce(at), Aad::empty(), &mut sealed)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the temporary file was changed"))?
            .len();
        sealed.truncate(plain);
        Ok((sealed.into(), end))
    }
}

/// The key is used for one file, and each of its chunks has a number.
fn nonce(at: Position) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[NONCE_LEN - 8..].copy_from_slice(&at.chunks.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: u32 = 100;

    fn chunks(count: u32) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        futures::stream::iter((0..count).map(|number| Ok(Bytes::from(format!("chunk {number}")))))
    }

    fn spool(chunks: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Spool {
        Spool::fill(chunks, None, Random::system())
    }

    #[tokio::test]
    async fn everything_is_read_before_the_reader_asks_and_handed_out_in_order() {
        for count in [0, 1, u32::try_from(MEMORY_CHUNKS).unwrap(), COUNT] {
            let mut spool = spool(chunks(count));
            spool.wait(Duration::from_secs(10)).await.unwrap();
            assert!(spool.reading.is_none(), "it has ended");
            for number in 0..count {
                assert_eq!(spool.next().await.unwrap().unwrap(), format!("chunk {number}"));
            }
            assert!(spool.next().await.is_none());
            assert!(spool.next().await.is_none());
        }
    }

    #[tokio::test]
    async fn reader_may_follow_the_reading() {
        let slow = chunks(COUNT).then(async |chunk| {
            tokio::task::yield_now().await;
            chunk
        });
        let mut spool = spool(slow);
        for number in 0..COUNT {
            assert_eq!(spool.next().await.unwrap().unwrap(), format!("chunk {number}"));
        }
        assert!(spool.next().await.is_none());
    }

    #[tokio::test]
    async fn error_comes_at_once_or_after_what_was_read() {
        let failing = || chunks(COUNT).chain(futures::stream::iter([Err(Error::Internal("broken"))]));
        let refused = spool(failing()).wait(Duration::from_secs(10)).await;
        assert!(matches!(refused, Err(Error::Internal("broken"))));

        let mut spool = spool(failing());
        for _ in 0..COUNT {
            spool.next().await.unwrap().unwrap();
        }
        assert!(matches!(spool.next().await, Some(Err(Error::Internal("broken")))));
        assert!(spool.next().await.is_none());
    }

    #[tokio::test]
    async fn folder_that_cannot_be_written_is_an_error() {
        let folder = Some(PathBuf::from("/nonexistent"));
        let mut spool = Spool::fill(chunks(COUNT), folder, Random::system());
        let error = spool.wait(Duration::from_secs(10)).await.unwrap_err();
        assert!(matches!(error, Error::TemporaryFile(_)));
        assert_eq!(error.public(), crate::ErrorCode::Unavailable);
    }

    #[test]
    fn file_has_no_name_and_no_plain_text_and_notices_changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = SpoolFile::create(Some(folder.path()), &Random::system()).unwrap();
        let chunk = b"ada@example.org ".repeat(64);
        let end = file.write(Position::default(), &chunk).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut raw = vec![0; usize::try_from(end.bytes).unwrap()];
        file.file.read_exact_at(&mut raw, 0).unwrap();
        assert!(!raw.windows(3).any(|window| window == b"ada"));
        assert_eq!(file.read(Position::default()).unwrap(), (Bytes::from(chunk), end));
        file.file.write_all_at(&[!raw[LENGTH_BYTES]], LENGTH_BYTES as u64).unwrap();
        assert!(file.read(Position::default()).is_err());
    }
}
