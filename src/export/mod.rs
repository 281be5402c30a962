//! The export: everything that the data map exports of a person, as one JSON file (GDPR Articles 15 and 20).
//!
//! The file is streamed from a snapshot of the database, in constant memory. A failure midway breaks the stream,
//! so that nobody takes half a file for a complete one. This module reads mapped tables and changes none; every
//! statement has the person's key as its condition.

mod snapshot;
mod stall_guard;

use std::time::Duration;

use async_stream::try_stream;
use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Semaphore;
use tokio_util::bytes::Bytes;

pub use snapshot::Snapshot;

use self::stall_guard::StallGuard;
use crate::audit::{self, Activity, AuditEvent};
use crate::{ClerkUserId, Error, ErrorCode, Lethe, Result, clerk};

/// Each export holds a database connection of its own for as long as its reader takes.
const MAX_CONCURRENT: usize = 8;
/// How long a reader may take for one chunk.
const STALL_TIMEOUT: Duration = Duration::from_mins(1);
static EXPORT_PERMITS: Semaphore = Semaphore::const_new(MAX_CONCURRENT);

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
    /// [`Error::ExportStalled`] is the reader's fault, every other error the server's.
    pub body: BoxStream<'static, Result<Bytes>>,
}

/// Starts the export of `subject`.
///
/// Everything that can fail before the first byte fails here: Clerk, the data map, the database, and
/// [`ErrorCode::TooManyRequests`] while too many other exports are being read. The stream ends after it has
/// recorded `export.completed` in the audit log, which it does when the reader asks for more after the last
/// chunk.
#[tracing::instrument(name = "export", skip_all, fields(?shape))]
pub async fn start(lethe: &Lethe, subject: &ClerkUserId, shape: Shape) -> Result<Export> {
    let permit = EXPORT_PERMITS.try_acquire().map_err(|_| ErrorCode::TooManyRequests)?;
    let envelope = match shape {
        Shape::Full => Envelope::full(&profile(lethe, subject).await?, lethe.clock.now())?,
        Shape::TablesOnly => Envelope::default(),
    };
    let snapshot = Snapshot::open(&lethe.database, &lethe.data_map, subject).await?;
    audit::record(lethe, subject, AuditEvent::ExportRequested {}).await?;
    let (lethe, subject, tally) = (lethe.clone(), subject.clone(), snapshot.tally());
    let mut chunks = StallGuard::spawn(snapshot.write(envelope.prefix, envelope.suffix), STALL_TIMEOUT);
    let body = try_stream! {
        let _permit = permit;
        let mut bytes = 0;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            bytes += chunk.len() as u64;
            yield chunk;
        }
        let rows = tally.rows();
        audit::record(&lethe, &subject, AuditEvent::ExportCompleted { bytes, rows }).await?;
        tracing::info!(rows, bytes, "export completed");
    };
    Ok(Export { body: body.boxed() })
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
