//! A map that matches the database: what every statement on personal rows is made of.
//!
//! Identifiers are quoted here. Parameters are numbered as described in `sql`; rows have the alias that the caller
//! passes.

use serde::{Deserialize, Serialize};

use super::address::AddressKind;
use super::erase::{Removal, RowAction};
use super::error::Problem;
use super::index::{IndexedVec, TableIndex};
use super::plan_hash::PlanHash;
use super::rules::TableRule;
use super::sql::{Parameters, quote_identifier};
use super::update::Update;
use super::within::ResolvedWithin;
use crate::identifiers::Identifiers;

/// A data map that was checked against the database and matches it.
#[derive(Debug)]
pub struct Resolved {
    /// In the order of the file, subjects first.
    pub(crate) tables: IndexedVec<TableIndex, Table>,
    /// Children before the tables that they reference.
    pub(crate) order: Vec<TableIndex>,
    /// Columns that may hold a Clerk user id and aren't an owner column.
    pub(crate) user_id_searches: Vec<UserIdSearch>,
    /// Tables in which a search for the Clerk user id finds less than there is, or nothing.
    pub(crate) unsearched: Vec<Unsearched>,
    /// Tables whose texts, JSON and arrays can be searched.
    pub(crate) searchable_tables: Vec<SearchableTable>,
    /// Constraints that a deletion defers, quoted.
    pub(crate) deferred_constraints: Vec<String>,
    /// The values that scrubbed columns get.
    pub(crate) parameters: Parameters,
}

/// One table of a [`Resolved`] map.
#[derive(Debug)]
pub struct Table {
    pub(crate) rule: TableRule,
    /// Schema and table, quoted.
    pub(crate) quoted_name: String,
    pub(crate) owners: Vec<ResolvedOwner>,
    /// Columns of a subject with further addresses of the person, quoted.
    pub(crate) address_columns: Vec<(String, AddressKind)>,
    /// Whether a row can have several owners.
    pub(crate) is_shareable: bool,
    /// The key of the row that stands for everybody who left: columns, quoted, with the numbers of their parameters.
    pub(crate) ghost: Vec<(String, usize)>,
    /// Quoted; empty where the table has no primary key.
    pub(crate) primary_key: Vec<String>,
    /// Columns that tell rows apart, quoted, each with its type for a CAST. Empty where the table has none.
    pub(crate) row_key: Vec<(String, String)>,
    /// `None` where the map exports nothing of the table.
    pub(crate) export: Option<Vec<ExportColumn>>,
    /// What the export of somebody whom rows of others name contains of these rows.
    pub(crate) mention_exports: Vec<MentionExport>,
    /// What a deletion does with the person's rows.
    pub(crate) action: RowAction,
    /// What a deletion does with other people's rows.
    pub(crate) references: Vec<ResolvedReference>,
    /// The column that seems to say when a row was created. Only shown, nothing depends on it. Quoted.
    pub(crate) creation_time: Option<String>,
    /// The unique indexes that only rows with a condition are in: names and conditions, as SQL.
    pub(crate) partial_indexes: Vec<(String, String)>,
    /// Whether rows may reference others of the same table.
    pub(crate) references_itself: bool,
    /// Whether triggers run when rows are changed or deleted.
    pub(crate) has_triggers: bool,
    /// Columns of deleted rows that are set to NULL first, because they close a cycle. Quoted.
    pub(crate) unlink_columns: Vec<String>,
}

/// One of the owners of a table's rows.
#[derive(Debug)]
pub(crate) struct ResolvedOwner {
    pub(crate) path: ResolvedPath,
    /// The values for which the path counts: columns, quoted, with the numbers of their parameters. Empty: always.
    pub(crate) filter: Vec<(String, Vec<usize>)>,
    /// What happens to rows that stay with others when this owner leaves.
    pub(crate) forget: Option<Forget>,
}

/// What is written to rows that stay with others.
#[derive(Debug)]
pub(crate) struct Forget {
    pub(crate) update: Update,
    pub(crate) columns: Vec<String>,
}

/// How a row leads to people. Everything is quoted.
#[derive(Debug)]
pub(crate) enum ResolvedPath {
    /// The column holds the Clerk user id, or a placeholder that stands for nobody.
    UserId { column: String, placeholders: Vec<Placeholder> },
    /// The column holds an address, or a placeholder that stands for nobody.
    Address { column: String, kind: AddressKind, placeholders: Vec<Placeholder> },
    /// `columns` reference `target` of a row of `table`.
    Parent {
        columns: Vec<String>,
        table: TableIndex,
        target: Vec<String>,
        /// Where the column holds the Clerk user id, and no foreign key says that the row with it exists, the values that stand for
        /// nobody. The application may have deleted the row.
        dangling: Option<Vec<Placeholder>>,
    },
    /// `referencing` of rows of `table` reference `columns`.
    Child { columns: Vec<String>, table: TableIndex, referencing: Vec<String> },
}

/// A value that a deletion writes in the place of a Clerk user id, by the number of its parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Placeholder {
    Value(usize),
    /// A regular expression.
    Pattern(usize),
}

#[derive(Debug)]
pub(crate) struct ExportColumn {
    pub(crate) name: String,
    pub(crate) base_type: String,
}

/// What is exported of rows that name the person in one of several columns.
#[derive(Debug)]
pub(crate) struct MentionExport {
    /// The positions of the mentions among the table's references.
    pub(crate) mentions: Vec<usize>,
    pub(crate) columns: Vec<ExportColumn>,
}

/// A column by which other people's rows reference deleted rows, or that names somebody in them.
#[derive(Debug)]
pub(crate) struct ResolvedReference {
    /// As in the map.
    pub(crate) name: String,
    /// Quoted.
    pub(crate) column: String,
    pub(crate) target: ReferenceTarget,
    pub(crate) action: ResolvedAction,
    /// Whether the column names somebody, whatever becomes of the row that it references.
    pub(crate) is_mention: bool,
}

/// What happens to rows that reference deleted rows, or name the person.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ResolvedAction {
    /// The column becomes NULL.
    Detach,
    /// Columns get new values.
    Overwrite(Update),
    Delete,
    /// They stay, for this reason.
    Keep(String),
    Forbid,
}

#[derive(Debug)]
pub(crate) enum ReferenceTarget {
    /// Rows of another mapped table: pairs of this table's column and the other's, quoted.
    Rows {
        table: TableIndex,
        columns: Vec<(String, String)>,
        /// Whether the column holds the Clerk user id, and no foreign key says that the row with it exists.
        may_dangle: bool,
    },
    /// The column holds the person's Clerk user id.
    UserId,
    /// The id is inside the column's value.
    UserIdWithin(ResolvedWithin),
}

/// A column that is searched for the Clerk user id after a deletion.
#[derive(Debug)]
pub(crate) struct UserIdSearch {
    pub(crate) name: String,
    pub(crate) column_name: String,
    /// Schema and table, quoted.
    pub(crate) quoted_name: String,
    /// Quoted.
    pub(crate) column: String,
    /// `None` where the table has no rule.
    pub(crate) table: Option<TableIndex>,
    /// Whether nothing would erase what is found.
    pub(crate) is_without_rule: bool,
}

/// A table whose texts can be searched for the person's Clerk user id and addresses.
#[derive(Debug)]
pub(crate) struct SearchableTable {
    /// Schema and table.
    pub(crate) name: String,
    /// Schema and table, quoted.
    pub(crate) quoted_name: String,
    /// Those in which the map lets mentions stay aren't among them.
    pub(crate) columns: Vec<SearchableColumn>,
    /// A condition for the person's own rows, with the alias `t`, where rows stay.
    pub(crate) own_rows: Option<String>,
}

/// A column whose texts can be searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SearchableColumn {
    pub(crate) name: String,
    pub(crate) quoted_name: String,
    /// Whether the receipt says of the person's own rows that stay that the column stays with them.
    pub(crate) is_reported: bool,
}

/// A table in which rows of the person wouldn't be found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsearched {
    /// Schema and table.
    pub table: String,
    /// Why.
    pub reason: UnsearchedReason,
}

/// Why a table isn't searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnsearchedReason {
    /// Lethe's role may not read it.
    NoPrivilege,
    /// Row-level security may hide rows from Lethe's role.
    RowLevelSecurity,
    /// It is a materialized view.
    MaterializedView,
    /// It is a foreign table, whose rows are elsewhere.
    ForeignTable,
    /// Its rows are found by an address, and none of the person's was known.
    AddressUnknown,
}

impl Table {
    /// Returns schema and table, as in the map.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.rule.name
    }

    /// Returns what users read instead of the name.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.rule.label
    }

    /// Returns the rule of the map.
    #[must_use]
    pub const fn rule(&self) -> &TableRule {
        &self.rule
    }

    pub(crate) fn removal(&self) -> Removal {
        self.rule.erase.strategy().removal()
    }

    /// Returns an ORDER BY list: the primary key, or the row's physical position, which is stable within a transaction.
    pub(crate) fn order_by(&self, alias: &str) -> String {
        if self.primary_key.is_empty() {
            return format!("{alias}.tableoid, {alias}.ctid");
        }
        self.primary_key.iter().map(|column| format!("{alias}.{column}")).collect::<Vec<_>>().join(", ")
    }

    /// Returns a problem that only showed on the rows.
    pub(crate) fn problem(&self, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem {
            table: self.rule.name.clone(),
            column: None,
            message: message.into(),
            remedy: remedy.into(),
            choices: Vec::new(),
        }
    }
}

impl Resolved {
    /// Returns the tables in the order of the file, subjects first.
    #[must_use]
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Returns the tables whose rows are found by addresses of a kind of which none is known.
    pub(crate) fn tables_without_address(&self, subject: &Identifiers) -> impl Iterator<Item = Unsearched> {
        let is_unknown = |kind: &AddressKind| match kind {
            AddressKind::Email => subject.email_addresses().is_empty(),
            AddressKind::Phone => subject.phone_numbers().is_empty(),
        };
        let is_unsearched = move |table: &&Table| {
            let mut owners = table.owners.iter();
            owners.any(|owner| matches!(&owner.path, ResolvedPath::Address { kind, .. } if is_unknown(kind)))
        };
        let tables = self.tables.iter().filter(is_unsearched);
        tables.map(|table| Unsearched { table: table.rule.name.clone(), reason: UnsearchedReason::AddressUnknown })
    }

    /// Returns the tables in the order of an erasure: children before the tables that they reference.
    #[must_use]
    pub fn in_erasure_order(&self) -> impl DoubleEndedIterator<Item = &Table> {
        self.order.iter().map(|table| &self.tables[*table])
    }

    pub(crate) fn index_of(&self, name: &str) -> Option<TableIndex> {
        self.tables.position(|table| table.rule.name == name)
    }

    /// Returns the hash of everything that the map decides. Rows don't change it.
    #[must_use]
    pub fn hash(&self) -> PlanHash {
        PlanHash::of(self.tables.iter().map(|table| &table.rule))
    }
}

impl ExportColumn {
    /// Returns the column for a row that becomes JSON, where bytes are base64.
    pub(crate) fn json(&self, alias: &str) -> String {
        let name = quote_identifier(&self.name);
        let column = format!("{alias}.{name}");
        // Postgres breaks base64 into lines.
        let value = if self.base_type == "bytea" {
            format!("translate(encode({column}, 'base64'), E'\\n', '')")
        } else {
            column
        };
        format!("{value} AS {name}")
    }
}
