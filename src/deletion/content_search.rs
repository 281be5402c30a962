//! Looks for the person's Clerk user id and addresses inside every text, JSON and array of every table that may be read, where
//! the database is small enough for that. Changes nothing: what is found has no rule, or the map says that it stays.

use serde::{Deserialize, Serialize};
use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;

use crate::data_map::sql::{self, BindParams as _};
use crate::data_map::{Resolved, SearchableTable};
use crate::identifiers::Identifiers;
use crate::platform::connection::TimeLimits;
use crate::platform::database_failure::is_statement_timeout;
use crate::{Result, error_chain};

/// What the search came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ContentSearch {
    /// Every text, JSON and array of the tables that may be read was searched.
    Searched {
        /// How many tables.
        tables: u64,
        /// Where something was found.
        found: Vec<FoundContent>,
    },
    /// The tables are larger than the configured limit, so nothing was searched.
    TooLarge,
    /// It took too long, so nothing is known.
    TimedOut,
}

/// A column in which the Clerk user id or an address was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundContent {
    /// Schema and table.
    pub table: String,
    /// The column.
    pub column: String,
    /// In how many rows.
    pub rows: u64,
}

impl ContentSearch {
    /// Returns where something was found.
    #[must_use]
    pub fn found(&self) -> &[FoundContent] {
        match self {
            Self::Searched { found, .. } => found,
            Self::TooLarge | Self::TimedOut => &[],
        }
    }
}

/// What is searched for, in lower case: the Clerk user id, and the addresses that Clerk has verified. Others may be somebody else's.
pub(super) struct Needles {
    user_id: String,
    addresses: Vec<String>,
}

impl Needles {
    pub(super) fn of(subject: &Identifiers) -> Self {
        let addresses = subject.email_addresses().iter().chain(subject.phone_numbers());
        Self { user_id: subject.user_id().as_str().to_lowercase(), addresses: addresses.cloned().collect() }
    }

    /// Returns patterns of LIKE for the texts that contain one.
    fn like_patterns(&self) -> Vec<String> {
        let all = std::iter::once(&self.user_id).chain(&self.addresses);
        all.map(|needle| format!("%{}%", like_escape(needle))).collect()
    }

    /// Returns a regular expression that matches each where it isn't a part of another id or address.
    fn pattern(&self) -> String {
        let user_id = format!("(?<![a-z0-9_]){}(?![a-z0-9_])", regex_escape(&self.user_id));
        let addresses = self.addresses.iter().map(|address| regex_escape(address));
        let addresses = addresses.map(|address| format!(r"(?<![a-z0-9_.%+-]){address}(?![a-z0-9_-]|\.[a-z0-9])"));
        std::iter::once(user_id).chain(addresses).collect::<Vec<_>>().join("|")
    }
}

fn regex_escape(text: &str) -> String {
    let escape = |letter: char| {
        let needs_escape = !letter.is_alphanumeric();
        needs_escape.then_some('\\').into_iter().chain(std::iter::once(letter))
    };
    text.chars().flat_map(escape).collect()
}

/// Searches every table. `limit` is the size in bytes of all of them from which on nothing is searched.
pub(super) async fn search(
    resolved: &Resolved,
    connection: &mut PgConnection,
    subject: &Identifiers,
    needles: &Needles,
    limit: u64,
) -> Result<ContentSearch> {
    if size(resolved, connection).await? > limit {
        return Ok(ContentSearch::TooLarge);
    }
    // What fails here must not undo what the caller did.
    let mut savepoint = connection.begin().await?;
    TimeLimits::CONTENT_SEARCH.apply(&mut savepoint).await?;
    let mut found = Vec::new();
    for table in &resolved.searchable_tables {
        match search_table(resolved, &mut savepoint, subject, needles, table).await {
            Ok(columns) => found.extend(columns),
            Err(error) if is_statement_timeout(&error) => {
                savepoint.rollback().await?;
                return Ok(ContentSearch::TimedOut);
            }
            Err(error) => {
                tracing::warn!(table = table.name, error = error_chain(&error), "a table can't be searched");
                return Err(error.into());
            }
        }
    }
    savepoint.rollback().await?;
    Ok(ContentSearch::Searched { tables: resolved.searchable_tables.len() as u64, found })
}

/// Returns the size of all searchable tables in bytes, without their indexes.
async fn size(resolved: &Resolved, connection: &mut PgConnection) -> Result<u64> {
    let names: Vec<&str> = resolved.searchable_tables.iter().map(|table| table.quoted_name.as_str()).collect();
    let size = sqlx::query_scalar::<_, i64>(
        "select coalesce(sum(pg_table_size(relation) + coalesce(
            (select sum(pg_table_size(part.relid)) from pg_partition_tree(relation) part where part.isleaf), 0
        )), 0)::bigint
        from unnest($1::text[]::regclass[]) relation",
    );
    Ok(size.bind(names).fetch_one(connection).await?.unsigned_abs())
}

/// In the person's own rows that stay, the columns are left out of which the receipt says so.
async fn search_table(
    resolved: &Resolved,
    connection: &mut PgConnection,
    subject: &Identifiers,
    needles: &Needles,
    table: &SearchableTable,
) -> Result<Vec<FoundContent>, sqlx::Error> {
    let first = resolved.parameters.next();
    let others = table.own_rows.as_ref().map(|own| format!("({own}) IS NOT TRUE"));
    let counts = table.columns.iter().map(|column| {
        let text = format!("lower(t.{}::text)", column.quoted_name);
        let others = others.iter().filter(|_| column.is_reported).map(|others| format!(" AND {others}"));
        let others = others.collect::<String>();
        // Comparing texts is much faster than matching a pattern, which decides where it must.
        format!("count(*) FILTER (WHERE {text} LIKE ANY (${first}::text[]) AND {text} ~ ${}::text{others})", first + 1)
    });
    let counts = counts.collect::<Vec<_>>().join(", ");
    let query = format!("SELECT ARRAY[{counts}]::bigint[] FROM {} AS t", table.quoted_name);
    let query = sql::query_scalar::<Vec<i64>>(resolved.row_sets(&query).before(&query));
    let query = query.bind_params(&resolved.parameters, subject, OffsetDateTime::UNIX_EPOCH);
    let counts = query.bind(needles.like_patterns()).bind(needles.pattern()).fetch_one(connection).await?;
    let found = table.columns.iter().zip(counts).filter(|(_, rows)| *rows > 0);
    let found = found.map(|(column, rows)| FoundContent {
        table: table.name.clone(),
        column: column.name.clone(),
        rows: rows.unsigned_abs(),
    });
    Ok(found.collect())
}

fn like_escape(text: &str) -> String {
    text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_escapes_what_has_a_meaning() {
        let needles = Needles { user_id: "user_1".to_owned(), addresses: vec!["a+b@example.org".to_owned()] };
        assert_eq!(
            needles.pattern(),
            r"(?<![a-z0-9_])user\_1(?![a-z0-9_])|(?<![a-z0-9_.%+-])a\+b\@example\.org(?![a-z0-9_-]|\.[a-z0-9])"
        );
    }

    #[test]
    fn like_escapes_its_wildcards() {
        assert_eq!(like_escape(r"user_1%\"), r"user\_1\%\\");
    }
}
