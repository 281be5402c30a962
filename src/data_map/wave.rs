//! Which rows go together: the person's own in some tables, and with them rows of others where
//! the map says `others = "delete"`. A deletion is one wave, a purge another.

use std::collections::BTreeMap;

use super::resolved::{Ending, Resolved, ResolvedReference, Target};
use super::rules::Others;

/// One wave of rows that go.
pub(crate) struct Wave<'a> {
    resolved: &'a Resolved,
    /// Tables whose rows of the person go, each with a further condition on alias `@`, or none.
    roots: BTreeMap<usize, Option<String>>,
    /// Whether it is the deletion itself and not a later purge.
    deletion: bool,
}

impl<'a> Wave<'a> {
    /// The deletion: everything that goes at once.
    pub(crate) fn deletion(resolved: &'a Resolved) -> Self {
        let now = |place: &usize| resolved.tables[*place].rule.erase.ending() == Ending::Now;
        let roots = (0..resolved.tables.len()).filter(now).map(|place| (place, None)).collect();
        Self { resolved, roots, deletion: true }
    }

    /// A purge of the tables in `roots`. `@` stands for the row in a condition.
    pub(crate) const fn purge(resolved: &'a Resolved, roots: BTreeMap<usize, Option<String>>) -> Self {
        Self { resolved, roots, deletion: false }
    }

    /// The person's rows of this table that go.
    pub(crate) fn own_victims(&self, place: usize, alias: &str) -> Option<String> {
        let own = self.resolved.own(place, alias);
        self.roots.get(&place).map(|condition| match condition {
            Some(condition) => format!("{own} AND {}", condition.replace('@', alias)),
            None => own,
        })
    }

    /// Every row of this table that goes.
    pub(crate) fn victims(&self, place: usize, alias: &str) -> Option<String> {
        let references = self.resolved.tables[place].references.iter();
        let drawn = references.filter(|reference| reference.others == Others::Delete);
        let drawn = drawn.filter_map(|reference| self.points(reference, alias));
        let predicates: Vec<String> = self.own_victims(place, alias).into_iter().chain(drawn).collect();
        (!predicates.is_empty()).then(|| format!("({})", predicates.join(" OR ")))
    }

    /// Rows that point by `reference` to rows which go. `None` where this wave takes nothing there.
    fn points(&self, reference: &ResolvedReference, alias: &str) -> Option<String> {
        match &reference.target {
            Target::Key => self.deletion.then(|| format!("{alias}.{} = $1", reference.column)),
            Target::Rows { table, columns } => {
                let inner = format!("{alias}_");
                let parent = &self.resolved.tables[*table];
                // Where the person's row stays, the deletion itself cuts what points to it.
                let stays = self.deletion && parent.rule.erase.ending() == Ending::Never;
                let gone = self.victims(*table, &inner).or_else(|| stays.then(|| self.resolved.own(*table, &inner)))?;
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
    pub(crate) fn others(&self, place: usize, reference: &ResolvedReference, alias: &str) -> Option<String> {
        let points = self.points(reference, alias)?;
        let own = self.resolved.own(place, alias);
        let apart = format!("{points} AND ({own}) IS NOT TRUE");
        // What goes anyway isn't detached or counted twice.
        if reference.others == Others::Delete {
            return Some(apart);
        }
        let drawn = self.resolved.tables[place].references.iter().filter(|other| other.others == Others::Delete);
        let drawn = drawn.filter_map(|other| self.points(other, alias));
        Some(drawn.fold(apart, |apart, drawn| format!("{apart} AND ({drawn}) IS NOT TRUE")))
    }
}
