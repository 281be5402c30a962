//! Looks for what an erasure should have left nothing of, and says where it looked.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::content_search::ContentSearch;
use super::statements::{Effect, not_yet_erased, planned_statements};
use crate::Result;
use crate::data_map::sql::{self, BindParams as _};
use crate::data_map::{DeletionSet, Resolved, RowAction, Unsearched, UserIdSearch};
use crate::identifiers::Identifiers;

/// Rows that should have been deleted or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Leftover {
    /// Schema and table.
    pub table: String,
    /// The column that holds the Clerk user id, where it was found by a search.
    pub column: Option<String>,
    /// How many rows.
    pub rows: u64,
}

/// Where a verification looked. The receipt names it, because nothing is known of the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Searched {
    /// Mapped tables whose rows of the person were looked for. Tables that are retained as they are aren't among them.
    pub tables: Vec<String>,
    /// Columns that were searched for the Clerk user id.
    pub columns: Vec<SearchedColumn>,
    /// Tables in which not everything was found, or nothing was looked for.
    pub unsearched: Vec<Unsearched>,
    /// The search for the Clerk user id and the addresses in texts. `None` in receipts of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentSearch>,
}

impl Searched {
    /// Returns how many rows have the Clerk user id or an address in a text, without a line of the receipt for it.
    #[must_use]
    pub fn rows_found(&self) -> u64 {
        let found = self.content.iter().flat_map(ContentSearch::found);
        found.map(|found| found.rows).sum()
    }
}

/// A column that was searched for the Clerk user id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchedColumn {
    /// Schema and table.
    pub table: String,
    /// The column.
    pub column: String,
}

/// Returns where [`verify`] looks.
#[must_use]
pub fn searched(resolved: &Resolved) -> Searched {
    let tables = resolved.tables.iter().filter(|table| table.action != RowAction::Leave);
    let columns = resolved
        .user_id_searches
        .iter()
        .map(|search| SearchedColumn { table: search.name.clone(), column: search.column_name.clone() });
    Searched {
        tables: tables.map(|table| table.rule.name.clone()).collect(),
        columns: columns.collect(),
        unsearched: resolved.unsearched.clone(),
        content: None,
    }
}

/// Checks for each table whether everything that the map says was done, and searches every column that may hold a
/// Clerk user id for the person's. Returns what is left.
pub async fn verify(
    resolved: &Resolved,
    connection: &mut PgConnection,
    subject: &Identifiers,
) -> Result<Vec<Leftover>> {
    let (mut counts, mut names) = (Vec::new(), Vec::new());
    for (table_index, table) in resolved.tables.enumerate().filter(|(_, table)| table.action != RowAction::Leave) {
        let condition = not_yet_erased(resolved, table_index);
        counts.push(format!("(SELECT count(*) FROM {} AS t WHERE {condition})", table.quoted_name));
        names.push((table.rule.name.clone(), None));
    }
    let deletion_set = DeletionSet::deletion(resolved);
    for statement in planned_statements(resolved, &deletion_set, OffsetDateTime::UNIX_EPOCH) {
        if let Effect::Forget(_) = statement.effect {
            let (table, condition) = (&statement.table.quoted_name, &statement.condition);
            counts.push(format!("(SELECT count(*) FROM {table} AS t WHERE {condition})"));
            names.push((statement.table.rule.name.clone(), None));
        }
    }
    for search in &resolved.user_id_searches {
        // The person's own rows that stay may hold the id; they were checked above.
        let own = search.table.map(|table| format!(" AND ({}) IS NOT TRUE", resolved.owned_rows(table, "t")));
        counts.push(format!(
            "(SELECT count(*) FROM {} AS t WHERE t.{} = $1{})",
            search.quoted_name,
            search.column,
            own.unwrap_or_default()
        ));
        names.push((search.name.clone(), Some(search.column_name.clone())));
    }
    let query = format!("SELECT ARRAY[{}]::bigint[]", counts.join(", "));
    let query = sql::query_scalar::<Vec<i64>>(deletion_set.row_sets(&query).before(&query));
    // The time is bound, but no count uses it.
    let counts =
        query.bind_params(&resolved.parameters, subject, OffsetDateTime::UNIX_EPOCH).fetch_one(connection).await?;
    let found = names.into_iter().zip(counts).filter(|(_, rows)| *rows > 0);
    Ok(found.map(|((table, column), rows)| Leftover { table, column, rows: rows.unsigned_abs() }).collect())
}

/// Searches the columns that may hold a Clerk user id, of tables without a rule. Nothing would erase what is found.
pub(super) async fn rows_without_rule(
    resolved: &Resolved,
    connection: &mut PgConnection,
    subject: &Identifiers,
) -> Result<Vec<Leftover>> {
    let searches = || resolved.user_id_searches.iter().filter(|search| search.is_without_rule);
    let counts: Vec<String> = searches()
        .map(|search| format!("(SELECT count(*) FROM {} AS t WHERE t.{} = $1)", search.quoted_name, search.column))
        .collect();
    let query = sql::query_scalar::<Vec<i64>>(format!("SELECT ARRAY[{}]::bigint[]", counts.join(", ")));
    let counts =
        query.bind_params(&resolved.parameters, subject, OffsetDateTime::UNIX_EPOCH).fetch_one(connection).await?;
    let found = searches().zip(counts).filter(|(_, rows)| *rows > 0);
    let leftover = |(search, rows): (&UserIdSearch, i64)| Leftover {
        table: search.name.clone(),
        column: Some(search.column_name.clone()),
        rows: rows.unsigned_abs(),
    };
    Ok(found.map(leftover).collect())
}
