//! Checks a map against the catalog, table by table and column by column. How tables depend on each other is checked
//! in `owners`, `references` and `erasure_order`.

use std::collections::BTreeSet;

use super::assembly;
use super::catalog::{PgCatalog, Relation, RelationKind};
use super::erase::EraseTarget;
use super::error::{Error, Problems};
use super::forget;
use super::index::RelationIndex;
use super::mapped::{MappedTable, MappedTables};
use super::resolved::Resolved;
use super::rules::{DataMap, ExportRule, IgnoredTable, Owner};
use super::searches::{self, Searches};
use super::sql::quote_identifier;
use super::version::Version;
use super::{column_names, erasure_order, ghosts, mentions, owners, privileges, references};

pub(super) fn resolve(map: &DataMap, catalog: &PgCatalog) -> Result<Resolved, Error> {
    let mut problems = Problems::default();
    let mapped: MappedTables<'_> =
        map.tables.iter().filter_map(|rule| find_table(rule, catalog, &mut problems)).collect();
    let ignored = find_ignored(map, catalog, &mut problems);
    for table in mapped.iter() {
        check_table(table, &mut problems);
    }
    report_unmapped_tables(map, &mapped, &ignored, catalog, &mut problems);
    let owners = owners::resolve(map, &mapped, catalog, &mut problems);
    let mentions = owners.as_ref().and_then(|owners| mentions::resolve(map, &mapped, owners, catalog, &mut problems));
    let (Some(owners), Some(mentions)) = (owners, mentions) else {
        // The checks below would only repeat these problems.
        return Err(problems.into_error());
    };
    ghosts::check(map, &mapped, &owners, &mut problems);
    for (index, table) in mapped.enumerate() {
        let paths = owners[index].paths.iter().chain(&mentions[index]);
        let ghosts = ghosts::referenced_by(table, paths, map, &mapped, catalog);
        let path_targets = owners::path_targets(index, &owners, &mapped, catalog);
        let target = EraseTarget { path_targets, ..table.erase_target(&mapped, catalog, ghosts) };
        table.rule.erase.strategy().check(&target, &mut problems);
        forget::check(table, &target, &owners[index], &mapped, &mut problems);
        mentions::check_values(table, &target, &mut problems);
    }
    let references = references::resolve(map.version, &mapped, &ignored, catalog, &mut problems);
    let order = erasure_order::find(&mapped, &owners, &mentions, catalog, &mut problems);
    problems.check()?;
    let parts = assembly::Parts { map, mapped: &mapped, catalog, owners, mentions, references, order };
    Ok(parts.assemble(Searches {
        unsearched: searches::unsearched(catalog),
        user_ids: searches::user_ids(map.version, &mapped, catalog),
        tables: searches::searchable_tables(&mapped, catalog),
    }))
}

/// Returns the ignored relations. In maps of the second language a name may be a pattern, which need not match anything.
fn find_ignored(map: &DataMap, catalog: &PgCatalog, problems: &mut Problems) -> BTreeSet<RelationIndex> {
    let mut ignored = BTreeSet::new();
    for IgnoredTable { name, .. } in &map.ignored {
        if map.version == Version::Second && name.contains('*') {
            let matching =
                catalog.relations.enumerate().filter(|(_, relation)| matches_pattern(name, &relation.name()));
            ignored.extend(matching.map(|(index, _)| index));
        } else {
            ignored.extend(find_relation(name, catalog, problems));
        }
    }
    for rule in &map.tables {
        // An entry is more exact than a pattern.
        for index in catalog.relations_named(&rule.name) {
            ignored.remove(index);
        }
    }
    ignored
}

/// Whether the text is the pattern, in which `*` stands for any text.
pub(super) fn matches_pattern(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| matches_pattern(after, &rest[at..]))
        }),
    }
}

fn find_table<'a>(
    rule: &'a super::rules::TableRule,
    catalog: &'a PgCatalog,
    problems: &mut Problems,
) -> Option<MappedTable<'a>> {
    let relation_index = find_relation(&rule.name, catalog, problems)?;
    let relation = &catalog.relations[relation_index];
    if relation.kind != RelationKind::Table {
        problems.add_for_table(
            &rule.name,
            "only tables can have a rule",
            "Add rules for the tables that it reads, and an [[ignore]] with a reason for it",
        );
        return None;
    }
    Some(MappedTable { rule, relation, relation_index })
}

fn find_relation(name: &str, catalog: &PgCatalog, problems: &mut Problems) -> Option<RelationIndex> {
    match catalog.relations_named(name) {
        [index] => Some(*index),
        [] => {
            let table = name.rsplit('.').next().unwrap_or(name);
            let similar = catalog.relations.iter().find(|relation| relation.table == table);
            let remedy = similar.map_or_else(
                || "Correct the name, or remove the entry if the table was dropped".to_owned(),
                |similar| format!("Write \"{}\"", similar.name()),
            );
            problems.add_for_table(name, "the database has no such table", remedy);
            None
        }
        _ => {
            problems.add_for_table(name, "two tables have this name when it is written with a dot", "Rename one");
            None
        }
    }
}

fn check_table(table: &MappedTable<'_>, problems: &mut Problems) {
    let MappedTable { rule, relation, .. } = table;
    rule.owners.iter().for_each(|owner| check_owner(table, owner, problems));
    privileges::check(table, problems);
    for name in &relation.rewrite_rules {
        problems.add_for_table(
            &rule.name,
            format!("the rule {name} (CREATE RULE) changes what UPDATE or DELETE does, so nothing can be said about an erasure"),
            "Replace it by a trigger",
        );
    }
    for (name, _) in rule.addresses.iter() {
        match relation.column(name) {
            Some(column) if column.is_text() => {}
            Some(column) => {
                let message = format!("the column is {} and can't hold an address", column.type_name);
                problems.add_for_column(&rule.name, name, message, "Remove it from addresses");
            }
            None => problems.add_unknown_column(&rule.name, name, "addresses"),
        }
    }
    for name in rule.column_labels.keys().filter(|name| relation.column(name).is_none()) {
        problems.add_unknown_column(&rule.name, name, "column_labels");
    }
    check_mention_exports(table, problems);
    let exports =
        std::iter::once(&rule.export).chain(rule.mentions.iter().filter_map(|mention| mention.export.as_ref()));
    let columns = exports.flat_map(|export| match export {
        ExportRule::Only(columns) | ExportRule::Except { columns, .. } => columns.as_slice(),
        ExportRule::All | ExportRule::Nothing { .. } => &[],
    });
    for name in columns.filter(|name| relation.column(name).is_none()) {
        problems.add_unknown_column(&rule.name, name, "export");
    }
}

/// Reports mentions whose export has columns that the owners themselves don't get: credentials, for example.
fn check_mention_exports(MappedTable { rule, relation, .. }: &MappedTable<'_>, problems: &mut Problems) {
    for mention in &rule.mentions {
        // Columns that are named one by one are meant.
        let Some(export @ (ExportRule::All | ExportRule::Except { .. })) = &mention.export else { continue };
        let columns = relation.columns.iter().map(|column| &column.name);
        let further: Vec<&str> =
            columns.filter(|name| export.contains(name) && !rule.export.contains(name)).map(String::as_str).collect();
        if !further.is_empty() {
            let message =
                format!("the mention would export what the owners don't get themselves: {}", further.join(", "));
            let remedy =
                "Write export = { only = [..] } for the mention, with the columns that are about whom it names";
            problems.add_for_column(&rule.name, &mention.name(), message, remedy);
        }
    }
}

fn check_owner(MappedTable { rule, relation, .. }: &MappedTable<'_>, owner: &Owner, problems: &mut Problems) {
    for name in owner.filter.keys().filter(|name| relation.column(name).is_none()) {
        problems.add_unknown_column(&rule.name, name, "where");
    }
    let super::path::OwnerPath::Column(name) = &owner.path else { return };
    // An unknown column is reported where the path is followed.
    let Some(column) = relation.column(name) else { return };
    if !column.is_text() {
        problems.add_for_column(
            &rule.name,
            name,
            format!("the column is {} and can't hold a Clerk user id", column.type_name),
            "Name the column that does, or write a path such as \"user_id -> public.users\"",
        );
    }
    if rule.subject && !relation.unique_columns.contains(&column.name) {
        problems.add_for_column(
            &rule.name,
            name,
            "the key of a subject isn't unique, so two people could share a row",
            format!(
                "Add a unique constraint: ALTER TABLE {} ADD UNIQUE ({})",
                relation.quoted_name(),
                quote_identifier(name)
            ),
        );
    }
}

/// Reports tables without an entry: in the second language all of them, in the first those that foreign keys or column names
/// connect with people.
fn report_unmapped_tables(
    map: &DataMap,
    mapped: &MappedTables<'_>,
    ignored: &BTreeSet<RelationIndex>,
    catalog: &PgCatalog,
    problems: &mut Problems,
) {
    let known: BTreeSet<RelationIndex> = mapped.iter().map(|table| table.relation_index).collect();
    let referencing = references::referencing_tables(&known, catalog);
    let is_in_scope =
        |relation: &Relation| map.schemas.as_ref().is_none_or(|schemas| schemas.contains(&relation.schema));
    for (index, relation) in catalog.relations.enumerate() {
        let name = relation.name();
        let is_named = || map.ignored.iter().any(|ignored| ignored.name == name);
        if known.contains(&index) || ignored.contains(&index) && is_named() {
            continue;
        }
        if ignored.contains(&index) {
            let mut columns = relation.columns.iter();
            if let Some(column) = columns.find(|column| column_names::is_key_of_person(&column.name)) {
                problems.add_for_column(
                    &name,
                    &column.name,
                    "a pattern ignores the table, and the column suggests that it is about people",
                    "Add a [[table]] with its owner, or name the table itself in [[ignore]]",
                );
            }
            continue;
        }
        if relation.is_part_of_parent {
            continue;
        }
        if let Some(key) = referencing.get(&index) {
            let key = &catalog.foreign_keys[*key];
            let (column, parent) = (&key.columns[0], catalog.relations[key.parent].name());
            problems.add_for_column(
                &name,
                column,
                format!("a foreign key references {parent}, and the map has no entry for this table"),
                format!(
                    "Add a [[table]] with owner = \"{column} -> {parent}\" or its own column, or an [[ignore]] with a reason"
                ),
            );
        } else if let Some(column) =
            relation.columns.iter().find(|column| is_in_scope(relation) && column_names::suggests_person(&column.name))
        {
            problems.add_for_column(
                &name,
                &column.name,
                "the column suggests that this table is about people, and the map has no entry for it",
                "Add a [[table]] with its owner, or an [[ignore]] with a reason",
            );
        } else if map.version == Version::Second && is_in_scope(relation) {
            problems.add_for_table(
                &name,
                format!("the map has no entry for this {}", relation.kind.describe()),
                "Add a [[table]] with its owner, or an [[ignore]] with a reason",
            );
        }
    }
    for schema in map.schemas.iter().flatten() {
        if !catalog.relations.iter().any(|relation| relation.schema == *schema) {
            problems.add_for_table(schema, "[scope] names a schema that has no table", "Correct the name");
        }
    }
}
