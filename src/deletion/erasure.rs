//! Executes a plan on the application's rows.
//!
//! Works within the caller's transaction, with one statement for each line of the plan, whatever the number of rows.
//! Idempotent: a second run finds nothing to do.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use super::plan::PlanLine;
use super::statements::{Effect, PlannedStatement, planned_statements};
use crate::data_map::sql::{self, BindParams as _};
use crate::data_map::{self, DeletionSet, Outcome, Problem, Removal, Resolved, ResolvedAction};
use crate::ids::ClerkUserId;
use crate::platform::connection::TimeLimits;
use crate::{Error, Result};

/// The advisory lock by which erasures wait for each other. The number is arbitrary, but not used elsewhere.
const ERASURE_LOCK_KEY: i64 = 0x6c65_7468_6532;

/// Another erasure may take a while; nobody but erasures waits behind it.
const WAIT_FOR_OTHER_ERASURES: TimeLimits = TimeLimits { lock: Duration::from_mins(1), ..TimeLimits::ERASURE };

/// What was done to the rows of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableResult {
    /// The line of the plan, with the number of rows that were changed or, where they are kept, exist.
    #[serde(flatten)]
    pub line: PlanLine,
    /// When the remaining rows must be deleted; `None` where there are none, or they stay.
    #[serde(with = "time::serde::rfc3339::option")]
    pub purge_due: Option<OffsetDateTime>,
}

/// Erases the person's rows as the map says, and other people's only where it says so.
///
/// Returns a result for each line of the plan, children before the rows that they reference: the order for
/// [`purge`](super::purge). On an error the caller rolls back, and nothing was erased.
pub async fn erase(
    resolved: &Resolved,
    connection: &mut PgConnection,
    subject: &ClerkUserId,
    now: OffsetDateTime,
) -> Result<Vec<TableResult>> {
    let deletion_set = DeletionSet::deletion(resolved);
    let mut statements = planned_statements(resolved, &deletion_set, now);
    statements.sort_by_key(|statement| resolved.order.iter().position(|table| *table == statement.table_index));
    let run = ErasureRun { resolved, deletion_set, subject, now };
    run.defer_constraints(connection).await?;
    let rows = run.execute_all(&statements, connection).await?;
    let mut results = Vec::new();
    for (statement, rows) in statements.into_iter().zip(rows).filter(|(statement, _)| statement.has_line) {
        let purge_due = run.purge_due(&statement, connection).await?;
        results.push(TableResult { line: PlanLine::new(statement, rows), purge_due });
    }
    Ok(results)
}

pub(super) fn mismatch(problem: Problem) -> Error {
    data_map::Error::Mismatch(vec![problem]).into()
}

/// One run over the rows of one person.
pub(super) struct ErasureRun<'a> {
    pub(super) resolved: &'a Resolved,
    pub(super) deletion_set: DeletionSet<'a>,
    pub(super) subject: &'a ClerkUserId,
    pub(super) now: OffsetDateTime,
}

impl ErasureRun<'_> {
    /// Executes the statements and returns the number of rows of each.
    pub(super) async fn execute_all(
        &self,
        statements: &[PlannedStatement<'_>],
        connection: &mut PgConnection,
    ) -> Result<Vec<u64>> {
        let expected = self.lock_rows(statements, connection).await?;
        self.refuse_forbidden_references(connection).await?;
        let remembered = self.remember_keys(statements, connection).await?;
        let mut rows = vec![0; statements.len()];
        // Other people's rows are detached first, and cycles are broken, while the rows that they reference can still be found.
        for detaches in [true, false] {
            if !detaches {
                for (position, statement) in statements.iter().enumerate().filter(|(_, statement)| !statement.others) {
                    self.set_unlink_columns_null(statement, remembered[position].as_deref(), connection).await?;
                }
            }
            for (position, statement) in statements.iter().enumerate() {
                let keys = remembered[position].as_deref();
                if detaches == matches!(statement.effect, Effect::Detach(_) | Effect::Forget(_)) {
                    rows[position] = self.execute(statement, keys, expected[position], connection).await?;
                }
            }
        }
        Ok(rows)
    }

    /// Returns the primary keys of rows that can't be found any more when it is their turn: they are found by rows that reference
    /// them, which are deleted before. `None` for all other statements.
    async fn remember_keys(
        &self,
        statements: &[PlannedStatement<'_>],
        connection: &mut PgConnection,
    ) -> Result<Vec<Option<Vec<Vec<String>>>>> {
        let mut remembered = Vec::new();
        for statement in statements {
            let is_lost =
                statement.effect == Effect::Delete && self.deletion_set.is_found_by_children(statement.table_index);
            remembered.push(if is_lost {
                let query = sql::query_scalar::<Json<Vec<Vec<String>>>>(statement.keys_sql());
                let query = query.bind_params(&self.resolved.parameters, self.subject, self.now);
                Some(query.fetch_one(&mut *connection).await?.0)
            } else {
                None
            });
        }
        Ok(remembered)
    }

    async fn count(&self, query: String, connection: &mut PgConnection) -> Result<u64> {
        let query = sql::query_scalar::<i64>(query).bind_params(&self.resolved.parameters, self.subject, self.now);
        Ok(query.fetch_one(connection).await?.unsigned_abs())
    }

    /// Executes a statement whose last parameters are `keys`.
    async fn execute_sql(&self, statement: String, keys: &[Vec<String>], connection: &mut PgConnection) -> Result<u64> {
        let mut query = sql::query(statement).bind_params(&self.resolved.parameters, self.subject, self.now);
        for column in keys {
            query = query.bind(column.clone());
        }
        Ok(query.execute(connection).await?.rows_affected())
    }

    async fn defer_constraints(&self, connection: &mut PgConnection) -> Result<()> {
        let constraints = &self.resolved.deferred_constraints;
        if !constraints.is_empty() {
            sql::query(format!("SET CONSTRAINTS {} DEFERRED", constraints.join(", "))).execute(connection).await?;
        }
        Ok(())
    }

    /// Locks every row before any is changed, and returns how many each statement concerns. Referenced rows come first:
    /// from then on nobody can add a row that references them.
    ///
    /// Erasures wait for each other: two people who commented on each other's posts hold rows that the other's
    /// erasure needs, and would deadlock.
    async fn lock_rows(&self, statements: &[PlannedStatement<'_>], connection: &mut PgConnection) -> Result<Vec<u64>> {
        WAIT_FOR_OTHER_ERASURES.apply(connection).await?;
        sqlx::query("select pg_advisory_xact_lock($1)").bind(ERASURE_LOCK_KEY).execute(&mut *connection).await?;
        TimeLimits::ERASURE.apply(connection).await?;
        let mut counts = vec![0; statements.len()];
        for (position, statement) in statements.iter().enumerate().rev() {
            counts[position] = self.count(statement.lock_sql(), connection).await?;
        }
        Ok(counts)
    }

    /// Fails if there are rows that can't exist according to the map.
    pub(super) async fn refuse_forbidden_references(&self, connection: &mut PgConnection) -> Result<()> {
        for (table_index, table) in self.resolved.tables.enumerate() {
            for reference in table.references.iter().filter(|reference| reference.action == ResolvedAction::Forbid) {
                let Some(condition) = self.deletion_set.rows_of_others(table_index, reference, "t") else { continue };
                let query = format!("SELECT count(*) FROM {} AS t WHERE {condition}", table.quoted_name);
                let rows = self.count(query, connection).await?;
                if rows > 0 {
                    return Err(mismatch(Problem {
                        column: Some(reference.name.clone()),
                        ..table.problem(
                            format!(
                                "{rows} rows of other people reference deleted rows, and the map says there are none"
                            ),
                            "Decide with others = \"detach\" or \"delete\", or correct the rows",
                        )
                    }));
                }
            }
        }
        Ok(())
    }

    /// Sets the columns of deleted rows to NULL that close a cycle of foreign keys.
    async fn set_unlink_columns_null(
        &self,
        statement: &PlannedStatement<'_>,
        keys: Option<&[Vec<String>]>,
        connection: &mut PgConnection,
    ) -> Result<()> {
        let columns = &statement.table.unlink_columns;
        let Some(deleted) = self.deletion_set.deleted_rows(statement.table_index, "t").filter(|_| !columns.is_empty())
        else {
            return Ok(());
        };
        let deleted = keys.map_or(deleted, |_| self.keys_condition(statement));
        let assignments: Vec<String> = columns.iter().map(|column| format!("{column} = NULL")).collect();
        let table = &statement.table.quoted_name;
        let update = format!("UPDATE {table} AS t SET {} WHERE {deleted}", assignments.join(", "));
        self.execute_sql(update, keys.unwrap_or_default(), connection).await?;
        Ok(())
    }

    async fn execute(
        &self,
        statement: &PlannedStatement<'_>,
        keys: Option<&[Vec<String>]>,
        expected: u64,
        connection: &mut PgConnection,
    ) -> Result<u64> {
        let condition = keys.map_or_else(|| statement.condition.clone(), |_| self.keys_condition(statement));
        let Some(sql) = statement.execute_sql(&condition) else { return Ok(expected) };
        let rows = self.execute_sql(sql, keys.unwrap_or_default(), connection).await?;
        ensure_all_written(statement, expected, rows)?;
        Ok(rows)
    }

    fn keys_condition(&self, statement: &PlannedStatement<'_>) -> String {
        statement.keys_condition(self.resolved.parameters.next())
    }

    /// Returns when the person's remaining rows must be deleted. Rows that the application itself had stamped before
    /// are deleted with the others.
    async fn purge_due(
        &self,
        statement: &PlannedStatement<'_>,
        connection: &mut PgConnection,
    ) -> Result<Option<OffsetDateTime>> {
        let Removal::After(period) = statement.table.removal() else { return Ok(None) };
        if statement.others || matches!(statement.outcome, Outcome::Shared { .. }) {
            return Ok(None);
        }
        let owned = self.resolved.rows_of_person_alone(statement.table_index, "t");
        let query = format!("SELECT count(*) FROM {} AS t WHERE {owned}", statement.table.quoted_name);
        let rows = self.count(query, connection).await?;
        Ok((rows > 0).then(|| period.after(self.now)))
    }
}

/// Fails if a statement changed fewer rows than were locked, because a trigger or a rule suppressed the change.
fn ensure_all_written(statement: &PlannedStatement<'_>, expected: u64, rows: u64) -> Result<()> {
    if rows >= expected {
        return Ok(());
    }
    let message =
        format!("{} of {expected} rows weren't changed, perhaps because of a trigger or a rule", expected - rows);
    let remedy = "Let Lethe's role change them, or change the table's rule in the map";
    Err(mismatch(statement.table.problem(message, remedy)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn stored_result_is_one_object() {
        let stored = json!({
            "table": "public.posts", "label": "Posts", "rows": 2, "outcome": {"kind": "detached"}, "others": true,
            "purge_due": "2026-12-22T09:58:00Z",
        });
        let result: TableResult = serde_json::from_value(stored.clone()).unwrap();
        assert_eq!((result.line.rows, result.line.others), (2, true));
        assert_eq!(serde_json::to_value(result).unwrap(), stored);
    }
}
