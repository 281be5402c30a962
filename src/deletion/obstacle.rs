//! What would stop an erasure halfway: looked for before the first step does anything.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::erasure::ErasureRun;
use super::locked_rows::check_keys;
use super::verification::rows_without_rule;
use crate::data_map::{self, DeletionSet, Resolved};
use crate::identifiers::Identifiers;
use crate::platform::connection::TimeLimits;
use crate::{Error, Lethe, Result};

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
            "a table without a rule has the user's id; nothing was erased"
        );
    }
    match found.iter().map(|leftover| leftover.rows).sum() {
        0 => Ok(()),
        rows => Err(Error::RowsRemaining(rows)),
    }
}
