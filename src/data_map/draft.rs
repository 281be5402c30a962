//! Writes a first map from a live schema. Names and foreign keys are all that it sees, so it
//! guesses, says so, and leaves every decision to a person. Its guesses erase too much rather
//! than too little, and touch nobody else's rows.

use std::fmt::Write as _;

use sqlx::PgConnection;

use super::catalog::{self, PgCatalog, Relation, RelationKind};
use super::check::MappedTable;
use super::rules::{Erase, ExportRule, Owner, TableRule};
use super::{Error, column_names, file, references};

const HEADER: &str = "\
# The data map: where people's data is, what they get of it, and what becomes of it when they
# delete their account. `lethe map draft` wrote this from names and foreign keys. Read every entry:
# lines marked DECIDE are guesses that only a person can settle. Then run `lethe map check`.
";

/// Writes a map for the live schema. `subject_table`, such as `public.users`, says where people
/// are; without it, tables are taken that have a unique text column of a telling name.
///
/// What comes out parses and fits, or says in comments marked `DECIDE` what is missing.
pub async fn draft(connection: &mut PgConnection, subject_table: Option<&str>) -> Result<String, Error> {
    let catalog = catalog::read(connection).await?;
    let rules = infer_rules(&catalog, subject_table);
    let mut text = HEADER.to_owned();
    if !rules.iter().any(|rule| rule.subject) {
        text.push_str(
            "\n# DECIDE: no table with a unique text column for the Clerk user id was found. Add it:\n\
             # [[subject]]\n# table  = \"public.users\"\n# key    = \"clerk_id\"\n# export = \"all\"\n# erase  = \"delete\"\n",
        );
    }
    let mapped: Vec<MappedTable<'_>> = rules
        .iter()
        .filter_map(|rule| {
            let place = *catalog.relations_named(&rule.name).first()?;
            Some(MappedTable { rule, relation: &catalog.relations[place], relation_index: place })
        })
        .collect();
    for child in &mapped {
        write_table_entry(&mut text, child);
        for (column, nullable) in undecided_columns(child, &mapped, &catalog) {
            let header = if child.rule.subject { "subject.reference" } else { "table.reference" };
            write_reference_entry(&mut text, header, &column, nullable);
        }
    }
    write_unmapped_tables(&mut text, &mapped, &catalog);
    Ok(text)
}

/// Every table whose rows can be found to be a person's, in an order in which paths lead back.
fn infer_rules(catalog: &PgCatalog, subject_table: Option<&str>) -> Vec<TableRule> {
    let tables = || catalog.relations.iter().enumerate().filter(|(_, relation)| relation.kind == RelationKind::Table);
    let mut rules = Vec::new();
    for (place, relation) in tables() {
        let asked = subject_table.is_none_or(|name| name == relation.name());
        if let Some(key) = subject_key_column(catalog, place, relation, subject_table.is_some()).filter(|_| asked) {
            rules.push(default_rule(relation, Owner::Column(key), true));
        }
    }
    for (_, relation) in tables() {
        let known = |name: &str| rules.iter().any(|rule: &TableRule| rule.name == name);
        let direct =
            relation.columns.iter().find(|column| column.is_text() && column_names::may_hold_user_id(&column.name));
        if let Some(column) = direct.filter(|_| !known(&relation.name())) {
            let owner = Owner::Column(column.name.clone());
            rules.push(default_rule(relation, owner, false));
        }
    }
    // Each round finds the tables that point to those found before.
    loop {
        let found = tables().find_map(|(place, relation)| {
            let known = |name: &str| rules.iter().any(|rule: &TableRule| rule.name == name);
            let key = catalog.foreign_keys_of(place).find(|key| {
                key.columns.len() == 1 && key.parent != place && known(&catalog.relations[key.parent].name())
            })?;
            let owner = Owner::Path { column: key.columns[0].clone(), table: catalog.relations[key.parent].name() };
            (!known(&relation.name())).then(|| default_rule(relation, owner, false))
        });
        match found {
            Some(rule) => rules.push(rule),
            None => return rules,
        }
    }
}

/// The column that makes a table a subject's: unique, text, of a telling name, pointing nowhere.
fn subject_key_column(catalog: &PgCatalog, place: usize, relation: &Relation, named: bool) -> Option<String> {
    let points = |name: &str| catalog.foreign_keys_of(place).any(|key| key.columns.iter().any(|column| column == name));
    let unique =
        relation.columns.iter().filter(|column| column.is_text() && relation.unique_columns.contains(&column.name));
    let telling = unique.clone().find(|column| column_names::may_hold_user_id(&column.name) && !points(&column.name));
    let any = || unique.clone().find(|column| !column_names::suggests_person(&column.name)).filter(|_| named);
    telling.or_else(any).map(|column| column.name.clone())
}

fn default_rule(relation: &Relation, owner: Owner, subject: bool) -> TableRule {
    let secret: Vec<String> = relation
        .columns
        .iter()
        .filter(|column| column_names::suggests_credential(&column.name))
        .map(|column| column.name.clone())
        .collect();
    let export = if secret.is_empty() {
        ExportRule::All
    } else {
        ExportRule::Except { columns: secret, reason: "a credential, not personal data".to_owned() }
    };
    let name = relation.name();
    let label = file::default_label(&name);
    TableRule { name, label, subject, owner, export, erase: Erase::Delete, references: Vec::new() }
}

fn write_table_entry(text: &mut String, MappedTable { rule, relation, .. }: &MappedTable<'_>) {
    let owner = match &rule.owner {
        Owner::Column(column) => toml_string(column),
        Owner::Path { column, table } => toml_string(&format!("{column} -> {table}")),
    };
    let (header, name, key) =
        if rule.subject { ("[[subject]]", "table", "key") } else { ("[[table]]", "name", "owner") };
    let export = match &rule.export {
        ExportRule::Except { columns, reason } => {
            let columns: Vec<String> = columns.iter().map(|column| toml_string(column)).collect();
            format!("{{ except = [{}], reason = {} }}", columns.join(", "), toml_string(reason))
        }
        ExportRule::All | ExportRule::Only(_) | ExportRule::Nothing { .. } => toml_string("all"),
    };
    let _ = write!(
        text,
        "\n{header}\n{name:<6} = {}\n{key:<6} = {owner}\nlabel  = {}\nexport = {export}\n",
        toml_string(&rule.name),
        toml_string(&rule.label)
    );
    let mark = relation.columns.iter().find(|column| {
        column.is_time()
            && column.nullable
            && ["deleted_at", "revoked_at", "archived_at"].contains(&column.name.as_str())
    });
    if let Some(mark) = mark {
        let _ = writeln!(
            text,
            "# DECIDE: rows can be marked here. To hide them first: {{ stamp = [{}], purge_after = \"30 days\" }}",
            toml_string(&mark.name)
        );
    }
    if ["log", "audit", "invoice", "order", "payment", "usage"].iter().any(|word| rule.name.contains(word)) {
        text.push_str("# DECIDE: must these be kept for a time? { keep = \"reason and basis\", for = \"2 years\" }\n");
    }
    text.push_str("erase  = \"delete\"\n");
}

/// Columns by which other people's rows may point to a person's.
fn undecided_columns(child: &MappedTable<'_>, mapped: &[MappedTable<'_>], catalog: &PgCatalog) -> Vec<(String, bool)> {
    let keys = catalog.foreign_keys_of(child.relation_index).filter(|key| {
        let parent = mapped.iter().find(|parent| parent.relation_index == key.parent);
        parent.is_some_and(|parent| !references::always_same_owner(child, parent, key))
    });
    let mut columns: Vec<&str> = keys.map(|key| key.columns[0].as_str()).collect();
    let telling = child.relation.columns.iter().filter(|column| {
        column.is_text() && column_names::may_hold_user_id(&column.name) && child.rule.owner.column() != column.name
    });
    columns.extend(telling.map(|column| column.name.as_str()));
    columns.sort_unstable();
    columns.dedup();
    let nullable = |name: &str| child.relation.column(name).is_some_and(|column| column.nullable);
    columns.into_iter().map(|name| (name.to_owned(), nullable(name))).collect()
}

fn write_reference_entry(text: &mut String, header: &str, column: &str, nullable: bool) {
    let choices = if nullable { "\"detach\" (they stay, the column is emptied) or \"delete\"" } else { "\"delete\"" };
    let _ = write!(
        text,
        "\n# DECIDE: can a row of somebody else point to this person's rows here? If so: {choices}.\n\
         # \"none\" stops the deletion when there is one.\n\
         [[{header}]]\ncolumn = {}\nothers = \"none\"\nreason = \"not decided yet\"\n",
        toml_string(column)
    );
}

/// What has no rule.
fn write_unmapped_tables(text: &mut String, mapped: &[MappedTable<'_>], catalog: &PgCatalog) {
    let mut silent = Vec::new();
    for (place, relation) in catalog.relations.iter().enumerate() {
        if mapped.iter().any(|mapped| mapped.relation_index == place) {
            continue;
        }
        let name = relation.name();
        match relation.columns.iter().find(|column| column_names::suggests_person(&column.name)) {
            Some(column) => {
                let _ = write!(
                    text,
                    "\n# DECIDE: {} has a column {} and nothing that leads to a person. Add a [[table]] with its owner, or:\n\
                     # [[ignore]]\n# name   = {}\n# reason = \"why it holds no personal data\"\n",
                    one_line(&name),
                    one_line(&column.name),
                    toml_string(&name)
                );
            }
            None => silent.push(one_line(&name)),
        }
    }
    if !silent.is_empty() {
        let _ = write!(
            text,
            "\n# Nothing in their names suggests people, and no entry is needed: {}.\n",
            silent.join(", ")
        );
    }
}

fn toml_string(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A name may hold a line break, and a comment ends there.
fn one_line(text: &str) -> String {
    toml_string(text).lines().collect::<String>()
}
