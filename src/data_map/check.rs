//! Holds a map against the catalog, table by table and column by column. How tables hang
//! together is next door, in `references`.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::{Catalog, Column, Kind, Relation};
use super::resolved::{Ending, ExportColumn, Resolved, ResolvedOwner, ScrubColumn, Search, StampColumn, Table};
use super::rules::{DataMap, Erase, ExportRule, Owner, Scrub, TableRule};
use super::sql::quote;
use super::{Error, Problem, names, references};

/// A rule and the table it is about.
pub(super) struct Mapped<'a> {
    pub(super) rule: &'a TableRule,
    pub(super) relation: &'a Relation,
    /// In the catalog.
    pub(super) place: usize,
}

/// What was found wrong so far.
#[derive(Default)]
pub(super) struct Findings(BTreeSet<Problem>);

impl Findings {
    pub(super) fn table(&mut self, table: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.0.insert(Problem {
            table: table.to_owned(),
            column: None,
            message: message.into(),
            remedy: remedy.into(),
        });
    }

    pub(super) fn column(&mut self, table: &str, column: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.0.insert(Problem {
            table: table.to_owned(),
            column: Some(column.to_owned()),
            message: message.into(),
            remedy: remedy.into(),
        });
    }

    fn finish<T>(self, value: T) -> Result<T, Error> {
        if self.0.is_empty() { Ok(value) } else { Err(Error::Mismatch(self.0.into_iter().collect())) }
    }
}

pub(super) fn resolve(map: &DataMap, catalog: &Catalog) -> Result<Resolved, Error> {
    let mut findings = Findings::default();
    let mapped: Vec<Mapped<'_>> = map.tables.iter().filter_map(|rule| find(rule, catalog, &mut findings)).collect();
    let ignored: BTreeSet<usize> =
        map.ignored.iter().filter_map(|ignore| found(&ignore.name, catalog, &mut findings)).collect();
    for mapped in &mapped {
        columns(mapped, catalog, &mut findings);
    }
    unmapped(&mapped, &ignored, catalog, &mut findings);
    // The rest would only repeat what is already said.
    let mut findings = Findings(findings.finish(BTreeSet::new())?);

    let owners = references::owners(&mapped, catalog, &mut findings);
    let mut findings = Findings(findings.finish(BTreeSet::new())?);
    let links = references::links(&mapped, &ignored, catalog, &mut findings);
    let order = references::order(&mapped, &owners, catalog, &mut findings);
    let searches = searches(&mapped, catalog);
    let order = findings.finish(order)?;

    let mut unlinks = order.unlinks;
    // `$1` is the key, `$2` the time.
    let mut parameter = 3;
    let tables = mapped.iter().zip(owners).zip(links).enumerate();
    let tables = tables
        .map(|(index, ((mapped, owner), references))| Table {
            rule: mapped.rule.clone(),
            sql: mapped.relation.sql(),
            owner,
            primary_key: mapped.relation.primary_key.iter().map(|column| quote(column)).collect(),
            export: exported(mapped),
            stamps: stamps(mapped),
            scrubs: scrubs(mapped, &mut parameter),
            references,
            unlinks: unlinks.remove(&index).unwrap_or_default(),
        })
        .collect();
    Ok(Resolved { tables, order: order.places, searches, deferred: order.deferred })
}

impl Relation {
    /// Quoted, with its schema.
    pub(super) fn sql(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.table))
    }
}

fn find<'a>(rule: &'a TableRule, catalog: &'a Catalog, findings: &mut Findings) -> Option<Mapped<'a>> {
    let place = found(&rule.name, catalog, findings)?;
    let relation = &catalog.relations[place];
    if relation.kind != Kind::Table {
        findings.table(
            &rule.name,
            "only tables can have a rule",
            "Give the tables that it reads rules, and this an [[ignore]] with a reason",
        );
        return None;
    }
    Some(Mapped { rule, relation, place })
}

fn found(name: &str, catalog: &Catalog, findings: &mut Findings) -> Option<usize> {
    match catalog.named(name) {
        [place] => Some(*place),
        [] => {
            let similar =
                catalog.relations.iter().find(|relation| relation.table == name.rsplit('.').next().unwrap_or(name));
            let remedy = similar.map_or_else(
                || "Correct the name, or remove the entry if the table was dropped".to_owned(),
                |similar| format!("Write \"{}\"", similar.name()),
            );
            findings.table(name, "the database has no such table", remedy);
            None
        }
        _ => {
            findings.table(name, "two tables have this name when it is written with a dot", "Rename one of them");
            None
        }
    }
}

/// Everything that concerns the columns of one table.
fn columns(mapped: &Mapped<'_>, catalog: &Catalog, findings: &mut Findings) {
    let Mapped { rule, relation, place } = mapped;
    owner(mapped, findings);
    privileges(mapped, findings);
    let (ExportRule::Only(listed) | ExportRule::Except { columns: listed, .. }) = &rule.export else {
        return erasure(mapped, *place, catalog, findings);
    };
    for name in listed.iter().filter(|name| relation.column(name).is_none()) {
        unknown(rule, name, "export", findings);
    }
    erasure(mapped, *place, catalog, findings);
}

fn owner(Mapped { rule, relation, .. }: &Mapped<'_>, findings: &mut Findings) {
    let name = rule.owner.column();
    let Some(column) = relation.column(name) else {
        return unknown(rule, name, if rule.subject { "key" } else { "owner" }, findings);
    };
    if matches!(rule.owner, Owner::Path { .. }) {
        return;
    }
    if !column.is_text() {
        findings.column(
            &rule.name,
            name,
            format!("the column is {} and can't hold a Clerk user id", column.type_name),
            "Name the column that does, or write a path such as \"user_id -> public.users\"",
        );
    }
    if rule.subject && !relation.unique.contains(&column.name) {
        findings.column(
            &rule.name,
            name,
            "the key of a subject isn't unique, so two people could share a row",
            format!("Add a unique constraint: ALTER TABLE {} ADD UNIQUE ({})", relation.sql(), quote(name)),
        );
    }
}

fn privileges(Mapped { rule, relation, .. }: &Mapped<'_>, findings: &mut Findings) {
    if relation.policies {
        findings.table(
            &rule.name,
            "row-level security may hide rows from Lethe, which would then stay",
            "Let Lethe connect as a role with BYPASSRLS, or as the table's owner without FORCE ROW LEVEL SECURITY",
        );
    }
    let detaches = !rule.references.is_empty();
    let updates = detaches || matches!(rule.erase, Erase::Stamp { .. } | Erase::Scrub { .. });
    let deletes = detaches || rule.erase.ending() != Ending::Never;
    let needed = [
        ("SELECT", true, relation.may.select),
        ("UPDATE", updates, relation.may.update),
        ("DELETE", deletes, relation.may.delete),
    ];
    for (privilege, _, _) in needed.iter().filter(|(_, needed, granted)| *needed && !granted) {
        findings.table(
            &rule.name,
            format!("the role that Lethe uses has no {privilege} here"),
            format!("GRANT {privilege} ON {} to it", relation.sql()),
        );
    }
}

fn erasure(mapped: &Mapped<'_>, place: usize, catalog: &Catalog, findings: &mut Findings) {
    match &mapped.rule.erase {
        Erase::Delete | Erase::Keep { .. } => {}
        Erase::Stamp { columns, .. } => stamping(mapped, columns, findings),
        Erase::Scrub { columns, stamp, leave, .. } => {
            stamping(mapped, stamp, findings);
            for (name, scrub) in columns {
                scrubbing(mapped, name, scrub, place, catalog, findings);
            }
            leaving(mapped, columns, stamp, leave, findings);
        }
    }
}

fn stamping(Mapped { rule, relation, .. }: &Mapped<'_>, stamps: &[String], findings: &mut Findings) {
    for (index, name) in stamps.iter().enumerate() {
        let Some(column) = relation.column(name) else {
            unknown(rule, name, "stamp", findings);
            continue;
        };
        written(rule, column, "stamped", findings);
        if !column.is_time() {
            findings.column(
                &rule.name,
                name,
                format!("the column is {} and can't hold a time", column.type_name),
                "Stamp a column of type timestamptz",
            );
        }
        if index == 0 && !column.nullable {
            findings.column(
                &rule.name,
                name,
                "the first stamped column is the mark, which is empty until a row is marked, but this one is NOT NULL",
                "Put a nullable column first, for example deleted_at",
            );
        }
    }
}

fn scrubbing(
    Mapped { rule, relation, .. }: &Mapped<'_>,
    name: &str,
    scrub: &Scrub,
    place: usize,
    catalog: &Catalog,
    findings: &mut Findings,
) {
    let Some(column) = relation.column(name) else {
        return unknown(rule, name, "scrub", findings);
    };
    written(rule, column, "scrubbed", findings);
    if *scrub == Scrub::Null && !column.nullable {
        findings.column(
            &rule.name,
            name,
            "the column is NOT NULL and can't be emptied",
            format!(
                "Write {{ value = \"..\" }}, or ALTER TABLE {} ALTER {} DROP NOT NULL",
                relation.sql(),
                quote(name)
            ),
        );
    }
    if matches!(scrub, Scrub::Value(_)) && relation.unique.contains(&column.name) {
        findings.column(
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
        findings.column(
            &rule.name,
            name,
            "other rows point to this column, so it can't be scrubbed",
            "Delete the rows, or leave this column",
        );
    }
}

/// A scrubbed row stays, so each of its columns needs a word.
fn leaving(
    Mapped { rule, relation, .. }: &Mapped<'_>,
    scrubbed: &BTreeMap<String, Scrub>,
    stamped: &[String],
    left: &[String],
    findings: &mut Findings,
) {
    for name in left {
        if relation.column(name).is_none() {
            unknown(rule, name, "leave", findings);
        } else if scrubbed.contains_key(name) || stamped.contains(name) {
            findings.column(&rule.name, name, "the column is left and changed at once", "Name it once");
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
            findings.column(
                &rule.name,
                name,
                "the row stays and nothing says what becomes of this column",
                format!("Add it to scrub, or add leave = [\"{name}\"] and a reason to erase"),
            );
        }
    }
}

fn written(rule: &TableRule, column: &Column, how: &str, findings: &mut Findings) {
    if column.generated {
        findings.column(
            &rule.name,
            &column.name,
            format!("the database generates the column, so it can't be {how}"),
            "Name the columns that it is generated from",
        );
    }
}

fn unknown(rule: &TableRule, column: &str, key: &str, findings: &mut Findings) {
    findings.column(
        &rule.name,
        column,
        format!("`{key}` names a column that the table doesn't have"),
        "Correct the name, or remove it if the column was dropped",
    );
}

/// Tables without a rule that foreign keys or column names connect with people.
fn unmapped(mapped: &[Mapped<'_>], ignored: &BTreeSet<usize>, catalog: &Catalog, findings: &mut Findings) {
    let known: BTreeSet<usize> = mapped.iter().map(|mapped| mapped.place).collect();
    let reached = references::reached(&known, catalog);
    for (place, relation) in catalog.relations.iter().enumerate() {
        if known.contains(&place) || ignored.contains(&place) {
            continue;
        }
        let name = relation.name();
        if let Some(key) = reached.get(&place) {
            let key = &catalog.foreign_keys[*key];
            let (column, parent) = (&key.columns[0], catalog.relations[key.parent].name());
            findings.column(
                &name,
                column,
                format!("a foreign key leads from here to {parent}, and the map doesn't mention this table"),
                format!("Add a [[table]] with owner = \"{column} -> {parent}\" or its own column, or an [[ignore]] with a reason"),
            );
        } else if let Some(column) = relation.columns.iter().find(|column| names::suggests_person(&column.name)) {
            findings.column(
                &name,
                &column.name,
                "the column suggests that this table is about people, and the map doesn't mention it",
                "Add a [[table]] with its owner, or an [[ignore]] with a reason",
            );
        }
    }
}

fn exported(Mapped { rule, relation, .. }: &Mapped<'_>) -> Option<Vec<ExportColumn>> {
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

fn stamps(Mapped { rule, relation, .. }: &Mapped<'_>) -> Vec<StampColumn> {
    let (Erase::Stamp { columns, .. } | Erase::Scrub { stamp: columns, .. }) = &rule.erase else {
        return Vec::new();
    };
    let columns = columns.iter().filter_map(|name| relation.column(name));
    columns.map(|column| StampColumn { column: quote(&column.name), base_type: column.base_type.clone() }).collect()
}

fn scrubs(Mapped { rule, relation, .. }: &Mapped<'_>, parameter: &mut usize) -> Vec<ScrubColumn> {
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
            column: quote(&column.name),
            type_name: column.type_name.clone(),
            parameter: number,
            value,
        });
    }
    resolved
}

/// Where a key may be left behind: text columns with telling names, whether mapped or not.
fn searches(mapped: &[Mapped<'_>], catalog: &Catalog) -> Vec<Search> {
    let mut searches = Vec::new();
    for (place, relation) in catalog.relations.iter().enumerate() {
        let table = mapped.iter().position(|mapped| mapped.place == place);
        let owner = table.map(|table| mapped[table].rule.owner.column());
        let telling = relation.columns.iter().filter(|column| {
            column.is_text() && names::may_hold_key(&column.name) && owner != Some(column.name.as_str())
        });
        if relation.kind != Kind::Table || !relation.may.select {
            continue;
        }
        searches.extend(telling.map(|column| Search {
            name: relation.name(),
            column_name: column.name.clone(),
            sql: relation.sql(),
            column: quote(&column.name),
            table,
        }));
    }
    searches
}

/// Quoted owner of a rule whose column holds the key.
pub(super) fn direct(column: &str) -> ResolvedOwner {
    ResolvedOwner::Column(quote(column))
}
