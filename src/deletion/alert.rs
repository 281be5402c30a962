//! When operators are alerted: at once for every new cause, and again with growing pauses while it lasts.
//!
//! Knows what was reported, not how. The decision is stored in the caller's transaction, together with what it is about
//! and the job that sends the e-mail.

use sqlx::PgConnection;
use sqlx::postgres::types::PgInterval;
use time::Duration;

use crate::{Lethe, Result};

/// Pauses between two alerts about the same thing. The last one repeats.
const PAUSES: [Duration; 4] = [Duration::hours(1), Duration::days(1), Duration::days(3), Duration::days(7)];

/// What an alert is about. There is at most one state for each topic and reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// A deletion whose step keeps failing; the reference is its id.
    Deletion,
    /// A purge that keeps failing; the reference is the id of its entry.
    Purge,
    /// A recheck that keeps failing; the reference is the id of its deletion.
    Recheck,
    /// A deletion that is due soon or overdue; the reference is its id.
    DueDate,
    /// A scheduled job that keeps failing; the reference is its name.
    Schedule,
    /// Users whom Clerk doesn't know.
    Orphans,
    /// Events of Clerk that wait for an operator.
    ClerkEvents,
    /// Jobs of one kind that keep failing; the reference is the kind.
    Jobs,
    /// Texts that contain the id or address of erased users; the reference is the column.
    FoundContent,
}

impl Topic {
    const fn name(self) -> &'static str {
        match self {
            Self::Deletion => "deletion",
            Self::Purge => "purge",
            Self::Recheck => "recheck",
            Self::DueDate => "due_date",
            Self::Schedule => "schedule",
            Self::Orphans => "orphans",
            Self::ClerkEvents => "clerk_events",
            Self::Jobs => "jobs",
            Self::FoundContent => "found_content",
        }
    }
}

/// Whether an alert is sent again while its cause lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// With growing pauses.
    Growing,
    /// Not before there is another cause.
    Never,
}

/// Records that `cause` exists, and returns whether operators are to be alerted now: because they weren't alerted to it
/// yet, or because the pause since the last alert is over.
pub(crate) async fn is_due(
    lethe: &Lethe,
    connection: &mut PgConnection,
    topic: Topic,
    reference: &str,
    cause: &str,
    repeat: Repeat,
) -> Result<bool> {
    let now = lethe.clock.now();
    let pauses: Vec<PgInterval> = PAUSES.iter().copied().map(interval).collect();
    let sent = sqlx::query!(
        "insert into lethe.alert as alert (topic, reference, causes, sent, next_at)
        values ($1, $2, array[$3], 1, case when $6 then $4::timestamptz + ($5::interval[])[1] end)
        on conflict on constraint alert_pkey do update set
            causes = case when $3 = any(alert.causes) then alert.causes else alert.causes || $3 end,
            sent = alert.sent + 1,
            next_at = case
                when $6 then $4::timestamptz + ($5::interval[])[least(alert.sent + 1, cardinality($5::interval[]))]
            end
        where not ($3 = any(alert.causes)) or alert.next_at <= $4::timestamptz",
        topic.name(),
        reference,
        cause,
        now,
        &pauses,
        repeat == Repeat::Growing,
    )
    .execute(connection)
    .await?;
    Ok(sent.rows_affected() == 1)
}

/// Forgets what was reported, because it is over. What comes next is a new cause.
pub(crate) async fn clear(connection: &mut PgConnection, topic: Topic, reference: &str) -> Result<()> {
    sqlx::query!("delete from lethe.alert where topic = $1 and reference = $2", topic.name(), reference)
        .execute(connection)
        .await?;
    Ok(())
}

fn interval(pause: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: i64::try_from(pause.whole_microseconds()).unwrap_or(i64::MAX) }
}
