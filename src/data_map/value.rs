//! The values that columns get when somebody is erased: by `scrub`, by `forget` and by a mention.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::entry::{EntryError, KeywordOr};

/// The new value of a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NewValue {
    /// NULL.
    Null,
    /// A value in the notation of the column's type.
    Value(String),
    /// A random value for each row, which stands in place of `{}` in the text. NULL stays NULL.
    Unique(String),
    /// The value of the column's type that says nothing: an empty text, zero, `{}`.
    Neutral,
    /// The key of the ghost row, which stands for everybody who left. NULL stays NULL.
    Ghost,
}

/// `{ value = ".." }` or `{ unique = ".." }` in the map.
#[derive(PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ValueEntry {
    value: Option<String>,
    unique: Option<String>,
}

pub(super) const SYNTAX: &str =
    "Write \"null\", \"neutral\", \"unique\", \"ghost\", { value = \"..\" } or { unique = \"deleted-{}\" }";
const UNIQUE: &str = "deleted-{}";

impl NewValue {
    pub(super) fn parse(entry: KeywordOr<ValueEntry>) -> Result<Self, EntryError> {
        match entry {
            KeywordOr::Keyword(keyword) => Self::parse_keyword(&keyword),
            KeywordOr::Table(ValueEntry { value: Some(value), unique: None }) => Ok(Self::Value(value)),
            KeywordOr::Table(ValueEntry { value: None, unique: Some(template) }) => Self::parse_template(template),
            KeywordOr::Table(_) => Err(EntryError::new("this isn't a value", SYNTAX)),
        }
    }

    pub(super) fn parse_keyword(keyword: &str) -> Result<Self, EntryError> {
        match keyword {
            "null" => Ok(Self::Null),
            "neutral" => Ok(Self::Neutral),
            "unique" => Ok(Self::Unique(UNIQUE.to_owned())),
            "ghost" => Ok(Self::Ghost),
            _ => Err(EntryError::new(format!("`{keyword}` isn't what a column can be overwritten with"), SYNTAX)),
        }
    }

    pub(super) fn parse_template(template: String) -> Result<Self, EntryError> {
        if template.matches("{}").count() != 1 || template.len() < 6 {
            let message = format!("`{template}` isn't text of at least four characters around one {{}}");
            return Err(EntryError::new(message, "Write { unique = \"deleted-{}@example.invalid\" }, for example"));
        }
        Ok(Self::Unique(template))
    }
}

pub(super) type NewValues = BTreeMap<String, NewValue>;

pub(super) fn parse_values(entries: BTreeMap<String, KeywordOr<ValueEntry>>) -> Result<NewValues, EntryError> {
    entries.into_iter().map(|(column, entry)| Ok((column, NewValue::parse(entry)?))).collect()
}

/// The keys of the ghost row of each table.
pub(super) type GhostKeys = BTreeMap<String, BTreeMap<String, String>>;

/// The keys of the ghosts that columns of one table can reference: a value for each such column.
pub(super) type ReferencedGhosts = BTreeMap<String, String>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_needs_one_gap() {
        assert!(NewValue::parse_template("deleted-{}".to_owned()).is_ok());
        for template in ["deleted", "{}", "a{}", "{}-{}-{}"] {
            assert!(NewValue::parse_template(template.to_owned()).is_err(), "{template}");
        }
    }
}
