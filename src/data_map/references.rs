//! How the mapped tables hang together: paths of ownership, foreign keys that would block or
//! silently cascade, and the order that follows.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::{ForeignKey, OnDelete, PgCatalog};
use super::check::{MappedTable, Problems, direct_owner};
use super::column_names;
use super::resolved::{Removal, ResolvedOwner, ResolvedReference, Target};
use super::rules::{Erase, Owner, Reference, ReferenceAction, Scrub};
use super::sql::quote_identifier;
use super::topology::{self, CycleBreak, Edge};

/// Every table from which foreign keys lead to `known`, directly or not, with the key that does.
pub(super) fn referencing_tables(known: &BTreeSet<usize>, catalog: &PgCatalog) -> BTreeMap<usize, usize> {
    let mut reached = BTreeMap::new();
    let mut next: Vec<usize> = known.iter().copied().collect();
    while let Some(parent) = next.pop() {
        for (index, key) in catalog.foreign_keys.iter().enumerate().filter(|(_, key)| key.parent == parent) {
            if !known.contains(&key.child) && !reached.contains_key(&key.child) {
                reached.insert(key.child, index);
                next.push(key.child);
            }
        }
    }
    reached
}

/// The owner of each table, with every path followed to a column that holds the key.
pub(super) fn resolve_owners(
    mapped: &[MappedTable<'_>],
    catalog: &PgCatalog,
    findings: &mut Problems,
) -> Vec<ResolvedOwner> {
    let owners: Vec<ResolvedOwner> =
        mapped.iter().map(|child| resolve_owner(child, mapped, catalog, findings)).collect();
    for (index, child) in mapped.iter().enumerate() {
        let (mut place, mut steps) = (index, 0);
        while let ResolvedOwner::Path { table, .. } = &owners[place] {
            (place, steps) = (*table, steps + 1);
            if steps > mapped.len() {
                findings.add_for_table(
                    &child.rule.name,
                    "its path of ownership runs in a circle and never reaches a key",
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
    mapped: &[MappedTable<'_>],
    catalog: &PgCatalog,
    findings: &mut Problems,
) -> ResolvedOwner {
    let (column, table) = match &child.rule.owner {
        Owner::Column(column) => return direct_owner(column),
        Owner::Path { column, table } => (column, table),
    };
    let Some(place) = mapped.iter().position(|parent| parent.rule.name == *table) else {
        findings.add_for_column(
            &child.rule.name,
            column,
            format!("the path leads to {table}, which has no rule"),
            "Give that table a rule, or correct the path",
        );
        return direct_owner(column);
    };
    let parent = &mapped[place];
    let key = catalog
        .foreign_keys_of(child.relation_index)
        .find(|key| key.parent == parent.relation_index && key.columns == [column.as_str()]);
    let target = match (key, parent.relation.primary_key.as_slice()) {
        (Some(key), _) => key.parent_columns[0].clone(),
        (None, [only]) => only.clone(),
        (None, _) => String::new(),
    };
    let types = (child.relation.column(column), parent.relation.column(&target));
    let fits = matches!(types, (Some(here), Some(there)) if here.base_type == there.base_type);
    if !fits && key.is_none() {
        findings.add_for_column(
            &child.rule.name,
            column,
            format!("no foreign key leads from here to {table}, and its primary key isn't one column of this type"),
            "Add the foreign key, or name the column that has one",
        );
    }
    if key.is_none() && child.rule.erase.removal().sort_key() > parent.rule.erase.removal().sort_key() {
        report_outlives(child, parent, column, "nobody could find them any more", findings);
    }
    let scrubbed =
        matches!(&parent.rule.erase, Erase::Scrub { columns, .. } if columns.contains_key(parent.rule.owner.column()));
    if scrubbed && child.rule.erase.removal() != Removal::Immediate {
        findings.add_for_column(
            &parent.rule.name,
            parent.rule.owner.column(),
            format!("scrubbing it would leave rows of {} without an owner", child.rule.name),
            "Leave this column, or delete those rows",
        );
    }
    ResolvedOwner::Path { column: quote_identifier(column), table: place, target: quote_identifier(&target) }
}

/// What happens to other people's rows, for each table; complains about foreign keys on which
/// nothing is decided.
pub(super) fn resolve_references(
    mapped: &[MappedTable<'_>],
    ignored: &BTreeSet<usize>,
    catalog: &PgCatalog,
    findings: &mut Problems,
) -> Vec<Vec<ResolvedReference>> {
    for key in &catalog.foreign_keys {
        let Some(parent) = mapped.iter().find(|parent| parent.relation_index == key.parent) else { continue };
        let vanishes = parent.rule.erase.removal() != Removal::Never;
        let draws = parent.rule.references.iter().any(|reference| reference.action == ReferenceAction::Delete);
        if !vanishes && !draws {
            continue;
        }
        if let Some(child) = mapped.iter().find(|child| child.relation_index == key.child) {
            check_foreign_key(child, parent, key, draws, findings);
        } else if ignored.contains(&key.child) {
            findings.add_for_column(
                &catalog.relations[key.child].name(),
                &key.columns[0],
                format!(
                    "the table is ignored, but its foreign key {} to {} {}",
                    key.name,
                    parent.rule.name,
                    key.on_delete.consequence()
                ),
                "Give the table a rule instead",
            );
        }
    }
    for child in mapped {
        check_other_user_id_columns(child, findings);
    }
    let links: Vec<Vec<ResolvedReference>> = mapped
        .iter()
        .map(|child| {
            let references = child.rule.references.iter();
            references.flat_map(|reference| resolve_reference(reference, child, mapped, catalog, findings)).collect()
        })
        .collect();
    for (place, child) in mapped.iter().enumerate() {
        if has_delete_cycle(place, &links) {
            findings.add_for_table(
                &child.rule.name,
                "other people's rows that are deleted along its references lead back to it in a circle",
                "Use others = \"detach\" or \"none\" for one of the references",
            );
        }
    }
    links
}

/// Whether `others = "delete"` leads from the table back to itself.
fn has_delete_cycle(place: usize, links: &[Vec<ResolvedReference>]) -> bool {
    let drawn = |place: usize| {
        links[place].iter().filter_map(|reference| match reference.target {
            Target::Rows { table, .. } if reference.action == ReferenceAction::Delete => Some(table),
            Target::Rows { .. } | Target::Key => None,
        })
    };
    let (mut seen, mut next): (BTreeSet<usize>, Vec<usize>) = (BTreeSet::new(), drawn(place).collect());
    while let Some(other) = next.pop() {
        if other == place {
            return true;
        }
        if seen.insert(other) {
            next.extend(drawn(other));
        }
    }
    false
}

/// Checks one foreign key between two mapped tables.
fn check_foreign_key(
    child: &MappedTable<'_>,
    parent: &MappedTable<'_>,
    key: &ForeignKey,
    draws: bool,
    findings: &mut Problems,
) {
    let (own, gone) = (child.rule.erase.removal(), parent.rule.erase.removal());
    let cut = matches!(&child.rule.erase, Erase::Scrub { columns, .. }
        if key.columns.iter().any(|column| columns.get(column) == Some(&Scrub::Null)));
    if child.relation_index != parent.relation_index && own.sort_key() > gone.sort_key() && !cut {
        let what = match key.on_delete {
            OnDelete::NoAction | OnDelete::Restrict => "would block the deletion",
            OnDelete::Cascade => "would silently delete them (ON DELETE CASCADE)",
            OnDelete::SetNull | OnDelete::SetDefault => "would silently change them",
        };
        report_outlives(child, parent, &key.columns[0], &format!("the foreign key {} {what}", key.name), findings);
    }
    if always_same_owner(child, parent, key) && !draws {
        return;
    }
    let decision = child.rule.references.iter().find(|reference| key.columns.contains(&reference.column));
    let name = &child.rule.name;
    if decision.is_none() {
        let column = &key.columns[0];
        let how = if child.relation.column(column).is_some_and(|column| column.nullable) { "detach" } else { "delete" };
        findings.add_for_column(
            name,
            column,
            format!(
                "rows of other people may point to rows of {} that go; the foreign key {} {}",
                parent.rule.name,
                key.name,
                key.on_delete.consequence()
            ),
            format!(
                "Decide with [[table.reference]] column = \"{column}\", others = \"{how}\" (or \"none\" where there are no such rows) and a reason"
            ),
        );
    }
}

fn report_outlives(
    child: &MappedTable<'_>,
    parent: &MappedTable<'_>,
    column: &str,
    consequence: &str,
    findings: &mut Problems,
) {
    findings.add_for_column(
        &child.rule.name,
        column,
        format!(
            "its rows {}, but the rows of {} that they point to {}; {consequence}",
            child.rule.erase.removal().describe(),
            parent.rule.name,
            parent.rule.erase.removal().describe()
        ),
        format!("Let {} stay as long (keep, stamp or scrub), or let these rows go as early", parent.rule.name),
    );
}

/// Whether the key can only lead from a person's row to a row of the same person.
pub(super) fn always_same_owner(child: &MappedTable<'_>, parent: &MappedTable<'_>, key: &ForeignKey) -> bool {
    match (&child.rule.owner, &parent.rule.owner) {
        (Owner::Path { column, table }, _) => *table == parent.rule.name && key.columns == [column.as_str()],
        (Owner::Column(here), Owner::Column(there)) => {
            key.columns.iter().zip(&key.parent_columns).any(|pair| pair == (here, there))
        }
        (Owner::Column(_), Owner::Path { .. }) => false,
    }
}

/// A second column that may hold somebody's key needs a decision too, foreign key or not.
fn check_other_user_id_columns(MappedTable { rule, relation, .. }: &MappedTable<'_>, findings: &mut Problems) {
    for column in
        relation.columns.iter().filter(|column| column.is_text() && column_names::may_hold_user_id(&column.name))
    {
        let name = &column.name;
        let scrubbed = matches!(&rule.erase, Erase::Scrub { columns, .. } if columns.contains_key(name));
        let settled = rule.owner.column() == name
            || scrubbed
            || rule.references.iter().any(|reference| reference.column == *name);
        if !settled {
            findings.add_for_column(
                &rule.name,
                name,
                "the column may hold the key of somebody who doesn't own the row",
                format!(
                    "Decide with [[table.reference]] column = \"{name}\", others = \"detach\", \"delete\" or \"none\" and a reason"
                ),
            );
        }
    }
}

fn resolve_reference(
    reference: &Reference,
    child: &MappedTable<'_>,
    mapped: &[MappedTable<'_>],
    catalog: &PgCatalog,
    findings: &mut Problems,
) -> Vec<ResolvedReference> {
    let (table, name) = (&child.rule.name, &reference.column);
    let Some(column) = child.relation.column(name) else {
        findings.add_for_column(
            table,
            name,
            "`reference` names a column that the table doesn't have",
            "Correct the name",
        );
        return Vec::new();
    };
    if reference.action == ReferenceAction::Detach && (!column.nullable || column.generated) {
        findings.add_for_column(
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
    let owner = child.rule.owner.column() == name;
    if owner && reference.action == ReferenceAction::Detach {
        findings.add_for_column(
            table,
            name,
            "the column is the row's owner; emptied, it would leave rows that nobody can find any more",
            "Use others = \"delete\"",
        );
    } else if owner && matches!(child.rule.owner, Owner::Column(_)) {
        findings.add_for_column(
            table,
            name,
            "the column is the row's owner, so no other people's rows have the person's key there",
            "Remove this [[table.reference]]",
        );
    }
    let rows =
        catalog.foreign_keys_of(child.relation_index).filter(|key| key.columns.contains(name)).filter_map(|key| {
            let place = mapped.iter().position(|parent| parent.relation_index == key.parent)?;
            let columns = key
                .columns
                .iter()
                .zip(&key.parent_columns)
                .map(|(here, there)| (quote_identifier(here), quote_identifier(there)));
            Some(Target::Rows { table: place, columns: columns.collect() })
        });
    let mut targets: Vec<Target> = rows.collect();
    if targets.is_empty() && column.is_text() {
        targets.push(Target::Key);
    }
    if targets.is_empty() {
        findings.add_for_column(
            table,
            name,
            "no foreign key leads from here to a mapped table, and the column can't hold a Clerk user id",
            "Remove this [[table.reference]]",
        );
    }
    let resolved = |target| ResolvedReference {
        name: name.clone(),
        column: quote_identifier(name),
        target,
        action: reference.action,
    };
    targets.into_iter().map(resolved).collect()
}

/// The order of an erasure and what it takes.
pub(super) struct ErasureOrder {
    pub(super) tables: Vec<usize>,
    /// Constraints to defer, quoted.
    pub(super) deferred: Vec<String>,
    /// By table: columns to empty first, quoted.
    pub(super) unlink_columns: BTreeMap<usize, Vec<String>>,
}

pub(super) fn erasure_order(
    mapped: &[MappedTable<'_>],
    owners: &[ResolvedOwner],
    catalog: &PgCatalog,
    findings: &mut Problems,
) -> ErasureOrder {
    let mut edges = Vec::new();
    for (child, owner) in owners.iter().enumerate() {
        if let ResolvedOwner::Path { table, .. } = owner {
            edges.push(Edge { child, parent: *table, cycle_break: CycleBreak::Impossible });
        }
    }
    for (index, key) in catalog.foreign_keys.iter().enumerate() {
        let find = |place| mapped.iter().position(|mapped| mapped.relation_index == place);
        if let (Some(child), Some(parent)) = (find(key.child), find(key.parent)) {
            edges.push(Edge { child, parent, cycle_break: cycle_break(index, key, &mapped[child], &mapped[parent]) });
        }
    }
    let (places, broken) = topology::topological_sort(mapped.len(), edges).unwrap_or_else(|circle| {
        let names: Vec<&str> = circle.iter().map(|place| mapped[*place].rule.name.as_str()).collect();
        findings.add_for_table(
            names[0],
            format!("foreign keys run in a circle through {}", names.join(", ")),
            "Make one of them DEFERRABLE, or its column nullable",
        );
        (Vec::new(), Vec::new())
    });
    let mut order = ErasureOrder { tables: places, deferred: Vec::new(), unlink_columns: BTreeMap::new() };
    for edge in broken {
        match edge {
            CycleBreak::Defer(key) => {
                let key = &catalog.foreign_keys[key];
                let schema = &catalog.relations[key.child].schema;
                order.deferred.push(format!("{}.{}", quote_identifier(schema), quote_identifier(&key.name)));
            }
            CycleBreak::Unlink(key) => {
                let key = &catalog.foreign_keys[key];
                let child = mapped.iter().position(|mapped| mapped.relation_index == key.child);
                let child = child.expect("edges are made between mapped tables");
                let relation = &mapped[child].relation;
                let owner = mapped[child].rule.owner.column();
                let nullable = key
                    .columns
                    .iter()
                    .filter(|name| *name != owner && relation.column(name).is_some_and(|found| found.nullable));
                order.unlink_columns.entry(child).or_default().extend(nullable.map(|name| quote_identifier(name)));
            }
            CycleBreak::NotNeeded | CycleBreak::Impossible => {}
        }
    }
    order
}

/// How a foreign key gives way when it closes a circle. Where the rows pointed to stay, it never
/// stands in the way.
fn cycle_break(index: usize, key: &ForeignKey, child: &MappedTable<'_>, parent: &MappedTable<'_>) -> CycleBreak {
    let nullable = key.columns.iter().any(|name| {
        child.rule.owner.column() != name && child.relation.column(name).is_some_and(|column| column.nullable)
    });
    if parent.rule.erase.removal() == Removal::Never {
        CycleBreak::NotNeeded
    } else if key.deferrable && key.on_delete == OnDelete::NoAction {
        CycleBreak::Defer(index)
    } else if nullable && child.rule.erase.removal() == Removal::Immediate {
        CycleBreak::Unlink(index)
    } else {
        CycleBreak::Impossible
    }
}
