//! What every erase strategy can do.

use time::OffsetDateTime;

use super::outcome::Outcome;
use crate::data_map::catalog::{Column, PgCatalog, Relation};
use crate::data_map::error::Problems;
use crate::data_map::index::RelationIndex;
use crate::data_map::period::Period;
use crate::data_map::sql::Parameters;
use crate::data_map::update::Update;
use crate::data_map::value::{NewValue, ReferencedGhosts};
use crate::data_map::value_target::ValueTarget;

/// A way to erase a person's rows of one table. Each implementation has a file of its own.
pub(crate) trait Strategy {
    /// Returns when the rows are removed.
    fn removal(&self) -> Removal;

    /// Returns what plan and receipt say about rows that are erased at `now`.
    fn outcome(&self, now: OffsetDateTime) -> Outcome;

    /// Returns what the deletion does with the rows. Values that come from the map are bound as `parameters`.
    fn action(&self, relation: &Relation, ghosts: &ReferencedGhosts, parameters: &mut Parameters) -> RowAction;

    /// Reports everything that the database doesn't allow.
    fn check(&self, _target: &EraseTarget<'_>, _problems: &mut Problems) {}

    /// Whether Lethe's role needs the privilege UPDATE.
    fn updates_rows(&self) -> bool {
        false
    }

    /// Whether `column` loses its value.
    fn overwrites(&self, _column: &str) -> bool {
        false
    }

    /// Whether the outcome says of rows that stay that `column` stays with them.
    fn reports_as_left(&self, _column: &str) -> bool {
        true
    }

    /// Whether `column` no longer references the row that it referenced: it becomes NULL, or references the ghost row.
    fn cuts(&self, _column: &str) -> bool {
        false
    }

    /// Returns a condition on the rows that a purge may delete, or `None` where it deletes all of the person's.
    fn purge_condition(&self, _alias: &str) -> Option<String> {
        None
    }
}

/// The table that a strategy is checked against.
pub(crate) struct EraseTarget<'a> {
    /// Schema and table, for reports.
    pub(crate) name: &'a str,
    pub(crate) owner_columns: Vec<&'a str>,
    /// The keys of the ghosts that columns can reference.
    pub(crate) ghosts: ReferencedGhosts,
    /// The columns that reference mapped tables.
    pub(crate) referencing_columns: Vec<String>,
    /// Those of foreign keys with several columns.
    pub(crate) composite_columns: Vec<String>,
    pub(crate) relation: &'a Relation,
    pub(crate) relation_index: RelationIndex,
    pub(crate) catalog: &'a PgCatalog,
    /// The columns by which rows of other tables are found without a foreign key.
    pub(crate) path_targets: Vec<PathTargetColumn>,
}

/// A column to which the owner path of another table leads without a foreign key.
pub(crate) struct PathTargetColumn {
    pub(crate) column: String,
    /// The other table.
    pub(crate) table: String,
    /// Whether its rows are gone before the person's rows change.
    pub(crate) goes_before: bool,
}

impl EraseTarget<'_> {
    /// Returns the same for the check of single values.
    pub(in crate::data_map) fn value_target(&self) -> ValueTarget<'_> {
        let Self { name, relation, ghosts, referencing_columns, composite_columns, .. } = self;
        ValueTarget { table: name, relation, ghosts, referencing_columns, composite_columns }
    }

    /// Reports a column that other rows may reference, or by which the row itself is found.
    pub(in crate::data_map) fn check_identifies_no_row(&self, name: &str, problems: &mut Problems) {
        let message = if self.catalog.is_referenced(self.relation_index, name) {
            "other rows reference this column, so it can't be overwritten"
        } else if self.relation.primary_key.iter().any(|column| column == name) {
            "the column is part of the primary key, so it can't be overwritten"
        } else {
            return;
        };
        problems.add_for_column(self.name, name, message, "Delete the rows, or leave this column");
    }

    /// Reports a column without whose value rows of other tables would be nobody's. `stay_with_others` says whether rows that get a new
    /// value are also others'.
    pub(in crate::data_map) fn check_leads_to_no_row(
        &self,
        name: &str,
        stay_with_others: bool,
        problems: &mut Problems,
    ) {
        let mut targets = self.path_targets.iter().filter(|target| target.column == name);
        if let Some(target) = targets.find(|target| stay_with_others || !target.goes_before) {
            let message =
                format!("rows of {} are found by this column, and would be nobody's without its value", target.table);
            let remedy = format!("Leave this column, or let the path of {} lead to another", target.table);
            problems.add_for_column(self.name, name, message, remedy);
        }
    }

    /// Reports a value inside JSON that the database couldn't take.
    pub(super) fn check_json(&self, name: &str, value: &NewValue, problems: &mut Problems) {
        let Some(column) = self.relation.column(name) else {
            return problems.add_unknown_column(self.name, name, "scrub");
        };
        self.check_writable(column, "overwritten", problems);
        if !matches!(column.base_type.as_str(), "json" | "jsonb") {
            let message = format!("the column is {}, and not JSON", column.type_name);
            problems.add_for_column(self.name, name, message, "Name the column alone");
        } else if *value == NewValue::Ghost {
            let message = "a value inside JSON references nothing, so it can't be the ghost's key";
            problems.add_for_column(self.name, name, message, "Write \"null\", or { value = \"..\" }");
        }
    }

    /// Reports a column that only the database writes.
    pub(super) fn check_writable(&self, column: &Column, participle: &str, problems: &mut Problems) {
        if column.generated {
            problems.add_for_column(
                self.name,
                &column.name,
                format!("the database generates the column, so it can't be {participle}"),
                "Name the columns that it is generated from",
            );
        }
    }
}

/// When a person's rows of a table are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    /// By the deletion itself.
    Immediate,
    /// By a later purge.
    After(Period),
    Never,
}

impl Removal {
    /// The earlier the removal, the smaller the key.
    pub(crate) const fn sort_key(self) -> u64 {
        match self {
            Self::Immediate => 0,
            Self::After(period) => period.approximate_minutes(),
            Self::Never => u64::MAX,
        }
    }

    /// Returns the predicate of a sentence about rows.
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Immediate => "are deleted at once".to_owned(),
            Self::After(period) => format!("are deleted after {period}"),
            Self::Never => "stay".to_owned(),
        }
    }
}

/// What a deletion does with a person's rows. The rows have the alias `t`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RowAction {
    Delete,
    Update(Update),
    /// The rows stay as they are.
    Leave,
}

impl RowAction {
    /// Returns what to append to a WHERE clause to exclude rows that are erased already.
    pub(crate) fn and_not_yet_erased(&self) -> String {
        match self {
            Self::Update(Update { pending, .. }) => format!(" AND ({pending})"),
            Self::Delete | Self::Leave => String::new(),
        }
    }
}
