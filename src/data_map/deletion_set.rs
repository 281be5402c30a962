//! Which rows are deleted together: the person's own in some tables, and with them other people's where the map says
//! `others = "delete"`. A deletion is one set, a purge of one table another.

use super::erase::Removal;
use super::index::TableIndex;
use super::path::OwnerPath;
use super::resolved::{MentionExport, ReferenceTarget, Resolved, ResolvedAction, ResolvedReference, Table};
use super::row_sets::{RowSet, RowSets};
use super::sql::quote_identifier;

/// The rows that are deleted together.
pub(crate) struct DeletionSet<'a> {
    resolved: &'a Resolved,
    cause: Cause,
}

/// Why rows are deleted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// The person's deletion: everything whose removal is immediate.
    Deletion,
    /// The retention of one table has ended.
    Purge(TableIndex),
}

impl<'a> DeletionSet<'a> {
    pub(crate) const fn deletion(resolved: &'a Resolved) -> Self {
        Self { resolved, cause: Cause::Deletion }
    }

    pub(crate) const fn purge(resolved: &'a Resolved, table: TableIndex) -> Self {
        Self { resolved, cause: Cause::Purge(table) }
    }

    /// Returns a condition for the person's own deleted rows, or `None` where there are none. Rows that are others' too stay.
    pub(crate) fn own_deleted_rows(&self, table: TableIndex, alias: &str) -> Option<String> {
        let own = self.resolved.rows_of_person_alone(table, alias);
        let rule = &self.resolved.tables[table].rule;
        match self.cause {
            Cause::Deletion => (rule.erase.strategy().removal() == Removal::Immediate).then_some(own),
            Cause::Purge(purged) if purged == table => Some(match rule.erase.strategy().purge_condition(alias) {
                Some(condition) => format!("{own} AND {condition}"),
                None => own,
            }),
            Cause::Purge(_) => None,
        }
    }

    /// Returns a condition for every deleted row, whoever owns it, or `None` where there are none.
    pub(crate) fn deleted_rows(&self, table: TableIndex, alias: &str) -> Option<String> {
        let own = self.own_deleted_rows(table, alias);
        let conditions: Vec<String> = own.into_iter().chain(self.cascaded_rows(table, alias)).collect();
        (!conditions.is_empty()).then(|| format!("({})", conditions.join(" OR ")))
    }

    /// Returns conditions for the rows that are deleted because they reference deleted rows.
    fn cascaded_rows(&self, table: TableIndex, alias: &str) -> impl Iterator<Item = String> {
        let references = self.resolved.tables[table].references.iter();
        references
            .filter(|reference| reference.action == ResolvedAction::Delete)
            .filter_map(move |reference| self.referencing_rows_of_others(table, reference, alias))
    }

    /// Returns a condition for rows that reference deleted rows by `reference`, or `None` where there are none. A mention counts
    /// in a deletion whatever becomes of the row that it references, and in no purge.
    fn referencing_rows(&self, reference: &ResolvedReference, alias: &str) -> Option<String> {
        let is_deletion = self.cause == Cause::Deletion;
        if reference.is_mention && !is_deletion {
            return None;
        }
        match &reference.target {
            ReferenceTarget::UserId | ReferenceTarget::UserIdWithin(_) => {
                is_deletion.then(|| names_person(reference, alias))
            }
            ReferenceTarget::Rows { .. } if reference.is_mention => Some(names_person(reference, alias)),
            ReferenceTarget::Rows { table, columns, .. } => {
                references_one_of(columns, alias, &self.cut_off_rows(*table, columns))
            }
        }
    }

    /// Returns the rows of `parent` that nothing of other people may reference any more: the deleted ones and, after a deletion, the
    /// person's rows that stay for good, or that stay for a time and are referenced by the person's Clerk user id, which would stay
    /// with them.
    fn cut_off_rows(&self, parent: TableIndex, columns: &[(String, String)]) -> Vec<RowSet> {
        let rule = &self.resolved.tables[parent].rule;
        let is_user_id = |column: &String| {
            rule.owners
                .iter()
                .any(|owner| matches!(&owner.path, OwnerPath::Column(owner) if *column == quote_identifier(owner)))
        };
        let is_cut = self.cause == Cause::Deletion
            && match rule.erase.strategy().removal() {
                Removal::Immediate => false,
                Removal::Never => true,
                Removal::After(_) => columns.iter().any(|(_, there)| is_user_id(there)),
            };
        let staying = is_cut.then_some(RowSet::Alone(parent));
        self.deletes_from(parent).then_some(RowSet::Deleted(parent)).into_iter().chain(staying).collect()
    }

    /// Whether rows of the table can be deleted, whoever owns them.
    fn deletes_from(&self, table: TableIndex) -> bool {
        let Table { rule, references, .. } = &self.resolved.tables[table];
        let deletes_own = match self.cause {
            Cause::Deletion => rule.erase.strategy().removal() == Removal::Immediate,
            Cause::Purge(purged) => purged == table,
        };
        deletes_own || references.iter().any(|reference| self.deletes_by(reference))
    }

    /// Whether rows can be deleted because of what they reference.
    fn deletes_by(&self, reference: &ResolvedReference) -> bool {
        reference.action == ResolvedAction::Delete
            && (!reference.is_mention || self.cause == Cause::Deletion)
            && match &reference.target {
                ReferenceTarget::UserId | ReferenceTarget::UserIdWithin(_) => self.cause == Cause::Deletion,
                ReferenceTarget::Rows { .. } if reference.is_mention => true,
                ReferenceTarget::Rows { table, columns, .. } => !self.cut_off_rows(*table, columns).is_empty(),
            }
    }

    /// Returns the sets of rows that conditions in `sql` read.
    pub(crate) fn row_sets(&self, sql: &str) -> RowSets {
        RowSets::read_by(sql, self.resolved.tables.len(), |set| match set {
            RowSet::Deleted(table) => {
                // A table from which nothing is deleted is never named.
                let deleted = |alias: &str| self.deleted_rows(table, alias).unwrap_or_else(|| "false".to_owned());
                Some(self.resolved.select_led_to(table, deleted))
            }
            RowSet::Own(_) | RowSet::Alone(_) => self.resolved.select_owned(set),
        })
    }

    /// Returns a condition for other people's rows that reference deleted rows by `reference`, or `None` where there
    /// are none. Rows that are the person's and others' are among them.
    pub(crate) fn rows_of_others(
        &self,
        table: TableIndex,
        reference: &ResolvedReference,
        alias: &str,
    ) -> Option<String> {
        let mut condition = self.referencing_rows_of_others(table, reference, alias)?;
        let references = self.resolved.tables[table].references.iter();
        // Rows that are deleted anyway aren't detached or counted twice, and neither are those that an earlier reference changes.
        let earlier = references.clone().take_while(|other| !std::ptr::eq(*other, reference));
        let is_changed_before = |other: &&ResolvedReference| match (&other.action, &reference.action) {
            (ResolvedAction::Delete, ResolvedAction::Delete) => true,
            (
                ResolvedAction::Detach | ResolvedAction::Overwrite(_),
                ResolvedAction::Detach | ResolvedAction::Overwrite(_),
            ) => other.column == reference.column,
            _ => false,
        };
        let is_deleted = |other: &&ResolvedReference| {
            other.action == ResolvedAction::Delete && reference.action != ResolvedAction::Delete
        };
        for other in earlier.filter(is_changed_before).chain(references.filter(is_deleted)) {
            if let Some(other) = self.referencing_rows_of_others(table, other, alias) {
                condition = format!("{condition} AND ({other}) IS NOT TRUE");
            }
        }
        Some(condition)
    }

    /// Returns a condition for other people's rows that reference deleted rows by `reference`, whatever else is done with them.
    fn referencing_rows_of_others(
        &self,
        table: TableIndex,
        reference: &ResolvedReference,
        alias: &str,
    ) -> Option<String> {
        let referencing = self.referencing_rows(reference, alias)?;
        // A mention deletes also rows that are the person's and others': they would stay with the others.
        let deletes = matches!(reference.action, ResolvedAction::Delete | ResolvedAction::Forbid);
        let own = if reference.is_mention && !deletes {
            self.resolved.owned_rows(table, alias)
        } else {
            self.resolved.rows_of_person_alone(table, alias)
        };
        Some(format!("{referencing} AND ({own}) IS NOT TRUE"))
    }

    /// Returns a condition for the person's own rows that stay and reference a deleted row, or `None` where there are none or the
    /// column isn't detached.
    pub(crate) fn own_rows_to_detach(
        &self,
        table: TableIndex,
        reference: &ResolvedReference,
        alias: &str,
    ) -> Option<String> {
        let ReferenceTarget::Rows { table: parent, columns, .. } = &reference.target else { return None };
        let all_go = self.cause == Cause::Deletion
            && self.resolved.tables[table].rule.erase.strategy().removal() == Removal::Immediate;
        if reference.action != ResolvedAction::Detach || all_go {
            return None;
        }
        let deleted = self.deletes_from(*parent).then_some(RowSet::Deleted(*parent));
        let referencing = references_one_of(columns, alias, deleted.as_slice())?;
        let own = self.resolved.rows_of_person_alone(table, alias);
        let deleted = self.deleted_rows(table, alias).map(|deleted| format!(" AND ({deleted}) IS NOT TRUE"));
        Some(format!("{referencing} AND {own}{}", deleted.unwrap_or_default()))
    }

    /// Returns a condition for rows of the person that stay and name them in a column of their own, or `None` where there are none.
    pub(crate) fn own_rows_with_mention(
        &self,
        table: TableIndex,
        mention: &ResolvedReference,
        alias: &str,
    ) -> Option<String> {
        if !matches!(mention.action, ResolvedAction::Overwrite(_)) {
            return None;
        }
        let referencing = self.referencing_rows(mention, alias)?;
        let own = self.resolved.owned_rows(table, alias);
        let deleted = self.deleted_rows(table, alias).map(|deleted| format!(" AND ({deleted}) IS NOT TRUE"));
        Some(format!("{referencing} AND {own}{}", deleted.unwrap_or_default()))
    }
}

impl Resolved {
    /// Returns a condition for rows of others that name the person in one of the columns.
    pub(crate) fn mentioning_rows(&self, table: TableIndex, export: &MentionExport, alias: &str) -> String {
        let mentions = export.mentions.iter().map(|position| &self.tables[table].references[*position]);
        let conditions: Vec<String> = mentions.map(|mention| names_person(mention, alias)).collect();
        let own = self.owned_rows(table, alias);
        format!("({}) AND ({own}) IS NOT TRUE", conditions.join(" OR "))
    }
}

/// Returns a condition for rows that name the person in a column, or in what it references.
fn names_person(reference: &ResolvedReference, alias: &str) -> String {
    match &reference.target {
        ReferenceTarget::UserId => format!("{alias}.{} = $1", reference.column),
        ReferenceTarget::UserIdWithin(within) => within.holds_user_id(alias, &reference.column),
        ReferenceTarget::Rows { table, columns, may_dangle } => {
            let rows = RowSet::Own(*table).select(columns.iter().map(|(_, there)| there));
            let or_user_id = if *may_dangle { " UNION ALL SELECT $1" } else { "" };
            format!("{} IN ({rows}{or_user_id})", referencing_columns(columns, alias))
        }
    }
}

/// Returns a condition for rows that reference a row of one of the sets, or `None` where there are none.
fn references_one_of(columns: &[(String, String)], alias: &str, sets: &[RowSet]) -> Option<String> {
    let there = || columns.iter().map(|(_, there)| there);
    let rows: Vec<String> = sets.iter().map(|set| set.select(there())).collect();
    (!rows.is_empty()).then(|| format!("{} IN ({})", referencing_columns(columns, alias), rows.join(" UNION ALL ")))
}

fn referencing_columns(columns: &[(String, String)], alias: &str) -> String {
    let here: Vec<String> = columns.iter().map(|(here, _)| format!("{alias}.{here}")).collect();
    format!("({})", here.join(", "))
}
