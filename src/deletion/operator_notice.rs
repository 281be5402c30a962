//! What operators are alerted to that isn't about one deletion, and the job that sends it. Must not know where the numbers
//! come from.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::platform::queue::Job;
use crate::{Lethe, Result};

/// What operators are alerted to. Numbers that change are read when the e-mail is sent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub(crate) enum Notice {
    /// Deletions are due soon or overdue.
    DueDates,
    /// Events of Clerk wait, because there were unusually many.
    ClerkEventsWaiting,
    /// Clerk doesn't know some users of the database.
    OrphansFound { orphans: u64, people: u64 },
    /// Clerk knows none of the users, so the search says nothing.
    OrphanSearchRefused { people: u64 },
    /// A scheduled job keeps failing.
    ScheduleFailing { name: String, failure: String, attempts: i32 },
    /// Jobs that somebody waits for keep failing, for example e-mails with receipts.
    JobsFailing { name: String, jobs: i64 },
    /// Texts that no rule erases contain the id or address of somebody who was erased.
    ContentFound { column: String },
}

/// The job that sends an e-mail to the operators.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SendNotice {
    id: Uuid,
    pub(super) notice: Notice,
}

impl Job for SendNotice {
    const NAME: &'static str = "send_notice";

    fn id(&self) -> Uuid {
        self.id
    }
}

/// Enqueues the e-mail in the caller's transaction.
pub(crate) async fn send_later(lethe: &Lethe, connection: &mut PgConnection, notice: Notice) -> Result<()> {
    Ok(lethe.queue().enqueue(connection, SendNotice { id: lethe.random.uuid(), notice }).await?)
}
