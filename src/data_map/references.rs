//! Other people's rows that reference rows of the person: foreign keys that would block a deletion or silently
//! cascade, and what the map decides about them.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::{ForeignKey, OnDelete, PgCatalog};
use super::erase::Removal;
use super::error::Problems;
use super::grammar::ReferenceAction;
use super::index::{ForeignKeyIndex, IndexedVec, RelationIndex, TableIndex};
use super::lifetimes;
use super::mapped::{MappedTable, MappedTables};
use super::path::OwnerPath;
use super::resolved::{ReferenceTarget, ResolvedAction, ResolvedReference};
use super::rules::{MentionAction, Reference};
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
        check_foreign_key(key, mapped, ignored, catalog, problems);
    }
    for child in mapped.iter() {
        check_other_user_id_columns(version, child, problems);
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
                "Use others = \"detach\" or \"none\" for one of the references",
            );
        }
    }
    references
}

fn check_foreign_key(
    key: &ForeignKey,
    mapped: &MappedTables<'_>,
    ignored: &BTreeSet<RelationIndex>,
    catalog: &PgCatalog,
    problems: &mut Problems,
) {
    let Some(parent) = mapped.of_relation(key.parent) else { return };
    let deletes_others = parent.rule.deletes_rows_of_others();
    if parent.rule.erase.strategy().removal() == Removal::Never && !deletes_others {
        return;
    }
    if let Some(child) = mapped.of_relation(key.child) {
        check_lifetimes(key, child, parent, problems);
        if deletes_others || !(always_same_owner(child, parent, key) || goes_with_last_reference(child, parent, key)) {
            check_decision(key, child, parent, problems);
        }
    } else if ignored.contains(&key.child) {
        let consequence = key.on_delete.consequence();
        problems.add_for_column(
            &catalog.relations[key.child].name(),
            &key.columns[0],
            format!("the table is ignored, but its foreign key {} to {} {consequence}", key.name, parent.rule.name),
            "Add a rule for the table instead",
        );
    }
}

/// Reports rows that would stay longer than the rows that they reference.
fn check_lifetimes(key: &ForeignKey, child: &MappedTable<'_>, parent: &MappedTable<'_>, problems: &mut Problems) {
    let (child_erase, parent_erase) = (child.rule.erase.strategy(), parent.rule.erase.strategy());
    let is_detached = key.columns.iter().any(|column| child_erase.cuts(column) || child.rule.is_cut_by_mention(column));
    let outlives = child_erase.removal().sort_key() > parent_erase.removal().sort_key();
    if child.relation_index == parent.relation_index || is_detached || !outlives {
        return;
    }
    let consequence = match key.on_delete {
        OnDelete::NoAction | OnDelete::Restrict => "would block the deletion",
        OnDelete::Cascade => "would silently delete them (ON DELETE CASCADE)",
        OnDelete::SetNull | OnDelete::SetDefault => "would silently change them",
    };
    let consequence = format!("the foreign key {} {consequence}", key.name);
    lifetimes::report_outlives(child, parent, &key.columns[0], &consequence, problems);
}

/// Reports a foreign key by which other people's rows may reference deleted rows, if the map doesn't decide about it.
fn check_decision(key: &ForeignKey, child: &MappedTable<'_>, parent: &MappedTable<'_>, problems: &mut Problems) {
    if child.rule.references.iter().any(|reference| key.columns.contains(&reference.column)) {
        return;
    }
    let column = &key.columns[0];
    let mentions = key.columns.iter().flat_map(|column| child.rule.mentions_of(column)).collect::<Vec<_>>();
    if !mentions.is_empty() {
        if mentions.iter().all(|mention| matches!(mention.action, MentionAction::Keep { .. })) {
            problems.add_for_column(
                &child.rule.name,
                column,
                format!("the mention stays, but the row of {} that it references goes", parent.rule.name),
                format!("Overwrite the mention, or scrub or keep {}", parent.rule.name),
            );
        }
        return;
    }
    let is_nullable = child.relation.column(column).is_some_and(|column| column.nullable);
    let suggestion = if is_nullable { "detach" } else { "delete" };
    problems.add_for_column(
        &child.rule.name,
        column,
        format!(
            "other people's rows may reference rows of {} that are deleted; the foreign key {} {}",
            parent.rule.name,
            key.name,
            key.on_delete.consequence()
        ),
        format!(
            "Decide with [[table.reference]] column = \"{column}\", others = \"{suggestion}\" (or \"none\" if there are no such rows) and a reason"
        ),
    );
}

/// Whether the foreign key always connects rows of the same person.
pub(super) fn always_same_owner(child: &MappedTable<'_>, parent: &MappedTable<'_>, key: &ForeignKey) -> bool {
    let holds_user_id = |column: &String| {
        parent
            .rule
            .owners
            .iter()
            .any(|owner| owner.filter.is_empty() && owner.path == OwnerPath::Column(column.clone()))
    };
    child.rule.owners.iter().filter(|owner| owner.filter.is_empty()).any(|owner| match &owner.path {
        OwnerPath::Column(column) => {
            key.columns.iter().zip(&key.parent_columns).any(|(here, there)| here == column && holds_user_id(there))
        }
        OwnerPath::Parent { columns, target } => {
            target.is(&parent.rule.name, &key.parent_columns) && *columns == key.columns
        }
        OwnerPath::Child { .. } => false,
    })
}

/// Whether rows of the parent are found by this foreign key, so that they stay as long as others' rows reference them.
fn goes_with_last_reference(child: &MappedTable<'_>, parent: &MappedTable<'_>, key: &ForeignKey) -> bool {
    parent.rule.owners.iter().any(|owner| match &owner.path {
        OwnerPath::Child { target, .. } => target.is(&child.rule.name, &key.columns),
        OwnerPath::Column(_) | OwnerPath::Parent { .. } => false,
    })
}

/// Reports further columns that may hold a Clerk user id, with or without a foreign key, if the map doesn't decide
/// about them.
fn check_other_user_id_columns(
    version: Version,
    MappedTable { rule, relation, .. }: &MappedTable<'_>,
    problems: &mut Problems,
) {
    for column in relation.columns.iter().filter(|column| column.may_hold_user_id_in(version)) {
        let name = &column.name;
        let is_decided = rule.owner_columns().any(|owner| owner == name)
            || rule.erase.strategy().overwrites(name)
            || rule.mentions_of(name).next().is_some()
            || rule.references.iter().any(|reference| reference.column == *name);
        if !is_decided {
            problems.add_for_column(
                &rule.name,
                name,
                "the column may hold the Clerk user id of somebody who doesn't own the row",
                format!(
                    "Say what becomes of it: [[table.mention]] columns = [\"{name}\"], erase = \"null\" (or \"ghost\", \"delete\", \"none\", {{ keep = \"reason\" }})"
                ),
            );
        }
    }
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
            Some(ReferenceTarget::Rows { table, columns })
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

/// Whether `others = "delete"` leads from the table back to itself.
fn has_delete_cycle(table: TableIndex, references: &References) -> bool {
    let deleted_with = |table: TableIndex| {
        references[table].iter().filter_map(|reference| match reference.target {
            ReferenceTarget::Rows { table, .. }
                if reference.action == ResolvedAction::Delete && !reference.is_mention =>
            {
                Some(table)
            }
            ReferenceTarget::Rows { .. } | ReferenceTarget::UserId => None,
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
