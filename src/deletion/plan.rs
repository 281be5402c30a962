//! The plan: what a deletion will do, table by table. The page shows it, the deletion executes
//! it and the receipt reports against it; all three come from the same [`lines`].

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::{Query, QueryScalar};
use time::OffsetDateTime;

use crate::data_map::{
    DeletionSet, Erase, ReferenceAction, Removal, Resolved, ResolvedReference, ScrubColumn, StampColumn, Table, sql,
};
use crate::ids::ClerkUserId;
use crate::{Error, Result};

/// What a deletion will do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// In the order of the map; for each table the person's own rows, then other people's.
    /// Lines without rows are there too.
    pub lines: Vec<PlanLine>,
    /// SHA-256 in hex over tables, rules and outcomes; what a person confirms.
    ///
    /// The counts aren't part of it: they move while the person reads (a background job writes
    /// one more row), and the same rule for one more row is still what was agreed to. Nor are
    /// dates, which move by the second; the periods that they come from are.
    pub hash: String,
    /// When it was computed.
    #[serde(with = "time::serde::rfc3339")]
    pub computed_at: OffsetDateTime,
}

/// What becomes of one table's rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanLine {
    /// Schema and table, for example `public.posts`.
    pub table: String,
    /// What people read in its place.
    pub label: String,
    /// How many rows it concerns.
    pub rows: u64,
    /// What becomes of them.
    pub outcome: Outcome,
    /// Whether the rows are other people's.
    pub others: bool,
}

/// What becomes of rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// They go for good.
    Deleted,
    /// They stay, with columns emptied or overwritten.
    Scrubbed {
        /// The columns that lose what they held.
        columns: Vec<String>,
        /// The columns that get the time.
        stamped: Vec<String>,
        /// The columns that stay as they are.
        #[serde(default)]
        left: Vec<String>,
        /// Why they stay.
        #[serde(default)]
        reason: Option<String>,
    },
    /// They are marked.
    Stamped {
        /// The columns that get the time.
        columns: Vec<String>,
        /// When they go for good.
        #[serde(with = "time::serde::rfc3339::option")]
        purge_at: Option<OffsetDateTime>,
    },
    /// They stay.
    Kept {
        /// Why, and on what basis.
        reason: String,
        /// Until when.
        #[serde(with = "time::serde::rfc3339::option")]
        until: Option<OffsetDateTime>,
    },
    /// They lose what points to rows that go.
    Detached,
}

impl Plan {
    /// The plan of a deletion that was taken in while the map didn't fit: no lines, no hash.
    pub(crate) const fn unknown(now: OffsetDateTime) -> Self {
        Self { lines: Vec::new(), hash: String::new(), computed_at: now }
    }
}

/// Computes what a deletion of `subject` at `now` would do. One statement, whatever the map.
pub async fn plan(
    resolved: &Resolved,
    connection: &mut PgConnection,
    subject: &ClerkUserId,
    now: OffsetDateTime,
) -> Result<Plan> {
    let wave = DeletionSet::deletion(resolved);
    let planned = planned_statements(resolved, &wave, now);
    let counts: Vec<String> = planned.iter().map(PlannedStatement::count_sql).collect();
    let counts = sql::query_scalar::<Vec<i64>>(format!("SELECT ARRAY[{}]::bigint[]", counts.join(", ")));
    let counts = counts.bind_params(resolved, subject, now).fetch_one(connection).await?;
    let lines = planned.iter().zip(counts);
    let lines = lines.map(|(line, rows)| PlanLine {
        table: line.table.rule.name.clone(),
        label: line.table.rule.label.clone(),
        rows: rows.unsigned_abs(),
        outcome: line.outcome.clone(),
        others: line.reference.is_some(),
    });
    Ok(Plan { lines: lines.collect(), hash: hash(resolved)?, computed_at: now })
}

fn hash(resolved: &Resolved) -> Result<String> {
    let rules: Vec<_> = resolved.tables.iter().map(|table| &table.rule).collect();
    let text = serde_json::to_vec(&rules).map_err(|_| Error::Internal("a rule can't be written as JSON"))?;
    Ok(data_encoding::HEXLOWER.encode(digest(&SHA256, &text).as_ref()))
}

/// One line of a plan, with what finds its rows.
pub(super) struct PlannedStatement<'a> {
    pub(super) table_index: usize,
    pub(super) table: &'a Table,
    /// True for the rows, which go by the alias `t`.
    pub(super) predicate: String,
    pub(super) outcome: Outcome,
    /// What points, where the rows are other people's.
    pub(super) reference: Option<&'a ResolvedReference>,
}

/// Every line of the deletion, in the order of the map.
pub(super) fn planned_statements<'a>(
    resolved: &'a Resolved,
    wave: &DeletionSet<'_>,
    now: OffsetDateTime,
) -> Vec<PlannedStatement<'a>> {
    let mut lines = Vec::new();
    for (place, table) in resolved.tables.iter().enumerate() {
        lines.push(PlannedStatement {
            table_index: place,
            table,
            predicate: format!("{}{}", resolved.owned_rows(place, "t"), not_yet_erased(table)),
            outcome: outcome(&table.rule.erase, now),
            reference: None,
        });
        lines.extend(reference_statements(resolved, place, wave));
    }
    lines
}

/// The lines of other people's rows of one table.
pub(super) fn reference_statements<'a>(
    resolved: &'a Resolved,
    place: usize,
    wave: &DeletionSet<'_>,
) -> Vec<PlannedStatement<'a>> {
    let table = &resolved.tables[place];
    let decided = table.references.iter().filter_map(|reference| {
        let outcome = match reference.action {
            ReferenceAction::Delete => Outcome::Deleted,
            ReferenceAction::Detach => Outcome::Detached,
            ReferenceAction::Forbid => return None,
        };
        let predicate = wave.rows_of_others(place, reference, "t")?;
        Some(PlannedStatement { table_index: place, table, predicate, outcome, reference: Some(reference) })
    });
    decided.collect()
}

fn outcome(erase: &Erase, now: OffsetDateTime) -> Outcome {
    let end = match erase.removal() {
        Removal::After(period) => Some(period.after(now)),
        Removal::Immediate | Removal::Never => None,
    };
    match erase {
        Erase::Delete => Outcome::Deleted,
        Erase::Stamp { columns, .. } => Outcome::Stamped { columns: columns.clone(), purge_at: end },
        Erase::Scrub { columns, stamp, leave, reason } => Outcome::Scrubbed {
            columns: columns.keys().cloned().collect(),
            stamped: stamp.clone(),
            left: leave.clone(),
            reason: reason.clone(),
        },
        Erase::Keep { reason, .. } => Outcome::Kept { reason: reason.clone(), until: end },
    }
}

/// Of the person's rows those that the rule still has to change, so that a second run finds none.
pub(super) fn not_yet_erased(table: &Table) -> String {
    let mark = table.stamps.first().map(|stamp| format!("t.{} IS NULL", stamp.column));
    let scrubbed = table.scrubs.iter().map(|scrub| match scrub.value {
        None => format!("t.{} IS NOT NULL", scrub.column),
        Some(_) => format!("t.{}::text IS DISTINCT FROM {}::text", scrub.column, scrub_value(scrub)),
    });
    let changes: Vec<String> = scrubbed.chain(mark).collect();
    if changes.is_empty() { String::new() } else { format!(" AND ({})", changes.join(" OR ")) }
}

/// What the column gets, as SQL.
pub(super) fn scrub_value(scrub: &ScrubColumn) -> String {
    match scrub.value {
        None => "NULL".to_owned(),
        Some(_) => format!("CAST(${} AS {})", scrub.parameter, scrub.type_name),
    }
}

/// The time, in the column's type, as SQL.
pub(super) fn stamp_value(stamp: &StampColumn) -> &'static str {
    match stamp.base_type.as_str() {
        "timestamptz" => "$2",
        "date" => "($2 AT TIME ZONE 'UTC')::date",
        _ => "($2 AT TIME ZONE 'UTC')",
    }
}

impl PlannedStatement<'_> {
    /// Counts the rows.
    fn count_sql(&self) -> String {
        format!("(SELECT count(*) FROM {} AS t WHERE {})", self.table.sql, self.predicate)
    }

    /// Locks the rows in a stable order and counts them.
    pub(super) fn lock_sql(&self) -> String {
        format!(
            "SELECT count(*) FROM (SELECT FROM {} AS t WHERE {} ORDER BY {} FOR UPDATE) AS locked",
            self.table.sql,
            self.predicate,
            self.table.order_by("t")
        )
    }
}

/// Binds what every statement on personal rows may use: `$1` the person's key, `$2` the time,
/// from `$3` on the values that the map scrubs with.
pub(super) trait BindParams {
    fn bind_params(self, resolved: &Resolved, subject: &ClerkUserId, now: OffsetDateTime) -> Self;
}

impl BindParams for Query<'_, Postgres, PgArguments> {
    fn bind_params(self, resolved: &Resolved, subject: &ClerkUserId, now: OffsetDateTime) -> Self {
        let query = self.bind(subject.as_str().to_owned()).bind(now);
        resolved.scrub_values().fold(query, |query, value| query.bind(value.to_owned()))
    }
}

impl<Value> BindParams for QueryScalar<'_, Postgres, Value, PgArguments> {
    fn bind_params(self, resolved: &Resolved, subject: &ClerkUserId, now: OffsetDateTime) -> Self {
        let query = self.bind(subject.as_str().to_owned()).bind(now);
        resolved.scrub_values().fold(query, |query, value| query.bind(value.to_owned()))
    }
}
