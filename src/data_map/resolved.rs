//! A map that fits the database: what every statement on personal rows is made from.
//!
//! All text here is quoted; `$1` is the person's key in every predicate, and rows of the table
//! itself go by the alias that the caller names.

use super::rules::{Erase, ReferenceAction, TableRule};
use super::sql::quote_identifier;
use super::{Period, Problem};

/// A data map that was held against the live catalog and fits.
#[derive(Debug)]
pub struct Resolved {
    /// In the order of the file, subjects first.
    pub(crate) tables: Vec<Table>,
    /// Places in `tables`, children before the rows they point to.
    pub(crate) order: Vec<usize>,
    /// Columns that may hold a person's key and are nobody's owner column.
    pub(crate) user_id_searches: Vec<UserIdSearch>,
    /// Constraints that a deletion defers, quoted.
    pub(crate) deferred_constraints: Vec<String>,
}

/// One table of a [`Resolved`] map.
#[derive(Debug)]
pub struct Table {
    pub(crate) rule: TableRule,
    /// Quoted, with its schema.
    pub(crate) sql: String,
    pub(crate) owner: ResolvedOwner,
    /// Quoted; empty where the table has no primary key.
    pub(crate) primary_key: Vec<String>,
    /// What the person gets; `None` where the map exports nothing of it.
    pub(crate) export: Option<Vec<ExportColumn>>,
    pub(crate) stamps: Vec<StampColumn>,
    pub(crate) scrubs: Vec<ScrubColumn>,
    pub(crate) references: Vec<ResolvedReference>,
    /// Columns of rows that go, which are emptied first because they close a circle. Quoted.
    pub(crate) unlink_columns: Vec<String>,
}

#[derive(Debug)]
pub(crate) enum ResolvedOwner {
    /// Quoted; holds the key.
    Column(String),
    /// `column` points to `target` of the table at `table`.
    Path { column: String, table: usize, target: String },
}

#[derive(Debug)]
pub(crate) struct ExportColumn {
    pub(crate) name: String,
    pub(crate) base_type: String,
}

#[derive(Debug)]
pub(crate) struct StampColumn {
    /// Quoted.
    pub(crate) column: String,
    pub(crate) base_type: String,
}

#[derive(Debug)]
pub(crate) struct ScrubColumn {
    /// Quoted.
    pub(crate) column: String,
    pub(crate) type_name: String,
    /// The number of the bound parameter that holds the value.
    pub(crate) parameter: usize,
    /// `None` empties the column.
    pub(crate) value: Option<String>,
}

/// Rows that point to rows which go.
#[derive(Debug)]
pub(crate) struct ResolvedReference {
    /// As the map names it.
    pub(crate) name: String,
    /// Quoted.
    pub(crate) column: String,
    pub(crate) target: Target,
    pub(crate) action: ReferenceAction,
}

#[derive(Debug)]
pub(crate) enum Target {
    /// Rows of another mapped table: pairs of this table's column and the other's, quoted.
    Rows { table: usize, columns: Vec<(String, String)> },
    /// The column holds the person's key itself.
    Key,
}

#[derive(Debug)]
pub(crate) struct UserIdSearch {
    pub(crate) name: String,
    pub(crate) column_name: String,
    /// Quoted, with its schema.
    pub(crate) sql: String,
    /// Quoted.
    pub(crate) column: String,
    /// The table's place where it has a rule.
    pub(crate) table: Option<usize>,
}

/// When a person's rows of a table go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    Immediate,
    After(Period),
    Never,
}

impl Erase {
    pub(crate) const fn removal(&self) -> Removal {
        match self {
            Self::Delete => Removal::Immediate,
            Self::Stamp { purge_after: Some(period), .. } | Self::Keep { period: Some(period), .. } => {
                Removal::After(*period)
            }
            Self::Stamp { .. } | Self::Scrub { .. } | Self::Keep { .. } => Removal::Never,
        }
    }
}

impl Removal {
    /// Comparable: what goes earlier weighs less.
    pub(crate) const fn sort_key(self) -> u64 {
        match self {
            Self::Immediate => 0,
            Self::After(period) => period.approximate_minutes(),
            Self::Never => u64::MAX,
        }
    }

    pub(crate) fn describe(self) -> String {
        match self {
            Self::Immediate => "go at once".to_owned(),
            Self::After(period) => format!("go after {period}"),
            Self::Never => "stay".to_owned(),
        }
    }
}

impl Table {
    /// Schema and table, as the map has them.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.rule.name
    }

    /// What people read in its place.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.rule.label
    }

    /// The rule of the map.
    #[must_use]
    pub const fn rule(&self) -> &TableRule {
        &self.rule
    }

    /// For ORDER BY: the primary key, or where the row lies, which is stable within a transaction.
    pub(crate) fn order_by(&self, alias: &str) -> String {
        if self.primary_key.is_empty() {
            return format!("{alias}.tableoid, {alias}.ctid");
        }
        self.primary_key.iter().map(|column| format!("{alias}.{column}")).collect::<Vec<_>>().join(", ")
    }

    /// A problem that only shows when rows are touched.
    pub(crate) fn problem(&self, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem { table: self.rule.name.clone(), column: None, message: message.into(), remedy: remedy.into() }
    }
}

impl Resolved {
    /// The tables, in the order of the file, subjects first.
    #[must_use]
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The tables as an erasure goes through them: rows before the rows they point to.
    #[must_use]
    pub fn in_erasure_order(&self) -> impl DoubleEndedIterator<Item = &Table> {
        self.order.iter().map(|place| &self.tables[*place])
    }

    pub(crate) fn index_of(&self, name: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.rule.name == name)
    }

    /// Every value that columns are scrubbed with, in the order of their parameters.
    pub(crate) fn scrub_values(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().flat_map(|table| &table.scrubs).filter_map(|scrub| scrub.value.as_deref())
    }

    /// True for the rows of the table at `place` that are the person's.
    pub(crate) fn owned_rows(&self, place: usize, alias: &str) -> String {
        match &self.tables[place].owner {
            ResolvedOwner::Column(column) => format!("{alias}.{column} = $1"),
            ResolvedOwner::Path { column, table, target } => {
                let inner = format!("{alias}_");
                let parent = &self.tables[*table].sql;
                let owned = self.owned_rows(*table, &inner);
                format!("{alias}.{column} IN (SELECT {inner}.{target} FROM {parent} AS {inner} WHERE {owned})")
            }
        }
    }
}

impl ExportColumn {
    /// The column as JSON, so that no reader loses anything: times in ISO 8601, bytes in base64,
    /// numbers that a double can't hold as text (RFC 7493, 2.2).
    pub(crate) fn json(&self, alias: &str) -> String {
        let name = quote_identifier(&self.name);
        let column = format!("{alias}.{name}");
        let value = match self.base_type.as_str() {
            "int8" => format!(
                "CASE WHEN {column} BETWEEN -9007199254740991 AND 9007199254740991 \
                 THEN to_json({column}) ELSE to_json({column}::text) END"
            ),
            // Fifteen significant digits survive any double.
            "numeric" => format!(
                "CASE WHEN length(ltrim(translate({column}::text, '-.', ''), '0')) <= 15 \
                 THEN to_json({column}) ELSE to_json({column}::text) END"
            ),
            // Postgres breaks base64 into lines.
            "bytea" => format!("translate(encode({column}, 'base64'), E'\\n', '')"),
            _ => column,
        };
        format!("{value} AS {name}")
    }
}
