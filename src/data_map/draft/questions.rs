//! The questions of a draft, each with the answers that it offers.

use std::fmt::Write as _;

use super::entry_text::{export, mention, write_comments};
use super::inference::{Candidate, Inference, InferredTable, Kind};
use super::question::{Draft, Question};
use crate::data_map::catalog::{ForeignKey, PgCatalog, Relation};
use crate::data_map::choice::{self, Choice};
use crate::data_map::column_names;
use crate::data_map::index::RelationIndex;
use crate::data_map::path::OwnerPath;
use crate::data_map::rules::default_label;
use crate::data_map::toml_text::{toml_key, toml_string};

/// Columns that can't become NULL, and name somebody in rows that aren't theirs.
pub(super) fn ask_about_mentions(draft: &mut Draft, relation: &Relation, header: &str, paths: &[&OwnerPath]) {
    let list = paths.iter().map(|path| toml_string(&mention(path))).collect::<Vec<_>>().join(", ");
    let mut text = String::new();
    let _ = writeln!(
        text,
        "# DECIDE: what becomes of rows of {} that name somebody here who isn't their owner? The columns are NOT NULL.\n\
         # [[{header}]]\n# columns = [{list}]\n# erase   = \"ghost\"   # with a [ghost] row; or \"unique\", {{ value = \"..\" }}, \"delete\", {{ keep = \"reason\" }}",
        toml_string(&relation.name())
    );
    let entry = |erase: &str| format!("[[{header}]]\ncolumns = [{list}]\nerase   = {erase}\n");
    let columns: Vec<String> = paths.iter().flat_map(|path| path.columns()).cloned().collect();
    let are_user_ids = paths.iter().all(|path| matches!(path, OwnerPath::Column(_)));
    let unique =
        are_user_ids.then(|| Choice::new("they stay, with a random text in place of the id", entry("\"unique\"")));
    let further = [
        Choice::new("they are deleted", entry("\"delete\"")),
        Choice::new("they stay, and go on naming them", entry("{ keep = \"..\" }")).with_reason(),
    ];
    let choices = unique.into_iter().chain(further).map(|choice| choice.about(&columns)).collect();
    draft.ask(Question::new(&relation.name(), &relation.quoted_name(), &columns, text, choices));
}

/// Foreign keys by which others' rows reference a person's.
pub(super) fn ask_about_references(
    draft: &mut Draft,
    catalog: &PgCatalog,
    inference: &Inference,
    table: &InferredTable,
) {
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
        let mut text = String::new();
        let _ = writeln!(
            text,
            "# DECIDE: what becomes of others' rows of {} whose {} is deleted? {choices}; \"none\" if there are no such rows.\n\
             # [[{header}]]\n# column = {}\n# others = {}\n# reason = \"..\"",
            toml_string(&relation.name()),
            toml_string(&catalog.relations[key.parent].name()),
            toml_string(&key.columns[0]),
            if is_nullable { "\"detach\"" } else { "\"delete\"" }
        );
        let choices = choice::of_reference(header, &key.columns, is_nullable);
        let (name, quoted) = (relation.name(), relation.quoted_name());
        draft.ask(Question::new(&name, &quoted, &key.columns, text, choices));
    }
}

pub(super) fn ask_about_owners(
    draft: &mut Draft,
    catalog: &PgCatalog,
    inference: &Inference,
    index: RelationIndex,
    candidates: &[Candidate],
) {
    let relation = &catalog.relations[index];
    let name = relation.name();
    draft.text.push('\n');
    write_comments(&mut draft.text, relation);
    let mut text = String::new();
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
    // Whoever acted on a row comes last: it is rarely about them.
    let (actors, owners): (Vec<_>, Vec<_>) =
        candidates.iter().partition(|candidate| candidate.rank.kind == Kind::Actor);
    let mut choices: Vec<Choice> = owners.iter().map(|candidate| owner_choice(catalog, index, candidate)).collect();
    choices.extend(address_choices(catalog, inference, index));
    if let Some(actor) = candidates.first().filter(|candidate| candidate.rank.kind == Kind::Actor) {
        let column = toml_key(&actor.path.columns()[0]);
        let erase = format!("{{ scrub = {{ {column} = \"null\" }}, leave = \"rest\", reason = \"..\" }}");
        let toml = entry(catalog, index, &toml_string(&actor.path.to_string()), &erase);
        choices.push(Choice::new("nobody's: rows stay, and forget who did it", toml).with_reason());
    }
    choices.extend(actors.iter().map(|candidate| owner_choice(catalog, index, candidate)));
    choices.push(ignore_choice(&name));
    draft.ask(Question::new(&name, &relation.quoted_name(), &[], text, choices));
}

fn owner_choice(catalog: &PgCatalog, index: RelationIndex, candidate: &Candidate) -> Choice {
    let Candidate { path, type_column, .. } = candidate;
    let written = toml_string(&path.to_string());
    let description = format!("whoever {written} leads to, with whom they are deleted");
    let choice = |description: String, owner: &str| {
        Choice::new(description, entry(catalog, index, owner, "\"delete\"")).about(path.columns())
    };
    match type_column {
        None => choice(description, &written),
        Some(column) => {
            let owner = format!("{{ path = {written}, where = {{ {} = [\"..\"] }} }}", toml_key(column));
            choice(format!("{description} where {column} has the values for users"), &owner).with_values()
        }
    }
}

fn address_choices(catalog: &PgCatalog, inference: &Inference, index: RelationIndex) -> impl Iterator<Item = Choice> {
    inference.addresses_of(index).iter().map(move |(column, kind)| {
        let owner = format!("{{ {} = {} }}", kind.key(), toml_string(column));
        let description = format!("whoever has the address in {}, with whom they are deleted", toml_string(column));
        Choice::new(description, entry(catalog, index, &owner, "\"delete\"")).about(std::slice::from_ref(column))
    })
}

fn ignore_choice(name: &str) -> Choice {
    let toml = format!("[[ignore]]\nname   = {}\nreason = \"..\"\n", toml_string(name));
    Choice::new("nobody's: no personal data of users is in it, and it isn't looked at", toml).with_reason()
}

/// Returns an entry with this owner.
fn entry(catalog: &PgCatalog, index: RelationIndex, owner: &str, erase: &str) -> String {
    let name = catalog.relations[index].name();
    format!(
        "[[table]]\nname   = {}\nowner  = {owner}\nlabel  = {}\nexport = {}\nerase  = {erase}\n",
        toml_string(&name),
        toml_string(&default_label(&name)),
        export(catalog, index)
    )
}

/// Tables that lead to nobody, as far as names and keys tell.
pub(super) fn ask_about_table(draft: &mut Draft, catalog: &PgCatalog, inference: &Inference, index: RelationIndex) {
    let relation = &catalog.relations[index];
    let name = relation.name();
    draft.text.push('\n');
    write_comments(&mut draft.text, relation);
    let mut text = String::new();
    let mut choices: Vec<Choice> = address_choices(catalog, inference, index).collect();
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
    let is_open = |key: &&ForeignKey| key.parent != index && !inference.has_rule(key.parent);
    for key in catalog.foreign_keys_of(index).filter(is_open) {
        let path = format!("{} -> {}", key.columns.join(", "), catalog.relations[key.parent].name());
        let _ = writeln!(
            text,
            "# If its rows belong to the owner of those, about which a question is open: [[table]] with owner = {}",
            toml_string(&path)
        );
        choices.push(path_choice(catalog, index, &path, &key.columns));
    }
    let referencing = catalog.foreign_keys.iter().filter(|key| key.parent == index && inference.has_rule(key.child));
    for key in referencing {
        let (child, columns) = (catalog.relations[key.child].name(), key.columns.join(", "));
        let path = format!("<- {child}({columns})");
        choices.push(path_choice(catalog, index, &path, &[]));
        let _ = writeln!(
            text,
            "# If its rows belong to whoever references them: [[table]] with owner = {}",
            toml_string(&path)
        );
    }
    let _ =
        writeln!(text, "# [[ignore]]\n# name   = {}\n# reason = \"why it holds no personal data\"", toml_string(&name));
    choices.push(ignore_choice(&name));
    draft.ask(Question::new(&name, &relation.quoted_name(), &[], text, choices));
}

fn path_choice(catalog: &PgCatalog, index: RelationIndex, path: &str, columns: &[String]) -> Choice {
    let path = toml_string(path);
    let description = format!("whoever {path} leads to, with whom they are deleted");
    Choice::new(description, entry(catalog, index, &path, "\"delete\"")).about(columns)
}
