//! What is written to rows that stay with others when one of their owners leaves.

use super::erase::EraseTarget;
use super::error::Problems;
use super::mapped::{MappedTable, MappedTables};
use super::owners::{FoundOwners, has_several_owners};
use super::path_finder::FoundPath;
use super::rules::Owner;
use super::value::NewValue;

/// Reports owners that couldn't leave, and values that the database wouldn't take.
pub(super) fn check(
    table: &MappedTable<'_>,
    target: &EraseTarget<'_>,
    found: &FoundOwners,
    mapped: &MappedTables<'_>,
    problems: &mut Problems,
) {
    let has_several = has_several_owners(&table.rule.owners);
    for (owner, path) in table.rule.owners.iter().zip(&found.paths) {
        let others = || table.rule.owners.iter().filter(|other| *other != owner);
        let is_of_other = |column: &&String| {
            others().any(|other| other.path.columns().contains(column)) && !path.columns().contains(column)
        };
        for column in owner.forget.keys().filter(is_of_other) {
            let message = "the column leads to another owner, whose the row would no longer be";
            problems.add_for_column(&table.rule.name, column, message, "Remove it from forget");
        }
        for column in owner.forget.keys().filter(|column| others().any(|other| other.filter.contains_key(*column))) {
            let message = "`where` of another owner reads the column, so the row would no longer be theirs";
            problems.add_for_column(&table.rule.name, column, message, "Remove it from forget");
        }
        for (column, value) in &owner.forget {
            target.value_target().check("forget", column, value, problems);
            target.check_identifies_no_row(column, problems);
            target.check_leads_to_no_row(column, true, problems);
        }
        if has_several {
            check_path_is_cut(table, owner, path, problems);
            check_user_id_is_forgotten(table, owner, path, mapped, problems);
        } else if !owner.forget.is_empty() {
            problems.add_for_table(
                &table.rule.name,
                format!("`forget` of the owner {} never counts: no row has further owners", owner.path),
                "Remove it, or write erase = { scrub = .. } if the rows stay",
            );
        }
    }
}

/// A path over several columns is cut by one of them; the Clerk user id in another would stay.
fn check_user_id_is_forgotten(
    table: &MappedTable<'_>,
    owner: &Owner,
    path: &FoundPath,
    mapped: &MappedTables<'_>,
    problems: &mut Problems,
) {
    let FoundPath::Parent { columns, table: parent, target } = path else { return };
    for (column, there) in columns.iter().zip(target).filter(|_| columns.len() > 1) {
        if mapped[*parent].rule.holds_user_id(there) && !owner.forget.contains_key(column) {
            let message = "the column holds the Clerk user id, which would stay in the row when this owner leaves";
            let value =
                if table.relation.column(column).is_some_and(|column| column.nullable) { "null" } else { "unique" };
            let remedy = format!("Add {column} = \"{value}\" to forget of this owner");
            problems.add_for_column(&table.rule.name, column, message, remedy);
        }
    }
}

/// After somebody has left, the row must not lead to them any more.
fn check_path_is_cut(table: &MappedTable<'_>, owner: &Owner, path: &FoundPath, problems: &mut Problems) {
    let columns = match path {
        FoundPath::Child { .. } => return,
        FoundPath::UserId(column) | FoundPath::Address { column, .. } => std::slice::from_ref(column),
        FoundPath::Parent { columns, .. } => columns,
    };
    let is_cut = columns.iter().any(|column| match owner.forget.get(column) {
        None => false,
        Some(NewValue::Null | NewValue::Ghost) => true,
        Some(NewValue::Value(_) | NewValue::Unique(_) | NewValue::Neutral) => {
            matches!(path, FoundPath::UserId(_) | FoundPath::Address { .. })
        }
    });
    if !is_cut {
        let column = &columns[0];
        let is_nullable = table.relation.column(column).is_some_and(|column| column.nullable);
        let is_unique = table.relation.is_unique_key(std::slice::from_ref(column));
        let add = |value: &str| format!("Add forget = {{ {column} = {value} }} to this owner");
        let remedy = match (is_nullable, path) {
            (true, _) => add("\"null\""),
            (false, FoundPath::UserId(_) | FoundPath::Address { .. }) => add("\"unique\""),
            // Two people's rows would have the same ghost in it.
            (false, _) if is_unique => format!(
                "Remove this owner and write [[table.mention]] columns = [\"{column}\"], erase = \"delete\": the column is NOT NULL and \
                 unique, so nothing else can stand in it"
            ),
            (false, _) => add("\"ghost\""),
        };
        problems.add_for_column(
            &table.rule.name,
            column,
            "a row can have further owners, and the map doesn't say how it forgets this one when they leave",
            remedy,
        );
    }
}
