//! Checks a map against the catalog, table by table and column by column. How tables depend on each other is checked
//! in `owners`, `references` and `erasure_order`.

use std::collections::BTreeSet;

use super::catalog::{Column, PgCatalog, Relation, RelationKind};
use super::erase::Removal;
use super::error::{Error, Problems};
use super::index::RelationIndex;
use super::mapped::{MappedTable, MappedTables};
use super::resolved::{ExportColumn, Resolved, Table, Unsearched, UnsearchedReason, UserIdSearch};
use super::rules::{DataMap, ExportRule, Owner, TableRule};
use super::sql::{Parameters, quote_identifier};
use super::{column_names, erasure_order, owners, references};

pub(super) fn resolve(map: &DataMap, catalog: &PgCatalog) -> Result<Resolved, Error> {
    let mut problems = Problems::default();
    let mapped: MappedTables<'_> =
        map.tables.iter().filter_map(|rule| find_table(rule, catalog, &mut problems)).collect();
    let ignored: BTreeSet<RelationIndex> =
        map.ignored.iter().filter_map(|table| find_relation(&table.name, catalog, &mut problems)).collect();
    for table in mapped.iter() {
        check_table(table, catalog, &mut problems);
    }
    report_unmapped_tables(&mapped, &ignored, catalog, &mut problems);
    // The checks below would only repeat these problems.
    problems.check()?;

    let owners = owners::resolve(&mapped, catalog, &mut problems);
    problems.check()?;
    let references = references::resolve(&mapped, &ignored, catalog, &mut problems);
    let order = erasure_order::find(&mapped, &owners, catalog, &mut problems);
    problems.check()?;

    let mut parameters = Parameters::default();
    let tables = mapped.enumerate().zip(owners).zip(references).map(|(((index, table), owner), references)| Table {
        rule: table.rule.clone(),
        quoted_name: table.relation.quoted_name(),
        owner,
        primary_key: table.relation.primary_key.iter().map(|column| quote_identifier(column)).collect(),
        export: export_columns(table),
        action: table.rule.erase.strategy().action(table.relation, &mut parameters),
        references,
        creation_time: creation_time(table.relation),
        unlink_columns: order.unlink_columns.get(&index).cloned().unwrap_or_default(),
    });
    let tables = tables.collect();
    Ok(Resolved {
        tables,
        order: order.tables,
        user_id_searches: user_id_searches(&mapped, catalog),
        unsearched: unsearched(catalog),
        deferred_constraints: order.deferred_constraints,
        parameters,
    })
}

/// Returns the column that says when a row was created, if a column has such a name and can hold a time. Quoted.
fn creation_time(relation: &Relation) -> Option<String> {
    let is_creation_time = |column: &&Column| column.is_time() && column_names::is_creation_time(&column.name);
    relation.columns.iter().find(is_creation_time).map(|column| quote_identifier(&column.name))
}

fn find_table<'a>(rule: &'a TableRule, catalog: &'a PgCatalog, problems: &mut Problems) -> Option<MappedTable<'a>> {
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

fn check_table(table: &MappedTable<'_>, catalog: &PgCatalog, problems: &mut Problems) {
    let MappedTable { rule, relation, .. } = table;
    check_owner(table, problems);
    check_privileges(table, problems);
    if let ExportRule::Only(columns) | ExportRule::Except { columns, .. } = &rule.export {
        for name in columns.iter().filter(|name| relation.column(name).is_none()) {
            problems.add_unknown_column(&rule.name, name, "export");
        }
    }
    rule.erase.strategy().check(&table.erase_target(catalog), problems);
}

fn check_owner(MappedTable { rule, relation, .. }: &MappedTable<'_>, problems: &mut Problems) {
    let name = rule.owner.column();
    let Some(column) = relation.column(name) else {
        return problems.add_unknown_column(&rule.name, name, if rule.subject { "key" } else { "owner" });
    };
    if matches!(rule.owner, Owner::Path { .. }) {
        return;
    }
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

fn check_privileges(MappedTable { rule, relation, .. }: &MappedTable<'_>, problems: &mut Problems) {
    if relation.row_security {
        problems.add_for_table(
            &rule.name,
            "row-level security may hide rows from Lethe, which then wouldn't be erased",
            "Let Lethe connect as a role with BYPASSRLS, or as the table's owner without FORCE ROW LEVEL SECURITY",
        );
    }
    let changes_others = !rule.references.is_empty();
    let strategy = rule.erase.strategy();
    let deletes = changes_others || strategy.removal() != Removal::Never;
    // Rows are locked before they are deleted, for which Postgres wants UPDATE.
    let updates = deletes || strategy.updates_rows();
    let needed = [
        ("SELECT", true, relation.privileges.select),
        ("UPDATE", updates, relation.privileges.update),
        ("DELETE", deletes, relation.privileges.delete),
    ];
    for (privilege, _, _) in needed.iter().filter(|(_, needed, granted)| *needed && !granted) {
        problems.add_for_table(
            &rule.name,
            format!("Lethe's role has no {privilege} privilege on the table"),
            format!("GRANT {privilege} ON {} to it", relation.quoted_name()),
        );
    }
}

/// Reports tables without an entry that foreign keys or column names connect with people.
fn report_unmapped_tables(
    mapped: &MappedTables<'_>,
    ignored: &BTreeSet<RelationIndex>,
    catalog: &PgCatalog,
    problems: &mut Problems,
) {
    let known: BTreeSet<RelationIndex> = mapped.iter().map(|table| table.relation_index).collect();
    let referencing = references::referencing_tables(&known, catalog);
    for (index, relation) in catalog.relations.enumerate() {
        if known.contains(&index) || ignored.contains(&index) {
            continue;
        }
        let name = relation.name();
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
        } else if let Some(column) = relation.columns.iter().find(|column| column_names::suggests_person(&column.name))
        {
            problems.add_for_column(
                &name,
                &column.name,
                "the column suggests that this table is about people, and the map has no entry for it",
                "Add a [[table]] with its owner, or an [[ignore]] with a reason",
            );
        }
    }
}

fn export_columns(MappedTable { rule, relation, .. }: &MappedTable<'_>) -> Option<Vec<ExportColumn>> {
    let is_exported = |column: &&Column| match &rule.export {
        ExportRule::All => true,
        ExportRule::Only(columns) => columns.contains(&column.name),
        ExportRule::Except { columns, .. } => !columns.contains(&column.name),
        ExportRule::Nothing { .. } => false,
    };
    if matches!(rule.export, ExportRule::Nothing { .. }) {
        return None;
    }
    let columns = relation.columns.iter().filter(is_exported);
    let to_export = |column: &Column| ExportColumn { name: column.name.clone(), base_type: column.base_type.clone() };
    Some(columns.map(to_export).collect())
}

/// Returns the tables in which a search finds less than there is.
fn unsearched(catalog: &PgCatalog) -> Vec<Unsearched> {
    let reason = |relation: &Relation| match relation.kind {
        RelationKind::MaterializedView => Some(UnsearchedReason::MaterializedView),
        RelationKind::ForeignTable => Some(UnsearchedReason::ForeignTable),
        RelationKind::Table if !relation.privileges.select => Some(UnsearchedReason::NoPrivilege),
        RelationKind::Table => relation.row_security.then_some(UnsearchedReason::RowLevelSecurity),
    };
    let relations = catalog.relations.iter();
    relations.filter_map(|relation| Some(Unsearched { reason: reason(relation)?, table: relation.name() })).collect()
}

/// Returns the columns that may hold a Clerk user id and aren't an owner column, in mapped tables and others.
fn user_id_searches(mapped: &MappedTables<'_>, catalog: &PgCatalog) -> Vec<UserIdSearch> {
    let mut searches = Vec::new();
    for (index, relation) in catalog.relations.enumerate() {
        if relation.kind != RelationKind::Table || !relation.privileges.select {
            continue;
        }
        let table = mapped.index_of_relation(index);
        let owner_column = table.map(|table| mapped[table].rule.owner.column());
        let columns = relation
            .columns
            .iter()
            .filter(|column| column.may_hold_user_id() && owner_column != Some(column.name.as_str()));
        searches.extend(columns.map(|column| UserIdSearch {
            name: relation.name(),
            column_name: column.name.clone(),
            quoted_name: relation.quoted_name(),
            column: quote_identifier(&column.name),
            table,
        }));
    }
    searches
}
