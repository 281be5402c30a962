//! Values inside JSON and arrays: Clerk user ids as mentions (`before->'actor'->'id'`, `viewers[]`), and what a scrub overwrites
//! below keys of JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::catalog::{Column, Relation};
use super::sql::{Parameters, quote_identifier};
use super::update::{self, Assignment};
use super::value::{NewValue, NewValues};

/// Where in a column's value a Clerk user id is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Within {
    /// In JSON, below these keys.
    Json(Vec<String>),
    /// Among the elements of an array.
    Elements,
}

impl Within {
    /// Reads a column and where in it: `before->'actor'->'id'`, or `viewers[]`. `None` where the text is something else.
    pub(super) fn parse(text: &str) -> Option<(String, Self)> {
        if let Some(column) = text.strip_suffix("[]") {
            return (!column.is_empty()).then(|| (column.to_owned(), Self::Elements));
        }
        let (column, keys) = text.split_once("->'")?;
        let keys = keys.strip_suffix('\'')?.split("'->'").map(str::to_owned).collect::<Vec<_>>();
        let is_valid = !column.trim().is_empty() && keys.iter().all(|key| !key.is_empty() && !key.contains('\''));
        is_valid.then(|| (column.trim().to_owned(), Self::Json(keys)))
    }

    /// Returns the types of columns that can hold it, for messages, and whether this one can.
    pub(super) fn fits(&self, column: &Column) -> (&'static str, bool) {
        match self {
            Self::Json(_) => ("JSON", matches!(column.base_type.as_str(), "json" | "jsonb")),
            Self::Elements => {
                ("an array of texts", matches!(column.base_type.as_str(), "_text" | "_varchar" | "_citext" | "_bpchar"))
            }
        }
    }

    pub(super) fn resolve(&self, parameters: &mut Parameters) -> ResolvedWithin {
        match self {
            Self::Json(keys) => {
                let keys: Vec<String> = keys.iter().map(|key| format!("${}::text", parameters.add(key))).collect();
                ResolvedWithin::Json { keys: format!("ARRAY[{}]", keys.join(", ")) }
            }
            Self::Elements => ResolvedWithin::Elements,
        }
    }
}

impl std::fmt::Display for Within {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Json(keys) => keys.iter().try_for_each(|key| write!(formatter, "->'{key}'")),
            Self::Elements => formatter.write_str("[]"),
        }
    }
}

/// The same as SQL.
#[derive(Debug)]
pub(crate) enum ResolvedWithin {
    /// The keys are an array of texts, as an expression.
    Json {
        keys: String,
    },
    Elements,
}

impl ResolvedWithin {
    /// Returns a condition that is true where the value of `column`, quoted, contains the person's id.
    pub(super) fn holds_user_id(&self, alias: &str, column: &str) -> String {
        match self {
            Self::Json { keys } => format!("{alias}.{column}::jsonb #>> {keys} = $1"),
            Self::Elements => format!("$1 = ANY ({alias}.{column}::text[])"),
        }
    }

    /// Returns a condition that is true where there is a value, and one for whether it is a Clerk user id.
    pub(super) fn values_and_user_ids(&self, alias: &str, column: &str) -> (String, String) {
        match self {
            Self::Json { keys } => {
                let value = format!("{alias}.{column}::jsonb #>> {keys}");
                (format!("{value} IS NOT NULL"), format!("{value} ~ '^user_'"))
            }
            Self::Elements => {
                let elements = format!("unnest({alias}.{column}::text[]) AS element");
                (
                    format!("cardinality({alias}.{column}) > 0"),
                    format!("EXISTS (SELECT FROM {elements} WHERE element ~ '^user_')"),
                )
            }
        }
    }

    /// Returns what an UPDATE writes in place of the id; the rest of the value stays. The value was checked before.
    pub(super) fn assignment(&self, column: &Column, value: &NewValue, parameters: &mut Parameters) -> Assignment {
        let (name, type_name) = (quote_identifier(&column.name), &column.type_name);
        let text = new_text(value, parameters);
        let new = match (self, text) {
            (Self::Json { keys }, text) => format!("jsonb_set(t.{name}::jsonb, {keys}, {}, false)", json(text)),
            (Self::Elements, None) => format!("array_remove(t.{name}::text[], $1)"),
            (Self::Elements, Some(text)) => format!("array_replace(t.{name}::text[], $1, {text})"),
        };
        Assignment { set: format!("{name} = CAST({new} AS {type_name})"), pending: self.holds_user_id("t", &name) }
    }
}

/// Returns an expression for the text that takes the place of another, or `None` for null.
fn new_text(value: &NewValue, parameters: &mut Parameters) -> Option<String> {
    match value {
        NewValue::Null | NewValue::Ghost => None,
        NewValue::Neutral => Some("''::text".to_owned()),
        NewValue::Value(value) => Some(format!("${}::text", parameters.add(value))),
        NewValue::Unique(template) => Some(update::random_text(template, parameters)),
    }
}

fn json(text: Option<String>) -> String {
    text.map_or_else(|| "'null'::jsonb".to_owned(), |text| format!("to_jsonb({text})"))
}

/// Reads a column with JSON and the keys in it, where no column has the whole text for its name.
pub(super) fn parse_json_path(text: &str, relation: &Relation) -> Option<(String, Vec<String>)> {
    match Within::parse(text).filter(|_| relation.column(text).is_none())? {
        (column, Within::Json(keys)) => Some((column, keys)),
        (_, Within::Elements) => None,
    }
}

/// Whether the text names keys inside `column`.
pub(super) fn is_inside(text: &str, column: &str) -> bool {
    Within::parse(text).is_some_and(|(name, _)| name == column)
}

/// Returns what an UPDATE writes below keys of JSON, one assignment for each column. Where a key is missing, nothing is written. The
/// values were checked before.
pub(super) fn json_assignments(
    values: &NewValues,
    relation: &Relation,
    parameters: &mut Parameters,
) -> Vec<Assignment> {
    let mut columns: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    for (path, value) in values {
        let Some((column, keys)) = parse_json_path(path, relation) else { continue };
        let name = format!("t.{}", quote_identifier(&column));
        let keys: Vec<String> = keys.iter().map(|key| format!("${}::text", parameters.add(key))).collect();
        let keys = format!("ARRAY[{}]", keys.join(", "));
        let found = format!("{name}::jsonb #>> {keys}");
        let (new, pending) = match value {
            NewValue::Unique(template) => {
                let pattern = parameters.add(&update::unique_pattern(template));
                (json(new_text(value, parameters)), format!("{found} !~ ${pattern}::text"))
            }
            NewValue::Null | NewValue::Ghost => (json(None), format!("{found} IS NOT NULL")),
            NewValue::Value(_) | NewValue::Neutral => {
                let text = new_text(value, parameters).unwrap_or_default();
                (json(Some(text.clone())), format!("{found} <> {text}"))
            }
        };
        let (expression, all_pending) = columns.entry(column).or_insert_with(|| (format!("{name}::jsonb"), Vec::new()));
        // Postgres refuses to look for keys in a JSON text or number.
        *expression = format!(
            "CASE WHEN {found} IS NULL THEN {expression} ELSE jsonb_set({expression}, {keys}, {new}, false) END"
        );
        all_pending.push(pending);
    }
    let assignments = columns.into_iter().filter_map(|(column, (expression, pending))| {
        let type_name = &relation.column(&column)?.type_name;
        let set = format!("{} = CAST({expression} AS {type_name})", quote_identifier(&column));
        Some(Assignment { set, pending: pending.join(" OR ") })
    });
    assignments.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_with_an_inside_are_read_and_written() {
        let keys = |keys: &[&str]| Within::Json(keys.iter().map(|key| (*key).to_owned()).collect());
        for (text, column, within) in [
            ("before->'actor'", "before", keys(&["actor"])),
            ("before->'actor'->'id'", "before", keys(&["actor", "id"])),
            ("viewers[]", "viewers", Within::Elements),
        ] {
            assert_eq!(Within::parse(text), Some((column.to_owned(), within.clone())), "{text}");
            assert_eq!(format!("{column}{within}"), text);
        }
        for text in ["user_id", "post_id -> public.posts", "[]", "before->''", "->'id'", "before->'a", "a->'b'->c'"] {
            assert_eq!(Within::parse(text), None, "{text}");
        }
    }
}
