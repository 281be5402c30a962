//! Translates a map of the first language into the second.

use sqlx::PgConnection;

use super::catalog;
use super::draft;
use super::error::Error;
use super::mapped::{MappedTable, MappedTables};
use super::path::OwnerPath;
use super::rules::DataMap;
use super::version::Version;

/// Returns the text of `toml`, a map, in the second language, with its comments.
///
/// Entries mean the same in both. What is added: the version; the target of each path that no foreign key shows; and a question for
/// each table without an entry. `lethe map check` reports what is open.
pub async fn upgrade(toml: &str, connection: &mut PgConnection) -> Result<String, Error> {
    let map = DataMap::parse(toml)?;
    if map.version == Version::Second {
        return Ok(toml.to_owned());
    }
    let catalog = catalog::read(connection).await?;
    let mapped: MappedTables<'_> = map
        .tables
        .iter()
        .filter_map(|rule| {
            let relation_index = *catalog.relations_named(&rule.name).first()?;
            Some(MappedTable { rule, relation: &catalog.relations[relation_index], relation_index })
        })
        .collect();
    let mut text = without_version(toml);
    for table in mapped.iter() {
        for owner in &table.rule.owners {
            let OwnerPath::Parent { columns, target } = &owner.path else { continue };
            let Some(parent) = mapped.iter().find(|parent| parent.rule.name == target.table) else { continue };
            let has_foreign_key = catalog
                .foreign_keys_of(table.relation_index)
                .any(|key| key.parent == parent.relation_index && key.columns == *columns);
            if !has_foreign_key && target.columns.is_empty() {
                let named = format!("{}({})", target.table, parent.relation.primary_key.join(", "));
                text = name_target(&text, &table.rule.name, &target.table, &named);
            }
        }
    }
    let names: Vec<&str> = map.ignored.iter().map(|table| table.name.as_str()).collect();
    for (index, relation) in catalog.relations.enumerate() {
        if mapped.of_relation(index).is_none() && !names.contains(&relation.name().as_str()) {
            text.push_str(&draft::undecided_entry(&catalog, index));
        }
    }
    Ok(format!("version = 2\n\n{text}"))
}

/// Removes `version = 1`, which stands before every entry.
fn without_version(toml: &str) -> String {
    let is_version = |line: &str| line.split('=').next().is_some_and(|key| key.trim() == "version");
    let head = toml.lines().position(|line| line.trim_start().starts_with('[')).unwrap_or(usize::MAX);
    let lines = toml.lines().enumerate().filter(|(number, line)| *number > head || !is_version(line));
    joined(lines.map(|(_, line)| line.to_owned()))
}

/// Writes `named` in the place of the path's target in the table's entry.
fn name_target(text: &str, table: &str, target: &str, named: &str) -> String {
    let mut in_entry = false;
    joined(text.lines().map(|line| {
        if line.trim_start().starts_with("[[") && !line.contains("[[table.") {
            in_entry = false;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        in_entry |= key.trim() == "name" && value.trim().trim_matches('"') == table;
        let is_path = in_entry && key.trim() == "owner" && value.contains("->");
        if is_path { line.replace(target, named) } else { line.to_owned() }
    }))
}

fn joined(lines: impl Iterator<Item = String>) -> String {
    let mut text = lines.collect::<Vec<_>>().join("\n");
    text.push('\n');
    text
}
