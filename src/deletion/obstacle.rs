//! What would stop an erasure halfway: looked for before the first step does anything, and as well as a page has time for it,
//! before the person requests it.

use std::time::Duration;

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::erasure::ErasureRun;
use super::locked_rows::check_keys;
use super::verification::rows_without_rule;
use crate::data_map::{self, DeletionSet, Resolved};
use crate::identifiers::Identifiers;
use crate::platform::connection::TimeLimits;
use crate::platform::database_failure::is_statement_timeout;
use crate::{Error, Lethe, Result};

/// How long a person waits for one statement that looks for obstacles.
const PREVIEW_LIMIT: Duration = Duration::from_secs(1);

/// Fails if rows of other people would have to go that the map forbids to touch, or if a table without a rule has the user's id.
/// While the map doesn't fit the database, nothing can be said; the step that erases waits for it.
pub(super) async fn ensure_none(lethe: &Lethe, subject: &Identifiers) -> Result<()> {
    let mut transaction = TimeLimits::ERASURE.begin(&lethe.database).await?;
    let resolved = match data_map::resolve(&lethe.data_map, &mut transaction).await {
        Err(data_map::Error::Mismatch(_)) => return Ok(()),
        resolved => resolved?,
    };
    let subject = resolved.identify(&mut transaction, subject.clone()).await?;
    ensure_none_on(&resolved, &mut transaction, &subject).await
}

/// Returns whether something would stop the deletion before its first step. `false` where that can't be found out within
/// [`PREVIEW_LIMIT`] a statement: the deletion looks again, without haste. Leaves the transaction of no further use.
pub(super) async fn is_obstructed(
    resolved: &Resolved,
    transaction: &mut PgConnection,
    subject: &Identifiers,
) -> Result<bool> {
    TimeLimits { statement: Some(PREVIEW_LIMIT), ..TimeLimits::PREVIEW }.apply(transaction).await?;
    match ensure_none_on(resolved, transaction, subject).await {
        Ok(()) => Ok(false),
        Err(Error::RowsRemaining(_) | Error::Map(data_map::Error::Mismatch(_))) => Ok(true),
        Err(error) if is_statement_timeout(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn ensure_none_on(resolved: &Resolved, connection: &mut PgConnection, subject: &Identifiers) -> Result<()> {
    check_keys(resolved)?;
    // No statement uses the time.
    let deletion_set = DeletionSet::deletion(resolved);
    let run = ErasureRun { resolved, deletion_set, subject, now: OffsetDateTime::UNIX_EPOCH };
    run.refuse_forbidden_references(connection).await?;
    let found = rows_without_rule(resolved, connection, subject).await?;
    for leftover in &found {
        let (table, column) = (&leftover.table, leftover.column.as_deref());
        tracing::error!(
            table,
            column,
            rows = leftover.rows,
            "a table without a rule has the user's id; it stops a deletion before anything is erased"
        );
    }
    match found.iter().map(|leftover| leftover.rows).sum() {
        0 => Ok(()),
        rows => Err(Error::RowsRemaining(rows)),
    }
}
