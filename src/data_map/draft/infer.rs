//! Infers for each table whose its rows are.

use std::collections::{BTreeMap, BTreeSet};

use super::candidate;
use super::evidence::{Evidence, Values};
use super::inference::{Candidate, Inference, InferredTable, Kind, Rank};
use crate::data_map::address::AddressKind;
use crate::data_map::catalog::{Column, ForeignKey, PgCatalog, Relation, RelationKind};
use crate::data_map::column_names;
use crate::data_map::index::RelationIndex;
use crate::data_map::path::{OwnerPath, PathTarget};

pub(super) fn infer(catalog: &PgCatalog, evidence: &Evidence, subject: Option<&str>) -> Inference {
    let mut inference = Inference { addresses: addresses(catalog, evidence), ..Inference::default() };
    add_subjects(catalog, evidence, subject, &mut inference);
    add_tables_of_people(catalog, evidence, &mut inference);
    add_tables_of_content(catalog, &mut inference);
    add_tables_of_actors(catalog, evidence, &mut inference);
    let mentions: Vec<Vec<OwnerPath>> =
        inference.tables.iter().map(|table| mentions(catalog, evidence, &inference, table)).collect();
    for (table, mentions) in inference.tables.iter_mut().zip(mentions) {
        table.mentions = mentions;
    }
    inference
}

fn tables(catalog: &PgCatalog) -> impl Iterator<Item = (RelationIndex, &Relation)> {
    catalog.relations.enumerate().filter(|(_, relation)| relation.kind == RelationKind::Table)
}

/// Returns the columns that hold addresses. Values count for more than names.
fn addresses(catalog: &PgCatalog, evidence: &Evidence) -> BTreeMap<RelationIndex, Vec<(String, AddressKind)>> {
    let mut addresses: BTreeMap<RelationIndex, Vec<(String, AddressKind)>> = BTreeMap::new();
    for (index, relation) in tables(catalog) {
        for column in relation.columns.iter().filter(|column| column.is_text()) {
            let by_name = column_names::address_kind(&column.name);
            let kind = match evidence.of(index, &column.name) {
                Some(Values::Addresses) => Some(AddressKind::Email),
                Some(Values::UserIds | Values::OrganizationIds) => None,
                Some(Values::Other) => by_name.filter(|kind| *kind == AddressKind::Phone),
                None => by_name,
            };
            if let Some(kind) = kind {
                addresses.entry(index).or_default().push((column.name.clone(), kind));
            }
        }
    }
    addresses
}

fn add_subjects(catalog: &PgCatalog, evidence: &Evidence, subject: Option<&str>, inference: &mut Inference) {
    for (index, relation) in tables(catalog) {
        if subject.is_some_and(|subject| subject != relation.name()) {
            continue;
        }
        if let Some(key) = subject_key(catalog, evidence, index, subject.is_some()) {
            inference.keys.insert(index, key.clone());
            let path = OwnerPath::Column(key);
            inference.add(InferredTable { relation: index, is_subject: true, path, mentions: Vec::new() });
        }
    }
}

/// Returns the column that makes a table a subject: unique, text, without a foreign key, and named like a Clerk id or with Clerk
/// user ids in it. In a table that was named by the operator, any unique text column will do.
fn subject_key(catalog: &PgCatalog, evidence: &Evidence, index: RelationIndex, is_named: bool) -> Option<String> {
    let relation = &catalog.relations[index];
    let has_foreign_key =
        |column: &Column| catalog.foreign_keys_of(index).any(|key| key.columns.contains(&column.name));
    let unique: Vec<&Column> = relation
        .columns
        .iter()
        .filter(|column| column.is_text() && relation.unique_columns.contains(&column.name) && !has_foreign_key(column))
        .collect();
    let holds_user_ids = |column: &&&Column| evidence.of(index, &column.name) == Some(Values::UserIds);
    let holds_others = |column: &&&Column| {
        matches!(evidence.of(index, &column.name), Some(Values::OrganizationIds | Values::Addresses | Values::Other))
    };
    let is_organization = column_names::suggests_organization(&relation.table);
    let named_like_user_id =
        |column: &&&Column| !is_organization && !holds_others(column) && column_names::may_hold_user_id(&column.name);
    let any = |column: &&&Column| is_named && !column_names::suggests_person(&column.name);
    let found = unique.iter().find(holds_user_ids).or_else(|| unique.iter().find(named_like_user_id));
    found.or_else(|| unique.iter().find(any)).map(|column| column.name.clone())
}

/// Tables with a column that leads to their person.
fn add_tables_of_people(catalog: &PgCatalog, evidence: &Evidence, inference: &mut Inference) {
    for (index, _) in tables(catalog).filter(|(index, _)| !inference.is_subject(*index)).collect::<Vec<_>>() {
        let mut candidates = candidate::to_people(catalog, evidence, inference, index);
        candidates.retain(|candidate| candidate.rank.kind < Kind::Part);
        let parents = required_parents(catalog, inference, index);
        let members = candidate::members(catalog, inference, index);
        if !candidates.is_empty() && !members.is_empty() {
            // Whoever made an organization need not take it along.
            inference.questions.insert(index, members.into_iter().chain(candidates).collect());
        } else if candidates.first().is_some_and(|best| best.rank.is_guess) && !parents.is_empty() {
            // A name alone, beside a foreign key by which the rows may be somebody else's.
            candidates.extend(parents);
            inference.questions.insert(index, candidates);
        } else {
            choose(index, candidates, inference);
        }
    }
}

/// Returns the rows that rows of a table can't be without, other than people.
fn required_parents(catalog: &PgCatalog, inference: &Inference, index: RelationIndex) -> Vec<Candidate> {
    let relation = &catalog.relations[index];
    let is_required = |key: &&ForeignKey| {
        let is_nullable = |name: &String| relation.column(name).is_none_or(|column| column.nullable);
        key.parent != index && !inference.is_subject(key.parent) && !key.columns.iter().any(is_nullable)
    };
    let keys = catalog.foreign_keys_of(index).filter(is_required);
    keys.map(|key| {
        let target = PathTarget { table: catalog.relations[key.parent].name(), columns: Vec::new() };
        let rank = Rank { kind: Kind::Part, is_nullable: false, is_guess: false };
        Candidate {
            path: OwnerPath::Parent { columns: key.columns.clone(), target },
            rank,
            type_column: None,
            is_doubtful: false,
        }
    })
    .collect()
}

/// Tables that reference rows which are somebody's. Where they also have an address, they may be somebody else's: visitors of what
/// the owner shared, for example.
fn add_tables_of_content(catalog: &PgCatalog, inference: &mut Inference) {
    loop {
        let before = inference.tables.len();
        for (index, _) in tables(catalog) {
            if inference.has_rule(index) || inference.questions.contains_key(&index) {
                continue;
            }
            let candidates = candidate::to_content(catalog, inference, index);
            if candidates.is_empty() || inference.addresses_of(index).is_empty() {
                choose(index, candidates, inference);
            } else {
                inference.questions.insert(index, candidates);
            }
        }
        if inference.tables.len() == before {
            return;
        }
    }
}

/// Tables that name nobody but who did something with a row.
fn add_tables_of_actors(catalog: &PgCatalog, evidence: &Evidence, inference: &mut Inference) {
    for (index, _) in tables(catalog) {
        if !inference.has_rule(index) && !inference.questions.contains_key(&index) {
            choose(index, candidate::to_people(catalog, evidence, inference, index), inference);
        }
    }
}

/// Takes the likeliest candidate, or asks where several are, or where it may not be the owner.
fn choose(index: RelationIndex, candidates: Vec<Candidate>, inference: &mut Inference) {
    let Some(best) = candidates.first() else { return };
    let equal = candidates.iter().filter(|candidate| candidate.rank == best.rank).count();
    // Who did something with a row need not own it, and a key that may be of several tables needs the values of its type.
    if equal > 1 || best.rank.kind == Kind::Actor || best.type_column.is_some() || best.is_doubtful {
        inference.questions.insert(index, candidates.into_iter().take(equal).collect());
        return;
    }
    let path = best.path.clone();
    inference.add(InferredTable { relation: index, is_subject: false, path, mentions: Vec::new() });
}

/// Returns the columns that lead to people and aren't the owner's, each once.
fn mentions(catalog: &PgCatalog, evidence: &Evidence, inference: &Inference, table: &InferredTable) -> Vec<OwnerPath> {
    let mut columns: BTreeSet<String> = table.path.columns().iter().cloned().collect();
    let candidates = candidate::to_people(catalog, evidence, inference, table.relation);
    let is_certain = |candidate: &Candidate| candidate.type_column.is_none() && !candidate.is_doubtful;
    candidates
        .into_iter()
        .filter(|candidate| is_certain(candidate) && columns.insert(candidate.path.columns()[0].clone()))
        .map(|candidate| candidate.path)
        .collect()
}
