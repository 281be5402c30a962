//! Other people's rows that reference rows of the person: foreign keys that would block a deletion or silently
//! cascade, and what the map decides about them.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::PgCatalog;
use super::choice;
use super::erase::Removal;
use super::error::Problems;
use super::foreign_keys;
use super::grammar::ReferenceAction;
use super::index::{ForeignKeyIndex, IndexedVec, RelationIndex, TableIndex};
use super::mapped::{MappedTable, MappedTables};
use super::resolved::{ReferenceTarget, ResolvedAction, ResolvedReference};
use super::rules::{Owner, Reference};
use super::sql::quote_identifier;
use super::version::Version;

/// Returns every table whose foreign keys lead to `known`, directly or not, with such a key.
pub(super) fn referencing_tables(
    known: &BTreeSet<RelationIndex>,
    catalog: &PgCatalog,
) -> BTreeMap<RelationIndex, ForeignKeyIndex> {
    let mut found = BTreeMap::new();
    let mut next: Vec<RelationIndex> = known.iter().copied().collect();
    while let Some(parent) = next.pop() {
        for (index, key) in catalog.foreign_keys.enumerate().filter(|(_, key)| key.parent == parent) {
            if !known.contains(&key.child) && !found.contains_key(&key.child) {
                found.insert(key.child, index);
                next.push(key.child);
            }
        }
    }
    found
}

type References = IndexedVec<TableIndex, Vec<ResolvedReference>>;

/// Returns what happens to other people's rows, by table. Reports foreign keys about which the map decides nothing.
pub(super) fn resolve(
    version: Version,
    mapped: &MappedTables<'_>,
    ignored: &BTreeSet<RelationIndex>,
    catalog: &PgCatalog,
    problems: &mut Problems,
) -> References {
    for key in catalog.foreign_keys.iter() {
        foreign_keys::check(key, mapped, ignored, catalog, problems);
    }
    for child in mapped.iter() {
        check_other_user_id_columns(version, child, mapped, catalog, problems);
        if child.rule.subject && child.rule.deletes_rows_of_others() {
            let message = "other people's accounts would be deleted with the person's";
            problems.add_for_table(&child.rule.name, message, "Use \"detach\" or \"null\" instead of \"delete\"");
        }
    }
    let references: References = mapped
        .iter()
        .map(|child| {
            let references = child.rule.references.iter();
            references.flat_map(|reference| resolve_reference(reference, child, mapped, catalog, problems)).collect()
        })
        .collect();
    for (index, child) in mapped.enumerate() {
        if has_delete_cycle(index, &references) {
            problems.add_for_table(
                &child.rule.name,
                "deleting other people's rows along its references leads back to it in a cycle",
                "Use others = \"detach\" or \"none\" for one of the references. If all are NOT NULL, let the rows stay and forget whose they are: \
                 erase = { scrub = { <owner> = \"ghost\" }, leave = \"rest\", reason = \"..\" }",
            );
        }
    }
    references
}

/// Reports further columns that may hold a Clerk user id, with or without a foreign key, if the map doesn't decide
/// about them.
fn check_other_user_id_columns(
    version: Version,
    MappedTable { rule, relation, relation_index }: &MappedTable<'_>,
    mapped: &MappedTables<'_>,
    catalog: &PgCatalog,
    problems: &mut Problems,
) {
    for column in relation.columns.iter().filter(|column| column.may_hold_user_id_in(version)) {
        let name = &column.name;
        // A foreign key says what the values are, and what others reference is a key of these rows.
        let is_key = catalog.is_referenced(*relation_index, name)
            || catalog.foreign_keys_of(*relation_index).any(|key| key.columns.contains(name));
        if version == Version::Second && is_key {
            continue;
        }
        let is_decided = rule.owner_columns().any(|owner| owner == name)
            // A scrub changes the person's own rows, and no row of others that names them.
            || version == Version::First && rule.erase.strategy().overwrites(name)
            || rule.mentions_of(name).next().is_some()
            || rule.references.iter().any(|reference| reference.column == *name);
        if !is_decided {
            let keys = if version == Version::Second { keys_of_people(name, mapped) } else { Vec::new() };
            let header = if rule.subject { "subject.mention" } else { "table.mention" };
            problems.add_with_choices(
                &rule.name,
                name,
                "the column may hold the Clerk user id of somebody who doesn't own the row",
                format!(
                    "Say what becomes of it: [[table.mention]] columns = [\"{name}\"], erase = {} (or \"delete\", {{ keep = \"reason\" }}; \"none\" if it holds no Clerk ids){}",
                    if column.nullable { "\"null\"" } else { "\"unique\"" },
                    keys.iter().map(|key| ["; \"", key, "\" if it holds keys of that table"].concat()).collect::<Vec<_>>().concat()
                ),
                choice::of_user_id(header, name, column.nullable, &keys),
            );
        }
    }
}

/// Returns how to write a column that holds keys of people's rows, and not their Clerk ids, where those are texts too.
fn keys_of_people(column: &str, mapped: &MappedTables<'_>) -> Vec<String> {
    let people = mapped.iter().filter(|table| table.rule.subject);
    let keys = people.filter_map(|table| match table.relation.primary_key.as_slice() {
        [key] if !table.rule.holds_user_id(key) && table.relation.column(key)?.is_text() => {
            Some(format!("{column} -> {}({key})", table.rule.name))
        }
        _ => None,
    });
    keys.collect()
}

fn resolve_reference(
    reference: &Reference,
    child: &MappedTable<'_>,
    mapped: &MappedTables<'_>,
    catalog: &PgCatalog,
    problems: &mut Problems,
) -> Vec<ResolvedReference> {
    let (table, name) = (&child.rule.name, &reference.column);
    let Some(column) = child.relation.column(name) else {
        problems.add_unknown_column(table, name, "reference");
        return Vec::new();
    };
    if reference.action == ReferenceAction::Detach && (!column.nullable || column.generated) {
        problems.add_for_column(
            table,
            name,
            "the column is NOT NULL, so rows can't be detached",
            format!(
                "Use others = \"delete\", or ALTER TABLE {} ALTER {} DROP NOT NULL",
                child.relation.quoted_name(),
                quote_identifier(name)
            ),
        );
    }
    if reference.action == ReferenceAction::Detach && catalog.is_referenced(child.relation_index, name) {
        let message = "other rows reference this column, so it can't become NULL";
        problems.add_for_column(table, name, message, "Use others = \"delete\"");
    }
    let is_owner = child.rule.owner_columns().any(|owner| owner == name);
    if is_owner && reference.action == ReferenceAction::Detach {
        problems.add_for_column(
            table,
            name,
            "the column is the row's owner; rows without an owner could no longer be found",
            "Use others = \"delete\"",
        );
    } else if is_owner && child.rule.user_id_column() == Some(name) {
        problems.add_for_column(
            table,
            name,
            "the column is the row's owner, so other people's rows can't hold the person's Clerk user id there",
            "Remove this [[table.reference]]",
        );
    }
    let foreign_keys = catalog.foreign_keys_of(child.relation_index).filter(|key| key.columns.contains(name));
    let mut targets: Vec<ReferenceTarget> = foreign_keys
        .filter_map(|key| {
            let table = mapped.index_of_relation(key.parent)?;
            let pairs = key.columns.iter().zip(&key.parent_columns);
            let columns = pairs.map(|(child, parent)| (quote_identifier(child), quote_identifier(parent))).collect();
            Some(ReferenceTarget::Rows { table, columns, may_dangle: false })
        })
        .collect();
    if targets.is_empty() && column.is_text() {
        targets.push(ReferenceTarget::UserId);
    }
    if targets.is_empty() {
        problems.add_for_column(
            table,
            name,
            "no foreign key leads from here to a mapped table, and the column can't hold a Clerk user id",
            "Remove this [[table.reference]]",
        );
    }
    check_rows_without_owner(name, &targets, child, mapped, problems);
    if reference.action == ReferenceAction::Detach {
        check_user_id_is_detached(name, child, mapped, catalog, problems);
    }
    let resolve_target = |target| ResolvedReference {
        name: name.clone(),
        column: quote_identifier(name),
        target,
        action: match reference.action {
            ReferenceAction::Detach => ResolvedAction::Detach,
            ReferenceAction::Delete => ResolvedAction::Delete,
            ReferenceAction::Forbid => ResolvedAction::Forbid,
        },
        is_mention: false,
    };
    targets.into_iter().map(resolve_target).collect()
}

/// A foreign key of several columns is detached by one of them; the Clerk user id in another would stay in others' rows.
fn check_user_id_is_detached(
    detached: &str,
    child: &MappedTable<'_>,
    mapped: &MappedTables<'_>,
    catalog: &PgCatalog,
    problems: &mut Problems,
) {
    let keys =
        catalog.foreign_keys_of(child.relation_index).filter(|key| key.columns.iter().any(|name| name == detached));
    let parents = keys.filter_map(|key| Some((key, &mapped[mapped.index_of_relation(key.parent)?])));
    for (key, parent) in parents {
        for (column, there) in key.columns.iter().zip(&key.parent_columns) {
            let is_decided = column == detached
                || child.rule.owner_columns().any(|owner| owner == column)
                || child.rule.detaches(column)
                || child.rule.is_cut_by_mention(column);
            if parent.rule.holds_user_id(there) && !is_decided {
                let message = "the column holds the Clerk user id, which would stay in other people's rows";
                let remedy = "Detach this column instead of the others of the foreign key";
                problems.add_for_column(&child.rule.name, column, message, remedy);
            }
        }
    }
}

/// Reports a column by which the person's own rows still lead to them after a scrub made them nobody's. A second deletion would
/// take them for rows of others.
fn check_rows_without_owner(
    column: &str,
    targets: &[ReferenceTarget],
    child: &MappedTable<'_>,
    mapped: &MappedTables<'_>,
    problems: &mut Problems,
) {
    let erase = child.rule.erase.strategy();
    let is_overwritten = |owner: &Owner| owner.path.columns().iter().any(|column| erase.overwrites(column));
    let stays = |target: &ReferenceTarget| match target {
        ReferenceTarget::UserId | ReferenceTarget::UserIdWithin(_) => true,
        ReferenceTarget::Rows { table, .. } => mapped[*table].rule.erase.strategy().removal() != Removal::Immediate,
    };
    if child.rule.owners.iter().any(is_overwritten) && !erase.overwrites(column) && targets.iter().any(stays) {
        problems.add_for_column(
            &child.rule.name,
            column,
            "the scrub takes the owner away from rows that stay, and this column may still lead to them",
            format!("Add {column} to scrub, or leave the owner's column"),
        );
    }
}

/// Whether `others = "delete"` leads from the table back to itself.
fn has_delete_cycle(table: TableIndex, references: &References) -> bool {
    let deleted_with = |table: TableIndex| {
        references[table].iter().filter_map(|reference| match reference.target {
            ReferenceTarget::Rows { table, .. }
                if reference.action == ResolvedAction::Delete && !reference.is_mention =>
            {
                Some(table)
            }
            ReferenceTarget::Rows { .. } | ReferenceTarget::UserId | ReferenceTarget::UserIdWithin(_) => None,
        })
    };
    let mut seen = BTreeSet::new();
    let mut next: Vec<TableIndex> = deleted_with(table).collect();
    while let Some(other) = next.pop() {
        if other == table {
            return true;
        }
        if seen.insert(other) {
            next.extend(deleted_with(other));
        }
    }
    false
}
