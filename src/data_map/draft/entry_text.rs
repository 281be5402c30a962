//! Parts of a draft's entries.

use std::fmt::Write as _;

use crate::data_map::catalog::{PgCatalog, Relation};
use crate::data_map::column_names;
use crate::data_map::index::RelationIndex;
use crate::data_map::path::OwnerPath;
use crate::data_map::toml_text::toml_string;

pub(super) fn export(catalog: &PgCatalog, index: RelationIndex) -> String {
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

/// A foreign key to people needs no path.
pub(super) fn mention(path: &OwnerPath) -> String {
    match path {
        OwnerPath::Parent { columns, target } if target.columns.is_empty() && columns.len() == 1 => columns[0].clone(),
        path => path.to_string(),
    }
}

/// Comments on the table and its columns, which say what names don't.
pub(super) fn write_comments(text: &mut String, relation: &Relation) {
    if let Some(comment) = &relation.comment {
        let _ = writeln!(text, "# {}: {}", toml_string(&relation.name()), toml_string(comment));
    }
    for column in &relation.columns {
        if let Some(comment) = &column.comment {
            let _ = writeln!(text, "# {}: {}", toml_string(&column.name), toml_string(comment));
        }
    }
}
