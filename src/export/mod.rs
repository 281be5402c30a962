//! The export: everything that the map gives a person, as one JSON file that is streamed while
//! it is read, from a snapshot in which nothing moves.
//!
//! Reads any mapped table and changes none. What a person gets is their own: every statement has
//! their key as its condition. Memory stays flat whatever the size, and a transfer that fails
//! half-way breaks, so that nobody holds half a file for a whole one.

mod snapshot;
mod stall_guard;

use std::time::Duration;

use async_stream::try_stream;
use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::bytes::Bytes;

pub use snapshot::Snapshot;

use crate::audit::{self, Activity, AuditEvent};
use crate::ids::ClerkUserId;
use crate::{Error, ErrorCode, Lethe, Result, clerk};

/// Each export holds a connection of its own for as long as its reader takes.
const MAX_CONCURRENT: usize = 8;
/// How long a reader may take for one piece.
const STALL_TIMEOUT: Duration = Duration::from_mins(1);
static EXPORT_PERMITS: Semaphore = Semaphore::const_new(MAX_CONCURRENT);

/// What the file looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `{"exportDate", "clerkProfile", "applicationData": {table: rows, …}}`.
    Full,
    /// `{table: rows, …}`.
    TablesOnly,
}

/// An export that has begun.
pub struct Export {
    /// The file, in pieces of some 32 KiB. An error means that what was sent so far is worthless.
    pub body: BoxStream<'static, Result<Bytes>>,
}

/// Begins the export of `subject`.
///
/// Whatever can fail before the first byte fails here: Clerk, the map, the database, and
/// [`ErrorCode::TooManyRequests`] while too many others are being read. Then the stream writes `export.completed`
/// into the audit log after its last byte was taken, and ends.
pub async fn start(lethe: &Lethe, subject: &ClerkUserId, shape: Shape) -> Result<Export> {
    let permit = EXPORT_PERMITS.try_acquire().map_err(|_| ErrorCode::TooManyRequests)?;
    let envelope = match shape {
        Shape::Full => Envelope::full(&profile(lethe, subject).await?, lethe.clock.now())?,
        Shape::TablesOnly => Envelope::default(),
    };
    let snapshot = Snapshot::open(&lethe.database, &lethe.data_map, subject).await?;
    audit::record(lethe, subject, AuditEvent::ExportRequested {}).await?;
    Ok(Export { body: body(lethe.clone(), subject.clone(), snapshot, envelope, permit).boxed() })
}

/// The last finished export of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completed {
    /// When.
    pub at: OffsetDateTime,
    /// Rows of the application's tables.
    pub rows: u64,
    /// The file's size.
    pub bytes: u64,
}

impl Completed {
    /// Returns the export that `activity` is about, if it is about the end of one.
    #[must_use]
    pub const fn from_activity(activity: &Activity) -> Option<Self> {
        match activity.event {
            AuditEvent::ExportCompleted { bytes, rows } => Some(Self { at: activity.at, rows, bytes }),
            _ => None,
        }
    }
}

/// The last finished export of `subject`.
pub async fn latest(lethe: &Lethe, subject: &ClerkUserId) -> Result<Option<Completed>> {
    let entry = audit::latest(lethe, subject, "export.completed").await?;
    Ok(entry.as_ref().and_then(Completed::from_activity))
}

/// The person as Clerk knows them. Without it there would be a hole in the file that nobody sees.
async fn profile(lethe: &Lethe, subject: &ClerkUserId) -> Result<Value> {
    let user = lethe.clerk.user(subject).await?.ok_or(ErrorCode::AccountDeleted)?;
    let sessions = lethe.clerk.sessions(subject).await?;
    Ok(clerk::profile(&user, &sessions))
}

/// What stands around the tables.
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
        let now = now.format(&Rfc3339).map_err(|_| Error::Internal("a time can't be written"))?;
        let prefix = format!("{{\"exportDate\":\"{now}\",\n\"clerkProfile\":{profile},\n\"applicationData\":");
        Ok(Self { prefix, suffix: "}\n" })
    }
}

fn body(
    lethe: Lethe,
    subject: ClerkUserId,
    snapshot: Snapshot,
    envelope: Envelope,
    permit: SemaphorePermit<'static>,
) -> impl futures::Stream<Item = Result<Bytes>> + Send + 'static {
    try_stream! {
        let _permit = permit;
        let tally = snapshot.tally();
        let mut bytes = 0;
        let pieces = stall_guard::with_stall_timeout(snapshot.write(envelope.prefix, envelope.suffix), STALL_TIMEOUT);
        for await piece in pieces {
            let piece = piece?;
            bytes += piece.len() as u64;
            yield piece;
        }
        // Whoever reads asks for more only after they have taken the last piece.
        audit::record(&lethe, &subject, AuditEvent::ExportCompleted { bytes, rows: tally.rows() }).await?;
    }
}
