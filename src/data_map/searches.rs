//! What a verification searches: columns that may hold a Clerk user id, and texts in which it may stand.

use super::catalog::{Column, PgCatalog, Relation, RelationKind};
use super::index::TableIndex;
use super::mapped::MappedTables;
use super::path::OwnerPath;
use super::resolved::{SearchableColumn, Unsearched, UnsearchedReason, UserIdSearch};
use super::rules::MentionAction;
use super::sql::quote_identifier;
use super::version::Version;

/// Everything that a verification searches beside the rows of the map's rules.
pub(super) struct Searches {
    pub(super) unsearched: Vec<Unsearched>,
    pub(super) user_ids: Vec<UserIdSearch>,
    pub(super) tables: Vec<TextColumns>,
}

/// The columns of a table in which texts can be searched.
pub(super) struct TextColumns {
    /// Schema and table.
    pub(super) name: String,
    pub(super) quoted_name: String,
    pub(super) columns: Vec<SearchableColumn>,
    /// `None` where the table has no rule.
    pub(super) table: Option<TableIndex>,
}

/// Returns the tables that may be read whole, with their columns of texts, JSON and arrays, other than those in which the map lets
/// mentions stay.
pub(super) fn searchable_tables(mapped: &MappedTables<'_>, catalog: &PgCatalog) -> Vec<TextColumns> {
    let mut tables = Vec::new();
    for (index, relation) in catalog.relations.enumerate() {
        if relation.kind != RelationKind::Table || !relation.privileges.select || relation.row_security {
            continue;
        }
        let table = mapped.index_of_relation(index);
        let stays = |column: &&Column| {
            let mut mentions = table.into_iter().flat_map(|table| mapped[table].rule.mentions_of(&column.name));
            mentions.any(|mention| matches!(mention.action, MentionAction::Keep { .. }))
        };
        let columns = relation.columns.iter().filter(|column| column.contains_text() && !stays(column));
        let columns: Vec<_> = columns
            .map(|Column { name, .. }| SearchableColumn {
                name: name.clone(),
                quoted_name: quote_identifier(name),
                is_reported: table.is_none_or(|table| mapped[table].rule.reports_as_left(name)),
            })
            .collect();
        if !columns.is_empty() {
            tables.push(TextColumns { name: relation.name(), quoted_name: relation.quoted_name(), columns, table });
        }
    }
    tables
}

/// Returns the tables in which a search finds less than there is.
pub(super) fn unsearched(catalog: &PgCatalog) -> Vec<Unsearched> {
    let reason = |relation: &Relation| match relation.kind {
        RelationKind::MaterializedView => Some(UnsearchedReason::MaterializedView),
        RelationKind::ForeignTable => Some(UnsearchedReason::ForeignTable),
        RelationKind::Table if !relation.privileges.select => Some(UnsearchedReason::NoPrivilege),
        RelationKind::Table => relation.row_security.then_some(UnsearchedReason::RowLevelSecurity),
    };
    let relations = catalog.relations.iter();
    relations.filter_map(|relation| Some(Unsearched { reason: reason(relation)?, table: relation.name() })).collect()
}

/// Returns the columns that may hold a Clerk user id and in which no rule expects it, in mapped tables and others.
pub(super) fn user_ids(version: Version, mapped: &MappedTables<'_>, catalog: &PgCatalog) -> Vec<UserIdSearch> {
    let mut searches = Vec::new();
    for (index, relation) in catalog.relations.enumerate() {
        if relation.kind != RelationKind::Table || !relation.privileges.select {
            continue;
        }
        let table = mapped.index_of_relation(index);
        let rule = table.map(|table| mapped[table].rule);
        for column in relation.columns.iter().filter(|column| column.is_text()) {
            let owners = || rule.into_iter().flat_map(|rule| &rule.owners);
            let by_column = || owners().filter(|owner| owner.path.columns() == [column.name.clone()]);
            let is_owner = by_column().any(|owner| owner.filter.is_empty());
            // Rows for which none of the values holds have no rule.
            let is_filtered_owner =
                !is_owner && by_column().any(|owner| owner.path == OwnerPath::Column(column.name.clone()));
            let stays = rule.is_some_and(|rule| {
                rule.mentions_of(&column.name).any(|mention| matches!(mention.action, MentionAction::Keep { .. }))
            });
            if stays || is_owner || !(is_filtered_owner || column.may_hold_user_id_in(version)) {
                continue;
            }
            searches.push(UserIdSearch {
                name: relation.name(),
                column_name: column.name.clone(),
                quoted_name: relation.quoted_name(),
                column: quote_identifier(&column.name),
                table,
                is_without_rule: table.is_none() || is_filtered_owner,
            });
        }
    }
    searches
}
