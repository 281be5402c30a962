//! The export: everything that the data map exports of a person, as one JSON file (GDPR Articles 15 and 20).
//!
//! The file is read from a snapshot of the database, in constant memory and at the database's speed: what the reader
//! hasn't taken yet waits in a temporary file, so that a slow one holds neither the snapshot nor a connection. A failure
//! midway breaks the stream, so that nobody takes half a file for a complete one. This module reads mapped tables and
//! changes none; every statement has the person's key as its condition.

mod exact_numbers;
mod running;
mod snapshot;
mod spool;
mod stall_guard;

use std::io;
use std::path::Path;
use std::time::Duration;

use async_stream::try_stream;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Semaphore;
use tokio_util::bytes::Bytes;
use tracing::Instrument as _;

pub use snapshot::{Snapshot, Tally};

use self::running::RunningExport;
use self::spool::Spool;
use self::stall_guard::{Pace, StallGuard};
use crate::audit::{self, Activity, AuditEvent};
use crate::rate_limit::RateLimit;
use crate::{ClerkUserId, Error, ErrorCode, Lethe, Result, clerk, subject};

/// Each snapshot has a database connection of its own.
const MAX_SNAPSHOTS: usize = 8;
static SNAPSHOT_PERMITS: Semaphore = Semaphore::const_new(MAX_SNAPSHOTS);
/// How long an export waits until there are fewer snapshots.
const SNAPSHOT_WAIT: Duration = Duration::from_secs(20);
/// How long the response waits for the whole file: most are read by then, and what fails before can still be reported.
const FIRST_CHUNK_DELAY: Duration = Duration::from_secs(2);

/// The shape of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `{"exportDate", "clerkProfile", "applicationData": {table: rows, …}}`.
    Full,
    /// `{table: rows, …}`.
    TablesOnly,
}

/// An export that has started.
pub struct Export {
    /// The file, in chunks of some 32 KiB. After an error, what was sent before is worthless.
    /// [`Error::ExportStalled`] says that it wasn't taken in time, every other error is the server's.
    pub body: BoxStream<'static, Result<Bytes>>,
}

/// Starts the export of `subject`, of which one runs at a time.
///
/// What fails before the first byte fails here: [`ErrorCode::ExportRunning`], `limit`, Clerk, the data map, the database,
/// the temporary file, and [`ErrorCode::TooManyRequests`] while too many others are being read from the database. The
/// stream ends after it has recorded `export.completed` in the audit log, which it does when the reader asks for more
/// after the last chunk.
#[tracing::instrument(name = "export", skip_all, fields(?shape))]
pub async fn start(lethe: &Lethe, subject: &ClerkUserId, shape: Shape, limit: &RateLimit) -> Result<Export> {
    let running = RunningExport::begin(lethe, subject).await?;
    let (spool, tally) = match read_ahead(lethe, subject, shape, limit).await {
        Ok(read) => read,
        Err(error) => {
            // So that the next one may begin at once.
            running.end().await?;
            return Err(error);
        }
    };
    // What is small waits in memory and holds nothing that a next export would need.
    let running = if spool.is_in_memory() {
        running.end().await?;
        None
    } else {
        Some(running)
    };
    let deadline = Duration::from_mins(lethe.config.export_minutes.get().into());
    let mut chunks = StallGuard::spawn(hand_out(spool, running), Pace::until(deadline));
    let (lethe, subject) = (lethe.clone(), subject.clone());
    let body = try_stream! {
        let mut bytes = 0;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            bytes += chunk.len() as u64;
            yield chunk;
        }
        let rows = tally.rows();
        record_completion(lethe, subject, bytes, rows).await?;
    };
    Ok(Export { body: body.boxed() })
}

/// Records the end in a task of its own: the reader may leave at any moment, and sqlx doesn't roll back a transaction whose
/// `BEGIN` was under way when its future was dropped. The next user of the connection would be in it.
async fn record_completion(lethe: Lethe, subject: ClerkUserId, bytes: u64, rows: u64) -> Result<()> {
    let recording = async move {
        match audit::record(&lethe, &subject, AuditEvent::ExportCompleted { bytes, rows }).await {
            // The account was deleted meanwhile, and nothing is recorded about it any more. The file is complete.
            Err(error) if error.public() == ErrorCode::AccountDeleted => {}
            recorded => recorded?,
        }
        tracing::info!(rows, bytes, "export completed");
        Ok::<(), Error>(())
    };
    let recorded = tokio::spawn(recording.in_current_span()).await;
    recorded.unwrap_or(Err(Error::Internal("the task that records an export failed")))
}

/// Does what can fail before the first byte, and starts reading from the database.
async fn read_ahead(lethe: &Lethe, subject: &ClerkUserId, shape: Shape, limit: &RateLimit) -> Result<(Spool, Tally)> {
    limit.check(lethe, subject).await?;
    let read = read(lethe, subject, shape).await;
    if read.is_err() {
        // An outage uses up nobody's exports.
        limit.give_back(lethe, subject).await?;
    }
    read
}

async fn read(lethe: &Lethe, subject: &ClerkUserId, shape: Shape) -> Result<(Spool, Tally)> {
    let envelope = match shape {
        Shape::Full => Envelope::full(&profile(lethe, subject).await?, lethe.clock.now())?,
        Shape::TablesOnly => Envelope::default(),
    };
    let identifiers = subject::identifiers(lethe, subject).await?;
    let permit = tokio::time::timeout(SNAPSHOT_WAIT, SNAPSHOT_PERMITS.acquire()).await;
    let Ok(Ok(permit)) = permit else { return Err(ErrorCode::TooManyRequests.into()) };
    let snapshot = Snapshot::open(&lethe.database, &lethe.data_map, &identifiers).await?;
    audit::record(lethe, subject, AuditEvent::ExportRequested {}).await?;
    let tally = snapshot.tally();
    let rows = snapshot.write(envelope.prefix, envelope.suffix);
    let rows = try_stream! {
        // Until the last row was read, not until the last chunk was taken.
        let _permit = permit;
        for await chunk in rows {
            yield chunk?;
        }
    };
    let mut spool = Spool::fill(rows, lethe.config.export_folder.clone(), lethe.random.clone());
    spool.wait(FIRST_CHUNK_DELAY).await?;
    Ok((spool, tally))
}

/// Hands out what the spool has; then the user may start the next export, before the reader learns that this was all.
fn hand_out(mut spool: Spool, running: Option<RunningExport>) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    try_stream! {
        while let Some(chunk) = spool.next().await {
            yield chunk?;
        }
        if let Some(running) = running {
            running.end().await?;
        }
    }
}

/// Creates a temporary file in `folder`, or in the system's folder for them, as [`start`] does.
pub fn check_folder(folder: Option<&Path>) -> io::Result<()> {
    spool::create_file(folder).map(drop)
}

/// An export that was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completed {
    /// When the last chunk was taken.
    pub at: OffsetDateTime,
    /// Rows of the application's tables.
    pub rows: u64,
    /// The file's size.
    pub bytes: u64,
}

impl Completed {
    /// Returns the export that `activity` records, if it records the end of one.
    #[must_use]
    pub const fn from_activity(activity: &Activity) -> Option<Self> {
        match activity.event {
            AuditEvent::ExportCompleted { bytes, rows } => Some(Self { at: activity.at, rows, bytes }),
            _ => None,
        }
    }
}

/// Returns the last completed export of `subject`.
pub async fn latest(lethe: &Lethe, subject: &ClerkUserId) -> Result<Option<Completed>> {
    let entry = audit::latest(lethe, subject, "export.completed").await?;
    Ok(entry.as_ref().and_then(Completed::from_activity))
}

/// Returns what Clerk stores about the person. Without it the export fails: the file would be incomplete and
/// nobody would notice.
async fn profile(lethe: &Lethe, subject: &ClerkUserId) -> Result<Value> {
    let user = lethe.clerk.user(subject).await?.ok_or(ErrorCode::AccountDeleted)?;
    let sessions = lethe.clerk.sessions(subject).await?;
    Ok(clerk::profile(&user, &sessions))
}

/// What surrounds the tables in the file.
#[derive(Debug)]
struct Envelope {
    prefix: String,
    suffix: &'static str,
}

impl Default for Envelope {
    fn default() -> Self {
        Self { prefix: String::new(), suffix: "\n" }
    }
}

impl Envelope {
    fn full(profile: &Value, now: OffsetDateTime) -> Result<Self> {
        let now = now.format(&Rfc3339).map_err(|_| Error::Internal("a time can't be formatted"))?;
        let prefix = format!("{{\"exportDate\":\"{now}\",\n\"clerkProfile\":{profile},\n\"applicationData\":");
        Ok(Self { prefix, suffix: "}\n" })
    }
}
