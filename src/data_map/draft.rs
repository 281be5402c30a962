//! Writes a first map from a live schema. It sees only names and foreign keys, so it guesses, marks every guess, and
//! leaves the decisions to a person. Its guesses erase too much rather than too little, and touch no other person's
//! rows.

use std::fmt::Write as _;

use sqlx::PgConnection;

use super::catalog::{self, PgCatalog, Relation, RelationKind};
use super::column_names;
use super::erase::Erase;
use super::error::Error;
use super::index::RelationIndex;
use super::mapped::{MappedTable, MappedTables};
use super::references;
use super::rules::{ExportRule, Owner, TableRule, default_label};

const HEADER: &str = "\
# The data map: where personal data is stored, what users get of it, and what becomes of it when they
# delete their account. `lethe map draft` wrote this from names and foreign keys. Read every entry:
# lines with DECIDE are guesses that only a person can settle. Then run `lethe map check`.
";

/// No database tells what users should be asked.
const PURPOSES: &str = "
# DECIDE: what do users decide on? Without a [[purpose]] they are asked for no consent.
# [[purpose]]
# key     = \"marketing\"
# title   = \"Product news by e-mail\"
# text    = \"We send you news about the product, at most twice a month.\"
# version = \"1\"
";

/// Writes a map for the live schema. `subject_table`, for example `public.users`, is the table that holds the users;
/// without it, every table with a unique text column that is named like a user id is taken.
///
/// The result is valid and matches the schema, or says in comments with `DECIDE` what is missing.
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
    let mapped: MappedTables<'_> = rules
        .iter()
        .filter_map(|rule| {
            let relation_index = *catalog.relations_named(&rule.name).first()?;
            Some(MappedTable { rule, relation: &catalog.relations[relation_index], relation_index })
        })
        .collect();
    for child in mapped.iter() {
        write_table_entry(&mut text, child);
        for (column, nullable) in undecided_columns(child, &mapped, &catalog) {
            let header = if child.rule.subject { "subject.reference" } else { "table.reference" };
            write_reference_entry(&mut text, header, &column, nullable);
        }
    }
    write_unmapped_tables(&mut text, &mapped, &catalog);
    text.push_str(PURPOSES);
    Ok(text)
}

/// Returns a rule for every table whose rows have an owner, in an order in which every path leads to an earlier table.
fn infer_rules(catalog: &PgCatalog, subject_table: Option<&str>) -> Vec<TableRule> {
    let tables = || catalog.relations.enumerate().filter(|(_, relation)| relation.kind == RelationKind::Table);
    let mut rules = Vec::new();
    for (index, relation) in tables() {
        let is_candidate = subject_table.is_none_or(|name| name == relation.name());
        let key = subject_key_column(catalog, index, relation, subject_table.is_some());
        if let Some(key) = key.filter(|_| is_candidate) {
            rules.push(default_rule(relation, Owner::Column(key), true));
        }
    }
    for (_, relation) in tables() {
        let has_rule = |name: &str| rules.iter().any(|rule: &TableRule| rule.name == name);
        let owner_column = relation.columns.iter().find(|column| column.may_hold_user_id());
        if let Some(column) = owner_column.filter(|_| !has_rule(&relation.name())) {
            rules.push(default_rule(relation, Owner::Column(column.name.clone()), false));
        }
    }
    // Each round finds a table that references one found before.
    loop {
        let found = tables().find_map(|(index, relation)| {
            let has_rule = |name: &str| rules.iter().any(|rule: &TableRule| rule.name == name);
            let key = catalog.foreign_keys_of(index).find(|key| {
                key.columns.len() == 1 && key.parent != index && has_rule(&catalog.relations[key.parent].name())
            })?;
            let owner = Owner::Path { column: key.columns[0].clone(), table: catalog.relations[key.parent].name() };
            (!has_rule(&relation.name())).then(|| default_rule(relation, owner, false))
        });
        match found {
            Some(rule) => rules.push(rule),
            None => return rules,
        }
    }
}

/// Returns the column that makes a table a subject: unique, text, named like a user id, and without a foreign key.
/// In a table that was named by the operator, any unique text column will do.
fn subject_key_column(
    catalog: &PgCatalog,
    index: RelationIndex,
    relation: &Relation,
    is_named: bool,
) -> Option<String> {
    let has_foreign_key =
        |name: &str| catalog.foreign_keys_of(index).any(|key| key.columns.iter().any(|column| column == name));
    let unique =
        relation.columns.iter().filter(|column| column.is_text() && relation.unique_columns.contains(&column.name));
    let named_like_user_id = unique.clone().find(|column| column.may_hold_user_id() && !has_foreign_key(&column.name));
    let any = || unique.clone().find(|column| !column_names::suggests_person(&column.name)).filter(|_| is_named);
    named_like_user_id.or_else(any).map(|column| column.name.clone())
}

fn default_rule(relation: &Relation, owner: Owner, subject: bool) -> TableRule {
    let credentials: Vec<String> = relation
        .columns
        .iter()
        .filter(|column| column_names::suggests_credential(&column.name))
        .map(|column| column.name.clone())
        .collect();
    let export = if credentials.is_empty() {
        ExportRule::All
    } else {
        ExportRule::Except { columns: credentials, reason: "a credential, not personal data".to_owned() }
    };
    let name = relation.name();
    let label = default_label(&name);
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
    let stamp_column = relation.columns.iter().find(|column| {
        column.is_time()
            && column.nullable
            && ["deleted_at", "revoked_at", "archived_at"].contains(&column.name.as_str())
    });
    if let Some(column) = stamp_column {
        let _ = writeln!(
            text,
            "# DECIDE: rows can be stamped here. To hide them first: {{ stamp = [{}], purge_after = \"30 days\" }}",
            toml_string(&column.name)
        );
    }
    if ["log", "audit", "invoice", "order", "payment", "usage"].iter().any(|word| rule.name.contains(word)) {
        text.push_str("# DECIDE: must these be kept for a time? { keep = \"reason and basis\", for = \"2 years\" }\n");
    }
    text.push_str("erase  = \"delete\"\n");
}

/// Returns the columns by which other people's rows may reference a person's, and whether they are nullable.
fn undecided_columns(child: &MappedTable<'_>, mapped: &MappedTables<'_>, catalog: &PgCatalog) -> Vec<(String, bool)> {
    let foreign_keys = catalog.foreign_keys_of(child.relation_index).filter(|key| {
        let parent = mapped.of_relation(key.parent);
        parent.is_some_and(|parent| !references::always_same_owner(child, parent, key))
    });
    let mut columns: Vec<&str> = foreign_keys.map(|key| key.columns[0].as_str()).collect();
    let user_ids = child
        .relation
        .columns
        .iter()
        .filter(|column| column.may_hold_user_id() && child.rule.owner.column() != column.name);
    columns.extend(user_ids.map(|column| column.name.as_str()));
    columns.sort_unstable();
    columns.dedup();
    let is_nullable = |name: &str| child.relation.column(name).is_some_and(|column| column.nullable);
    columns.into_iter().map(|name| (name.to_owned(), is_nullable(name))).collect()
}

fn write_reference_entry(text: &mut String, header: &str, column: &str, nullable: bool) {
    let choices = if nullable { "\"detach\" (they stay, the column becomes NULL) or \"delete\"" } else { "\"delete\"" };
    let _ = write!(
        text,
        "\n# DECIDE: can another person's row reference this person's rows here? If so: {choices}.\n\
         # \"none\" stops the deletion if there is one.\n\
         [[{header}]]\ncolumn = {}\nothers = \"none\"\nreason = \"not decided yet\"\n",
        toml_string(column)
    );
}

fn write_unmapped_tables(text: &mut String, mapped: &MappedTables<'_>, catalog: &PgCatalog) {
    let mut without_entry = Vec::new();
    for (index, relation) in catalog.relations.enumerate() {
        if mapped.of_relation(index).is_some() {
            continue;
        }
        let name = relation.name();
        match relation.columns.iter().find(|column| column_names::suggests_person(&column.name)) {
            Some(column) => {
                let _ = write!(
                    text,
                    "\n# DECIDE: {} has a column {} and no foreign key that leads to a person. Add a [[table]] with its owner, or:\n\
                     # [[ignore]]\n# name   = {}\n# reason = \"why it holds no personal data\"\n",
                    single_line(&name),
                    single_line(&column.name),
                    toml_string(&name)
                );
            }
            None => without_entry.push(single_line(&name)),
        }
    }
    if !without_entry.is_empty() {
        let _ = write!(
            text,
            "\n# Nothing in their names suggests people, so they need no entry: {}.\n",
            without_entry.join(", ")
        );
    }
}

fn toml_string(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Joins lines, because a comment ends at a line break.
fn single_line(text: &str) -> String {
    toml_string(text).lines().collect::<String>()
}
