//! Holds a map against the rows: what the catalog can't tell. Reads a bounded number of rows of each table, and changes none.

use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;

use super::draft::SAMPLE_ROWS;
use super::erase::RowAction;
use super::error::{Error, Problem};
use super::index::TableIndex;
use super::ownership::and_filter;
use super::resolved::{Resolved, ResolvedAction, ResolvedOwner, ResolvedPath, Table};
use super::sql::{self, BindParams as _};
use crate::ids::ClerkUserId;

/// The id of no person: Clerk's are longer.
const UNUSED_USER_ID: &str = "user_0";

/// Checks what only rows can show: that paths lead to somebody, that ghosts exist, and that the database takes the new values.
/// Each new value is tried on one row, in a transaction that is rolled back.
pub async fn check_values(resolved: &Resolved, connection: &mut PgConnection) -> Result<Vec<Problem>, Error> {
    let check =
        ValuesCheck { resolved, subject: ClerkUserId::parse(UNUSED_USER_ID).expect("it has the form of an id") };
    let mut problems = Vec::new();
    for (index, table) in resolved.tables.enumerate() {
        for (owner, rule) in table.owners.iter().zip(&table.rule.owners) {
            if let Some(message) = check.path_that_leads_nowhere(index, owner, connection).await? {
                let column = rule.path.columns().first().cloned();
                let remedy = "Name the column that leads to the person; for a key of another table: \"user_id -> public.users(id)\"";
                problems.push(Problem { column, ..table.problem(message, remedy) });
            }
        }
        problems.extend(check.missing_ghost(table, connection).await?);
        problems.extend(check.refused_values(table, connection).await?);
    }
    Ok(problems)
}

struct ValuesCheck<'a> {
    resolved: &'a Resolved,
    /// Whom no row names.
    subject: ClerkUserId,
}

impl ValuesCheck<'_> {
    /// Returns what is wrong if rows have values and none leads to anybody.
    async fn path_that_leads_nowhere(
        &self,
        index: TableIndex,
        owner: &ResolvedOwner,
        connection: &mut PgConnection,
    ) -> Result<Option<String>, Error> {
        let table = &self.resolved.tables[index];
        let (is_set, leads, message) = match &owner.path {
            ResolvedPath::UserId { column, .. } => (
                format!("t.{column} IS NOT NULL"),
                format!("t.{column} ~ '^user_'"),
                "no value in it is a Clerk user id (user_…)",
            ),
            ResolvedPath::Parent { columns, table: parent, target } => {
                let is_set = columns.iter().map(|column| format!("t.{column} IS NOT NULL"));
                let equal = columns.iter().zip(target).map(|(here, there)| format!("t_.{there} = t.{here}"));
                let (is_set, equal) =
                    (is_set.collect::<Vec<_>>().join(" AND "), equal.collect::<Vec<_>>().join(" AND "));
                let parent = &self.resolved.tables[*parent].quoted_name;
                let leads = format!("EXISTS (SELECT FROM {parent} AS t_ WHERE {equal})");
                (is_set, leads, "none of its values is found where the path leads to")
            }
            ResolvedPath::Child { .. } => return Ok(None),
        };
        let filter = and_filter(owner, "t");
        let query = format!(
            "SELECT count(*) > 0 AND count(*) FILTER (WHERE leads) = 0 FROM (SELECT {leads} AS leads FROM {} AS t \
             WHERE {is_set}{filter} LIMIT {SAMPLE_ROWS}) AS sample",
            table.quoted_name
        );
        let query = sql::query_scalar::<bool>(query);
        let query = query.bind_params(&self.resolved.parameters, &self.subject, OffsetDateTime::UNIX_EPOCH);
        Ok(query.fetch_one(connection).await?.then(|| message.to_owned()))
    }

    async fn missing_ghost(&self, table: &Table, connection: &mut PgConnection) -> Result<Option<Problem>, Error> {
        if table.ghost.is_empty() {
            return Ok(None);
        }
        let key = table.ghost.iter().map(|(column, parameter)| format!("t.{column}::text = ${parameter}"));
        let key = key.collect::<Vec<_>>().join(" AND ");
        let query = format!("SELECT EXISTS (SELECT FROM {} AS t WHERE {key})", table.quoted_name);
        let query = sql::query_scalar::<bool>(query);
        let query = query.bind_params(&self.resolved.parameters, &self.subject, OffsetDateTime::UNIX_EPOCH);
        let exists = query.fetch_one(connection).await?;
        let message = "the row that [ghost] names doesn't exist";
        Ok((!exists)
            .then(|| table.problem(message, "Insert the row that stands for everybody who left, or name another")))
    }

    /// Tries each new value on one row.
    async fn refused_values(&self, table: &Table, connection: &mut PgConnection) -> Result<Vec<Problem>, Error> {
        let action = match &table.action {
            RowAction::Update { assignments, .. } => Some(assignments),
            RowAction::Delete | RowAction::Leave => None,
        };
        let forgotten = table.owners.iter().filter_map(|owner| Some(&owner.forget.as_ref()?.assignments));
        let mentions = table.references.iter().filter_map(|reference| match &reference.action {
            ResolvedAction::Overwrite(assignments) => Some(assignments),
            ResolvedAction::Detach | ResolvedAction::Delete | ResolvedAction::Keep(_) | ResolvedAction::Forbid => None,
        });
        let mut problems = Vec::new();
        for assignments in action.into_iter().chain(forgotten).chain(mentions) {
            let name = &table.quoted_name;
            let update = format!(
                "UPDATE {name} AS t SET {assignments} \
                 WHERE (t.tableoid, t.ctid) = (SELECT tableoid, ctid FROM {name} LIMIT 1)"
            );
            let mut transaction = connection.begin().await?;
            let query = sql::query(update);
            let query = query.bind_params(&self.resolved.parameters, &self.subject, OffsetDateTime::UNIX_EPOCH);
            let tried = query.execute(&mut *transaction).await;
            transaction.rollback().await?;
            match tried {
                // The message names no value of a row, other than the details.
                Err(sqlx::Error::Database(error)) => {
                    let message = format!("the database refuses the new values: {}", error.message());
                    problems
                        .push(table.problem(message, "Write values that the table's constraints and triggers allow"));
                }
                Err(error) => return Err(error.into()),
                Ok(_) => {}
            }
        }
        Ok(problems)
    }
}
