//! The statements of a deletion: one on the person's own rows of each table, one on other people's rows for each
//! reference.

use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::{Query, QueryScalar};
use time::OffsetDateTime;

use crate::data_map::{
    DeletionSet, Outcome, ReferenceAction, Resolved, ResolvedReference, RowAction, Table, TableIndex,
};
use crate::ids::ClerkUserId;

/// A statement before it is executed: on which rows of a table, and what happens to them.
pub(super) struct PlannedStatement<'a> {
    pub(super) table_index: TableIndex,
    pub(super) table: &'a Table,
    /// True for the rows, which have the alias `t`.
    pub(super) condition: String,
    pub(super) effect: Effect<'a>,
    /// The effect as plan and receipt describe it.
    pub(super) outcome: Outcome,
    /// Whether the rows are other people's.
    pub(super) others: bool,
    /// The column by which rows that stay lead to the person.
    pub(super) key: Option<String>,
}

/// What a statement does with its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect<'a> {
    Delete,
    /// Executes this SET list.
    Update(&'a str),
    /// Sets this column, which references a deleted row, to NULL.
    Detach(&'a str),
    /// Leaves the rows as they are.
    Nothing,
}

/// Returns every statement of a deletion at `now`, in the order of the map.
pub(super) fn planned_statements<'a>(
    resolved: &'a Resolved,
    deletion_set: &DeletionSet<'_>,
    now: OffsetDateTime,
) -> Vec<PlannedStatement<'a>> {
    let mut statements = Vec::new();
    for (table_index, table) in resolved.tables.enumerate() {
        statements.push(PlannedStatement {
            table_index,
            table,
            condition: not_yet_erased(resolved, table_index),
            effect: match &table.action {
                RowAction::Delete => Effect::Delete,
                RowAction::Update { assignments, .. } => Effect::Update(assignments),
                RowAction::Leave => Effect::Nothing,
            },
            outcome: table.rule.erase.strategy().outcome(now),
            others: false,
            key: resolved.retained_key(table_index).map(str::to_owned),
        });
        statements.extend(reference_statements(resolved, table_index, deletion_set));
    }
    statements
}

/// Returns the statements on other people's rows of one table.
pub(super) fn reference_statements<'a>(
    resolved: &'a Resolved,
    table_index: TableIndex,
    deletion_set: &DeletionSet<'_>,
) -> Vec<PlannedStatement<'a>> {
    let table = &resolved.tables[table_index];
    let statement = |reference: &'a ResolvedReference| {
        let (effect, outcome) = match reference.action {
            ReferenceAction::Delete => (Effect::Delete, Outcome::Deleted),
            ReferenceAction::Detach => (Effect::Detach(&reference.column), Outcome::Detached),
            ReferenceAction::Forbid => return None,
        };
        let condition = deletion_set.rows_of_others(table_index, reference, "t")?;
        Some(PlannedStatement { table_index, table, condition, effect, outcome, others: true, key: None })
    };
    table.references.iter().filter_map(statement).collect()
}

/// Returns a condition for the person's own rows that the deletion still has to change, with the alias `t`.
pub(super) fn not_yet_erased(resolved: &Resolved, table: TableIndex) -> String {
    format!("{}{}", resolved.owned_rows(table, "t"), resolved.tables[table].action.and_not_yet_erased())
}

impl PlannedStatement<'_> {
    /// Returns a subquery for a JSON array: the number of rows, and the day on which the oldest was created.
    pub(super) fn count_and_since_sql(&self) -> String {
        let since = match &self.table.creation_time {
            // `infinity` has no day.
            Some(column) if !self.others => {
                format!("to_char(min(t.{column}) FILTER (WHERE isfinite(t.{column})), 'YYYY-MM-DD')")
            }
            _ => "NULL".to_owned(),
        };
        format!(
            "(SELECT json_build_array(count(*), {since}) FROM {} AS t WHERE {})",
            self.table.quoted_name, self.condition
        )
    }

    /// Returns a statement that counts the rows, and locks those that will change in a stable order.
    ///
    /// A lock writes to its row, and needs the privilege UPDATE. Rows that stay as they are need neither.
    pub(super) fn lock_sql(&self) -> String {
        if matches!(self.effect, Effect::Nothing) {
            return format!("SELECT count(*) FROM {} AS t WHERE {}", self.table.quoted_name, self.condition);
        }
        format!(
            "SELECT count(*) FROM (SELECT FROM {} AS t WHERE {} ORDER BY {} FOR UPDATE) AS locked",
            self.table.quoted_name,
            self.condition,
            self.table.order_by("t")
        )
    }

    /// Returns the statement itself, or `None` where the rows stay as they are.
    pub(super) fn execute_sql(&self) -> Option<String> {
        let (table, condition) = (&self.table.quoted_name, &self.condition);
        match self.effect {
            Effect::Delete => Some(format!("DELETE FROM {table} AS t WHERE {condition}")),
            Effect::Update(assignments) => Some(format!("UPDATE {table} AS t SET {assignments} WHERE {condition}")),
            Effect::Detach(column) => Some(format!("UPDATE {table} AS t SET {column} = NULL WHERE {condition}")),
            Effect::Nothing => None,
        }
    }
}

/// Binds the parameters of every statement on personal rows, as described in [`crate::data_map::sql`].
pub(super) trait BindParams {
    fn bind_params(self, resolved: &Resolved, subject: &ClerkUserId, now: OffsetDateTime) -> Self;
}

impl BindParams for Query<'_, Postgres, PgArguments> {
    fn bind_params(self, resolved: &Resolved, subject: &ClerkUserId, now: OffsetDateTime) -> Self {
        let query = self.bind(subject.as_str().to_owned()).bind(now);
        resolved.parameters.values().iter().fold(query, |query, value| query.bind(value.clone()))
    }
}

impl<Value> BindParams for QueryScalar<'_, Postgres, Value, PgArguments> {
    fn bind_params(self, resolved: &Resolved, subject: &ClerkUserId, now: OffsetDateTime) -> Self {
        let query = self.bind(subject.as_str().to_owned()).bind(now);
        resolved.parameters.values().iter().fold(query, |query, value| query.bind(value.clone()))
    }
}
