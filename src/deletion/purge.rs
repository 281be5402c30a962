//! Deletes the rows of one table whose retention has ended.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::erasure::{ErasureRun, mismatch};
use super::statements::{Effect, purge_statements};
use crate::Result;
use crate::data_map::{DeletionSet, Problem, Removal, Resolved};
use crate::identifiers::Identifiers;

/// Deletes the person's rows of `table` whose time is over: in a stamped table those that have a stamp, in a kept one
/// all. The caller knows that it is over, and purges tables in the order of [`erase`](super::erase)'s results.
///
/// Returns the number of deleted rows. Idempotent.
pub async fn purge(
    resolved: &Resolved,
    connection: &mut PgConnection,
    table: &str,
    subject: &Identifiers,
) -> Result<u64> {
    let Some(purged) = resolved.index_of(table) else {
        return Err(mismatch(Problem {
            table: table.to_owned(),
            column: None,
            message: "rows of this table are due to be purged, but the map has no rule for it".to_owned(),
            remedy: "Put the rule back".to_owned(),
            choices: Vec::new(),
        }));
    };
    if resolved.tables[purged].removal() == Removal::Never {
        // The map was changed since, and now the rows stay.
        return Ok(0);
    }
    let deletion_set = DeletionSet::purge(resolved, purged);
    let statements = purge_statements(resolved, &deletion_set);
    // The time is bound, but no statement of a purge uses it.
    let run = ErasureRun { resolved, deletion_set, subject, now: OffsetDateTime::UNIX_EPOCH };
    let (rows, _) = run.execute_all(&statements, connection).await?;
    let deleted = statements.iter().zip(rows).filter(|(statement, _)| statement.effect == Effect::Delete);
    Ok(deleted.map(|(_, rows)| rows).sum())
}
