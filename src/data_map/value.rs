//! The values that columns get when somebody is erased: by `scrub`, by `forget` and by a mention.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::catalog::{Column, Relation};
use super::entry::{EntryError, KeywordOr};
use super::error::Problems;
use super::sql::{Parameters, quote_identifier};

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
/// Thirty-two hexadecimal digits.
const RANDOM: &str = "replace(gen_random_uuid()::text, '-', '')";
const RANDOM_DIGITS: usize = 32;

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

/// What an UPDATE writes to one column. The rows have the alias `t`.
pub(super) struct Assignment {
    /// `column = expression`.
    pub(super) set: String,
    /// True for rows that don't have the new value yet.
    pub(super) pending: String,
}

/// Returns what an UPDATE writes. Columns and values were checked before.
pub(super) fn assignment(
    column: &Column,
    value: &NewValue,
    ghosts: &ReferencedGhosts,
    parameters: &mut Parameters,
) -> Assignment {
    let name = quote_identifier(&column.name);
    let type_name = &column.type_name;
    let mut constant = |value: &str| format!("CAST(${} AS {type_name})", parameters.add(value));
    match value {
        NewValue::Null => Assignment { set: format!("{name} = NULL"), pending: format!("t.{name} IS NOT NULL") },
        NewValue::Value(value) => overwrite(&name, &constant(value)),
        NewValue::Neutral => overwrite(&name, &constant(neutral(column).unwrap_or_default())),
        NewValue::Ghost => {
            let key = constant(ghosts.get(&column.name).map(String::as_str).unwrap_or_default());
            Assignment {
                set: format!("{name} = CASE WHEN t.{name} IS NULL THEN NULL ELSE {key} END"),
                pending: format!("t.{name}::text <> {key}::text"),
            }
        }
        NewValue::Unique(template) => {
            let random = format!("CAST({} AS {type_name})", random_text(template, parameters));
            let pattern = parameters.add(&unique_pattern(template));
            Assignment {
                set: format!("{name} = CASE WHEN t.{name} IS NULL THEN NULL ELSE {random} END"),
                pending: format!("t.{name}::text !~ ${pattern}::text"),
            }
        }
    }
}

/// Returns an expression for a text that is made from a template.
pub(super) fn random_text(template: &str, parameters: &mut Parameters) -> String {
    let (before, after) = template.split_once("{}").unwrap_or((template, ""));
    format!("(${}::text || {RANDOM} || ${}::text)", parameters.add(before), parameters.add(after))
}

fn overwrite(column: &str, value: &str) -> Assignment {
    Assignment {
        set: format!("{column} = {value}"),
        pending: format!("t.{column}::text IS DISTINCT FROM {value}::text"),
    }
}

/// Returns a regular expression that matches the values made from a template.
pub(super) fn unique_pattern(template: &str) -> String {
    let (before, after) = template.split_once("{}").unwrap_or((template, ""));
    format!("^{}[0-9a-f]{{{RANDOM_DIGITS}}}{}$", escape_pattern(before), escape_pattern(after))
}

fn escape_pattern(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        if !letter.is_alphanumeric() && !letter.is_whitespace() {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// Returns the value of the column's type that says nothing, if there is one.
fn neutral(column: &Column) -> Option<&'static str> {
    match column.base_type.as_str() {
        "text" | "varchar" | "citext" | "bpchar" | "bytea" => Some(""),
        "int2" | "int4" | "int8" | "numeric" | "float4" | "float8" | "money" | "interval" => Some("0"),
        "bool" => Some("false"),
        "date" | "timestamp" | "timestamptz" => Some("epoch"),
        "time" | "timetz" => Some("00:00"),
        "uuid" => Some("00000000-0000-0000-0000-000000000000"),
        "inet" | "cidr" => Some("0.0.0.0"),
        json_or_array if json_or_array.starts_with("json") || json_or_array.starts_with('_') => Some("{}"),
        _ => None,
    }
}

/// Where a column gets a new value.
pub(super) struct ValueTarget<'a> {
    /// Schema and table, for reports.
    pub(super) table: &'a str,
    pub(super) relation: &'a Relation,
    pub(super) ghosts: &'a ReferencedGhosts,
    /// The columns of foreign keys.
    pub(super) referencing_columns: &'a [String],
    /// The columns of foreign keys that have several.
    pub(super) composite_columns: &'a [String],
}

impl ValueTarget<'_> {
    /// Reports what the database wouldn't take, as far as its catalog tells. `key` is what names the column in the map.
    pub(super) fn check(&self, key: &str, name: &str, value: &NewValue, problems: &mut Problems) {
        let Self { table, relation, .. } = self;
        let Some(column) = relation.column(name) else {
            return problems.add_unknown_column(table, name, key);
        };
        if column.generated {
            let message = "the database generates the column, so it can't be overwritten";
            return problems.add_for_column(table, name, message, "Name the columns that it is generated from");
        }
        let is_unique = relation.unique_columns.contains(&column.name);
        if !is_unique {
            self.check_indexes(column, value, problems);
        }
        match value {
            NewValue::Null if !column.nullable => problems.add_for_column(
                table,
                name,
                "the column is NOT NULL and can't be set to NULL",
                self.instead_of_null(column, is_unique),
            ),
            NewValue::Value(_) | NewValue::Neutral | NewValue::Ghost if is_unique => problems.add_for_column(
                table,
                name,
                "the column is unique, so a second person couldn't get the same value",
                self.instead_of_same_value(column),
            ),
            NewValue::Neutral if neutral(column).is_none() => problems.add_for_column(
                table,
                name,
                format!("the type {} has no neutral value", column.type_name),
                "Write { value = \"..\" }",
            ),
            NewValue::Value(_) | NewValue::Neutral if self.referencing_columns.contains(&column.name) => {
                problems.add_for_column(
                    table,
                    name,
                    "the column references another table, where a constant need not exist",
                    if column.nullable { "Write \"null\" or \"ghost\"" } else { "Write \"ghost\"" },
                );
            }
            NewValue::Null | NewValue::Value(_) | NewValue::Neutral => {}
            NewValue::Ghost => self.check_ghost(column, problems),
            NewValue::Unique(template) => self.check_unique(column, template, problems),
        }
    }

    /// Reports indexes of several columns or of expressions, in which rows of two people would have the same value.
    fn check_indexes(&self, column: &Column, value: &NewValue, problems: &mut Problems) {
        let indexes = self.relation.unique_indexes.iter().filter(|index| index.columns.contains(&column.name));
        for index in indexes {
            let is_same_value = match value {
                NewValue::Null => index.takes_null_for_a_value(&column.name),
                NewValue::Value(_) | NewValue::Neutral | NewValue::Ghost => true,
                NewValue::Unique(_) => false,
            };
            if is_same_value && !self.relation.has_key_within(index, Some(&column.name)) {
                let remedy = match value {
                    NewValue::Null => "Delete these rows, or keep them with a reason",
                    _ if column.is_text() && !matches!(value, NewValue::Ghost) => "Write \"unique\", or \"null\"",
                    _ if column.nullable => "Write \"null\", or delete these rows",
                    _ => "Delete these rows, or keep them with a reason",
                };
                problems.add_for_column(
                    self.table,
                    &column.name,
                    format!(
                        "the index {} is unique, and rows of two people could get the same value in it",
                        index.name
                    ),
                    remedy,
                );
            }
        }
    }

    fn instead_of_same_value(&self, column: &Column) -> &'static str {
        let is_reference = self.referencing_columns.contains(&column.name);
        match (column.nullable, is_reference || !column.is_text()) {
            (true, false) => "Write \"null\" or \"unique\"",
            (true, true) => "Write \"null\"",
            (false, false) => "Write \"unique\"",
            (false, true) => "Delete these rows, or keep them with a reason",
        }
    }

    fn instead_of_null(&self, column: &Column, is_unique: bool) -> &'static str {
        if self.referencing_columns.contains(&column.name) {
            if is_unique { "Delete these rows, or keep them with a reason" } else { "Write \"ghost\"" }
        } else if is_unique {
            "Write \"unique\""
        } else {
            "Write { value = \"..\" } or \"neutral\""
        }
    }

    fn check_ghost(&self, column: &Column, problems: &mut Problems) {
        if self.composite_columns.contains(&column.name) {
            let message =
                "a foreign key of several columns has this column, and need not find the ghost's key beside the others";
            let remedy =
                if column.nullable { "Write \"null\"" } else { "Delete these rows, or keep them with a reason" };
            return problems.add_for_column(self.table, &column.name, message, remedy);
        }
        if !self.ghosts.contains_key(&column.name) {
            problems.add_for_column(
                self.table,
                &column.name,
                "no path leads from this column to a table with a ghost row",
                "Add a row that stands for everybody who left, and name its key: [ghost] \"public.users\" = { id = \"..\" }",
            );
        }
    }

    fn check_unique(&self, column: &Column, template: &str, problems: &mut Problems) {
        if !column.is_text() {
            let message = format!("the column is {} and can't hold a random text", column.type_name);
            let remedy = if column.nullable { "Write \"null\"" } else { "Write { value = \"..\" } or \"neutral\"" };
            return problems.add_for_column(self.table, &column.name, message, remedy);
        }
        let needed = template.chars().count() - "{}".len() + RANDOM_DIGITS;
        if column.max_length().is_some_and(|length| length < needed) {
            problems.add_for_column(
                self.table,
                &column.name,
                format!("the column holds fewer than the {needed} characters of the placeholder"),
                "Shorten the text around {}, or widen the column",
            );
        }
        if self.referencing_columns.contains(&column.name) {
            let message = "the column references another table, where a random value doesn't exist";
            problems.add_for_column(self.table, &column.name, message, "Write \"null\" or \"ghost\"");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_matches_what_the_template_makes() {
        assert_eq!(unique_pattern("deleted-{}@example.invalid"), "^deleted\\-[0-9a-f]{32}\\@example\\.invalid$");
    }

    #[test]
    fn template_needs_one_gap() {
        assert!(NewValue::parse_template("deleted-{}".to_owned()).is_ok());
        for template in ["deleted", "{}", "a{}", "{}-{}-{}"] {
            assert!(NewValue::parse_template(template.to_owned()).is_err(), "{template}");
        }
    }
}
