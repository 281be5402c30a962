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
use super::update::Update;
use crate::identifiers::Identifiers;
use crate::ids::ClerkUserId;

/// On how many rows new values are tried.
const TRIED_ROWS: u32 = 100;

/// What a Clerk user id looks like: 27 characters after the prefix.
const USER_ID: &str = "^user_[0-9A-Za-z]{27}$";

/// The id of no person: Clerk's are longer.
const UNUSED_USER_ID: &str = "user_0";

/// Checks what only rows can show: that paths lead to somebody, that ghosts exist, and that the database takes the new values.
/// New values are tried on at most 100 rows, in a transaction that is rolled back.
pub async fn check_values(resolved: &Resolved, connection: &mut PgConnection) -> Result<Vec<Problem>, Error> {
    let unused = ClerkUserId::parse(UNUSED_USER_ID).expect("it has the form of an id");
    let check = ValuesCheck { resolved, subject: Identifiers::from(&unused) };
    let mut problems = Vec::new();
    for (index, table) in resolved.tables.enumerate() {
        for (owner, rule) in table.owners.iter().zip(&table.rule.owners) {
            if !owner.filter.is_empty() && check.filter_matches_nothing(table, owner, connection).await? {
                let column = rule.filter.keys().next().cloned();
                let message = "no row has the values of `where`, in this case and spelling";
                problems.push(Problem { column, ..table.problem(message, "Correct the values") });
            }
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

/// What became of new values.
enum Tried {
    /// Whether the row satisfies the predicate then.
    Written(bool),
    /// With the database's message.
    Refused(String),
}

struct ValuesCheck<'a> {
    resolved: &'a Resolved,
    /// Whom no row names.
    subject: Identifiers,
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
            ResolvedPath::Address { column, kind, .. } => (
                format!("t.{column} <> ''"),
                format!("t.{column} ~ '{}'", kind.pattern()),
                "no value in it is such an address",
            ),
            ResolvedPath::Parent { columns, table: parent, target, .. } => {
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

    /// Whether the table has rows, and none of them satisfies the owner's `where`.
    async fn filter_matches_nothing(
        &self,
        table: &Table,
        owner: &ResolvedOwner,
        connection: &mut PgConnection,
    ) -> Result<bool, Error> {
        let name = &table.quoted_name;
        let query = format!(
            "SELECT EXISTS (SELECT FROM {name}) AND NOT EXISTS (SELECT FROM {name} AS t WHERE true{})",
            and_filter(owner, "t")
        );
        let query = sql::query_scalar::<bool>(query);
        let query = query.bind_params(&self.resolved.parameters, &self.subject, OffsetDateTime::UNIX_EPOCH);
        Ok(query.fetch_one(connection).await?)
    }

    async fn missing_ghost(&self, table: &Table, connection: &mut PgConnection) -> Result<Option<Problem>, Error> {
        if table.ghost.is_empty() {
            return Ok(None);
        }
        let key = table.ghost.iter().map(|(column, parameter)| format!("t.{column}::text = ${parameter}"));
        let key = key.collect::<Vec<_>>().join(" AND ");
        let user_ids = table.owners.iter().filter_map(|owner| match &owner.path {
            ResolvedPath::UserId { column, .. } => Some(format!("coalesce(t.{column} ~ '{USER_ID}', false)")),
            ResolvedPath::Address { .. } | ResolvedPath::Parent { .. } | ResolvedPath::Child { .. } => None,
        });
        let is_living = std::iter::once("false".to_owned()).chain(user_ids).collect::<Vec<_>>().join(" OR ");
        let query = format!("SELECT {is_living} FROM {} AS t WHERE {key}", table.quoted_name);
        let query = sql::query_scalar::<bool>(query);
        let query = query.bind_params(&self.resolved.parameters, &self.subject, OffsetDateTime::UNIX_EPOCH);
        let (message, remedy) = match query.fetch_optional(connection).await? {
            Some(false) => return Ok(None),
            None => (
                "the row that [ghost] names doesn't exist",
                "Insert the row that stands for everybody who left, or name another",
            ),
            Some(true) => (
                "the row that [ghost] names has a Clerk user id, so it is somebody's",
                "Name a row that is nobody's, with another text in place of the id",
            ),
        };
        Ok(Some(table.problem(message, remedy)))
    }

    /// Tries each new value on some rows.
    async fn refused_values(&self, table: &Table, connection: &mut PgConnection) -> Result<Vec<Problem>, Error> {
        let action = match &table.action {
            RowAction::Update(update) => Some(update),
            RowAction::Delete | RowAction::Leave => None,
        };
        let forgotten = table.owners.iter().filter_map(|owner| Some(&owner.forget.as_ref()?.update));
        let mentions = table.references.iter().filter_map(|reference| match &reference.action {
            ResolvedAction::Overwrite(update) => Some(update),
            ResolvedAction::Detach | ResolvedAction::Delete | ResolvedAction::Keep(_) | ResolvedAction::Forbid => None,
        });
        let mut problems = Vec::new();
        for Update { assignments, pending } in action.into_iter().chain(forgotten).chain(mentions) {
            match self.try_on_rows(table, assignments, "true", "true", connection).await? {
                // The message names no value of a row, other than the details.
                Tried::Refused(error) => {
                    let message = format!("the database refuses the new values: {error}");
                    problems
                        .push(table.problem(message, "Write values that the table's constraints and triggers allow"));
                    continue;
                }
                Tried::Written(_) => {}
            }
            if let Tried::Written(true) = self.try_on_rows(table, assignments, "true", pending, connection).await? {
                let message = "a trigger or a rule puts the old values back";
                problems.push(table.problem(message, "Let it skip Lethe's role, or delete these rows"));
            }
            for (index, predicate) in &table.partial_indexes {
                let outside = format!("({predicate}) IS NOT TRUE");
                if let Tried::Written(true) =
                    self.try_on_rows(table, assignments, &outside, predicate, connection).await?
                {
                    let message = format!(
                        "the new values satisfy the condition of the unique index {index}, so rows of two people could \
                         have the same value in it"
                    );
                    problems.push(table.problem(message, "Write values that don't, or delete these rows"));
                }
            }
        }
        Ok(problems)
    }

    /// Writes the new values to some of the rows for which `before` holds, and rolls back. Returns whether one of them satisfies the
    /// predicate then, which has the alias `t` or none.
    async fn try_on_rows(
        &self,
        table: &Table,
        assignments: &str,
        before: &str,
        predicate: &str,
        connection: &mut PgConnection,
    ) -> Result<Tried, Error> {
        let name = &table.quoted_name;
        let update = format!(
            "WITH tried AS (UPDATE {name} AS t SET {assignments} WHERE (t.tableoid, t.ctid) IN \
             (SELECT tableoid, ctid FROM {name} WHERE {before} LIMIT {TRIED_ROWS}) RETURNING ({predicate}) AS satisfies) \
             SELECT coalesce(bool_or(satisfies), false) FROM tried",
        );
        let mut transaction = connection.begin().await?;
        let query = sql::query_scalar::<bool>(update);
        let query = query.bind_params(&self.resolved.parameters, &self.subject, OffsetDateTime::UNIX_EPOCH);
        let tried = query.fetch_one(&mut *transaction).await;
        transaction.rollback().await?;
        match tried {
            Ok(satisfies) => Ok(Tried::Written(satisfies)),
            Err(sqlx::Error::Database(error)) => Ok(Tried::Refused(error.message().to_owned())),
            Err(error) => Err(error.into()),
        }
    }
}
