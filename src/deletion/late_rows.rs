//! Rows that are written while a deletion runs, or after it: they are erased by the same rules, and the receipt counts them.

use serde_json::Value;
use sqlx::PgTransaction;
use uuid::Uuid;

use super::erasure::{TableResult, erase};
use super::verification::verify;
use crate::data_map::{self, Outcome};
use crate::identifiers::Identifiers;
use crate::platform::connection;
use crate::{Error, Lethe, Result};

/// Searches for rows that were written since the erasure, and erases them by the same rules. What is still there then is an
/// error. The receipt counts them. Returns their number.
pub(super) async fn erase_late(
    lethe: &Lethe,
    transaction: &mut PgTransaction<'_>,
    request: Uuid,
    subject: &Identifiers,
) -> Result<u64> {
    let resolved = data_map::resolve(&lethe.data_map, transaction).await?;
    let found = verify(&resolved, transaction, subject).await?;
    if found.is_empty() {
        return Ok(0);
    }
    let now = connection::now(transaction).await?;
    let late = erase(&resolved, transaction, subject, now).await?;
    store_retention(transaction, request, subject, &late).await?;
    add_late_results(transaction, request, &late).await?;
    let leftovers = verify(&resolved, transaction, subject).await?;
    let rows: u64 = leftovers.iter().map(|leftover| leftover.rows).sum();
    if rows > 0 {
        for leftover in &leftovers {
            let (table, column) = (&leftover.table, leftover.column.as_deref());
            tracing::error!(table, column, rows = leftover.rows, "rows were left behind");
        }
        return Err(Error::RowsRemaining(rows));
    }
    let erased_late: u64 = found.iter().map(|leftover| leftover.rows).sum();
    tracing::info!(rows = erased_late, "rows that were written late were erased too");
    Ok(erased_late)
}

/// Stores for each table what has to be purged later.
pub(super) async fn store_retention(
    transaction: &mut PgTransaction<'_>,
    request: Uuid,
    subject: &Identifiers,
    results: &[TableResult],
) -> Result<()> {
    for result in results {
        let Some(due) = result.purge_due else { continue };
        sqlx::query!(
            "insert into lethe.retention (request_id, table_name, clerk_id, due_at) values ($1, $2, $3, $4)
            on conflict on constraint retention_request_table_key do nothing",
            request,
            result.line.table,
            subject.user_id().as_str(),
            due,
        )
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

/// Adds the rows that were erased late to what the receipt says.
async fn add_late_results(transaction: &mut PgTransaction<'_>, request: Uuid, late: &[TableResult]) -> Result<()> {
    let stored = sqlx::query_scalar!("select results from lethe.deletion_request where id = $1", request)
        .fetch_one(&mut **transaction)
        .await?;
    let unreadable = |_| Error::Internal("stored results can't be read");
    let mut results: Vec<TableResult> =
        serde_json::from_value(stored.unwrap_or(Value::Array(Vec::new()))).map_err(unreadable)?;
    for late in late.iter().filter(|late| late.line.rows > 0) {
        let is_same = |result: &&mut TableResult| {
            let (line, late) = (&result.line, &late.line);
            line.table == late.table && line.others == late.others && is_same_kind(&line.outcome, &late.outcome)
        };
        match results.iter_mut().find(is_same) {
            // Rows that stay as they are were counted anew, all of them.
            Some(result) if matches!(late.line.outcome, Outcome::Retained { .. }) => result.line.rows = late.line.rows,
            Some(result) => result.line.rows += late.line.rows,
            None => results.push(late.clone()),
        }
    }
    let results = serde_json::to_value(&results).map_err(unreadable)?;
    sqlx::query!("update lethe.deletion_request set results = $2 where id = $1", request, results)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Whether two results of a table are about the same rows: a table has several where its rows are others' too.
fn is_same_kind(one: &Outcome, other: &Outcome) -> bool {
    match (one, other) {
        (Outcome::Shared { columns: one }, Outcome::Shared { columns: other }) => one == other,
        _ => std::mem::discriminant(one) == std::mem::discriminant(other),
    }
}
