//! Holds a map against the rows: what the catalog can't tell. Reads a bounded number of rows of each table, and changes none.

use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;

use super::draft::SAMPLE_ROWS;
use super::erase::RowAction;
use super::error::{Error, Problem};
use super::index::TableIndex;
use super::ownership::and_filter;
use super::resolved::{
    ReferenceTarget, Resolved, ResolvedAction, ResolvedOwner, ResolvedPath, ResolvedReference, Table,
};
use super::sql::{self, BindParams as _};
use super::update::Update;
use crate::identifiers::Identifiers;

/// On how many rows new values are tried.
const TRIED_ROWS: u32 = 100;

/// Checks what only rows can show: that paths lead to somebody, and that the database takes the new values.
/// New values are tried on at most 100 rows, in a transaction that is rolled back.
pub async fn check_values(resolved: &Resolved, connection: &mut PgConnection) -> Result<Vec<Problem>, Error> {
    let check = ValuesCheck { resolved, subject: Identifiers::of_unused_user() };
    let mut problems = check_owners(resolved, connection).await?;
    for table in resolved.tables.iter() {
        problems.extend(check.refused_values(table, connection).await?);
    }
    Ok(problems)
}

/// Checks that owners' conditions and paths match rows, where there are any. Reads only, a bounded number of rows of each path.
pub async fn check_owners(resolved: &Resolved, connection: &mut PgConnection) -> Result<Vec<Problem>, Error> {
    let check = ValuesCheck { resolved, subject: Identifiers::of_unused_user() };
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
        // Of a column that names nobody, it is right that none of its values does.
        let names_user =
            |reference: &&ResolvedReference| reference.is_mention && reference.action != ResolvedAction::Forbid;
        for mention in table.references.iter().filter(names_user) {
            if let Some(message) = check.mention_of_unused_user(table, mention, connection).await? {
                let remedy = "Name what the column holds: for keys of another table \"created_by -> public.users(id)\"";
                problems.push(Problem { column: Some(mention.name.clone()), ..table.problem(message, remedy) });
            }
        }
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
        let is_set = format!("{is_set}{}", and_filter(owner, "t"));
        Ok(self.all_lead_nowhere(table, &is_set, &leads, connection).await?.then(|| message.to_owned()))
    }

    /// Returns what is wrong if rows have values and none names anybody.
    async fn mention_of_unused_user(
        &self,
        table: &Table,
        mention: &ResolvedReference,
        connection: &mut PgConnection,
    ) -> Result<Option<&'static str>, Error> {
        let (is_set, leads, message) = match &mention.target {
            ReferenceTarget::UserId => (
                format!("t.{} IS NOT NULL", mention.column),
                format!("t.{} ~ '^user_'", mention.column),
                "no value in it is a Clerk user id (user_…), so the mention finds nobody",
            ),
            ReferenceTarget::Rows { table: parent, columns, .. } => {
                let is_set: Vec<String> = columns.iter().map(|(here, _)| format!("t.{here} IS NOT NULL")).collect();
                let equal: Vec<String> = columns.iter().map(|(here, there)| format!("t_.{there} = t.{here}")).collect();
                let parent = &self.resolved.tables[*parent].quoted_name;
                let leads = format!("EXISTS (SELECT FROM {parent} AS t_ WHERE {})", equal.join(" AND "));
                (is_set.join(" AND "), leads, "none of its values is found where the mention leads to")
            }
            ReferenceTarget::UserIdWithin(within) => {
                let (is_set, leads) = within.values_and_user_ids("t", &mention.column);
                (is_set, leads, "no value there is a Clerk user id (user_…), so the mention finds nobody")
            }
        };
        Ok(self.all_lead_nowhere(table, &is_set, &leads, connection).await?.then_some(message))
    }

    /// Whether there are rows for which `is_set` holds, and `leads` holds for none of a bounded number of them.
    async fn all_lead_nowhere(
        &self,
        table: &Table,
        is_set: &str,
        leads: &str,
        connection: &mut PgConnection,
    ) -> Result<bool, Error> {
        let query = format!(
            "SELECT count(*) > 0 AND count(*) FILTER (WHERE leads) = 0 FROM (SELECT {leads} AS leads FROM {} AS t \
             WHERE {is_set} LIMIT {SAMPLE_ROWS}) AS sample",
            table.quoted_name
        );
        let query = sql::query_scalar::<bool>(query);
        let query = query.bind_params(&self.resolved.parameters, &self.subject, OffsetDateTime::UNIX_EPOCH);
        Ok(query.fetch_one(connection).await?)
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
