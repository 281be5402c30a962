//! How much the statements of an erasure do. Each condition repeats those of all tables that it passes through, so some maps that
//! are otherwise fine would take minutes.

use super::Draft;
use super::references::Decisions;
use crate::map::{Path, ReferenceAction};

/// The most that a case may take.
const LIMIT: usize = 40;

/// The conditions that the tables of a draft need, in numbers of subqueries.
struct Effort<'a> {
    draft: &'a Draft,
    decisions: &'a Decisions,
}

/// Whether erasures take a moment only.
pub(super) fn is_moderate(draft: &Draft, decisions: &Decisions) -> bool {
    let effort = Effort { draft, decisions };
    draft.schema.tables.iter().all(|table| effort.deleted(&table.full_name(), LIMIT) <= LIMIT)
}

impl Effort<'_> {
    fn own(&self, table: &str) -> usize {
        let each = self.draft.owners[table].iter().map(|owner| match &owner.path {
            Path::Column(_) => 1,
            Path::To { table, .. } | Path::From { table, .. } => 1 + self.own(table),
        });
        each.sum()
    }

    fn others(&self, table: &str) -> usize {
        let each = self.draft.owners[table].iter().map(|owner| match &owner.path {
            Path::Column(_) => 1,
            Path::To { table, .. } => 1 + self.others(table),
            Path::From { table, .. } => 1 + self.alone(table),
        });
        each.sum()
    }

    fn alone(&self, table: &str) -> usize {
        self.own(table) + if self.draft.is_shareable(table) { self.others(table) } else { 0 }
    }

    /// Stops when it is more than what is left.
    fn deleted(&self, table: &str, left: usize) -> usize {
        let mut effort = self.alone(table);
        let references = self.decisions.references.get(table).into_iter().flatten();
        for reference in references.filter(|reference| reference.action == ReferenceAction::Delete) {
            for key in self.draft.schema.table(table).foreign_keys_of(&reference.column) {
                effort += self.alone(table) + self.alone(&key.parent);
                effort += if effort > left { 0 } else { self.deleted(&key.parent, left - effort) };
            }
        }
        effort
    }
}
