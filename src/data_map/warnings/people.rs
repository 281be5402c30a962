//! Warnings about people: ids of theirs that no rule names, and rows that go with the wrong one.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use crate::data_map::catalog::PgCatalog;
use crate::data_map::column_names::{self, Role};
use crate::data_map::draft::{Evidence, SAMPLE_ROWS, Values};
use crate::data_map::erase::Removal;
use crate::data_map::error::{Error, Problems};
use crate::data_map::path::OwnerPath;
use crate::data_map::rules::{DataMap, TableRule};
use crate::data_map::sql::{self, quote_identifier};
use crate::data_map::within::Within;

/// Arrays and JSON with Clerk ids about which no mention decides.
pub(super) fn warn_of_ids_inside(rule: &TableRule, catalog: &PgCatalog, evidence: &Evidence, problems: &mut Problems) {
    let erase = rule.erase.strategy();
    for index in catalog.relations_named(&rule.name) {
        let columns = catalog.relations[*index].columns.iter();
        let inside = columns.filter(|column| column.may_hold_text() && !column.is_text());
        let is_open = |name: &str| rule.mentions_of(name).next().is_none() && !erase.overwrites(name);
        for column in inside.filter(|column| is_open(&column.name)) {
            let name = &column.name;
            let is_array = column.base_type.starts_with('_');
            let remedy = if is_array {
                format!("Add [[table.mention]] columns = [\"{name}[]\"]")
            } else {
                format!(
                    "Add [[table.mention]] columns = [\"{name}->'key'\"]; ids in lists of JSON, and keys, are reached by no rule: erase them there by other means"
                )
            };
            if evidence.of(*index, name) == Some(Values::UserIds) {
                problems.add_for_column(
                    &rule.name,
                    name,
                    "values in it contain Clerk user ids, and the map doesn't say what becomes of them in rows of others",
                    remedy,
                );
            }
        }
    }
}

/// JSON with Clerk ids elsewhere than where mentions name them.
pub(super) async fn warn_of_ids_beside(
    rule: &TableRule,
    catalog: &PgCatalog,
    connection: &mut PgConnection,
    problems: &mut Problems,
) -> Result<(), Error> {
    let [index] = catalog.relations_named(&rule.name) else { return Ok(()) };
    let relation = &catalog.relations[*index];
    let mut keys: BTreeMap<&str, Vec<&Vec<String>>> = BTreeMap::new();
    for mention in &rule.mentions {
        if let OwnerPath::Within { column, within: Within::Json(path) } = &mention.path {
            keys.entry(column).or_default().push(path);
        }
    }
    for (column, paths) in keys.into_iter().filter(|(column, _)| !rule.erase.strategy().overwrites(column)) {
        let without: Vec<String> = (1..=paths.len()).map(|number| format!(" #- ${number}::text[]")).collect();
        let query = format!(
            "SELECT EXISTS (SELECT FROM (SELECT {column}::jsonb{} AS rest FROM {} WHERE {column} IS NOT NULL LIMIT {SAMPLE_ROWS}) AS sample \
             WHERE jsonb_typeof(rest) IN ('object', 'array') AND rest::text ~ 'user_[A-Za-z0-9]{{20,}}')",
            without.concat(),
            relation.quoted_name(),
            column = quote_identifier(column),
        );
        let mut query = sql::query_scalar::<bool>(query);
        for path in paths {
            query = query.bind(path.clone());
        }
        // Of what can't be read, or isn't an object in every row, nothing can be said.
        if query.fetch_one(&mut *connection).await.unwrap_or(false) {
            problems.add_for_column(
                &rule.name,
                column,
                "values in it contain Clerk user ids elsewhere than where the mentions name them",
                "Name those keys too; ids in lists of JSON, and keys, are reached by no rule: erase them there by other means",
            );
        }
    }
    Ok(())
}

/// Rows that go with somebody who seems to have acted on them.
pub(super) fn warn_of_actors(rule: &TableRule, problems: &mut Problems) {
    if rule.erase.strategy().removal() != Removal::Immediate {
        return;
    }
    let [owner] = rule.owners.as_slice() else { return };
    let [column] = owner.path.columns() else { return };
    if matches!(owner.path, OwnerPath::Column(_) | OwnerPath::Parent { .. })
        && column_names::role(column) == Some(Role::Actor)
    {
        problems.add_for_column(
            &rule.name,
            column,
            "the rows are deleted with whom this column names, who seems to have acted on them, and not to be whom they are about",
            "If so, take another owner, or let them stay and forget it: erase = { scrub = { .. }, leave = \"rest\", reason = \"..\" }",
        );
    }
}

/// Keys of people without a foreign key, in columns and arrays that hold no texts, about which the map decides nothing.
pub(super) fn warn_of_keys_of_people(rule: &TableRule, map: &DataMap, catalog: &PgCatalog, problems: &mut Problems) {
    let [index] = catalog.relations_named(&rule.name) else { return };
    let subjects = || map.tables.iter().filter(|rule| rule.subject);
    let key_types = subjects().filter_map(|rule| {
        let [index] = catalog.relations_named(&rule.name) else { return None };
        let relation = &catalog.relations[*index];
        let [key] = relation.primary_key.as_slice() else { return None };
        Some(relation.column(key)?.base_type.as_str())
    });
    let key_types: BTreeSet<&str> = key_types.collect();
    let is_decided = |name: &String| {
        rule.owner_columns().any(|owner| owner == name)
            || rule.mentions_of(name).next().is_some()
            || rule.erase.strategy().overwrites(name)
            || rule.references.iter().any(|reference| reference.column == *name)
            || catalog.foreign_keys_of(*index).any(|key| key.columns.contains(name))
    };
    for column in catalog.relations[*index].columns.iter().filter(|column| !column.is_text()) {
        let element = column.base_type.strip_prefix('_');
        let holds_keys = key_types.contains(element.unwrap_or(&column.base_type));
        if !holds_keys || !column_names::is_key_of_person(&column.name) || is_decided(&column.name) {
            continue;
        }
        let name = &column.name;
        let remedy = match (element, subjects().next()) {
            (None, Some(subject)) => format!(
                "Add [[table.mention]] columns = [\"{name} -> {}(..)\"] with its key, or \"none\" if it names nobody",
                subject.name
            ),
            _ => "Erase there by other means: keys of rows inside arrays are reached by no rule".to_owned(),
        };
        let message = "it may hold keys of people, and the map doesn't say what becomes of them in rows of others";
        problems.add_for_column(&rule.name, name, message, remedy);
    }
}
