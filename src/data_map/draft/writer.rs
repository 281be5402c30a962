//! The text of a draft.

use std::fmt::Write as _;

use super::entry_text::{export, mention, write_comments};
use super::inference::{Inference, InferredTable};
use super::question::Draft;
use super::questions;
use crate::data_map::catalog::{PgCatalog, Relation};
use crate::data_map::column_names;
use crate::data_map::path::OwnerPath;
use crate::data_map::rules::default_label;
use crate::data_map::toml_text::toml_string;

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

pub(super) fn write(catalog: &PgCatalog, inference: &Inference) -> Draft {
    let mut draft = Draft { text: HEADER.to_owned(), questions: Vec::new() };
    let text = &mut draft.text;
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
        write_table(&mut draft.text, catalog, table);
        write_mentions(&mut draft, &catalog.relations[table.relation], table);
        questions::ask_about_references(&mut draft, catalog, inference, table);
    }
    for (index, candidates) in &inference.questions {
        questions::ask_about_owners(&mut draft, catalog, inference, *index, candidates);
    }
    for (index, _) in catalog.relations.enumerate() {
        if !inference.has_rule(index) && !inference.questions.contains_key(&index) {
            questions::ask_about_table(&mut draft, catalog, inference, index);
        }
    }
    draft.text.push_str(PURPOSES);
    draft
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

/// A column that can be NULL forgets whom it named. Others are a question.
fn write_mentions(draft: &mut Draft, relation: &Relation, table: &InferredTable) {
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
            draft.text,
            "# They name somebody in rows that aren't theirs. Consider whether such rows shouldn't merely forget it: \"delete\", or {{ keep = \"reason\" }}.\n\
             [[{header}]]\ncolumns = [{}]\nerase   = \"null\"",
            list(&nullable)
        );
    }
    if !fixed.is_empty() {
        questions::ask_about_mentions(draft, relation, header, &fixed);
    }
}
