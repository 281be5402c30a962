//! The statements of a deletion: one on the person's own rows of each table, one on other people's rows for each
//! reference.

use time::OffsetDateTime;

use crate::data_map::{
    DeletionSet, Outcome, Resolved, ResolvedAction, ResolvedReference, RowAction, RowSets, Table, TableIndex, Update,
};

/// A statement before it is executed: on which rows of a table, and what happens to them.
pub(super) struct PlannedStatement<'a> {
    pub(super) table_index: TableIndex,
    pub(super) table: &'a Table,
    /// True for the rows, which have the alias `t`.
    pub(super) condition: String,
    /// The sets of rows that the condition reads.
    pub(super) row_sets: RowSets,
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
    /// Writes new values.
    Update(&'a Update),
    /// Sets this column, which references a deleted row, to NULL.
    Detach(&'a str),
    /// Writes new values, after which the rows no longer name the person.
    Forget(&'a Update),
    /// Leaves the rows as they are.
    Nothing,
}

impl<'a> PlannedStatement<'a> {
    /// Describes a statement on the person's own rows for which the condition holds, with a line in plan and receipt.
    fn new(
        resolved: &'a Resolved,
        deletion_set: &DeletionSet<'_>,
        table_index: TableIndex,
        condition: String,
        effect: Effect<'a>,
        outcome: Outcome,
    ) -> Self {
        Self {
            table_index,
            table: &resolved.tables[table_index],
            row_sets: deletion_set.row_sets(&condition),
            condition,
            effect,
            outcome,
            others: false,
            has_line: true,
            key: None,
        }
    }
}

/// Returns every statement of a deletion at `now`, in the order of the map.
pub(super) fn planned_statements<'a>(
    resolved: &'a Resolved,
    deletion_set: &DeletionSet<'_>,
    now: OffsetDateTime,
) -> Vec<PlannedStatement<'a>> {
    let mut statements = Vec::new();
    for (table_index, table) in resolved.tables.enumerate() {
        let condition = not_yet_erased(resolved, table_index);
        let effect = match &table.action {
            RowAction::Delete => Effect::Delete,
            RowAction::Update(update) => Effect::Update(update),
            RowAction::Leave => Effect::Nothing,
        };
        let outcome = table.rule.erase.strategy().outcome(now);
        statements.push(PlannedStatement {
            key: resolved.retained_key(table_index).map(str::to_owned),
            ..PlannedStatement::new(resolved, deletion_set, table_index, condition, effect, outcome)
        });
        statements.extend(shared_statements(resolved, table_index, deletion_set));
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
fn shared_statements<'a>(
    resolved: &'a Resolved,
    table_index: TableIndex,
    deletion_set: &DeletionSet<'_>,
) -> Vec<PlannedStatement<'a>> {
    let table = &resolved.tables[table_index];
    let statement = |condition, effect, columns| {
        PlannedStatement::new(resolved, deletion_set, table_index, condition, effect, Outcome::Shared { columns })
    };
    let forgetting = table.owners.iter().filter_map(|owner| {
        let forget = owner.forget.as_ref()?;
        let condition = resolved.rows_left_to_others(table_index, owner, "t")?;
        Some(statement(condition, Effect::Forget(&forget.update), forget.columns.clone()))
    });
    let forgetting: Vec<PlannedStatement<'a>> = forgetting.collect();
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
            ResolvedAction::Overwrite(update) => (Effect::Forget(update), Outcome::Detached),
            ResolvedAction::Keep(reason) => {
                (Effect::Nothing, Outcome::Retained { reason: reason.clone(), until: None })
            }
            ResolvedAction::Forbid => continue,
        };
        let statement = |condition, outcome, others| PlannedStatement {
            others,
            has_line: others,
            ..PlannedStatement::new(resolved, deletion_set, table_index, condition, effect, outcome)
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
            let (effect, outcome) = (Effect::Delete, Outcome::Deleted);
            statements.push(PlannedStatement::new(resolved, deletion_set, table_index, condition, effect, outcome));
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
