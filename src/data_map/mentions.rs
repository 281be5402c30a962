//! Mentions: columns that name somebody in rows that aren't theirs.

use super::catalog::PgCatalog;
use super::error::Problems;
use super::index::{IndexedVec, TableIndex};
use super::mapped::{MappedTable, MappedTables};
use super::owners::Owners;
use super::path::OwnerPath;
use super::path_finder::{FoundPath, PathFinder};
use super::rules::{DataMap, Mention, MentionAction, TableRule};
use super::value::NewValue;

/// The paths of each table's mentions, in their order.
pub(super) type Mentions = IndexedVec<TableIndex, Vec<FoundPath>>;

/// Finds to whom the columns lead. `None` after a problem.
pub(super) fn resolve(
    map: &DataMap,
    mapped: &MappedTables<'_>,
    owners: &Owners,
    catalog: &PgCatalog,
    problems: &mut Problems,
) -> Option<Mentions> {
    let finder = PathFinder { version: map.version, mapped, catalog };
    let mut all_valid = true;
    let mut found = Vec::new();
    for table in mapped.iter() {
        let paths = table.rule.mentions.iter().filter_map(|mention| {
            let path = find(mention, table, &finder, owners, problems);
            all_valid &= path.is_some();
            path
        });
        found.push(paths.collect());
    }
    all_valid.then(|| found.into_iter().collect())
}

fn find(
    mention: &Mention,
    table: &MappedTable<'_>,
    finder: &PathFinder<'_>,
    owners: &Owners,
    problems: &mut Problems,
) -> Option<FoundPath> {
    let name = &table.rule.name;
    let found = match &mention.path {
        OwnerPath::Column(column) => {
            let column_of_table = table.relation.column(column);
            let Some(column_of_table) = column_of_table else {
                problems.add_unknown_column(name, column, "mention");
                return None;
            };
            let keys =
                finder.catalog.foreign_keys_of(table.relation_index).filter(|key| key.columns == [column.as_str()]);
            let mut parents = keys.filter_map(|key| {
                let table = finder.mapped.index_of_relation(key.parent)?;
                Some(FoundPath::Parent { columns: vec![column.clone()], table, target: key.parent_columns.clone() })
            });
            match parents.next() {
                Some(parent) => parent,
                None if column_of_table.is_text() => FoundPath::UserId(column.clone()),
                None => {
                    problems.add_for_column(
                        name,
                        column,
                        "no foreign key leads from here to a mapped table, and the column can't hold a Clerk user id",
                        format!("Write the path: \"{column} -> public.users(id)\", for example"),
                    );
                    return None;
                }
            }
        }
        path => finder.find(table, path, problems)?,
    };
    let column = mention.path.columns().first().map_or("", String::as_str);
    let is_possible = match &found {
        FoundPath::UserId(_) => true,
        FoundPath::Parent { table, .. } => !owners[*table].is_shareable,
        FoundPath::Child { .. } => false,
    };
    if !is_possible {
        let message = "the column doesn't lead to one person";
        problems.add_for_column(name, column, message, "Name a column that leads to a table with one owner a row");
        return None;
    }
    if table.rule.owner_columns().any(|owner| owner == column)
        && table.rule.owners.len() == 1
        && table.rule.owners[0].filter.is_empty()
    {
        let message = "the column is the row's owner, so the row is theirs and doesn't mention them";
        problems.add_for_column(name, column, message, "Remove it from the mention");
        return None;
    }
    Some(found)
}

impl TableRule {
    /// Whether a mention removes the reference in every row that stays: the column becomes NULL, or references the ghost row.
    pub(super) fn is_cut_by_mention(&self, column: &str) -> bool {
        self.mentions_of(column)
            .any(|mention| matches!(mention.action, MentionAction::Overwrite(NewValue::Null | NewValue::Ghost)))
    }

    /// Returns the mentions whose column, or one of whose columns, it is.
    pub(super) fn mentions_of<'a>(&'a self, column: &'a str) -> impl Iterator<Item = &'a Mention> {
        self.mentions.iter().filter(move |mention| mention.path.columns().iter().any(|name| name == column))
    }

    /// Whether other people's rows are deleted with the person's.
    pub(super) fn deletes_rows_of_others(&self) -> bool {
        self.references.iter().any(|reference| reference.action == super::grammar::ReferenceAction::Delete)
            || self.mentions.iter().any(|mention| mention.action == MentionAction::Delete)
    }
}
