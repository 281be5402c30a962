//! The data map: one file that says where personal data is, what a person gets of it and what
//! becomes of it. It drives export *and* deletion, and [`resolve`] holds it against the live
//! catalog before either, so that neither can drift from the schema.
//!
//! Knows `pg_catalog`. Must not know what the columns mean, and never touches a row.

mod catalog;
mod check;
mod column_names;
mod deletion_set;
mod draft;
mod file;
mod period;
mod references;
mod resolved;
mod rules;
pub(crate) mod sql;
mod topology;

use std::path::PathBuf;

use sqlx::PgConnection;

pub use draft::draft;
pub use period::{Period, Unit};
pub use resolved::{Resolved, Table};
pub use rules::{DataMap, Erase, ExportRule, IgnoredTable, Owner, Reference, ReferenceAction, Scrub, TableRule};

pub(crate) use deletion_set::DeletionSet;
pub(crate) use resolved::{Removal, ResolvedOwner, ResolvedReference, ScrubColumn, StampColumn};

/// Why a data map can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file can't be read.
    #[error("the data map {path} can't be read; check LETHE_DATA_MAP and the file's permissions")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file says something that no data map can say.
    #[error("data map, line {line}{}: {message}. {remedy}", in_table(table.as_deref()))]
    Invalid {
        /// Counted from 1.
        line: usize,
        /// The table whose entry it is, as the file writes it.
        table: Option<String>,
        /// What is wrong.
        message: String,
        /// What to do about it.
        remedy: String,
    },
    /// The map doesn't fit the database. Nothing is erased or exported with it.
    #[error("the data map doesn't fit the database: {}", listed(.0))]
    Mismatch(Vec<Problem>),
    /// The catalog can't be read.
    #[error("the database's catalog can't be read")]
    Database(#[from] sqlx::Error),
}

/// One thing in which map and database disagree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Problem {
    /// Schema and table, for example `public.posts`.
    pub table: String,
    /// The column, where it is about one.
    pub column: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
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

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
}

/// Holds `map` against the live catalog. What comes back is what SQL is made from; where map and
/// catalog disagree, every disagreement is named.
///
/// Costs three queries on `pg_catalog` and reads no row, so it runs before every export and every
/// deletion, within their transaction.
pub async fn resolve(map: &DataMap, connection: &mut PgConnection) -> Result<Resolved, Error> {
    let catalog = catalog::read(connection).await?;
    check::resolve(map, &catalog)
}
