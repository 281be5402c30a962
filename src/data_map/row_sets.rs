//! The rows that conditions lead through, as common table expressions: a statement computes each set once, however many conditions
//! read it. Without them, conditions would repeat those of every table on the way, and grow exponentially with its length.

use std::collections::BTreeSet;

use super::index::{Position as _, TableIndex};

/// A set of rows of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RowSet {
    /// The person's own, also those that are others' too.
    Own(TableIndex),
    /// The person's alone.
    Alone(TableIndex),
    /// Those that are deleted, whoever owns them.
    Deleted(TableIndex),
}

const OWN: &str = "own_rows_";
const ALONE: &str = "alone_rows_";
const DELETED: &str = "deleted_rows_";

/// The definitions of the sets that a statement reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RowSets(Vec<String>);

impl RowSet {
    /// Returns a query for `columns` of the rows, which are quoted.
    pub(super) fn select<'a>(self, columns: impl IntoIterator<Item = &'a String>) -> String {
        let columns: Vec<&str> = columns.into_iter().map(String::as_str).collect();
        format!("SELECT {} FROM {}", columns.join(", "), self.name())
    }

    fn name(self) -> String {
        let (prefix, table) = match self {
            Self::Own(table) => (OWN, table),
            Self::Alone(table) => (ALONE, table),
            Self::Deleted(table) => (DELETED, table),
        };
        format!("{prefix}{}", table.get())
    }

    /// Returns the sets that SQL text names. A name in an identifier of the application counts too, which does no harm.
    fn named_in(sql: &str, tables: usize) -> BTreeSet<Self> {
        let named = |prefix: &'static str| {
            let suffixes = sql.match_indices(prefix).map(move |(position, _)| &sql[position + prefix.len()..]);
            let positions = suffixes.filter_map(|suffix| {
                let digits = suffix.bytes().take_while(u8::is_ascii_digit).count();
                suffix[..digits].parse().ok()
            });
            positions.filter(move |table| *table < tables).map(TableIndex::new)
        };
        let owned = named(OWN).map(Self::Own).chain(named(ALONE).map(Self::Alone));
        owned.chain(named(DELETED).map(Self::Deleted)).collect()
    }
}

impl RowSets {
    /// Returns the sets that SQL text names, and those that these lead through. `select` returns the query of a set.
    pub(super) fn read_by(sql: &str, tables: usize, select: impl Fn(RowSet) -> Option<String>) -> Self {
        let mut next = RowSet::named_in(sql, tables);
        let mut known = next.clone();
        let mut definitions = Vec::new();
        while let Some(set) = next.pop_first() {
            let Some(query) = select(set) else { continue };
            next.extend(RowSet::named_in(&query, tables).into_iter().filter(|set| known.insert(*set)));
            definitions.push(format!("{} AS ({query})", set.name()));
        }
        Self(definitions)
    }

    /// Puts the definitions before a query.
    pub(crate) fn before(&self, query: &str) -> String {
        // RECURSIVE lets a definition name those that follow it.
        if self.0.is_empty() { query.to_owned() } else { format!("WITH RECURSIVE {} {query}", self.0.join(", ")) }
    }

    /// Returns a statement that executes `change`, which has a RETURNING clause, and a query on what it returned, `done`.
    pub(crate) fn before_change(&self, change: &str, query: &str) -> String {
        let change = format!("done AS ({change})");
        let definitions = self.0.iter().chain(std::iter::once(&change)).map(String::as_str);
        format!("WITH RECURSIVE {} {query}", definitions.collect::<Vec<_>>().join(", "))
    }

    /// Returns the definitions as SQL text.
    pub(crate) fn definitions(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_defined_once_with_those_that_they_lead_through() {
        let table = TableIndex::new;
        let own = RowSet::Own(table(0)).select([&"\"id\"".to_owned()]);
        let deleted = RowSet::Deleted(table(12)).select([&"\"id\"".to_owned()]);
        let sql = format!("a IN ({deleted}) OR b IN ({deleted}) OR c = \"own_rows_13\"");
        let sets = RowSets::read_by(&sql, 13, |set| match set {
            RowSet::Deleted(_) => Some(own.clone()),
            RowSet::Own(_) => Some("SELECT 1".to_owned()),
            RowSet::Alone(_) => None,
        });
        assert_eq!(
            sets.before("SELECT 2"),
            "WITH RECURSIVE deleted_rows_12 AS (SELECT \"id\" FROM own_rows_0), own_rows_0 AS (SELECT 1) SELECT 2"
        );
        assert_eq!(RowSets::default().before("SELECT 2"), "SELECT 2");
    }
}
