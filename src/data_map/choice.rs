//! What can be decided about a table or a column, each decision as a part of the map's text.

use super::sql::quote_identifier;
use super::toml_text::toml_string;

/// What the answer replaces in the text of a choice: a reason, or a list's values.
const INPUT: &str = "\"..\"";

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Choice {
    /// What it means, without a full stop.
    pub description: String,
    /// What it needs beside.
    pub input: Option<Input>,
    toml: String,
    /// The columns whose values it is about.
    columns: Vec<String>,
}

/// What an answer needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// Why it is so.
    Reason,
    /// Values of a column, separated by commas.
    Values,
}

impl Choice {
    pub(super) fn new(description: impl Into<String>, toml: impl Into<String>) -> Self {
        Self { description: description.into(), toml: toml.into(), input: None, columns: Vec::new() }
    }

    pub(super) fn with_reason(self) -> Self {
        Self { input: Some(Input::Reason), ..self }
    }

    pub(super) fn with_values(self) -> Self {
        Self { input: Some(Input::Values), ..self }
    }

    pub(super) fn about(self, columns: &[String]) -> Self {
        Self { columns: columns.to_vec(), ..self }
    }

    /// Returns the part of the map, with what was entered.
    #[must_use]
    pub(super) fn with_input(&self, input: &str) -> String {
        let string = |text: &str| serde_json::Value::from(text.trim()).to_string();
        let written = match self.input {
            None => return self.toml.clone(),
            Some(Input::Reason) => string(input),
            Some(Input::Values) => input.split(',').map(string).collect::<Vec<_>>().join(", "),
        };
        self.toml.replacen(INPUT, &written, 1)
    }

    /// True for the rows that it is about. `None`: for all of them.
    pub(super) fn condition(&self) -> Option<String> {
        let are_set = self.columns.iter().map(|column| format!("{} IS NOT NULL", quote_identifier(column)));
        (!self.columns.is_empty()).then(|| are_set.collect::<Vec<_>>().join(" AND "))
    }
}

/// What can become of rows of others that reference rows which are deleted.
pub(super) fn of_reference(header: &str, columns: &[String], can_detach: bool) -> Vec<Choice> {
    let entry = |others: &str| {
        let column = toml_string(&columns[0]);
        format!("[[{header}]]\ncolumn = {column}\nothers = \"{others}\"\nreason = \"..\"\n")
    };
    let detach = can_detach.then(|| Choice::new("they stay, and the column becomes NULL", entry("detach")));
    let further = [
        Choice::new("they are deleted too", entry("delete")),
        Choice::new("there are no such rows: if one is found, nothing is erased", entry("none")),
    ];
    detach.into_iter().chain(further).map(|choice| choice.with_reason().about(columns)).collect()
}

/// What can become of a column that may hold Clerk user ids, in rows of others. `keys` are the paths to write if it holds keys of
/// people's rows instead.
pub(super) fn of_user_id(header: &str, column: &str, is_nullable: bool, keys: &[String]) -> Vec<Choice> {
    let entry = |path: &str, erase: &str| format!("[[{header}]]\ncolumns = [{}]\nerase = {erase}\n", toml_string(path));
    let forgotten = if is_nullable { "\"null\"" } else { "\"unique\"" };
    let outcome = if is_nullable { "NULL" } else { "a random text" };
    let mut choices = vec![
        Choice::new(
            format!("it names somebody: the row stays, and the column becomes {outcome}"),
            entry(column, forgotten),
        ),
        Choice::new("it names somebody: the row is deleted", entry(column, "\"delete\"")),
        Choice::new("it names somebody: the row stays, and goes on naming them", entry(column, "{ keep = \"..\" }"))
            .with_reason(),
    ];
    for key in keys {
        let description = format!("it holds keys of {key}: the row stays, and the column becomes {outcome}");
        choices.push(Choice::new(description, entry(key, forgotten)));
    }
    choices.push(Choice::new("it never holds a Clerk user id", entry(column, "\"none\"")));
    choices.into_iter().map(|choice| choice.about(&[column.to_owned()])).collect()
}
