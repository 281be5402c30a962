//! Why a data map can't be used: the file is invalid, or it doesn't match the database.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::choice::Choice;

/// Why a data map can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file can't be read.
    #[error("the data map {path} can't be read; check LETHE_DATA_MAP and the file's permissions")]
    Unreadable {
        /// The path as configured.
        path: PathBuf,
        /// The operating system's error.
        #[source]
        source: std::io::Error,
    },
    /// The file isn't valid TOML, or an entry isn't valid.
    #[error("data map, line {line}{}: {message}. {remedy}", in_table(table.as_deref()))]
    Invalid {
        /// Counted from 1.
        line: usize,
        /// The table that the entry is about, as written in the file.
        table: Option<String>,
        /// What is wrong.
        message: String,
        /// How to correct it.
        remedy: String,
    },
    /// The map doesn't match the database. Nothing is exported or erased with it.
    #[error("the data map doesn't match the database: {}", join(.0))]
    Mismatch(Vec<Problem>),
    /// `pg_catalog` can't be read.
    #[error("the database catalog can't be read")]
    Database(#[from] sqlx::Error),
}

/// One mismatch between the map and the database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Problem {
    /// Schema and table, for example `public.posts`.
    pub table: String,
    /// The column, where the problem is about one.
    pub column: Option<String>,
    /// What is wrong.
    pub message: String,
    /// How to correct it.
    pub remedy: String,
    /// The remedies that can be carried out by a program: what [`amend`](super::amend) adds to the table's entry.
    #[serde(skip)]
    pub choices: Vec<Choice>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.table)?;
        if let Some(column) = &self.column {
            write!(formatter, ", column {column}")?;
        }
        write!(formatter, ": {}. {}", self.message, self.remedy)
    }
}

fn in_table(table: Option<&str>) -> String {
    table.map(|table| format!(", table {table}")).unwrap_or_default()
}

fn join(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
}

/// Collects every problem, each once, so that all of them are reported together.
#[derive(Default)]
pub(crate) struct Problems(BTreeSet<Problem>);

impl Problems {
    pub(super) fn add_for_table(&mut self, table: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.0.insert(Problem {
            table: table.to_owned(),
            column: None,
            message: message.into(),
            remedy: remedy.into(),
            choices: Vec::new(),
        });
    }

    pub(super) fn add_for_column(
        &mut self,
        table: &str,
        column: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add_with_choices(table, column, message, remedy, Vec::new());
    }

    /// Adds a problem that each of the choices solves.
    pub(super) fn add_with_choices(
        &mut self,
        table: &str,
        column: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
        choices: Vec<Choice>,
    ) {
        self.0.insert(Problem {
            table: table.to_owned(),
            column: Some(column.to_owned()),
            message: message.into(),
            remedy: remedy.into(),
            choices,
        });
    }

    /// Reports that `key` of the map names a column that doesn't exist.
    pub(super) fn add_unknown_column(&mut self, table: &str, column: &str, key: &str) {
        self.add_for_column(
            table,
            column,
            format!("`{key}` names a column that the table doesn't have"),
            "Correct the name, or remove it if the column was dropped",
        );
    }

    pub(super) fn into_vec(self) -> Vec<Problem> {
        self.0.into_iter().collect()
    }

    /// Returns the error. There is a problem.
    pub(super) fn into_error(self) -> Error {
        debug_assert!(!self.0.is_empty(), "without a problem there is no error");
        Error::Mismatch(self.0.into_iter().collect())
    }

    /// Fails with every problem so far, if there is one.
    pub(super) fn check(&mut self) -> Result<(), Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Error::Mismatch(std::mem::take(&mut self.0).into_iter().collect()))
    }
}
