//! Executes a plan on the application's rows, proves that nothing is left, and purges what a
//! plan left behind for a time.
//!
//! Works within the caller's transaction, with one statement for each line of the plan, whatever
//! the number of rows. Every verb may run twice: the second run finds nothing to do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::plan::{
    BindParams, Outcome, PlannedStatement, not_yet_erased, planned_statements, reference_statements, scrub_value,
    stamp_value,
};
use crate::data_map::{
    self, DeletionSet, Erase, Problem, ReferenceAction, Removal, Resolved, ResolvedOwner, Table, sql,
};
use crate::ids::ClerkUserId;
use crate::{Error, Result};

/// Any number that nothing else in this database locks by.
const ERASURE_LOCK_KEY: i64 = 0x6c65_7468_6532;

/// What was done to one table's rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableResult {
    /// Schema and table.
    pub table: String,
    /// What people read in its place.
    pub label: String,
    /// How many rows were changed, or, where they are kept, are there.
    pub rows: u64,
    /// What became of them.
    pub outcome: Outcome,
    /// Whether the rows are other people's.
    pub others: bool,
    /// When the rows that are still there must go; `None` where there are none, or none must.
    #[serde(with = "time::serde::rfc3339::option")]
    pub purge_due: Option<OffsetDateTime>,
}

/// Rows that should be gone or changed and aren't.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Leftover {
    /// Schema and table.
    pub table: String,
    /// The column in which the person's key was found, where it was searched for.
    pub column: Option<String>,
    /// How many rows.
    pub rows: u64,
}

/// Erases the person's rows as the map says, and nobody else's but where it says so.
///
/// Answers a result for each line of the plan, rows before the rows they point to, which is also
/// the order for [`purge`]. On an error the caller rolls back: nothing was erased.
pub async fn erase(
    resolved: &Resolved,
    connection: &mut PgConnection,
    subject: &ClerkUserId,
    now: OffsetDateTime,
) -> Result<Vec<TableResult>> {
    let wave = DeletionSet::deletion(resolved);
    let mut planned = planned_statements(resolved, &wave, now);
    let rank = |place: usize| resolved.order.iter().position(|other| *other == place);
    planned.sort_by_key(|line| rank(line.table_index));
    let run = ErasureRun { resolved, subject, now };
    run.defer_constraints(connection).await?;
    let counts = run.lock_rows(&planned, connection).await?;
    run.refuse_forbidden_references(&wave, connection).await?;
    let rows = run.execute_all(&planned, &counts, &wave, connection).await?;
    let mut results = Vec::new();
    for (line, rows) in planned.into_iter().zip(rows) {
        let purge_due = run.purge_due(&line, connection).await?;
        results.push(TableResult {
            table: line.table.rule.name.clone(),
            label: line.table.rule.label.clone(),
            rows,
            outcome: line.outcome,
            others: line.reference.is_some(),
            purge_due,
        });
    }
    Ok(results)
}

/// Erases the person's rows of `table` whose time is over: those that a deletion marked, or, in a
/// table whose rows are kept for a time, all. When that is, the caller knows; tables are purged
/// in the order of [`erase`]'s results.
pub async fn purge(
    resolved: &Resolved,
    connection: &mut PgConnection,
    table: &str,
    subject: &ClerkUserId,
) -> Result<u64> {
    let Some(place) = resolved.index_of(table) else {
        return Err(mismatch(Problem {
            table: table.to_owned(),
            column: None,
            message: "rows of this table are to be purged, but the map has no rule for it".to_owned(),
            remedy: "Put the rule back".to_owned(),
        }));
    };
    let Table { rule, stamps, .. } = &resolved.tables[place];
    if rule.erase.removal() == Removal::Never {
        // The map was changed since, and now the rows stay.
        return Ok(0);
    }
    let marked = stamps.first().map(|stamp| format!("@.{} IS NOT NULL", stamp.column));
    let wave = DeletionSet::purge(resolved, BTreeMap::from([(place, marked)]));
    let own = |place| {
        let predicate = wave.own_deleted_rows(place, "t")?;
        Some(PlannedStatement {
            table_index: place,
            table: &resolved.tables[place],
            predicate,
            outcome: Outcome::Deleted,
            reference: None,
        })
    };
    let lines = resolved
        .order
        .iter()
        .flat_map(|place| own(*place).into_iter().chain(reference_statements(resolved, *place, &wave)));
    let planned: Vec<PlannedStatement<'_>> = lines.collect();

    // The time is bound and unused: nothing is stamped here.
    let run = ErasureRun { resolved, subject, now: OffsetDateTime::UNIX_EPOCH };
    let counts = run.lock_rows(&planned, connection).await?;
    run.refuse_forbidden_references(&wave, connection).await?;
    let rows = run.execute_all(&planned, &counts, &wave, connection).await?;
    let deleted = planned.iter().zip(rows).filter(|(line, _)| line.outcome == Outcome::Deleted);
    Ok(deleted.map(|(_, rows)| rows).sum())
}

/// Looks again, table by table, whether everything happened that the map says, and searches
/// every column that may hold a key for the person's. Nothing found, nothing answered.
pub async fn verify(
    resolved: &Resolved,
    connection: &mut PgConnection,
    subject: &ClerkUserId,
) -> Result<Vec<Leftover>> {
    let mut counts = Vec::new();
    let mut places = Vec::new();
    for (place, table) in resolved.tables.iter().enumerate() {
        let own = resolved.owned_rows(place, "t");
        if !matches!(table.rule.erase, Erase::Keep { .. }) {
            counts.push(format!("(SELECT count(*) FROM {} AS t WHERE {own}{})", table.sql, not_yet_erased(table)));
            places.push((table.rule.name.clone(), None));
        }
    }
    for search in &resolved.user_id_searches {
        // The person's own rows that stay may hold their key; they were looked at above.
        let own = search.table.map(|place| format!(" AND ({}) IS NOT TRUE", resolved.owned_rows(place, "t")));
        counts.push(format!(
            "(SELECT count(*) FROM {} AS t WHERE t.{} = $1{})",
            search.sql,
            search.column,
            own.unwrap_or_default()
        ));
        places.push((search.name.clone(), Some(search.column_name.clone())));
    }
    let query = sql::query_scalar::<Vec<i64>>(format!("SELECT ARRAY[{}]::bigint[]", counts.join(", ")));
    let counts = query.bind_params(resolved, subject, OffsetDateTime::UNIX_EPOCH).fetch_one(connection).await?;
    let found = places.into_iter().zip(counts).filter(|(_, rows)| *rows > 0);
    Ok(found.map(|((table, column), rows)| Leftover { table, column, rows: rows.unsigned_abs() }).collect())
}

/// The keys of people in the application's database, each once, in order, at most `limit` after
/// `after`.
pub async fn user_ids(
    resolved: &Resolved,
    connection: &mut PgConnection,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<String>> {
    let subjects = resolved.tables.iter().filter(|table| table.rule.subject);
    let pages = subjects.filter_map(|table| {
        let ResolvedOwner::Column(column) = &table.owner else { return None };
        Some(format!(
            "(SELECT {column}::text COLLATE \"default\" AS key FROM {} AS t \
             WHERE {column}::text COLLATE \"default\" > $1 ORDER BY 1 LIMIT $2)",
            table.sql
        ))
    });
    let pages: Vec<String> = pages.collect();
    let query = format!("SELECT key FROM ({}) AS pages ORDER BY key LIMIT $2", pages.join(" UNION "));
    // Nothing sorts before the empty text.
    let query = sql::query_scalar::<String>(query).bind(after.unwrap_or_default().to_owned()).bind(limit);
    Ok(query.fetch_all(connection).await?)
}

fn mismatch(problem: Problem) -> Error {
    data_map::Error::Mismatch(vec![problem]).into()
}

/// One run over the rows of one person.
struct ErasureRun<'a> {
    resolved: &'a Resolved,
    subject: &'a ClerkUserId,
    now: OffsetDateTime,
}

impl ErasureRun<'_> {
    async fn count(&self, statement: String, connection: &mut PgConnection) -> Result<u64> {
        let query = sql::query_scalar::<i64>(statement).bind_params(self.resolved, self.subject, self.now);
        Ok(query.fetch_one(connection).await?.unsigned_abs())
    }

    async fn execute_sql(&self, statement: String, connection: &mut PgConnection) -> Result<u64> {
        let query = sql::query(statement).bind_params(self.resolved, self.subject, self.now);
        Ok(query.execute(connection).await?.rows_affected())
    }

    async fn defer_constraints(&self, connection: &mut PgConnection) -> Result<()> {
        if !self.resolved.deferred_constraints.is_empty() {
            let statement = format!("SET CONSTRAINTS {} DEFERRED", self.resolved.deferred_constraints.join(", "));
            sql::query(statement).execute(connection).await?;
        }
        Ok(())
    }

    /// Locks everything that will change before anything does. Rows that others point to come
    /// first: from then on nobody can add one that points there.
    ///
    /// Runs wait for each other: two people who commented on each other's posts hold rows that the
    /// other's deletion wants, and would wait in a circle.
    async fn lock_rows(&self, planned: &[PlannedStatement<'_>], connection: &mut PgConnection) -> Result<Vec<u64>> {
        sqlx::query("select pg_advisory_xact_lock($1)").bind(ERASURE_LOCK_KEY).execute(&mut *connection).await?;
        let mut counts = vec![0; planned.len()];
        for (index, line) in planned.iter().enumerate().rev() {
            counts[index] = self.count(line.lock_sql(), connection).await?;
        }
        Ok(counts)
    }

    /// Stops where rows are found that the map says can't exist.
    async fn refuse_forbidden_references(&self, wave: &DeletionSet<'_>, connection: &mut PgConnection) -> Result<()> {
        for (place, table) in self.resolved.tables.iter().enumerate() {
            for reference in table.references.iter().filter(|reference| reference.action == ReferenceAction::Forbid) {
                let Some(predicate) = wave.rows_of_others(place, reference, "t") else { continue };
                let statement = format!("SELECT count(*) FROM {} AS t WHERE {predicate}", table.sql);
                let rows = self.count(statement, connection).await?;
                if rows > 0 {
                    return Err(mismatch(Problem {
                        column: Some(reference.name.clone()),
                        ..table.problem(
                            format!(
                                "{rows} rows of other people point to rows that go, and the map says there are none"
                            ),
                            "Decide with others = \"detach\" or \"delete\", or correct the rows",
                        )
                    }));
                }
            }
        }
        Ok(())
    }

    /// Empties the columns of rows that go which close a circle of foreign keys.
    async fn set_unlink_columns_null(
        &self,
        line: &PlannedStatement<'_>,
        wave: &DeletionSet<'_>,
        connection: &mut PgConnection,
    ) -> Result<()> {
        let Some(victims) = wave.deleted_rows(line.table_index, "t").filter(|_| !line.table.unlink_columns.is_empty())
        else {
            return Ok(());
        };
        let emptied: Vec<String> = line.table.unlink_columns.iter().map(|column| format!("{column} = NULL")).collect();
        let statement = format!("UPDATE {} AS t SET {} WHERE {victims}", line.table.sql, emptied.join(", "));
        self.execute_sql(statement, connection).await?;
        Ok(())
    }

    /// Does what the lines say and answers the number of rows of each. Other people's rows are
    /// detached first, while what they point to can still be found.
    async fn execute_all(
        &self,
        planned: &[PlannedStatement<'_>],
        expected: &[u64],
        wave: &DeletionSet<'_>,
        connection: &mut PgConnection,
    ) -> Result<Vec<u64>> {
        let mut rows = vec![0; planned.len()];
        for detaching in [true, false] {
            for (index, line) in planned.iter().enumerate() {
                if !detaching && line.reference.is_none() {
                    self.set_unlink_columns_null(line, wave, connection).await?;
                }
                if detaching == (line.outcome == Outcome::Detached) {
                    rows[index] = self.execute(line, expected[index], connection).await?;
                }
            }
        }
        Ok(rows)
    }

    async fn execute(&self, line: &PlannedStatement<'_>, expected: u64, connection: &mut PgConnection) -> Result<u64> {
        let table = &line.table.sql;
        let statement = match (&line.outcome, line.reference) {
            (Outcome::Kept { .. }, _) => return Ok(expected),
            (Outcome::Deleted, _) => format!("DELETE FROM {table} AS t WHERE {}", line.predicate),
            (_, Some(reference)) => {
                format!("UPDATE {table} AS t SET {} = NULL WHERE {}", reference.column, line.predicate)
            }
            (_, None) => format!("UPDATE {table} AS t SET {} WHERE {}", assignments(line.table), line.predicate),
        };
        let rows = self.execute_sql(statement, connection).await?;
        ensure_all_written(line, expected, rows)
    }

    /// Rows that the application itself had marked before go with the others.
    async fn purge_due(
        &self,
        line: &PlannedStatement<'_>,
        connection: &mut PgConnection,
    ) -> Result<Option<OffsetDateTime>> {
        let Removal::After(period) = line.table.rule.erase.removal() else { return Ok(None) };
        if line.reference.is_some() {
            return Ok(None);
        }
        let own = self.resolved.owned_rows(line.table_index, "t");
        let rows = self.count(format!("SELECT count(*) FROM {} AS t WHERE {own}", line.table.sql), connection).await?;
        Ok((rows > 0).then(|| period.after(self.now)))
    }
}

/// The rows were locked, so every one of them must have been written; a trigger can swallow some.
fn ensure_all_written(line: &PlannedStatement<'_>, expected: u64, rows: u64) -> Result<u64> {
    if rows >= expected {
        return Ok(rows);
    }
    let message =
        format!("{} of {expected} rows were left as they are, perhaps by a trigger or a rule", expected - rows);
    Err(mismatch(line.table.problem(message, "Let Lethe's role change them, or map the table otherwise")))
}

/// What a marked or scrubbed row gets. A mark that is already there isn't moved.
fn assignments(table: &Table) -> String {
    let scrubbed = table.scrubs.iter().map(|scrub| format!("{} = {}", scrub.column, scrub_value(scrub)));
    let mark = table.stamps.first().map(|stamp| format!("t.{}", stamp.column)).unwrap_or_default();
    let stamped = table.stamps.iter().map(|stamp| {
        let (column, now) = (&stamp.column, stamp_value(stamp));
        format!("{column} = CASE WHEN {mark} IS NULL THEN {now} ELSE t.{column} END")
    });
    scrubbed.chain(stamped).collect::<Vec<_>>().join(", ")
}
