//! Finds the owner of each table's rows: follows every path to a column that holds the Clerk user id.

use super::catalog::PgCatalog;
use super::erase::Removal;
use super::error::Problems;
use super::index::{IndexedVec, TableIndex};
use super::mapped::{MappedTable, MappedTables};
use super::references;
use super::resolved::ResolvedOwner;
use super::rules::Owner;
use super::sql::quote_identifier;

pub(super) type Owners = IndexedVec<TableIndex, ResolvedOwner>;

pub(super) fn resolve(mapped: &MappedTables<'_>, catalog: &PgCatalog, problems: &mut Problems) -> Owners {
    let owners: Owners = mapped.iter().map(|child| resolve_owner(child, mapped, catalog, problems)).collect();
    for (index, child) in mapped.enumerate() {
        let (mut current, mut steps) = (index, 0);
        while let ResolvedOwner::Path { table, .. } = &owners[current] {
            (current, steps) = (*table, steps + 1);
            if steps > mapped.len() {
                problems.add_for_table(
                    &child.rule.name,
                    "its path of ownership is a cycle and never reaches a Clerk user id",
                    "Give one of the tables an owner column that holds the Clerk user id",
                );
                break;
            }
        }
    }
    owners
}

fn resolve_owner(
    child: &MappedTable<'_>,
    mapped: &MappedTables<'_>,
    catalog: &PgCatalog,
    problems: &mut Problems,
) -> ResolvedOwner {
    let (column, table) = match &child.rule.owner {
        Owner::Column(column) => return ResolvedOwner::Column(quote_identifier(column)),
        Owner::Path { column, table } => (column, table),
    };
    let Some(parent_index) = mapped.position(|parent| parent.rule.name == *table) else {
        problems.add_for_column(
            &child.rule.name,
            column,
            format!("the path leads to {table}, which has no rule"),
            "Add a rule for that table, or correct the path",
        );
        return ResolvedOwner::Column(quote_identifier(column));
    };
    let parent = &mapped[parent_index];
    let foreign_key = catalog
        .foreign_keys_of(child.relation_index)
        .find(|key| key.parent == parent.relation_index && key.columns == [column.as_str()]);
    let target = match (foreign_key, parent.relation.primary_key.as_slice()) {
        (Some(key), _) => key.parent_columns[0].clone(),
        (None, [only]) => only.clone(),
        (None, _) => String::new(),
    };
    let types = (child.relation.column(column), parent.relation.column(&target));
    let types_match = matches!(types, (Some(child), Some(parent)) if child.base_type == parent.base_type);
    if !types_match && foreign_key.is_none() {
        problems.add_for_column(
            &child.rule.name,
            column,
            format!("no foreign key leads from here to {table}, and its primary key isn't one column of this type"),
            "Add the foreign key, or name the column that has one",
        );
    }
    let (child_removal, parent_erase) = (child.rule.erase.strategy().removal(), parent.rule.erase.strategy());
    if foreign_key.is_none() && child_removal.sort_key() > parent_erase.removal().sort_key() {
        references::report_outlives(child, parent, column, "their owner could no longer be found", problems);
    }
    let parent_owner = parent.rule.owner.column();
    if parent_erase.overwrites(parent_owner) && child_removal != Removal::Immediate {
        problems.add_for_column(
            &parent.rule.name,
            parent_owner,
            format!("scrubbing it would leave rows of {} without an owner", child.rule.name),
            "Leave this column, or delete those rows",
        );
    }
    ResolvedOwner::Path { column: quote_identifier(column), table: parent_index, target: quote_identifier(&target) }
}
