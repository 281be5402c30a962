//! The ways in which the rows of a table may lead to somebody, each with a rank.

use super::evidence::{Evidence, Values};
use super::inference::{Candidate, Inference, Kind, Rank};
use crate::data_map::catalog::{Column, ForeignKey, OnDelete, PgCatalog, Relation, RelationKind};
use crate::data_map::column_names::{self, Role};
use crate::data_map::index::RelationIndex;
use crate::data_map::path::{OwnerPath, PathTarget};

/// Returns the columns that lead to people directly: by a foreign key to a subject, or with a key of somebody.
pub(super) fn to_people(
    catalog: &PgCatalog,
    evidence: &Evidence,
    inference: &Inference,
    index: RelationIndex,
) -> Vec<Candidate> {
    let relation = &catalog.relations[index];
    let mut candidates = Vec::new();
    let is_part_of_other_rows = catalog.foreign_keys_of(index).any(|key| {
        let is_required = key.columns.iter().all(|name| relation.column(name).is_some_and(|column| !column.nullable));
        key.on_delete == OnDelete::Cascade && is_required && key.parent != index && !inference.is_subject(key.parent)
    });
    for key in catalog.foreign_keys_of(index).filter(|key| inference.is_subject(key.parent) && key.parent != index) {
        let column = &key.columns[0];
        let outlives_person = matches!(key.on_delete, OnDelete::SetNull | OnDelete::SetDefault);
        let kind = match column_names::role(column) {
            // The schema says that the rows stay without whom the column names; they may be a team's.
            Some(Role::Owner) if outlives_person && is_part_of_other_rows => Kind::Actor,
            Some(Role::Creator) if outlives_person => Kind::Actor,
            Some(Role::Owner) => Kind::Owner,
            Some(Role::Creator) => Kind::Creator,
            Some(Role::Actor) => Kind::Actor,
            None => Kind::Person,
        };
        let holds_user_id = inference.key_of(key.parent).is_some_and(|user_id| key.parent_columns == [user_id]);
        let path = if holds_user_id && key.columns.len() == 1 {
            OwnerPath::Column(column.clone())
        } else {
            let target = PathTarget { table: catalog.relations[key.parent].name(), columns: Vec::new() };
            OwnerPath::Parent { columns: key.columns.clone(), target }
        };
        candidates.push(Candidate {
            path,
            rank: rank(relation, column, kind, false),
            type_column: None,
            is_doubtful: false,
        });
    }
    for column in &relation.columns {
        let has_foreign_key = catalog.foreign_keys_of(index).any(|key| key.columns.contains(&column.name));
        if !has_foreign_key {
            candidates.extend(without_foreign_key(catalog, evidence, inference, index, column));
        }
    }
    candidates.sort_by_key(|candidate| candidate.rank);
    candidates
}

/// A column without a foreign key holds the Clerk user id, or the key of a subject's row. Names alone can't tell.
fn without_foreign_key(
    catalog: &PgCatalog,
    evidence: &Evidence,
    inference: &Inference,
    index: RelationIndex,
    column: &Column,
) -> Vec<Candidate> {
    let relation = &catalog.relations[index];
    let values = evidence.of(index, &column.name);
    let is_named = column_names::is_key_of_person(&column.name);
    let kind = match column_names::role(&column.name) {
        Some(Role::Owner) => Kind::Owner,
        Some(Role::Creator) => Kind::Creator,
        Some(Role::Actor) => Kind::Actor,
        None => Kind::Person,
    };
    let type_column = || column_names::type_column(&column.name, relation.columns.iter().map(|column| &column.name));
    let mut candidates = Vec::new();
    // The key of an organization at Clerk is named like that of a person.
    let is_organization = column_names::suggests_organization(&relation.table)
        && relation.unique_columns.contains(&column.name)
        && values.is_none();
    if is_organization {
        return Vec::new();
    }
    let may_be_user_id = match values {
        Some(Values::UserIds) => true,
        Some(Values::OrganizationIds | Values::Addresses | Values::Other) => false,
        None => is_named,
    };
    let is_proven = values == Some(Values::UserIds);
    if column.is_text() && may_be_user_id {
        let path = OwnerPath::Column(column.name.clone());
        candidates.push(Candidate {
            path,
            rank: rank(relation, &column.name, kind, !is_proven),
            type_column: type_column(),
            is_doubtful: false,
        });
    }
    let may_be_key =
        is_named && matches!(values, None | Some(Values::Other)) && !column.name.to_lowercase().contains("clerk");
    if may_be_key {
        for subject in inference.subjects() {
            let parent = &catalog.relations[subject];
            let [key] = parent.primary_key.as_slice() else { continue };
            let is_user_id = inference.key_of(subject) == Some(key.as_str());
            let types = parent.column(key).map(|key| &key.base_type);
            if subject != index && !is_user_id && types == Some(&column.base_type) {
                let target = PathTarget { table: parent.name(), columns: vec![key.clone()] };
                let path = OwnerPath::Parent { columns: vec![column.name.clone()], target };
                candidates.push(Candidate {
                    path,
                    rank: rank(relation, &column.name, kind, true),
                    type_column: type_column(),
                    is_doubtful: false,
                });
            }
        }
        add_named_tables(catalog, inference, index, column, &mut candidates);
    }
    candidates
}

/// The key of a person may be that of a table with its name: `customer_id` of `customers`, which need not be the users.
fn add_named_tables(
    catalog: &PgCatalog,
    inference: &Inference,
    index: RelationIndex,
    column: &Column,
    candidates: &mut Vec<Candidate>,
) {
    let Some(rank) = candidates.first().map(|candidate| candidate.rank) else { return };
    for (named, relation) in catalog.relations.enumerate() {
        let is_other = named != index && relation.kind == RelationKind::Table && !inference.is_subject(named);
        let [key] = relation.primary_key.as_slice() else { continue };
        let types = relation.column(key).map(|key| &key.base_type);
        let is_named = is_other && column_names::names_table(&column.name, &relation.table);
        if is_named && types == Some(&column.base_type) {
            let target = PathTarget { table: relation.name(), columns: vec![key.clone()] };
            let path = OwnerPath::Parent { columns: vec![column.name.clone()], target };
            for candidate in candidates.iter_mut() {
                candidate.is_doubtful = true;
            }
            candidates.push(Candidate { path, rank, type_column: None, is_doubtful: true });
        }
    }
}

/// Returns the tables that say who belongs to an organization.
pub(super) fn members(catalog: &PgCatalog, inference: &Inference, index: RelationIndex) -> Vec<Candidate> {
    let is_organization = column_names::suggests_organization(&catalog.relations[index].table);
    let keys = catalog.foreign_keys.iter().filter(|key| key.parent == index && key.child != index);
    let of_members = keys.filter(|key| {
        let names_person = catalog.foreign_keys_of(key.child).any(|other| inference.is_subject(other.parent))
            || catalog.relations[key.child].columns.iter().any(|column| column_names::is_key_of_person(&column.name));
        let child = catalog.relations[key.child].table.to_lowercase();
        names_person && child.contains("member") || is_organization && names_person && child.contains("user")
    });
    let paths = of_members.filter_map(|key| {
        let child = catalog.relations[key.child].name();
        OwnerPath::parse(&format!("<- {child}({})", key.columns.join(", "))).ok()
    });
    let rank = Rank { kind: Kind::Owner, is_nullable: false, is_guess: true };
    paths.map(|path| Candidate { path, rank, type_column: None, is_doubtful: false }).collect()
}

/// Returns the foreign keys that lead to rows which are somebody's.
pub(super) fn to_content(catalog: &PgCatalog, inference: &Inference, index: RelationIndex) -> Vec<Candidate> {
    let relation = &catalog.relations[index];
    let keys = catalog
        .foreign_keys_of(index)
        .filter(|key| key.parent != index && inference.has_rule(key.parent) && !inference.is_subject(key.parent));
    let candidate = |key: &ForeignKey| {
        let kind = if key.on_delete == OnDelete::Cascade { Kind::Part } else { Kind::Content };
        let target = PathTarget { table: catalog.relations[key.parent].name(), columns: Vec::new() };
        let path = OwnerPath::Parent { columns: key.columns.clone(), target };
        Candidate { path, rank: rank(relation, &key.columns[0], kind, false), type_column: None, is_doubtful: false }
    };
    let mut candidates: Vec<Candidate> = keys.map(candidate).collect();
    candidates.sort_by_key(|candidate| candidate.rank);
    candidates
}

fn rank(relation: &Relation, column: &str, kind: Kind, is_guess: bool) -> Rank {
    let is_nullable = relation.column(column).is_none_or(|column| column.nullable);
    Rank { kind, is_nullable, is_guess }
}
