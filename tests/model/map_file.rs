//! Writes a map as TOML.

use crate::map::{Entry, Erase, Export, Map, MentionAction, NewValue, Owner, Path, Period, ReferenceAction, Scrub};
use crate::value::Row;

pub(crate) fn write(map: &Map) -> String {
    let mut toml = vec![if map.is_second { "version = 2\n".to_owned() } else { String::new() }];
    let (subjects, tables): (Vec<&Entry>, Vec<&Entry>) = map.entries.iter().partition(|entry| entry.is_subject);
    for entry in subjects.into_iter().chain(tables) {
        toml.push(write_entry(entry));
    }
    for name in &map.ignored {
        toml.push(format!("\n[[ignore]]\nname = {}\nreason = \"no personal data\"\n", quote(name)));
    }
    if !map.ghosts.is_empty() {
        toml.push("\n[ghost]\n".to_owned());
    }
    for (table, key) in &map.ghosts {
        toml.push(format!("{} = {}\n", quote(table), write_row(key)));
    }
    toml.concat()
}

fn write_entry(entry: &Entry) -> String {
    let mut toml = vec![if entry.is_subject {
        format!("\n[[subject]]\ntable = {}\nkey = {}\n", quote(&entry.table), quote(&write_path(&entry.owners[0].path)))
    } else {
        format!("\n[[table]]\nname = {}\n", quote(&entry.table))
    }];
    if let [owner] = entry.owners.as_slice()
        && owner.forget.is_empty()
        && !entry.is_subject
    {
        toml.push(format!("owner = {}\n", write_owner(owner)));
    }
    toml.push(format!("export = {}\nerase = {}\n", write_export(&entry.export), write_erase(&entry.erase)));
    let section = if entry.is_subject { "subject" } else { "table" };
    if !entry.is_subject && (entry.owners.len() > 1 || entry.owners.iter().any(|owner| !owner.forget.is_empty())) {
        for owner in &entry.owners {
            let key = path_key(&owner.path);
            toml.push(format!("[[{section}.owner]]\n{key} = {}\n", quote(&write_path(&owner.path))));
            if !owner.conditions.is_empty() {
                toml.push(format!("where = {}\n", write_conditions(owner)));
            }
            if !owner.forget.is_empty() {
                let values = owner.forget.iter().map(|(column, value)| (column, write_value(value)));
                toml.push(format!("forget = {}\n", braces(values)));
            }
        }
    }
    for mention in &entry.mentions {
        let columns: Vec<String> = mention.columns.iter().map(write_path).collect();
        let erase = match &mention.action {
            MentionAction::Write(value) => write_value(value),
            MentionAction::Delete => quote("delete"),
            MentionAction::Keep => "{ keep = \"who did it is on record\" }".to_owned(),
            MentionAction::Forbid => quote("none"),
        };
        toml.push(format!("[[{section}.mention]]\ncolumns = {}\nerase = {erase}\n", list(&columns)));
        if let Some(export) = &mention.export {
            toml.push(format!("export = {}\n", write_export(export)));
        }
        if !mention.forget.is_empty() {
            let values = mention.forget.iter().map(|(column, value)| (column, write_value(value)));
            toml.push(format!("forget = {}\n", braces(values)));
        }
    }
    for reference in &entry.references {
        let others = match reference.action {
            ReferenceAction::Detach => "detach",
            ReferenceAction::Delete => "delete",
            ReferenceAction::Forbid => "none",
        };
        toml.push(format!(
            "[[{section}.reference]]\ncolumn = {}\nothers = \"{others}\"\nreason = \"decided\"\n",
            quote(&reference.column)
        ));
    }
    toml.concat()
}

fn write_owner(owner: &Owner) -> String {
    let (path, key) = (quote(&write_path(&owner.path)), path_key(&owner.path));
    match (owner.conditions.is_empty(), key) {
        (true, "path") => path,
        (true, key) => format!("{{ {key} = {path} }}"),
        (false, key) => format!("{{ {key} = {path}, where = {} }}", write_conditions(owner)),
    }
}

fn path_key(path: &Path) -> &'static str {
    if matches!(path, Path::Email(_)) { "email" } else { "path" }
}

fn write_conditions(owner: &Owner) -> String {
    braces(owner.conditions.iter().map(|(column, listed)| (column, list(listed))))
}

pub(crate) fn write_path(path: &Path) -> String {
    let several = |columns: &[String]| match columns {
        [only] => only.clone(),
        columns => format!("({})", columns.join(", ")),
    };
    match path {
        Path::Column(column) | Path::Email(column) => column.clone(),
        Path::To { columns, table, target } => match target.as_slice() {
            [] => format!("{} -> {table}", several(columns)),
            [only] if only.len().is_multiple_of(2) => format!("{} -> {table}.{only}", several(columns)),
            target => format!("{} -> {table}({})", several(columns), target.join(", ")),
        },
        Path::From { key, table, columns } if key.is_empty() => format!("<- {table}({})", columns.join(", ")),
        Path::From { key, table, columns } => format!("{} <- {table}({})", several(key), columns.join(", ")),
    }
}

fn write_export(export: &Export) -> String {
    match export {
        Export::All => quote("all"),
        Export::Only(columns) => format!("{{ only = {} }}", list(columns)),
        Export::Except(columns) => format!("{{ except = {}, reason = \"no personal data\" }}", list(columns)),
        Export::Nothing => "{ none = true, reason = \"no personal data\" }".to_owned(),
    }
}

fn write_erase(erase: &Erase) -> String {
    let period = |key: &str, period: &Option<Period>| {
        period.map_or_else(String::new, |period| format!(", {key} = {}", quote(period.text)))
    };
    match erase {
        Erase::Delete => quote("delete"),
        Erase::Stamp { columns, purge_after } => {
            format!("{{ stamp = {}{} }}", list(columns), period("purge_after", purge_after))
        }
        Erase::Keep { period: stays } => format!("{{ keep = \"tax law\"{} }}", period("for", stays)),
        Erase::Scrub(Scrub { columns, stamp, leave, leaves_rest, period: stays }) => {
            let values = columns.iter().map(|(column, value)| (column, write_value(value)));
            let mut parts = vec![format!("scrub = {}", braces(values))];
            if !stamp.is_empty() {
                parts.push(format!("stamp = {}", list(stamp)));
            }
            if *leaves_rest {
                parts.push("leave = \"rest\"".to_owned());
            } else if !leave.is_empty() {
                parts.push(format!("leave = {}", list(leave)));
            }
            if *leaves_rest || !leave.is_empty() {
                parts.push("reason = \"it tells nothing about anybody\"".to_owned());
            }
            format!("{{ {}{} }}", parts.join(", "), period("for", stays))
        }
    }
}

fn write_value(value: &NewValue) -> String {
    match value {
        NewValue::Null => quote("null"),
        NewValue::Constant(value) => format!("{{ value = {} }}", quote(&value.text().unwrap_or_default())),
        NewValue::Unique { prefix, suffix } if prefix == "deleted-" && suffix.is_empty() => quote("unique"),
        NewValue::Unique { prefix, suffix } => format!("{{ unique = {} }}", quote(&format!("{prefix}{{}}{suffix}"))),
        NewValue::Neutral => quote("neutral"),
        NewValue::Pseudonym => quote("pseudonym"),
        NewValue::Ghost => quote("ghost"),
    }
}

fn write_row(row: &Row) -> String {
    braces(row.iter().map(|(column, value)| (column, quote(&value.text().unwrap_or_default()))))
}

fn braces<'a>(items: impl Iterator<Item = (&'a String, String)>) -> String {
    let items: Vec<String> = items.map(|(key, value)| format!("{} = {value}", quote(key))).collect();
    format!("{{ {} }}", items.join(", "))
}

fn list(items: &[String]) -> String {
    format!("[{}]", items.iter().map(|item| quote(item)).collect::<Vec<_>>().join(", "))
}

/// Strings of JSON are strings of TOML.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
