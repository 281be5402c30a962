//! What an erasure changes beside its own statements: by triggers, rules and foreign keys. A trigger can put its statements together
//! at run time, so that nobody can read them beforehand. Postgres counts what a transaction does to each table.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::statements::{Effect, PlannedStatement};
use crate::Result;
use crate::data_map::{self, Resolved, TableIndex};

/// Rows of a table that an erasure changed although none of its statements is about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideEffect {
    /// Schema and table.
    pub table: String,
    /// Rows that were added.
    pub inserted: u64,
    /// Changes of rows. A row that was changed twice counts twice.
    pub updated: u64,
    /// Rows that were deleted.
    pub deleted: u64,
    /// Whether the table was emptied by TRUNCATE, which counts no rows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// What is observed of an erasure while it runs. Nothing where no table of its statements has triggers.
pub(super) struct Observed {
    /// What the session had done before; `None` if nothing is observed.
    before: Option<RowCounts>,
    /// The tables by whose rows those of others are found.
    read: BTreeSet<TableIndex>,
    /// Whether triggers ran since new rows were looked for.
    triggers_ran: bool,
}

impl Observed {
    pub(super) async fn begin(
        resolved: &Resolved,
        statements: &[PlannedStatement<'_>],
        connection: &mut PgConnection,
    ) -> Result<Self> {
        if !statements.iter().any(|statement| statement.table.has_triggers) {
            return Ok(Self { before: None, read: BTreeSet::new(), triggers_ran: false });
        }
        let read = statements.iter().flat_map(|statement| resolved.tables_read(statement.table_index)).collect();
        Ok(Self { before: Some(RowCounts::read(connection).await?), read, triggers_ran: false })
    }

    /// The statement was executed, and with it the triggers of its table.
    pub(super) fn executed(&mut self, statement: &PlannedStatement<'_>) {
        self.triggers_ran |= statement.table.has_triggers && statement.effect != Effect::Nothing;
    }

    /// Whether triggers may have added rows that are found by those which the statement deletes.
    pub(super) fn has_new_rows_before(&self, statement: &PlannedStatement<'_>) -> bool {
        self.triggers_ran && statement.effect == Effect::Delete && self.read.contains(&statement.table_index)
    }

    /// Runs the triggers that wait for the commit.
    pub(super) async fn run_deferred(&self, connection: &mut PgConnection) -> Result<()> {
        if self.before.is_some() {
            sqlx::query("SET CONSTRAINTS ALL IMMEDIATE").execute(connection).await?;
        }
        Ok(())
    }

    /// Returns what has changed so far.
    pub(super) async fn changes(&mut self, connection: &mut PgConnection) -> Result<RowCounts> {
        self.triggers_ran = false;
        match &self.before {
            Some(before) => Ok(RowCounts::read(connection).await?.since(before)),
            None => Ok(RowCounts::default()),
        }
    }

    /// Returns what has changed beside `statements`, of which each changed so many `rows`.
    pub(super) async fn side_effects(
        &mut self,
        statements: &[PlannedStatement<'_>],
        rows: &[u64],
        connection: &mut PgConnection,
    ) -> Result<Vec<SideEffect>> {
        Ok(self.changes(connection).await?.beside(statements, rows))
    }
}

/// How many rows of each table a session has changed.
#[derive(Debug, Default)]
pub(super) struct RowCounts {
    by_table: BTreeMap<String, Changes>,
    /// Where the rows of each table and partition are, by its object id.
    files: BTreeMap<i64, File>,
    /// Whether Postgres doesn't count, because somebody turned `track_counts` off.
    is_off: bool,
}

/// A file with rows.
#[derive(Debug)]
struct File {
    table: String,
    node: i64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Changes {
    inserted: u64,
    updated: u64,
    deleted: u64,
    truncated: bool,
}

#[derive(sqlx::FromRow)]
struct ChangesRow {
    table: String,
    inserted: i64,
    updated: i64,
    deleted: i64,
}

/// Partitions count for their table, in which a row that moves from one to another is a change. Tables that inherit aren't counted:
/// the statements on their parents change their rows.
const COUNTS: &str = "
    WITH counted AS (
        SELECT coalesce(pg_partition_root(s.relid), s.relid)::oid AS oid, sum(s.n_tup_ins)::bigint AS inserted,
            sum(s.n_tup_upd)::bigint AS updated, sum(s.n_tup_del)::bigint AS deleted
        FROM pg_stat_xact_user_tables s WHERE s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 0 GROUP BY 1
    ), of_table AS (
        SELECT n.nspname || '.' || c.relname AS \"table\", counted.inserted, counted.updated, counted.deleted,
            CASE WHEN c.relkind = 'p' THEN least(counted.inserted, counted.deleted) ELSE 0 END AS moved
        FROM counted JOIN pg_class c ON c.oid = counted.oid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname NOT IN ('lethe', 'lethe_jobs') AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
    )
    SELECT \"table\", inserted - moved AS inserted, updated + moved AS updated, deleted - moved AS deleted FROM of_table";

/// Where the rows of tables are stored. TRUNCATE begins a new file.
const FILES: &str = "
    SELECT c.oid::bigint, n.nspname || '.' || r.relname, pg_relation_filenode(c.oid)::bigint
    FROM pg_class c JOIN pg_class r ON r.oid = coalesce(pg_partition_root(c.oid), c.oid)::oid
    JOIN pg_namespace n ON n.oid = r.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('lethe', 'lethe_jobs', 'pg_catalog', 'information_schema')";

impl RowCounts {
    /// Reads what the session has done so far, which may include transactions before this one.
    async fn read(connection: &mut PgConnection) -> Result<Self> {
        let is_off =
            sqlx::query_scalar("select current_setting('track_counts') <> 'on'").fetch_one(&mut *connection).await?;
        let rows: Vec<ChangesRow> = sqlx::query_as(COUNTS).fetch_all(&mut *connection).await?;
        let files: Vec<(i64, String, i64)> = sqlx::query_as(FILES).fetch_all(connection).await?;
        let files = files.into_iter().map(|(oid, table, node)| (oid, File { table, node }));
        let changes = |row: ChangesRow| {
            let ChangesRow { table, inserted, updated, deleted } = row;
            let [inserted, updated, deleted] = [inserted, updated, deleted].map(i64::unsigned_abs);
            (table, Changes { inserted, updated, deleted, truncated: false })
        };
        Ok(Self { by_table: rows.into_iter().map(changes).collect(), files: files.collect(), is_off })
    }

    /// What was done since `earlier`.
    fn since(self, earlier: &Self) -> Self {
        let since = |(table, changes): (String, Changes)| {
            let before = earlier.by_table.get(&table).copied().unwrap_or_default();
            (table, changes.less(before))
        };
        let mut by_table: BTreeMap<String, Changes> = self.by_table.into_iter().map(since).collect();
        for (oid, File { table, node }) in &self.files {
            // One that is gone was dropped, which isn't an erasure's doing.
            if earlier.files.get(oid).is_some_and(|file| file.node != *node) {
                by_table.entry(table.clone()).or_default().truncated = true;
            }
        }
        Self { by_table, files: self.files, is_off: self.is_off }
    }

    /// Whether rows were added to a table, as far as is known.
    pub(super) fn may_have_inserted(&self, table: &str) -> bool {
        self.is_off || self.by_table.get(table).is_some_and(|changes| changes.inserted > 0)
    }

    /// Returns what is beyond `statements`, of which each changed so many `rows`.
    fn beside(mut self, statements: &[PlannedStatement<'_>], rows: &[u64]) -> Vec<SideEffect> {
        for (statement, rows) in statements.iter().zip(rows) {
            let Some(changes) = self.by_table.get_mut(&statement.table.rule.name) else { continue };
            let own = match statement.effect {
                // Before, columns may become NULL that close a cycle of references.
                Effect::Delete => {
                    let unlinked = if statement.table.unlink_columns.is_empty() { 0 } else { *rows };
                    Changes { updated: unlinked, deleted: *rows, ..Changes::default() }
                }
                Effect::Update(_) | Effect::Detach(_) | Effect::Forget(_) => {
                    Changes { updated: *rows, ..Changes::default() }
                }
                Effect::Nothing => Changes::default(),
            };
            *changes = changes.less(own);
        }
        let is_left = |(_, changes): &(String, Changes)| *changes != Changes::default();
        let side_effect = |(table, changes): (String, Changes)| {
            let Changes { inserted, updated, deleted, truncated } = changes;
            SideEffect { table, inserted, updated, deleted, truncated }
        };
        self.by_table.into_iter().filter(is_left).map(side_effect).collect()
    }
}

impl Changes {
    const fn less(self, other: Self) -> Self {
        Self {
            inserted: self.inserted.saturating_sub(other.inserted),
            updated: self.updated.saturating_sub(other.updated),
            deleted: self.deleted.saturating_sub(other.deleted),
            truncated: self.truncated,
        }
    }
}

/// Fails if rows of a table with a rule went or were changed, beyond what the rule says: they are other people's, or have to stay.
/// Where the map says that triggers may do so, it is as the operator wants it.
pub(super) fn refuse_unsaid(side_effects: &[SideEffect], resolved: &Resolved) -> Result<(), data_map::Error> {
    let mut problems = Vec::new();
    for SideEffect { table, updated, deleted, truncated, .. } in side_effects {
        let Some(index) = resolved.index_of(table) else { continue };
        let table = &resolved.tables[index];
        if table.rule.changed_by_triggers.is_some() || *updated == 0 && *deleted == 0 && !truncated {
            continue;
        }
        let message = match (truncated, deleted, updated) {
            (true, ..) => "a trigger empties the table (TRUNCATE), which the map doesn't say".to_owned(),
            (_, 0, updated) => format!("a trigger changes rows beside the map's rules ({updated} changes)"),
            (_, deleted, _) => {
                format!("rows go that the map doesn't delete ({deleted}), by a trigger or a foreign key")
            }
        };
        let remedy = "Change the trigger so that it leaves them, or write changed_by_triggers = \"reason\" in this table's entry: plan and \
            receipt don't list what it does";
        problems.push(table.problem(message, remedy));
    }
    if problems.is_empty() { Ok(()) } else { Err(data_map::Error::Mismatch(problems)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[(&str, [u64; 3])]) -> RowCounts {
        let changes = |&(table, [inserted, updated, deleted]): &(&str, [u64; 3])| {
            (table.to_owned(), Changes { inserted, updated, deleted, truncated: false })
        };
        RowCounts { by_table: counts.iter().map(changes).collect(), ..RowCounts::default() }
    }

    #[test]
    fn what_the_session_did_before_does_not_count() {
        let before = counts(&[("public.a", [1, 2, 3]), ("public.b", [1, 0, 0])]);
        let now = counts(&[("public.a", [1, 5, 3]), ("public.b", [1, 0, 0]), ("public.c", [0, 0, 4])]);
        let since = now.since(&before);
        assert!(!since.may_have_inserted("public.a") && !since.may_have_inserted("public.d"));
        assert!(RowCounts { is_off: true, ..RowCounts::default() }.may_have_inserted("public.d"));
        let effect = |table: &str, updated, deleted| SideEffect {
            table: table.to_owned(),
            inserted: 0,
            updated,
            deleted,
            truncated: false,
        };
        assert_eq!(since.beside(&[], &[]), [effect("public.a", 3, 0), effect("public.c", 0, 4)]);
    }
}
