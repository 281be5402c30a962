//! Which rows go together: the person's own in some tables, and with them rows of others where
//! the map says `others = "delete"`. A deletion is one wave, a purge another.

use std::collections::BTreeMap;

use super::resolved::{Removal, Resolved, ResolvedReference, Target};
use super::rules::ReferenceAction;

/// One wave of rows that go.
pub(crate) struct DeletionSet<'a> {
    resolved: &'a Resolved,
    /// Tables whose rows of the person go, each with a further condition on alias `@`, or none.
    roots: BTreeMap<usize, Option<String>>,
    /// Whether it is the deletion itself and not a later purge.
    is_deletion: bool,
}

impl<'a> DeletionSet<'a> {
    /// The deletion: everything that goes at once.
    pub(crate) fn deletion(resolved: &'a Resolved) -> Self {
        let now = |place: &usize| resolved.tables[*place].rule.erase.removal() == Removal::Immediate;
        let roots = (0..resolved.tables.len()).filter(now).map(|place| (place, None)).collect();
        Self { resolved, roots, is_deletion: true }
    }

    /// A purge of the tables in `roots`. `@` stands for the row in a condition.
    pub(crate) const fn purge(resolved: &'a Resolved, roots: BTreeMap<usize, Option<String>>) -> Self {
        Self { resolved, roots, is_deletion: false }
    }

    /// The person's rows of this table that go.
    pub(crate) fn own_deleted_rows(&self, place: usize, alias: &str) -> Option<String> {
        let own = self.resolved.owned_rows(place, alias);
        self.roots.get(&place).map(|condition| match condition {
            Some(condition) => format!("{own} AND {}", condition.replace('@', alias)),
            None => own,
        })
    }

    /// Every row of this table that goes.
    pub(crate) fn deleted_rows(&self, place: usize, alias: &str) -> Option<String> {
        let references = self.resolved.tables[place].references.iter();
        let drawn = references.filter(|reference| reference.action == ReferenceAction::Delete);
        let drawn = drawn.filter_map(|reference| self.referencing_rows(reference, alias));
        let predicates: Vec<String> = self.own_deleted_rows(place, alias).into_iter().chain(drawn).collect();
        (!predicates.is_empty()).then(|| format!("({})", predicates.join(" OR ")))
    }

    /// Rows that point by `reference` to rows which go. `None` where this wave takes nothing there.
    fn referencing_rows(&self, reference: &ResolvedReference, alias: &str) -> Option<String> {
        match &reference.target {
            Target::Key => self.is_deletion.then(|| format!("{alias}.{} = $1", reference.column)),
            Target::Rows { table, columns } => {
                let inner = format!("{alias}_");
                let parent = &self.resolved.tables[*table];
                // Where the person's row stays, the deletion itself cuts what points to it.
                let stays = self.is_deletion && parent.rule.erase.removal() == Removal::Never;
                let gone = self
                    .deleted_rows(*table, &inner)
                    .or_else(|| stays.then(|| self.resolved.owned_rows(*table, &inner)))?;
                let (here, there): (Vec<_>, Vec<_>) =
                    columns.iter().map(|(here, there)| (format!("{alias}.{here}"), format!("{inner}.{there}"))).unzip();
                Some(format!(
                    "({}) IN (SELECT {} FROM {} AS {inner} WHERE {gone})",
                    here.join(", "),
                    there.join(", "),
                    parent.sql
                ))
            }
        }
    }

    /// Other people's rows of this table that point by `reference` to rows which go.
    pub(crate) fn rows_of_others(&self, place: usize, reference: &ResolvedReference, alias: &str) -> Option<String> {
        let points = self.referencing_rows(reference, alias)?;
        let own = self.resolved.owned_rows(place, alias);
        let apart = format!("{points} AND ({own}) IS NOT TRUE");
        // What goes anyway isn't detached or counted twice.
        if reference.action == ReferenceAction::Delete {
            return Some(apart);
        }
        let drawn =
            self.resolved.tables[place].references.iter().filter(|other| other.action == ReferenceAction::Delete);
        let drawn = drawn.filter_map(|other| self.referencing_rows(other, alias));
        Some(drawn.fold(apart, |apart, drawn| format!("{apart} AND ({drawn}) IS NOT TRUE")))
    }
}
