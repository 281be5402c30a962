//! Clerk user ids inside JSON and arrays: `before->'actor'->'id'` and `viewers[]`.

use serde::Serialize;

use super::catalog::Column;
use super::sql::{Parameters, quote_identifier};
use super::update::{self, Assignment};
use super::value::NewValue;

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

    /// Returns what an UPDATE writes in place of the id; the rest of the value stays. The value was checked before.
    pub(super) fn assignment(&self, column: &Column, value: &NewValue, parameters: &mut Parameters) -> Assignment {
        let (name, type_name) = (quote_identifier(&column.name), &column.type_name);
        let text = match value {
            NewValue::Null | NewValue::Ghost => None,
            NewValue::Neutral => Some("''::text".to_owned()),
            NewValue::Value(value) => Some(format!("${}::text", parameters.add(value))),
            NewValue::Unique(template) => Some(update::random_text(template, parameters)),
        };
        let new = match (self, text) {
            (Self::Json { keys }, text) => {
                let json = text.map_or_else(|| "'null'::jsonb".to_owned(), |text| format!("to_jsonb({text})"));
                format!("jsonb_set(t.{name}::jsonb, {keys}, {json}, false)")
            }
            (Self::Elements, None) => format!("array_remove(t.{name}::text[], $1)"),
            (Self::Elements, Some(text)) => format!("array_replace(t.{name}::text[], $1, {text})"),
        };
        Assignment { set: format!("{name} = CAST({new} AS {type_name})"), pending: self.holds_user_id("t", &name) }
    }
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
