//! What an UPDATE writes in the place of personal data, as SQL. The values were checked before.

use super::catalog::{Column, Relation};
use super::sql::{Parameters, quote_identifier};
use super::value::{NewValue, NewValues, ReferencedGhosts};

/// Thirty-two hexadecimal digits.
const RANDOM: &str = "replace(gen_random_uuid()::text, '-', '')";
pub(super) const RANDOM_DIGITS: usize = 32;

/// What an UPDATE writes to one column. The rows have the alias `t`.
pub(super) struct Assignment {
    /// `column = expression`.
    pub(super) set: String,
    /// True for rows that don't have the new value yet.
    pub(super) pending: String,
}

/// What an UPDATE writes to the columns of a row, which has the alias `t`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Update {
    /// The SET list.
    pub(crate) assignments: String,
    /// True for rows that don't have the new values yet, so that a second run finds none.
    pub(crate) pending: String,
}

impl FromIterator<Assignment> for Update {
    fn from_iter<Assignments: IntoIterator<Item = Assignment>>(assignments: Assignments) -> Self {
        let (set, mut pending): (Vec<String>, Vec<String>) =
            assignments.into_iter().map(|assignment| (assignment.set, assignment.pending)).unzip();
        // Stamped columns all depend on the first.
        pending.dedup();
        Self { assignments: set.join(", "), pending: pending.join(" OR ") }
    }
}

/// Returns what an UPDATE writes to columns of `relation`.
pub(super) fn assignments(
    values: &NewValues,
    relation: &Relation,
    ghosts: &ReferencedGhosts,
    parameters: &mut Parameters,
) -> Vec<Assignment> {
    let columns = values.iter().filter_map(|(name, value)| Some((relation.column(name)?, value)));
    columns.map(|(column, value)| assignment(column, value, ghosts, parameters)).collect()
}

fn assignment(column: &Column, value: &NewValue, ghosts: &ReferencedGhosts, parameters: &mut Parameters) -> Assignment {
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
pub(super) fn neutral(column: &Column) -> Option<&'static str> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_matches_what_the_template_makes() {
        assert_eq!(unique_pattern("deleted-{}@example.invalid"), "^deleted\\-[0-9a-f]{32}\\@example\\.invalid$");
    }
}
