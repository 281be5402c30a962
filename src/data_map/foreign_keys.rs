//! What foreign keys to rows that are deleted would do: block the deletion, or silently delete or change other rows. Whatever the map
//! doesn't decide is reported.

use std::collections::BTreeSet;

use super::catalog::{ForeignKey, PgCatalog};
use super::choice;
use super::erase::Removal;
use super::error::Problems;
use super::index::RelationIndex;
use super::lifetimes;
use super::mapped::{MappedTable, MappedTables};
use super::path::OwnerPath;
use super::rules::MentionAction;

/// Reports what the map has to decide about a foreign key.
pub(super) fn check(
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
        if deletes_others {
            check_rows_that_stay(key, child, parent, problems);
        }
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
    let is_detached = key
        .columns
        .iter()
        .any(|column| child_erase.cuts(column) || child.rule.is_cut_by_mention(column) || child.rule.detaches(column));
    let outlives = child_erase.removal().sort_key() > parent_erase.removal().sort_key();
    if child.relation_index == parent.relation_index || is_detached || !outlives {
        return;
    }
    let consequence = format!("the foreign key {} {}", key.name, key.on_delete.consequence_for_own_rows());
    lifetimes::report_outlives(child, parent, &key.columns[0], &consequence, problems);
}

/// Reports a foreign key by which the person's own rows that stay may reference rows of others that are deleted.
fn check_rows_that_stay(key: &ForeignKey, child: &MappedTable<'_>, parent: &MappedTable<'_>, problems: &mut Problems) {
    let erase = child.rule.erase.strategy();
    let is_cut = key.columns.iter().any(|column| erase.cuts(column) || child.rule.detaches(column));
    if erase.removal() == Removal::Immediate || is_cut || always_same_owner(child, parent, key) {
        return;
    }
    problems.add_for_column(
        &child.rule.name,
        &key.columns[0],
        format!(
            "its rows {}, but other people's rows of {} that they may reference are deleted with the person's; the foreign key {} {}",
            erase.removal().describe(),
            parent.rule.name,
            key.name,
            key.on_delete.consequence_for_own_rows()
        ),
        format!("Add [[table.reference]] with others = \"detach\" for this column, or let no rows of others be deleted in {}: use \"detach\", \"null\" or \"none\" there", parent.rule.name),
    );
}

/// Reports a foreign key by which other people's rows may reference deleted rows, if the map doesn't decide about it.
fn check_decision(key: &ForeignKey, child: &MappedTable<'_>, parent: &MappedTable<'_>, problems: &mut Problems) {
    if child.rule.references.iter().any(|reference| key.columns.contains(&reference.column)) {
        return;
    }
    let column = &key.columns[0];
    let mentions = key.columns.iter().flat_map(|column| child.rule.mentions_of(column)).collect::<Vec<_>>();
    // A mention changes rows that lead to the person, and none that reference rows of others which are deleted with theirs.
    if !mentions.is_empty() && !parent.rule.deletes_rows_of_others() {
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
    // Rows without an owner could no longer be found.
    let is_owner = child.rule.owner_columns().any(|owner| owner == column);
    let can_detach = is_nullable && !is_owner;
    let suggestion = if can_detach { "detach" } else { "delete" };
    let header = if child.rule.subject { "subject.reference" } else { "table.reference" };
    problems.add_with_choices(
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
        choice::of_reference(header, &key.columns, can_detach),
    );
}

/// Whether the foreign key always connects rows of the same person.
fn always_same_owner(child: &MappedTable<'_>, parent: &MappedTable<'_>, key: &ForeignKey) -> bool {
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
        OwnerPath::Child { .. } | OwnerPath::Address { .. } | OwnerPath::Within { .. } => false,
    })
}

/// Whether rows of the parent are found by this foreign key, so that they stay as long as others' rows reference them.
fn goes_with_last_reference(child: &MappedTable<'_>, parent: &MappedTable<'_>, key: &ForeignKey) -> bool {
    parent.rule.owners.iter().any(|owner| match &owner.path {
        OwnerPath::Child { target, .. } => target.is(&child.rule.name, &key.columns),
        OwnerPath::Column(_) | OwnerPath::Address { .. } | OwnerPath::Parent { .. } | OwnerPath::Within { .. } => false,
    })
}
