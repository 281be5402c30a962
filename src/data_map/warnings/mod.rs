//! What a map that fits may still leave behind, or make slow: copies of rows that triggers, publications and materialized views
//! make, missing indexes, large objects, and tables without a rule that seem to be about people.

mod people;

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::catalog::{self, PgCatalog, RelationKind, SideEffects};
use super::draft::{Evidence, SAMPLE_ROWS, Values};
use super::error::{Error, Problem, Problems};
use super::path::OwnerPath;
use super::rules::{DataMap, TableRule};
use super::sql::{self, quote_identifier};

/// How many values that no `where` names a warning lists at most.
const OTHER_VALUES: u32 = 5;

/// Returns warnings. Unlike a [mismatch](Error::Mismatch), nothing is refused because of them. Reads at most 1,000 rows of each
/// table without a rule.
pub async fn warnings(map: &DataMap, connection: &mut PgConnection) -> Result<Vec<Problem>, Error> {
    let catalog = catalog::read(connection).await?;
    let side_effects = SideEffects::read(connection).await?;
    let mut problems = Problems::default();
    let names: BTreeSet<&str> = map.tables.iter().map(|rule| rule.name.as_str()).collect();
    for rule in &map.tables {
        warn_of_triggers(rule, map, &names, &catalog, &mut problems);
        warn_of_copies(rule, &side_effects, &mut problems);
        warn_of_missing_indexes(rule, &catalog, &side_effects, &mut problems);
        warn_of_large_objects(rule, &catalog, &side_effects, &mut problems);
    }
    let is_without_rule = |name: &str| !names.contains(name);
    let evidence = Evidence::read(&catalog, connection).await?;
    for rule in &map.tables {
        people::warn_of_ids_inside(rule, &catalog, &evidence, &mut problems);
        people::warn_of_ids_beside(rule, &catalog, connection, &mut problems).await?;
        people::warn_of_actors(rule, &mut problems);
        people::warn_of_keys_of_people(rule, map, &catalog, &mut problems);
        warn_of_other_values(rule, &catalog, connection, &mut problems).await?;
    }
    for (index, relation) in catalog.relations.enumerate().filter(|(_, relation)| is_without_rule(&relation.name())) {
        for column in &relation.columns {
            let found = match evidence.of(index, &column.name) {
                Some(Values::UserIds) => "Clerk user ids",
                Some(Values::Addresses) => "e-mail addresses",
                Some(Values::OrganizationIds | Values::Other) | None => continue,
            };
            problems.add_for_column(
                &relation.name(),
                &column.name,
                format!("the table has no rule, and values in this column look like {found}"),
                "Add a [[table]] if the rows are about people",
            );
        }
    }
    Ok(problems.into_vec())
}

fn warn_of_triggers(
    rule: &TableRule,
    map: &DataMap,
    names: &BTreeSet<&str>,
    catalog: &PgCatalog,
    problems: &mut Problems,
) {
    for trigger in catalog.triggers.iter().filter(|trigger| trigger.table == rule.name) {
        if !trigger.runs_in_erasures() {
            continue;
        }
        for relation in catalog.tables_with_changes(trigger).map(|index| &catalog.relations[index]) {
            let changed = map.tables.iter().find(|changed| changed.name == relation.name());
            if changed.is_some_and(|changed| changed.changed_by_triggers.is_some()) {
                continue;
            }
            problems.add_for_table(
                &rule.name,
                format!(
                    "the trigger {} changes or deletes rows of {} by itself, whoever they belong to; plan and receipt don't say so{}",
                    trigger.name,
                    relation.name(),
                    if changed.is_some() { ", and an erasure during which it does is refused" } else { "" }
                ),
                "Let the trigger skip Lethe's role, write what it does as a [[table.reference]], or, where it may, changed_by_triggers = \"reason\" in the entry of those rows",
            );
        }
        if trigger.has_dynamic_sql {
            problems.add_for_table(
                &rule.name,
                format!("the trigger {} runs statements that it puts together (EXECUTE), so nobody can read here what it writes", trigger.name),
                "Try an erasure: `lethe map rehearse <clerk user id>` prints what it does",
            );
        }
        for relation in catalog.tables_with_new_rows(trigger).map(|index| &catalog.relations[index]) {
            let name = relation.name();
            if !names.contains(name.as_str()) {
                problems.add_for_table(
                    &rule.name,
                    format!(
                        "the trigger {} copies rows to {name}, which has no rule: an erasure itself would write there",
                        trigger.name
                    ),
                    format!("Add a [[table]] for {name}, or let the trigger skip Lethe's role"),
                );
            }
        }
    }
}

fn warn_of_copies(rule: &TableRule, side_effects: &SideEffects, problems: &mut Problems) {
    for publication in side_effects.publications.iter().filter(|publication| publication.table == rule.name) {
        let consequence = if publication.is_complete {
            "subscribers get the erasure as well, unless they filter it"
        } else {
            "it doesn't publish UPDATE or DELETE, so subscribers keep the rows"
        };
        problems.add_for_table(
            &rule.name,
            format!("the publication {} copies its rows to other databases; {consequence}", publication.name),
            "Erase there, too: Lethe doesn't know them",
        );
    }
    for copy in side_effects.stored_copies.iter().filter(|copy| copy.table == rule.name) {
        problems.add_for_table(
            &rule.name,
            format!("the materialized view {} has copies of its rows until it is refreshed", copy.view),
            format!("Run REFRESH MATERIALIZED VIEW {} at least as often as erasures must be complete", copy.view),
        );
    }
}

/// Rows that are nobody's because `where` doesn't name their value: they may be somebody's all the same.
async fn warn_of_other_values(
    rule: &TableRule,
    catalog: &PgCatalog,
    connection: &mut PgConnection,
    problems: &mut Problems,
) -> Result<(), Error> {
    let filters = || rule.owners.iter().map(|owner| &owner.filter);
    let columns: BTreeSet<&String> = filters().flat_map(BTreeMap::keys).collect();
    let [relation] = catalog.relations_named(&rule.name) else { return Ok(()) };
    let relation = &catalog.relations[*relation];
    // Where an owner counts whatever the value is, every row may be somebody's.
    let decides = |column: &&String| filters().all(|filter| filter.contains_key(*column));
    let exists = |column: &&String| relation.column(column).is_some() && relation.privileges.select;
    for column in columns.into_iter().filter(decides).filter(exists) {
        let named: Vec<String> = filters().flat_map(|filter| filter[column].iter().cloned()).collect();
        let query = format!(
            "SELECT DISTINCT coalesce(quote_literal(value), 'NULL') FROM \
             (SELECT {}::text AS value FROM {} LIMIT {SAMPLE_ROWS}) AS sample WHERE value <> ALL ($1) IS NOT FALSE ORDER BY 1 LIMIT {OTHER_VALUES}",
            quote_identifier(column),
            relation.quoted_name()
        );
        let others: Vec<String> = sql::query_scalar(query).bind(named).fetch_all(&mut *connection).await?;
        if !others.is_empty() {
            problems.add_for_column(
                &rule.name,
                column,
                format!("rows with {} here are nobody's, since no `where` names it", others.join(" or ")),
                "Add the value to where, or a [[table.owner]] for it, if such rows are about people",
            );
        }
    }
    Ok(())
}

/// The columns by which an erasure finds rows.
fn warn_of_missing_indexes(rule: &TableRule, catalog: &PgCatalog, side_effects: &SideEffects, problems: &mut Problems) {
    let mut searched: BTreeSet<(String, Vec<String>)> = BTreeSet::new();
    let mentions = rule.mentions.iter().map(|mention| &mention.path);
    for path in rule.owners.iter().map(|owner| &owner.path).chain(mentions) {
        match path {
            OwnerPath::Column(_) | OwnerPath::Parent { .. } => {
                searched.insert((rule.name.clone(), path.columns().to_vec()));
            }
            OwnerPath::Child { target, .. } if !target.columns.is_empty() => {
                searched.insert((target.table.clone(), target.columns.clone()));
            }
            OwnerPath::Child { .. } | OwnerPath::Address { .. } | OwnerPath::Within { .. } => {}
        }
    }
    searched.extend(rule.references.iter().map(|reference| (rule.name.clone(), vec![reference.column.clone()])));
    warn_of_missing_indexes_on_addresses(rule, catalog, side_effects, problems);
    for (table, columns) in searched.into_iter().filter(|(table, columns)| !side_effects.has_index(table, columns)) {
        let [index] = catalog.relations_named(&table) else { continue };
        if columns.iter().any(|column| catalog.relations[*index].column(column).is_none()) {
            continue;
        }
        let list = columns.iter().map(|column| quote_identifier(column)).collect::<Vec<_>>().join(", ");
        problems.add_for_column(
            &table,
            &columns[0],
            "no index finds rows by it, so every deletion and export reads the whole table",
            format!("CREATE INDEX CONCURRENTLY ON {} ({list})", catalog.relations[*index].quoted_name()),
        );
    }
}

/// The columns by which addresses are compared, those of other accounts included.
fn warn_of_missing_indexes_on_addresses(
    rule: &TableRule,
    catalog: &PgCatalog,
    side_effects: &SideEffects,
    problems: &mut Problems,
) {
    let owners = rule.owners.iter().filter_map(|owner| match &owner.path {
        OwnerPath::Address { column, kind } => Some((column, *kind)),
        OwnerPath::Column(_) | OwnerPath::Parent { .. } | OwnerPath::Child { .. } | OwnerPath::Within { .. } => None,
    });
    let [relation] = catalog.relations_named(&rule.name) else { return };
    let relation = &catalog.relations[*relation];
    for (column, kind) in owners.chain(rule.addresses.iter()).filter(|(column, _)| relation.column(column).is_some()) {
        if !side_effects.has_index_on_function(&rule.name, kind.function(), column) {
            let expression = kind.normal_form_of(&quote_identifier(column));
            problems.add_for_column(
                &rule.name,
                column,
                "no index finds rows by the address, so every deletion and export reads the whole table",
                format!("CREATE INDEX CONCURRENTLY ON {} ({expression})", relation.quoted_name()),
            );
        }
    }
}

fn warn_of_large_objects(rule: &TableRule, catalog: &PgCatalog, side_effects: &SideEffects, problems: &mut Problems) {
    for relation in catalog.relations_named(&rule.name).iter().map(|index| &catalog.relations[*index]) {
        let columns = relation.columns.iter().filter(|column| matches!(column.base_type.as_str(), "oid" | "lo"));
        for column in columns.filter(|_| side_effects.has_large_objects && relation.kind == RelationKind::Table) {
            problems.add_for_column(
                &rule.name,
                &column.name,
                "it may be the id of a large object, which stays when the row is deleted",
                "Unlink it with a trigger (lo_manage of the extension lo), or run vacuumlo after deletions",
            );
        }
    }
}
