//! Executes a plan on the application's rows.
//!
//! Works within the caller's transaction, with one statement for each line of the plan, whatever the number of rows.
//! Idempotent: a second run finds nothing to do.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use super::locked_rows::{LockedRows, check_keys_of, deleted_together, needs_keys};
use super::plan::PlanLine;
use super::side_effects::{Observed, SideEffect, refuse_unsaid};
use super::statements::{Effect, PlannedStatement, statements_in_order};
use crate::data_map::sql::{self, BindParams as _};
use crate::data_map::{self, DeletionSet, Outcome, Problem, Removal, Resolved, ResolvedAction};
use crate::identifiers::Identifiers;
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
    subject: &Identifiers,
    now: OffsetDateTime,
) -> Result<Vec<TableResult>> {
    Ok(erase_and_observe(resolved, connection, subject, now).await?.results)
}

/// What an erasure did.
pub(super) struct Erasure {
    pub(super) results: Vec<TableResult>,
    pub(super) side_effects: Vec<SideEffect>,
}

/// Does what [`erase`] does, and says what happened beside it.
pub(super) async fn erase_and_observe(
    resolved: &Resolved,
    connection: &mut PgConnection,
    subject: &Identifiers,
    now: OffsetDateTime,
) -> Result<Erasure> {
    let deletion_set = DeletionSet::deletion(resolved);
    let statements = statements_in_order(resolved, &deletion_set, now);
    let run = ErasureRun { resolved, deletion_set, subject, now };
    run.defer_constraints(connection).await?;
    let (rows, side_effects) = run.execute_all(&statements, connection).await?;
    let mut results = Vec::new();
    for (statement, rows) in statements.into_iter().zip(rows).filter(|(statement, _)| statement.has_line) {
        let purge_due = run.purge_due(&statement, connection).await?;
        results.push(TableResult { line: PlanLine::new(statement, rows), purge_due });
    }
    Ok(Erasure { results, side_effects })
}

pub(super) fn mismatch(problem: Problem) -> Error {
    data_map::Error::Mismatch(vec![problem]).into()
}

/// One run over the rows of one person.
pub(super) struct ErasureRun<'a> {
    pub(super) resolved: &'a Resolved,
    pub(super) deletion_set: DeletionSet<'a>,
    pub(super) subject: &'a Identifiers,
    pub(super) now: OffsetDateTime,
}

impl ErasureRun<'_> {
    /// Executes the statements and returns the number of rows of each, and what triggers, rules and foreign keys did beside them.
    /// Fails if that deleted rows of a table with a rule.
    pub(super) async fn execute_all(
        &self,
        statements: &[PlannedStatement<'_>],
        connection: &mut PgConnection,
    ) -> Result<(Vec<u64>, Vec<SideEffect>)> {
        check_keys_of(statements, self.resolved)?;
        let locked = self.lock_rows(statements, connection).await?;
        self.refuse_forbidden_references(connection).await?;
        let mut rows: Vec<u64> = locked.iter().map(|rows| rows.count).collect();
        let mut observed = Observed::begin(self.resolved, statements, connection).await?;
        // Other people's rows are detached first, and cycles are broken.
        for (position, statement) in statements.iter().enumerate().filter(|(_, statement)| statement.is_detaching()) {
            rows[position] = self.execute(statement, &locked[position], connection).await?;
            observed.executed(statement);
        }
        for (statement, rows) in statements.iter().zip(&locked) {
            self.set_unlink_columns_null(statement, rows, connection).await?;
        }
        for (position, statement) in statements.iter().enumerate().filter(|(_, statement)| !statement.is_detaching()) {
            // Afterwards, rows that triggers have added may no longer lead to the person.
            if observed.has_new_rows_before(statement) {
                let is_executed = |other: usize| statements[other].is_detaching() || other < position;
                self.erase_new_rows(statements, is_executed, &mut rows, &mut observed, connection).await?;
            }
            match deleted_together(statements, &locked, position).as_slice() {
                [] => rows[position] = self.execute(statement, &locked[position], connection).await?,
                // They may reference each other, so one statement deletes them.
                together if together[0] == position => {
                    let all = LockedRows::joined(together.iter().map(|position| &locked[*position]));
                    self.execute(statement, &all, connection).await?;
                }
                _ => {}
            }
            observed.executed(statement);
        }
        observed.run_deferred(connection).await?;
        self.erase_new_rows(statements, |_| true, &mut rows, &mut observed, connection).await?;
        let side_effects = observed.side_effects(statements, &rows, connection).await?;
        refuse_unsaid(&side_effects, self.resolved)?;
        Ok((rows, side_effects))
    }

    /// Executes the statements, of those at these positions, on tables to which triggers have added rows.
    async fn erase_new_rows(
        &self,
        statements: &[PlannedStatement<'_>],
        is_executed: impl Fn(usize) -> bool,
        rows: &mut [u64],
        observed: &mut Observed,
        connection: &mut PgConnection,
    ) -> Result<()> {
        let changes = observed.changes(connection).await?;
        for (position, (statement, rows)) in statements.iter().zip(rows).enumerate() {
            if is_executed(position) && changes.may_have_inserted(&statement.table.rule.name) {
                *rows += self.execute_on_new_rows(statement, connection).await?;
            }
        }
        Ok(())
    }

    /// Executes the statement on rows that triggers have added since: the person's own, and those that name them.
    async fn execute_on_new_rows(
        &self,
        statement: &PlannedStatement<'_>,
        connection: &mut PgConnection,
    ) -> Result<u64> {
        let is_concerned = !statement.others || matches!(statement.effect, Effect::Forget(_));
        match statement.execute_sql(&statement.condition).filter(|_| is_concerned) {
            Some(sql) => self.execute_sql(sql, &LockedRows { count: 0, keys: None }, connection).await,
            None => Ok(0),
        }
    }

    async fn count(&self, query: String, connection: &mut PgConnection) -> Result<u64> {
        let query = sql::query_scalar::<i64>(query).bind_params(&self.resolved.parameters, self.subject, self.now);
        Ok(query.fetch_one(connection).await?.unsigned_abs())
    }

    /// Executes a statement that counts rows, and whose last parameters are the keys of the rows, where they were read.
    async fn execute_sql(&self, statement: String, rows: &LockedRows, connection: &mut PgConnection) -> Result<u64> {
        let mut query = sql::query_scalar::<i64>(statement);
        query = query.bind_params(&self.resolved.parameters, self.subject, self.now);
        for column in rows.keys.iter().flatten() {
            query = query.bind(column.clone());
        }
        Ok(query.fetch_one(connection).await?.unsigned_abs())
    }

    async fn defer_constraints(&self, connection: &mut PgConnection) -> Result<()> {
        let constraints = &self.resolved.deferred_constraints;
        if !constraints.is_empty() {
            sql::query(format!("SET CONSTRAINTS {} DEFERRED", constraints.join(", "))).execute(connection).await?;
        }
        Ok(())
    }

    /// Locks every row before any is changed, and returns those that each statement concerns. Referenced rows come first:
    /// from then on nobody can add a row that references them.
    ///
    /// Erasures wait for each other: two people who commented on each other's posts hold rows that the other's
    /// erasure needs, and would deadlock.
    async fn lock_rows(
        &self,
        statements: &[PlannedStatement<'_>],
        connection: &mut PgConnection,
    ) -> Result<Vec<LockedRows>> {
        WAIT_FOR_OTHER_ERASURES.apply(connection).await?;
        sqlx::query("select pg_advisory_xact_lock($1)").bind(ERASURE_LOCK_KEY).execute(&mut *connection).await?;
        TimeLimits::ERASURE.apply(connection).await?;
        let mut locked = Vec::new();
        for statement in statements.iter().rev() {
            locked.push(if needs_keys(statement, statements, self.resolved) {
                let query = sql::query_scalar::<Json<Vec<Vec<String>>>>(statement.lock_and_read_keys_sql());
                let query = query.bind_params(&self.resolved.parameters, self.subject, self.now);
                LockedRows::with_keys(query.fetch_one(&mut *connection).await?.0)
            } else {
                LockedRows { count: self.count(statement.lock_sql(), connection).await?, keys: None }
            });
        }
        locked.reverse();
        Ok(locked)
    }

    /// Fails if there are rows that can't exist according to the map.
    pub(super) async fn refuse_forbidden_references(&self, connection: &mut PgConnection) -> Result<()> {
        for (table_index, table) in self.resolved.tables.enumerate() {
            for reference in table.references.iter().filter(|reference| reference.action == ResolvedAction::Forbid) {
                let Some(condition) = self.deletion_set.rows_of_others(table_index, reference, "t") else { continue };
                let query = format!("SELECT count(*) FROM {} AS t WHERE {condition}", table.quoted_name);
                let query = self.deletion_set.row_sets(&query).before(&query);
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
        rows: &LockedRows,
        connection: &mut PgConnection,
    ) -> Result<()> {
        if statement.effect != Effect::Delete || statement.table.unlink_columns.is_empty() {
            return Ok(());
        }
        let update = statement.unlink_sql(&self.condition(statement, rows));
        self.execute_sql(update, rows, connection).await?;
        Ok(())
    }

    async fn execute(
        &self,
        statement: &PlannedStatement<'_>,
        rows: &LockedRows,
        connection: &mut PgConnection,
    ) -> Result<u64> {
        let Some(sql) = statement.execute_sql(&self.condition(statement, rows)) else { return Ok(rows.count) };
        let changed = self.execute_sql(sql, rows, connection).await?;
        ensure_all_written(statement, rows.count, changed)?;
        Ok(changed)
    }

    fn condition(&self, statement: &PlannedStatement<'_>, rows: &LockedRows) -> String {
        match rows.keys {
            Some(_) => statement.keys_condition(self.resolved.parameters.next()),
            None => statement.condition.clone(),
        }
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
        let query = self.deletion_set.row_sets(&query).before(&query);
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
