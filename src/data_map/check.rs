//! Holds a map against the catalog, table by table and column by column. How tables hang
//! together is next door, in `references`.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::{Column, PgCatalog, Relation, RelationKind};
use super::resolved::{ExportColumn, Removal, Resolved, ResolvedOwner, ScrubColumn, StampColumn, Table, UserIdSearch};
use super::rules::{DataMap, Erase, ExportRule, Owner, Scrub, TableRule};
use super::sql::quote_identifier;
use super::{Error, Problem, column_names, references};

/// A rule and the table it is about.
pub(super) struct MappedTable<'a> {
    pub(super) rule: &'a TableRule,
    pub(super) relation: &'a Relation,
    /// In the catalog.
    pub(super) relation_index: usize,
}

/// What was found wrong so far.
#[derive(Default)]
pub(super) struct Problems(BTreeSet<Problem>);

impl Problems {
    pub(super) fn add_for_table(&mut self, table: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.0.insert(Problem {
            table: table.to_owned(),
            column: None,
            message: message.into(),
            remedy: remedy.into(),
        });
    }

    pub(super) fn add_for_column(
        &mut self,
        table: &str,
        column: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.0.insert(Problem {
            table: table.to_owned(),
            column: Some(column.to_owned()),
            message: message.into(),
            remedy: remedy.into(),
        });
    }

    fn into_result<T>(self, value: T) -> Result<T, Error> {
        if self.0.is_empty() { Ok(value) } else { Err(Error::Mismatch(self.0.into_iter().collect())) }
    }
}

pub(super) fn resolve(map: &DataMap, catalog: &PgCatalog) -> Result<Resolved, Error> {
    let mut findings = Problems::default();
    let mapped: Vec<MappedTable<'_>> =
        map.tables.iter().filter_map(|rule| find_table(rule, catalog, &mut findings)).collect();
    let ignored: BTreeSet<usize> =
        map.ignored.iter().filter_map(|ignore| find_relation(&ignore.name, catalog, &mut findings)).collect();
    for mapped in &mapped {
        check_table(mapped, catalog, &mut findings);
    }
    report_unmapped_tables(&mapped, &ignored, catalog, &mut findings);
    // The rest would only repeat what is already said.
    let mut findings = Problems(findings.into_result(BTreeSet::new())?);

    let owners = references::resolve_owners(&mapped, catalog, &mut findings);
    let mut findings = Problems(findings.into_result(BTreeSet::new())?);
    let links = references::resolve_references(&mapped, &ignored, catalog, &mut findings);
    let order = references::erasure_order(&mapped, &owners, catalog, &mut findings);
    let searches = user_id_searches(&mapped, catalog);
    let order = findings.into_result(order)?;

    let mut unlinks = order.unlink_columns;
    // `$1` is the key, `$2` the time.
    let mut parameter = 3;
    let tables = mapped.iter().zip(owners).zip(links).enumerate();
    let tables = tables
        .map(|(index, ((mapped, owner), references))| Table {
            rule: mapped.rule.clone(),
            sql: mapped.relation.quoted_name(),
            owner,
            primary_key: mapped.relation.primary_key.iter().map(|column| quote_identifier(column)).collect(),
            export: export_columns(mapped),
            stamps: stamp_columns(mapped),
            scrubs: scrub_columns(mapped, &mut parameter),
            references,
            unlink_columns: unlinks.remove(&index).unwrap_or_default(),
        })
        .collect();
    Ok(Resolved { tables, order: order.tables, user_id_searches: searches, deferred_constraints: order.deferred })
}

impl Relation {
    /// Quoted, with its schema.
    pub(super) fn quoted_name(&self) -> String {
        format!("{}.{}", quote_identifier(&self.schema), quote_identifier(&self.table))
    }
}

fn find_table<'a>(rule: &'a TableRule, catalog: &'a PgCatalog, findings: &mut Problems) -> Option<MappedTable<'a>> {
    let place = find_relation(&rule.name, catalog, findings)?;
    let relation = &catalog.relations[place];
    if relation.kind != RelationKind::Table {
        findings.add_for_table(
            &rule.name,
            "only tables can have a rule",
            "Give the tables that it reads rules, and this an [[ignore]] with a reason",
        );
        return None;
    }
    Some(MappedTable { rule, relation, relation_index: place })
}

fn find_relation(name: &str, catalog: &PgCatalog, findings: &mut Problems) -> Option<usize> {
    match catalog.relations_named(name) {
        [place] => Some(*place),
        [] => {
            let similar =
                catalog.relations.iter().find(|relation| relation.table == name.rsplit('.').next().unwrap_or(name));
            let remedy = similar.map_or_else(
                || "Correct the name, or remove the entry if the table was dropped".to_owned(),
                |similar| format!("Write \"{}\"", similar.name()),
            );
            findings.add_for_table(name, "the database has no such table", remedy);
            None
        }
        _ => {
            findings.add_for_table(
                name,
                "two tables have this name when it is written with a dot",
                "Rename one of them",
            );
            None
        }
    }
}

/// Everything that concerns the columns of one table.
fn check_table(mapped: &MappedTable<'_>, catalog: &PgCatalog, findings: &mut Problems) {
    let MappedTable { rule, relation, relation_index: place } = mapped;
    check_owner(mapped, findings);
    check_privileges(mapped, findings);
    let (ExportRule::Only(listed) | ExportRule::Except { columns: listed, .. }) = &rule.export else {
        return check_erase(mapped, *place, catalog, findings);
    };
    for name in listed.iter().filter(|name| relation.column(name).is_none()) {
        report_unknown_column(rule, name, "export", findings);
    }
    check_erase(mapped, *place, catalog, findings);
}

fn check_owner(MappedTable { rule, relation, .. }: &MappedTable<'_>, findings: &mut Problems) {
    let name = rule.owner.column();
    let Some(column) = relation.column(name) else {
        return report_unknown_column(rule, name, if rule.subject { "key" } else { "owner" }, findings);
    };
    if matches!(rule.owner, Owner::Path { .. }) {
        return;
    }
    if !column.is_text() {
        findings.add_for_column(
            &rule.name,
            name,
            format!("the column is {} and can't hold a Clerk user id", column.type_name),
            "Name the column that does, or write a path such as \"user_id -> public.users\"",
        );
    }
    if rule.subject && !relation.unique_columns.contains(&column.name) {
        findings.add_for_column(
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

fn check_privileges(MappedTable { rule, relation, .. }: &MappedTable<'_>, findings: &mut Problems) {
    if relation.row_security {
        findings.add_for_table(
            &rule.name,
            "row-level security may hide rows from Lethe, which would then stay",
            "Let Lethe connect as a role with BYPASSRLS, or as the table's owner without FORCE ROW LEVEL SECURITY",
        );
    }
    let detaches = !rule.references.is_empty();
    let updates = detaches || matches!(rule.erase, Erase::Stamp { .. } | Erase::Scrub { .. });
    let deletes = detaches || rule.erase.removal() != Removal::Never;
    let needed = [
        ("SELECT", true, relation.privileges.select),
        ("UPDATE", updates, relation.privileges.update),
        ("DELETE", deletes, relation.privileges.delete),
    ];
    for (privilege, _, _) in needed.iter().filter(|(_, needed, granted)| *needed && !granted) {
        findings.add_for_table(
            &rule.name,
            format!("the role that Lethe uses has no {privilege} here"),
            format!("GRANT {privilege} ON {} to it", relation.quoted_name()),
        );
    }
}

fn check_erase(mapped: &MappedTable<'_>, place: usize, catalog: &PgCatalog, findings: &mut Problems) {
    match &mapped.rule.erase {
        Erase::Delete | Erase::Keep { .. } => {}
        Erase::Stamp { columns, .. } => check_stamp(mapped, columns, findings),
        Erase::Scrub { columns, stamp, leave, .. } => {
            check_stamp(mapped, stamp, findings);
            for (name, scrub) in columns {
                check_scrub(mapped, name, scrub, place, catalog, findings);
            }
            check_left_columns(mapped, columns, stamp, leave, findings);
        }
    }
}

fn check_stamp(MappedTable { rule, relation, .. }: &MappedTable<'_>, stamps: &[String], findings: &mut Problems) {
    for (index, name) in stamps.iter().enumerate() {
        let Some(column) = relation.column(name) else {
            report_unknown_column(rule, name, "stamp", findings);
            continue;
        };
        check_writable(rule, column, "stamped", findings);
        if !column.is_time() {
            findings.add_for_column(
                &rule.name,
                name,
                format!("the column is {} and can't hold a time", column.type_name),
                "Stamp a column of type timestamptz",
            );
        }
        if index == 0 && !column.nullable {
            findings.add_for_column(
                &rule.name,
                name,
                "the first stamped column is the mark, which is empty until a row is marked, but this one is NOT NULL",
                "Put a nullable column first, for example deleted_at",
            );
        }
    }
}

fn check_scrub(
    MappedTable { rule, relation, .. }: &MappedTable<'_>,
    name: &str,
    scrub: &Scrub,
    place: usize,
    catalog: &PgCatalog,
    findings: &mut Problems,
) {
    let Some(column) = relation.column(name) else {
        return report_unknown_column(rule, name, "scrub", findings);
    };
    check_writable(rule, column, "scrubbed", findings);
    if *scrub == Scrub::Null && !column.nullable {
        findings.add_for_column(
            &rule.name,
            name,
            "the column is NOT NULL and can't be emptied",
            format!(
                "Write {{ value = \"..\" }}, or ALTER TABLE {} ALTER {} DROP NOT NULL",
                relation.quoted_name(),
                quote_identifier(name)
            ),
        );
    }
    if matches!(scrub, Scrub::Value(_)) && relation.unique_columns.contains(&column.name) {
        findings.add_for_column(
            &rule.name,
            name,
            "the column is unique, so a second person could not get the same value",
            "Scrub it with \"null\"",
        );
    }
    let pointed = catalog
        .foreign_keys
        .iter()
        .find(|key| key.parent == place && key.parent_columns.iter().any(|parent| parent == name));
    if relation.primary_key.iter().any(|key| key == name) || pointed.is_some() {
        findings.add_for_column(
            &rule.name,
            name,
            "other rows point to this column, so it can't be scrubbed",
            "Delete the rows, or leave this column",
        );
    }
}

/// A scrubbed row stays, so each of its columns needs a word.
fn check_left_columns(
    MappedTable { rule, relation, .. }: &MappedTable<'_>,
    scrubbed: &BTreeMap<String, Scrub>,
    stamped: &[String],
    left: &[String],
    findings: &mut Problems,
) {
    for name in left {
        if relation.column(name).is_none() {
            report_unknown_column(rule, name, "leave", findings);
        } else if scrubbed.contains_key(name) || stamped.contains(name) {
            findings.add_for_column(&rule.name, name, "the column is left and changed at once", "Name it once");
        }
    }
    for Column { name, base_type, .. } in &relation.columns {
        let settled = scrubbed.contains_key(name)
            || stamped.contains(name)
            || left.contains(name)
            || rule.owner.column() == name
            || relation.primary_key.contains(name)
            || matches!(base_type.as_str(), "timestamptz" | "timestamp");
        if !settled {
            findings.add_for_column(
                &rule.name,
                name,
                "the row stays and nothing says what becomes of this column",
                format!("Add it to scrub, or add leave = [\"{name}\"] and a reason to erase"),
            );
        }
    }
}

fn check_writable(rule: &TableRule, column: &Column, how: &str, findings: &mut Problems) {
    if column.generated {
        findings.add_for_column(
            &rule.name,
            &column.name,
            format!("the database generates the column, so it can't be {how}"),
            "Name the columns that it is generated from",
        );
    }
}

fn report_unknown_column(rule: &TableRule, column: &str, key: &str, findings: &mut Problems) {
    findings.add_for_column(
        &rule.name,
        column,
        format!("`{key}` names a column that the table doesn't have"),
        "Correct the name, or remove it if the column was dropped",
    );
}

/// Tables without a rule that foreign keys or column names connect with people.
fn report_unmapped_tables(
    mapped: &[MappedTable<'_>],
    ignored: &BTreeSet<usize>,
    catalog: &PgCatalog,
    findings: &mut Problems,
) {
    let known: BTreeSet<usize> = mapped.iter().map(|mapped| mapped.relation_index).collect();
    let reached = references::referencing_tables(&known, catalog);
    for (place, relation) in catalog.relations.iter().enumerate() {
        if known.contains(&place) || ignored.contains(&place) {
            continue;
        }
        let name = relation.name();
        if let Some(key) = reached.get(&place) {
            let key = &catalog.foreign_keys[*key];
            let (column, parent) = (&key.columns[0], catalog.relations[key.parent].name());
            findings.add_for_column(
                &name,
                column,
                format!("a foreign key leads from here to {parent}, and the map doesn't mention this table"),
                format!("Add a [[table]] with owner = \"{column} -> {parent}\" or its own column, or an [[ignore]] with a reason"),
            );
        } else if let Some(column) = relation.columns.iter().find(|column| column_names::suggests_person(&column.name))
        {
            findings.add_for_column(
                &name,
                &column.name,
                "the column suggests that this table is about people, and the map doesn't mention it",
                "Add a [[table]] with its owner, or an [[ignore]] with a reason",
            );
        }
    }
}

fn export_columns(MappedTable { rule, relation, .. }: &MappedTable<'_>) -> Option<Vec<ExportColumn>> {
    let wanted = |column: &&Column| match &rule.export {
        ExportRule::All => true,
        ExportRule::Only(columns) => columns.contains(&column.name),
        ExportRule::Except { columns, .. } => !columns.contains(&column.name),
        ExportRule::Nothing { .. } => false,
    };
    let columns = relation.columns.iter().filter(wanted);
    let columns =
        columns.map(|column| ExportColumn { name: column.name.clone(), base_type: column.base_type.clone() }).collect();
    (!matches!(rule.export, ExportRule::Nothing { .. })).then_some(columns)
}

fn stamp_columns(MappedTable { rule, relation, .. }: &MappedTable<'_>) -> Vec<StampColumn> {
    let (Erase::Stamp { columns, .. } | Erase::Scrub { stamp: columns, .. }) = &rule.erase else {
        return Vec::new();
    };
    let columns = columns.iter().filter_map(|name| relation.column(name));
    columns
        .map(|column| StampColumn { column: quote_identifier(&column.name), base_type: column.base_type.clone() })
        .collect()
}

fn scrub_columns(MappedTable { rule, relation, .. }: &MappedTable<'_>, parameter: &mut usize) -> Vec<ScrubColumn> {
    let Erase::Scrub { columns, .. } = &rule.erase else {
        return Vec::new();
    };
    let columns = columns.iter().filter_map(|(name, scrub)| Some((relation.column(name)?, scrub)));
    let mut resolved = Vec::new();
    for (column, scrub) in columns {
        let value = match scrub {
            Scrub::Null => None,
            Scrub::Value(value) => Some(value.clone()),
        };
        let number = *parameter;
        *parameter += usize::from(value.is_some());
        resolved.push(ScrubColumn {
            column: quote_identifier(&column.name),
            type_name: column.type_name.clone(),
            parameter: number,
            value,
        });
    }
    resolved
}

/// Where a key may be left behind: text columns with telling names, whether mapped or not.
fn user_id_searches(mapped: &[MappedTable<'_>], catalog: &PgCatalog) -> Vec<UserIdSearch> {
    let mut searches = Vec::new();
    for (place, relation) in catalog.relations.iter().enumerate() {
        let table = mapped.iter().position(|mapped| mapped.relation_index == place);
        let owner = table.map(|table| mapped[table].rule.owner.column());
        let telling = relation.columns.iter().filter(|column| {
            column.is_text() && column_names::may_hold_user_id(&column.name) && owner != Some(column.name.as_str())
        });
        if relation.kind != RelationKind::Table || !relation.privileges.select {
            continue;
        }
        searches.extend(telling.map(|column| UserIdSearch {
            name: relation.name(),
            column_name: column.name.clone(),
            sql: relation.quoted_name(),
            column: quote_identifier(&column.name),
            table,
        }));
    }
    searches
}

/// Quoted owner of a rule whose column holds the key.
pub(super) fn direct_owner(column: &str) -> ResolvedOwner {
    ResolvedOwner::Column(quote_identifier(column))
}
