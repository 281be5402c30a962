//! Paths: how a row leads to people. `user_id`, `post_id -> public.posts`, `(a, b) -> public.projects(x, y)` and
//! `<- public.messages(content_id)`.

use serde::{Serialize, Serializer};
use serde_json::json;

use super::address::AddressKind;
use super::entry::EntryError;
use super::within::Within;

/// How a row leads to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerPath {
    /// The column holds the Clerk user id.
    Column(String),
    /// The columns reference a row of another table. Its owners own this row too.
    Parent {
        /// The referencing columns, in this table.
        columns: Vec<String>,
        /// The referenced table and columns.
        target: PathTarget,
    },
    /// Rows of another table reference this row. Their owners own this row too.
    Child {
        /// The referenced columns, in this table. Empty: those of the foreign key, or the primary key.
        columns: Vec<String>,
        /// The referencing table and columns.
        target: PathTarget,
    },
    /// The column holds an address of the person.
    Address {
        /// The column.
        column: String,
        /// What kind of address.
        kind: AddressKind,
    },
    /// The Clerk user id is inside the column's value. Only mentions can be written so.
    Within {
        /// The column.
        column: String,
        /// Where in its value.
        within: Within,
    },
}

/// The other end of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTarget {
    /// Schema and table; or schema, table and column as in `public.users.id`, which only the catalog can tell apart.
    pub table: String,
    /// The columns. Empty: those of the foreign key, or the primary key.
    pub columns: Vec<String>,
}

const SYNTAX: &str = "Write a column with the Clerk user id (\"user_id\"), a path to the table that has it (\"post_id -> public.posts\", \
    \"user_id -> public.users(id)\"), or, where the other table references this one, \"<- public.messages(content_id)\"";

impl OwnerPath {
    pub(super) fn parse(text: &str) -> Result<Self, EntryError> {
        let error = || EntryError::new(format!("`{text}` isn't a path"), SYNTAX);
        if let Some((column, within)) = Within::parse(text) {
            return Ok(Self::Within { column, within });
        }
        if text.contains("->'") && text.contains("' ->") {
            let remedy = "Inside JSON only Clerk user ids can be named: \"metadata->'actor'\". Erase keys of rows there by other means";
            return Err(EntryError::new(format!("`{text}` names keys of rows inside JSON"), remedy));
        }
        if let Some(path) = Self::parse_child(text) {
            return Ok(path);
        }
        let (path, is_valid) = if let Some((columns, target)) = text.split_once("->") {
            let (columns, target) = (parse_columns(columns), PathTarget::parse(target).ok_or_else(error)?);
            let is_valid = !columns.is_empty() && (target.columns.is_empty() || target.columns.len() == columns.len());
            (Self::Parent { columns, target }, is_valid)
        } else {
            (Self::Column(text.to_owned()), !text.trim().is_empty() && !text.trim().starts_with("<-"))
        };
        if is_valid { Ok(path) } else { Err(error()) }
    }

    /// Names may contain either arrow. It is a path from the parent's side if it begins with the arrow, or has no other, and names
    /// columns of the other table.
    fn parse_child(text: &str) -> Option<Self> {
        let (columns, target) = text.split_once("<-")?;
        if !columns.trim().is_empty() && text.contains("->") {
            return None;
        }
        let target = PathTarget::parse(target)?;
        let names_columns = !target.columns.is_empty() || target.table.matches('.').count() > 1;
        names_columns.then(|| Self::Child { columns: parse_columns(columns), target })
    }

    /// Returns the columns of the table itself.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        match self {
            Self::Column(column) | Self::Address { column, .. } | Self::Within { column, .. } => {
                std::slice::from_ref(column)
            }
            Self::Parent { columns, .. } | Self::Child { columns, .. } => columns,
        }
    }
}

impl PathTarget {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (table, columns) = match text.strip_suffix(')').and_then(|text| text.rsplit_once('(')) {
            Some((table, columns)) if !table.is_empty() => (table.trim(), parse_columns(&format!("({columns})"))),
            _ => (text, Vec::new()),
        };
        (!table.is_empty()).then(|| Self { table: table.to_owned(), columns })
    }

    /// Whether it is this table with these columns, as far as it names columns.
    pub(super) fn is(&self, table: &str, columns: &[String]) -> bool {
        if let Some((named, column)) = self.with_column()
            && named == table
            && columns == [column]
        {
            return true;
        }
        self.table == table && (self.columns.is_empty() || self.columns == columns)
    }

    /// Returns the table and the columns as they are meant where the last name after a dot is a column.
    pub(super) fn with_column(&self) -> Option<(&str, &str)> {
        if self.columns.is_empty() { self.table.rsplit_once('.') } else { None }
    }
}

/// Reads `a` or `(a, b)`.
fn parse_columns(text: &str) -> Vec<String> {
    let text = text.trim();
    let Some(list) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) else {
        return (!text.is_empty()).then(|| text.to_owned()).into_iter().collect();
    };
    list.split(',').map(str::trim).filter(|column| !column.is_empty()).map(str::to_owned).collect()
}

impl std::fmt::Display for OwnerPath {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |columns: &[String]| match columns {
            [column] => column.clone(),
            columns => format!("({})", columns.join(", ")),
        };
        match self {
            Self::Column(column) => formatter.write_str(column),
            Self::Address { column, kind } => write!(formatter, "{} {column}", kind.key()),
            Self::Within { column, within } => write!(formatter, "{column}{within}"),
            Self::Parent { columns, target } => write!(formatter, "{} -> {target}", list(columns)),
            Self::Child { columns, target } if columns.is_empty() => write!(formatter, "<- {target}"),
            Self::Child { columns, target } => write!(formatter, "{} <- {target}", list(columns)),
        }
    }
}

impl std::fmt::Display for PathTarget {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.table)?;
        if !self.columns.is_empty() {
            write!(formatter, "({})", self.columns.join(", "))?;
        }
        Ok(())
    }
}

/// The form is part of [`PlanHash`](super::PlanHash), so that of the simple paths must stay as it is.
impl Serialize for OwnerPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = match self {
            Self::Column(column) => json!({ "column": column }),
            Self::Address { column, kind } => json!({ "address": { "column": column, "kind": kind } }),
            Self::Within { column, within } => json!({ "within": { "column": column, "in": within } }),
            Self::Parent { columns, target } if columns.len() == 1 && target.columns.is_empty() => {
                json!({ "path": { "column": columns[0], "table": target.table } })
            }
            Self::Parent { columns, target } => {
                json!({ "path": { "columns": columns, "table": target.table, "target": target.columns } })
            }
            Self::Child { columns, target } => {
                json!({ "child": { "columns": columns, "table": target.table, "target": target.columns } })
            }
        };
        value.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_and_written() {
        for text in [
            "user_id",
            "post_id -> public.posts",
            "user_id -> public.users.id",
            "user_id -> public.users(id)",
            "(org, num) -> public.projects(org, num)",
            "<- public.messages(content_id)",
            "key <- public.messages(content_key)",
            "key -> public.a<-b",
            "a, b -> public.posts",
            "a<-b",
            "a<-b -> public.posts",
            "before->'actor'->'id'",
            "viewers[]",
        ] {
            let path = OwnerPath::parse(text).unwrap_or_else(|error| panic!("{text}: {}", error.message));
            assert_eq!(path.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", " ", "->", "a ->", "-> public.posts", "a -> public.t(x, y)", "<- public.messages", "<-"] {
            assert!(OwnerPath::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn keys_of_rows_inside_json_are_refused_with_what_can_be_named() {
        let error = OwnerPath::parse("data->'actor' -> public.users(id)").unwrap_err();
        assert!(error.message.contains("names keys of rows inside JSON"), "{}", error.message);
        assert!(error.remedy.contains("only Clerk user ids can be named"), "{}", error.remedy);
    }
}
