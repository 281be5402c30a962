//! The statements of a deletion: one on the person's own rows of each table, one on other people's rows for each
//! reference.

use time::OffsetDateTime;

use crate::data_map::{
    DeletionSet, Outcome, Resolved, ResolvedAction, ResolvedReference, RowAction, Table, TableIndex,
};

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
    /// Whether plan and receipt have a line for it. Rows that stay and name their owner once more have one already.
    pub(super) has_line: bool,
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
    /// Executes this SET list, after which the rows no longer lead to the person.
    Forget(&'a str),
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
            has_line: true,
            key: resolved.retained_key(table_index).map(str::to_owned),
        });
        statements.extend(shared_statements(resolved, table_index));
        statements.extend(reference_statements(resolved, table_index, deletion_set));
    }
    statements
}

/// The same in the order of their execution: children before the tables that they reference.
pub(super) fn statements_in_order<'a>(
    resolved: &'a Resolved,
    deletion_set: &DeletionSet<'_>,
    now: OffsetDateTime,
) -> Vec<PlannedStatement<'a>> {
    let mut statements = planned_statements(resolved, deletion_set, now);
    statements.sort_by_key(|statement| resolved.order.iter().position(|table| *table == statement.table_index));
    statements
}

/// Returns the statements on the person's rows that are others' too: one for each way in which they are the person's and forget
/// them, or one that counts them.
fn shared_statements(resolved: &Resolved, table_index: TableIndex) -> Vec<PlannedStatement<'_>> {
    let table = &resolved.tables[table_index];
    let statement = |condition, effect, columns| {
        let outcome = Outcome::Shared { columns };
        PlannedStatement { table_index, table, condition, effect, outcome, others: false, has_line: true, key: None }
    };
    let forgetting = table.owners.iter().filter_map(|owner| {
        let forget = owner.forget.as_ref()?;
        let condition = resolved.rows_left_to_others(table_index, owner, "t")?;
        Some(statement(condition, Effect::Forget(&forget.assignments), forget.columns.clone()))
    });
    let forgetting: Vec<PlannedStatement<'_>> = forgetting.collect();
    if forgetting.is_empty() {
        let condition = resolved.shared_rows(table_index, "t");
        // Mentions are written in these rows too, each by a statement of its own.
        let is_overwritten = |reference: &&ResolvedReference| matches!(reference.action, ResolvedAction::Overwrite(_));
        let columns = table.references.iter().filter(is_overwritten).map(|mention| mention.name.clone()).collect();
        return condition.map(|condition| statement(condition, Effect::Nothing, columns)).into_iter().collect();
    }
    forgetting
}

/// Returns the statements on other people's rows of one table.
fn reference_statements<'a>(
    resolved: &'a Resolved,
    table_index: TableIndex,
    deletion_set: &DeletionSet<'_>,
) -> Vec<PlannedStatement<'a>> {
    let table = &resolved.tables[table_index];
    let mut statements = Vec::new();
    for reference in &table.references {
        let (effect, outcome) = match &reference.action {
            ResolvedAction::Delete => (Effect::Delete, Outcome::Deleted),
            ResolvedAction::Detach => (Effect::Detach(&reference.column), Outcome::Detached),
            ResolvedAction::Overwrite(assignments) => (Effect::Forget(assignments), Outcome::Detached),
            ResolvedAction::Keep(reason) => {
                (Effect::Nothing, Outcome::Retained { reason: reason.clone(), until: None })
            }
            ResolvedAction::Forbid => continue,
        };
        let statement = |condition, outcome, others| PlannedStatement {
            table_index,
            table,
            condition,
            effect,
            outcome,
            others,
            has_line: others,
            key: None,
        };
        if let Some(condition) = deletion_set.own_rows_to_detach(table_index, reference, "t") {
            statements.push(statement(condition, outcome.clone(), false));
        }
        if let Some(condition) = deletion_set.own_rows_with_mention(table_index, reference, "t") {
            statements.push(statement(condition, outcome.clone(), false));
        }
        if let Some(condition) = deletion_set.rows_of_others(table_index, reference, "t") {
            statements.push(statement(condition, outcome, true));
        }
    }
    statements
}

/// Returns every statement of a purge, children before the tables that they reference.
pub(super) fn purge_statements<'a>(
    resolved: &'a Resolved,
    deletion_set: &DeletionSet<'_>,
) -> Vec<PlannedStatement<'a>> {
    let mut statements = Vec::new();
    for table_index in resolved.order.iter().copied() {
        if let Some(condition) = deletion_set.own_deleted_rows(table_index, "t") {
            statements.push(PlannedStatement {
                table_index,
                table: &resolved.tables[table_index],
                condition,
                effect: Effect::Delete,
                outcome: Outcome::Deleted,
                others: false,
                has_line: true,
                key: None,
            });
        }
        statements.extend(reference_statements(resolved, table_index, deletion_set));
    }
    statements
}

/// Returns a condition for the person's own rows that the deletion still has to change, with the alias `t`.
pub(super) fn not_yet_erased(resolved: &Resolved, table: TableIndex) -> String {
    let own = resolved.rows_of_person_alone(table, "t");
    format!("{own}{}", resolved.tables[table].action.and_not_yet_erased())
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

    /// Whether it changes rows of others before anything else happens, so that nothing references the person's any more.
    pub(super) const fn is_detaching(&self) -> bool {
        matches!(self.effect, Effect::Detach(_) | Effect::Forget(_))
    }

    /// Returns the columns of the table itself that the condition reads.
    pub(super) fn own_columns_read(&self) -> impl Iterator<Item = &str> {
        columns_after(&self.condition, "t.")
    }

    /// Returns the columns of other tables that the condition reads: there the alias ends with an underscore.
    pub(super) fn other_columns_read(&self) -> impl Iterator<Item = &str> {
        columns_after(&self.condition, "_.")
    }

    /// Whether it gives the column, quoted, a new value, or NULL before the row is deleted.
    pub(super) fn writes(&self, column: &str) -> bool {
        match self.effect {
            Effect::Detach(detached) => detached == column,
            Effect::Update(assignments) | Effect::Forget(assignments) => assignments.contains(&format!("{column} = ")),
            Effect::Delete => self.table.unlink_columns.iter().any(|unlinked| unlinked == column),
            Effect::Nothing => false,
        }
    }

    /// Returns a statement that locks the rows, like [`lock_sql`](Self::lock_sql), and returns their keys: an array of texts for
    /// each column of the key.
    pub(super) fn lock_and_read_keys_sql(&self) -> String {
        let columns = self.table.row_key.iter().map(|(column, _)| column);
        let arrays = columns.clone().map(|column| format!("coalesce(array_agg(locked.{column}::text), '{{}}')"));
        let keys = columns.map(|column| format!("t.{column}"));
        format!(
            "SELECT json_build_array({}) FROM (SELECT {} FROM {} AS t WHERE {} ORDER BY {} FOR UPDATE) AS locked",
            arrays.collect::<Vec<_>>().join(", "),
            keys.collect::<Vec<_>>().join(", "),
            self.table.quoted_name,
            self.condition,
            self.table.order_by("t")
        )
    }

    /// Returns a condition for the rows with these keys, which are bound from parameter `first` on.
    pub(super) fn keys_condition(&self, first: usize) -> String {
        let key = self.table.row_key.iter().enumerate();
        let (columns, arrays): (Vec<String>, Vec<String>) = key
            .map(|(position, (column, type_name))| {
                (format!("t.{column}"), format!("${}::text[]::{type_name}[]", first + position))
            })
            .unzip();
        format!("({}) IN (SELECT * FROM unnest({}))", columns.join(", "), arrays.join(", "))
    }

    /// Returns the statement itself on the rows for which `condition` holds, which counts those that it changed as it should, or `None`
    /// where the rows stay as they are.
    pub(super) fn execute_sql(&self, condition: &str) -> Option<String> {
        let table = &self.table.quoted_name;
        match self.effect {
            Effect::Delete => Some(format!(
                "WITH done AS (DELETE FROM {table} AS t WHERE {condition} RETURNING 1) SELECT count(*) FROM done"
            )),
            Effect::Update(assignments) | Effect::Forget(assignments) => Some(self.update_sql(assignments, condition)),
            Effect::Detach(column) => Some(self.update_sql(&format!("{column} = NULL"), condition)),
            Effect::Nothing => None,
        }
    }

    /// Counts the rows that have the new values then. A trigger can put the old ones back.
    fn update_sql(&self, assignments: &str, condition: &str) -> String {
        let pending = match (&self.effect, &self.table.action) {
            (Effect::Update(_), RowAction::Update { not_yet_erased, .. }) => not_yet_erased.clone(),
            (Effect::Detach(column), _) => format!("t.{column} IS NOT NULL"),
            _ => self.condition.clone(),
        };
        format!(
            "WITH done AS (UPDATE {} AS t SET {assignments} WHERE {condition} RETURNING ({pending}) AS is_pending) \
             SELECT count(*) FROM done WHERE is_pending IS NOT TRUE",
            self.table.quoted_name
        )
    }
}

/// Returns the columns, quoted, that follow `alias` in SQL text.
fn columns_after<'a>(sql: &'a str, alias: &'a str) -> impl Iterator<Item = &'a str> {
    sql.match_indices(alias).map(move |(position, _)| {
        let quoted = &sql[position + alias.len()..];
        &quoted[..quoted_length(quoted)]
    })
}

/// Returns the length of the quoted identifier with which the text begins. A quote in it is doubled.
fn quoted_length(text: &str) -> usize {
    let mut end = 1;
    while let Some(quote) = text[end..].find('"') {
        end += quote + 1;
        if !text[end..].starts_with('"') {
            break;
        }
        end += 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_a_condition_are_found_whatever_their_names() {
        let sql = r#"t."a" = $1 AND t."""" IN (SELECT t_."x""y" FROM "p" AS t_ WHERE t__."t." = t."")"#;
        assert_eq!(columns_after(sql, "t.").take(2).collect::<Vec<_>>(), [r#""a""#, r#""""""#]);
        assert_eq!(columns_after(sql, "_.").collect::<Vec<_>>(), [r#""x""y""#, r#""t.""#]);
    }
}
