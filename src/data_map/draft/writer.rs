//! The text of a draft.

use std::fmt::Write as _;

use super::inference::{Candidate, Inference, InferredTable, Kind};
use crate::data_map::catalog::{ForeignKey, PgCatalog, Relation};
use crate::data_map::column_names;
use crate::data_map::index::RelationIndex;
use crate::data_map::path::OwnerPath;
use crate::data_map::rules::default_label;

const HEADER: &str = "\
# The data map: where personal data is stored, what users get of it, and what becomes of it when they
# delete their account. `lethe map draft` wrote this from names, keys and comments; with --sample also from values. Read
# every entry. Lines with DECIDE are questions; `lethe map check` reports those that are open. Lines with Consider name what
# the entry below them could be instead.
version = 2
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

pub(super) fn write(catalog: &PgCatalog, inference: &Inference) -> String {
    let mut text = HEADER.to_owned();
    let has_user_ids = inference.tables.iter().any(|table| matches!(table.path, OwnerPath::Column(_)));
    if inference.subjects().next().is_none() && has_user_ids {
        text.push_str(
            "\n# No table has one row for each user, so people exist at Clerk only, and rows are found by their user ids. If there is\n\
             # such a table, add it as a [[subject]], with `table`, `key`, `export` and `erase`.\n",
        );
    } else if inference.subjects().next().is_none() {
        text.push_str(
            "\n# DECIDE: no table with a unique text column for the Clerk user id was found. Add it:\n\
             # [[subject]]\n# table  = \"public.users\"\n# key    = \"clerk_id\"\n# export = \"all\"\n# erase  = \"delete\"\n",
        );
    }
    for table in &inference.tables {
        write_table(&mut text, catalog, table);
        write_mentions(&mut text, &catalog.relations[table.relation], table);
        write_references(&mut text, catalog, inference, table);
    }
    for (index, candidates) in &inference.questions {
        write_question(&mut text, catalog, inference, *index, candidates);
    }
    for (index, relation) in catalog.relations.enumerate() {
        if !inference.has_rule(index) && !inference.questions.contains_key(&index) {
            write_undecided(&mut text, catalog, inference, index, relation);
        }
    }
    text.push_str(PURPOSES);
    text
}

fn write_table(text: &mut String, catalog: &PgCatalog, table: &InferredTable) {
    let relation = &catalog.relations[table.relation];
    let name = relation.name();
    text.push('\n');
    write_comments(text, relation);
    let (header, first, owner) =
        if table.is_subject { ("[[subject]]", "table", "key") } else { ("[[table]]", "name", "owner") };
    let _ = writeln!(
        text,
        "{header}\n{first:<6} = {}\n{owner:<6} = {}\nlabel  = {}\nexport = {}",
        toml_string(&name),
        toml_string(&table.path.to_string()),
        toml_string(&default_label(&name)),
        export(catalog, table.relation)
    );
    let stamp = relation
        .columns
        .iter()
        .find(|column| column.is_time() && column.nullable && column_names::is_deletion_time(&column.name));
    if let Some(column) = stamp {
        let _ = writeln!(
            text,
            "# Consider: rows can be stamped here. To hide them first: {{ stamp = [{}], purge_after = \"30 days\" }}",
            toml_string(&column.name)
        );
    }
    if column_names::suggests_retention(&relation.table) {
        text.push_str(
            "# Consider: must these be retained for a time? { keep = \"reason and basis\", for = \"2 years\" }\n",
        );
    }
    text.push_str("erase  = \"delete\"\n");
}

fn export(catalog: &PgCatalog, index: RelationIndex) -> String {
    let is_key = |name: &String| catalog.foreign_keys_of(index).any(|key| key.columns.contains(name));
    let credentials = catalog.relations[index].columns.iter().filter(|column| {
        column.may_hold_credential() && column_names::suggests_credential(&column.name) && !is_key(&column.name)
    });
    let credentials: Vec<String> = credentials.map(|column| toml_string(&column.name)).collect();
    if credentials.is_empty() {
        return toml_string("all");
    }
    format!("{{ except = [{}], reason = \"a credential, not personal data\" }}", credentials.join(", "))
}

/// A column that can be NULL forgets whom it named. Others are a question.
fn write_mentions(text: &mut String, relation: &Relation, table: &InferredTable) {
    let header = if table.is_subject { "subject.mention" } else { "table.mention" };
    let (nullable, fixed): (Vec<&OwnerPath>, Vec<&OwnerPath>) = table.mentions.iter().partition(|path| {
        path.columns()
            .iter()
            .any(|name| relation.column(name).is_some_and(|column| column.nullable && !column.generated))
    });
    let list =
        |paths: &[&OwnerPath]| paths.iter().map(|path| toml_string(&mention(path))).collect::<Vec<_>>().join(", ");
    if !nullable.is_empty() {
        let _ = writeln!(
            text,
            "# They name somebody in rows that aren't theirs. Consider whether such rows shouldn't merely forget it: \"delete\", or {{ keep = \"reason\" }}.\n\
             [[{header}]]\ncolumns = [{}]\nerase   = \"null\"",
            list(&nullable)
        );
    }
    if !fixed.is_empty() {
        let _ = writeln!(
            text,
            "# DECIDE: what becomes of rows that name somebody here who isn't their owner? The columns are NOT NULL.\n\
             # [[{header}]]\n# columns = [{}]\n# erase   = \"ghost\"   # with a [ghost] row; or \"unique\", {{ value = \"..\" }}, \"delete\", {{ keep = \"reason\" }}",
            list(&fixed)
        );
    }
}

/// A foreign key to people needs no path.
fn mention(path: &OwnerPath) -> String {
    match path {
        OwnerPath::Parent { columns, target } if target.columns.is_empty() && columns.len() == 1 => columns[0].clone(),
        path => path.to_string(),
    }
}

/// Foreign keys by which others' rows reference a person's.
fn write_references(text: &mut String, catalog: &PgCatalog, inference: &Inference, table: &InferredTable) {
    let relation = &catalog.relations[table.relation];
    let header = if table.is_subject { "subject.reference" } else { "table.reference" };
    let is_open = |key: &&ForeignKey| {
        inference.has_rule(key.parent)
            && !inference.is_subject(key.parent)
            && table.path.columns() != key.columns
            && !table.mentions.iter().any(|path| key.columns.contains(&path.columns()[0]))
    };
    for key in catalog.foreign_keys_of(table.relation).filter(is_open) {
        let is_nullable = relation.column(&key.columns[0]).is_some_and(|column| column.nullable);
        let choices =
            if is_nullable { "\"detach\" (they stay, the column becomes NULL) or \"delete\"" } else { "\"delete\"" };
        let _ = writeln!(
            text,
            "# DECIDE: what becomes of others' rows here whose {} is deleted? {choices}; \"none\" if there are no such rows.\n\
             # [[{header}]]\n# column = {}\n# others = {}\n# reason = \"..\"",
            toml_string(&catalog.relations[key.parent].name()),
            toml_string(&key.columns[0]),
            if is_nullable { "\"detach\"" } else { "\"delete\"" }
        );
    }
}

fn write_question(
    text: &mut String,
    catalog: &PgCatalog,
    inference: &Inference,
    index: RelationIndex,
    candidates: &[Candidate],
) {
    let relation = &catalog.relations[index];
    let name = relation.name();
    text.push('\n');
    write_comments(text, relation);
    let _ = writeln!(
        text,
        "# DECIDE: whose are the rows of {}? Take one of these; with [[table.owner]] they can be several people's.\n\
         # [[table]]\n# name   = {}",
        toml_string(&name),
        toml_string(&name)
    );
    for Candidate { path, type_column, .. } in candidates {
        let path = toml_string(&path.to_string());
        let _ = match type_column {
            None => writeln!(text, "# owner  = {path}"),
            Some(column) => {
                let column = toml_key(column);
                writeln!(
                    text,
                    "# owner  = {{ path = {path}, where = {{ {column} = [\"..\"] }} }}   # the values for users"
                )
            }
        };
    }
    for (column, kind) in inference.addresses_of(index) {
        let _ =
            writeln!(text, "# owner  = {{ {} = {} }}   # who has the address there", kind.key(), toml_string(column));
    }
    let _ = writeln!(
        text,
        "# label  = {}\n# export = {}\n# erase  = \"delete\"",
        toml_string(&default_label(&name)),
        export(catalog, index)
    );
    if let Some(actor) = candidates.first().filter(|candidate| candidate.rank.kind == Kind::Actor) {
        let _ = writeln!(
            text,
            "# If they aren't theirs, and only name who did something, they stay and forget it:\n\
             # erase  = {{ scrub = {{ {} = \"null\" }}, leave = \"rest\", reason = \"..\" }}",
            toml_key(&actor.path.columns()[0])
        );
    }
}

/// Tables that lead to nobody, as far as names and keys tell.
pub(super) fn write_undecided(
    text: &mut String,
    catalog: &PgCatalog,
    inference: &Inference,
    index: RelationIndex,
    relation: &Relation,
) {
    let name = relation.name();
    text.push('\n');
    write_comments(text, relation);
    let personal = relation.columns.iter().find(|column| column_names::suggests_person(&column.name));
    let addresses = inference.addresses_of(index);
    let personal = personal.map(|column| &column.name).or_else(|| addresses.first().map(|(column, _)| column));
    let why = personal.map_or_else(
        || "no name in it suggests people".to_owned(),
        |column| format!("it has a column {} and no key that leads to a person", toml_string(column)),
    );
    let _ = writeln!(text, "# DECIDE: {}: {why}.", toml_string(&name));
    for (column, kind) in addresses {
        let (key, column) = (kind.key(), toml_string(column));
        let _ = writeln!(
            text,
            "# If its rows belong to who has the address there: [[table]] with owner = {{ {key} = {column} }}"
        );
    }
    let is_open = |key: &&ForeignKey| key.parent != index && inference.questions.contains_key(&key.parent);
    for key in catalog.foreign_keys_of(index).filter(is_open) {
        let path = format!("{} -> {}", key.columns.join(", "), catalog.relations[key.parent].name());
        let _ = writeln!(
            text,
            "# If its rows belong to the owner of those, about which a question is open: [[table]] with owner = {}",
            toml_string(&path)
        );
    }
    let referencing = catalog.foreign_keys.iter().filter(|key| key.parent == index && inference.has_rule(key.child));
    for key in referencing {
        let (child, columns) = (catalog.relations[key.child].name(), key.columns.join(", "));
        let _ = writeln!(
            text,
            "# If its rows belong to whoever references them: [[table]] with owner = {}",
            toml_string(&format!("<- {child}({columns})"))
        );
    }
    let _ =
        writeln!(text, "# [[ignore]]\n# name   = {}\n# reason = \"why it holds no personal data\"", toml_string(&name));
}

/// Comments on the table and its columns, which say what names don't.
fn write_comments(text: &mut String, relation: &Relation) {
    if let Some(comment) = &relation.comment {
        let _ = writeln!(text, "# {}: {}", toml_string(&relation.name()), toml_string(comment));
    }
    for column in &relation.columns {
        if let Some(comment) = &column.comment {
            let _ = writeln!(text, "# {}: {}", toml_string(&column.name), toml_string(comment));
        }
    }
}

/// A string on one line, also in a comment. JSON's strings are TOML's.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn toml_key(text: &str) -> String {
    let is_bare = text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-');
    if is_bare { text.to_owned() } else { toml_string(text) }
}
