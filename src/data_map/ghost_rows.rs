//! The rows that stand for everybody who left: whether each exists, and is nobody's.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::error::{Error, Problems};
use super::resolved::{Resolved, ResolvedPath, Table};
use super::sql::{self, BindParams as _};
use crate::identifiers::Identifiers;

/// What a Clerk user id looks like: 27 characters after the prefix.
const USER_ID: &str = "^user_[0-9A-Za-z]{27}$";

/// Fails if a row that [ghost] names doesn't exist or is somebody's, who would get what is erased.
pub(super) async fn check(resolved: &Resolved, connection: &mut PgConnection) -> Result<(), Error> {
    let mut problems = Problems::default();
    for table in resolved.tables.iter().filter(|table| !table.ghost.is_empty()) {
        let query = sql::query_scalar::<bool>(is_living_sql(table));
        let query = query.bind_params(&resolved.parameters, &Identifiers::of_unused_user(), OffsetDateTime::UNIX_EPOCH);
        match query.fetch_optional(&mut *connection).await? {
            Some(false) => {}
            None => problems.add_for_table(
                &table.rule.name,
                "the row that [ghost] names doesn't exist",
                "Insert the row that stands for everybody who left, or name another",
            ),
            Some(true) => problems.add_for_table(
                &table.rule.name,
                "the row that [ghost] names has a Clerk user id, so it is somebody's",
                "Name a row that is nobody's, with another text in place of the id",
            ),
        }
    }
    problems.check()
}

/// Returns a query for whether the table's ghost row has a Clerk user id.
fn is_living_sql(table: &Table) -> String {
    let key = table.ghost.iter().map(|(column, parameter)| format!("t.{column}::text = ${parameter}"));
    let key = key.collect::<Vec<_>>().join(" AND ");
    let user_ids = table.owners.iter().filter_map(|owner| match &owner.path {
        ResolvedPath::UserId { column, .. } => Some(format!("coalesce(t.{column} ~ '{USER_ID}', false)")),
        ResolvedPath::Address { .. } | ResolvedPath::Parent { .. } | ResolvedPath::Child { .. } => None,
    });
    let is_living = std::iter::once("false".to_owned()).chain(user_ids).collect::<Vec<_>>().join(" OR ");
    format!("SELECT {is_living} FROM {} AS t WHERE {key}", table.quoted_name)
}
