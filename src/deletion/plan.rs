//! The plan: what a deletion will do, table by table. The page shows it, the deletion executes it, and the receipt
//! reports against it; all three work from the same statements.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use super::statements::{PlannedStatement, planned_statements};
use crate::Result;
use crate::data_map::sql::{self, BindParams as _};
use crate::data_map::{DeletionSet, Disposition, Outcome, PlanHash, Resolved};
use crate::identifiers::Identifiers;

/// What a deletion will do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// In the order of the map; for each table the person's own rows, then other people's. Includes lines without
    /// rows.
    pub lines: Vec<PlanLine>,
    /// Identifies the rules; a user confirms the plan by it.
    pub hash: PlanHash,
    /// When the rows were counted.
    #[serde(with = "time::serde::rfc3339")]
    pub computed_at: OffsetDateTime,
}

/// What happens to rows of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanLine {
    /// Schema and table, for example `public.posts`.
    pub table: String,
    /// What users read instead of the name.
    pub label: String,
    /// What users read instead of the names of columns.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub column_labels: BTreeMap<String, String>,
    /// How many rows it is about.
    pub rows: u64,
    /// What happens to them.
    pub outcome: Outcome,
    /// Whether they are other people's rows.
    pub others: bool,
    /// The column by which the person's rows still lead to them where they stay: it holds the Clerk user id, or references a row
    /// that does. `None` in plans of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// When the oldest of the person's own rows was created, where a column says so. It isn't stored with the plan.
    #[serde(skip)]
    pub since: Option<Date>,
}

impl PlanLine {
    /// Describes a statement that concerns so many rows.
    pub(super) fn new(statement: PlannedStatement<'_>, rows: u64) -> Self {
        Self {
            table: statement.table.rule.name.clone(),
            label: statement.table.rule.label.clone(),
            column_labels: statement.table.rule.column_labels.clone(),
            rows,
            outcome: statement.outcome,
            others: statement.others,
            since: None,
            key: statement.key,
        }
    }

    /// What it means for the person.
    #[must_use]
    pub const fn disposition(&self) -> Disposition {
        self.outcome.disposition()
    }
}

impl Plan {
    /// The plan of a deletion that was requested while the map didn't match the database: no lines, no hash.
    pub(crate) const fn unknown(now: OffsetDateTime) -> Self {
        Self { lines: Vec::new(), hash: PlanHash::from_text(String::new()), computed_at: now }
    }
}

/// How many lines one query counts. Postgres plans all of its row sets together, which takes time that is quadratic in their number.
const COUNTS_PER_QUERY: usize = 50;

/// Returns what a deletion of `subject` at `now` would do.
pub async fn plan(
    resolved: &Resolved,
    connection: &mut PgConnection,
    subject: &Identifiers,
    now: OffsetDateTime,
) -> Result<Plan> {
    let deletion_set = DeletionSet::deletion(resolved);
    let mut statements = planned_statements(resolved, &deletion_set, now);
    statements.retain(|statement| statement.has_line);
    let mut counts = Vec::new();
    for batch in statements.chunks(COUNTS_PER_QUERY) {
        let selections: Vec<String> = batch.iter().map(PlannedStatement::count_and_since_sql).collect();
        let query = format!("SELECT ARRAY[{}]::json[]", selections.join(", "));
        let query = sql::query_scalar::<Vec<Json<CountAndSince>>>(deletion_set.row_sets(&query).before(&query));
        let query = query.bind_params(&resolved.parameters, subject, now);
        counts.extend(query.fetch_one(&mut *connection).await?);
    }
    let lines = statements.into_iter().zip(counts).map(|(statement, Json((rows, since)))| PlanLine {
        since: since.and_then(|date| Date::parse(&date, format_description!("[year]-[month]-[day]")).ok()),
        ..PlanLine::new(statement, rows)
    });
    Ok(Plan { lines: lines.collect(), hash: resolved.hash(), computed_at: now })
}

/// The number of rows, and the day on which the oldest was created as `2026-11-27`.
type CountAndSince = (u64, Option<String>);
