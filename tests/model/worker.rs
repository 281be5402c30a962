//! Tries a case on a database of its own.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use lethe::data_map::{self, DataMap, Outcome, Resolved};
use lethe::deletion::{self, TableResult};
use lethe::export::Snapshot;
use lethe::{ClerkUserId, Error, Identifiers};
use lethe_demo::testing::Database;
use serde_json::Value as JsonValue;
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Connection as _, Postgres};
use time::OffsetDateTime;
use time::macros::datetime;

use crate::breakage;
use crate::compare::{TextRow, display, display_all, matches_row, names_in_file, with_random_values};
use crate::ddl::{self, quote};
use crate::generator::{Case, PEOPLE};
use crate::map::Map;
use crate::map_file;
use crate::model::{Model, Now, address_of};
use crate::tally::Tally;
use crate::value::{Row, Rows, Value};

const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);
const MODEL_NOW: Now = Now { date: "2026-03-01", time: "12:00:00" };

/// How many maps are broken for each case.
const BREAKAGES: usize = 2;

/// Where database and model disagree.
#[derive(Debug)]
pub(crate) struct Disagreement(pub(crate) String);

type Result<T> = std::result::Result<T, Disagreement>;

fn disagree<T>(text: impl Into<String>) -> Result<T> {
    Err(Disagreement(text.into()))
}

pub(crate) struct Worker {
    database: Database,
    connection: PoolConnection<Postgres>,
    /// The statements that created the tables that exist, and those that drop them.
    tables: Option<(String, String)>,
}

impl Worker {
    pub(crate) async fn start() -> Self {
        let database = Database::create().await;
        let mut connection = database.pool().acquire().await.unwrap();
        // The library's time limits turn JIT off too.
        sqlx::raw_sql(
            "DROP SCHEMA public CASCADE; SET timezone = 'UTC'; SET client_min_messages = 'warning'; SET jit = off",
        )
        .execute(&mut *connection)
        .await
        .unwrap();
        Self { database, connection, tables: None }
    }

    /// Creates the case's tables and rows, and compares every operation with the model.
    pub(crate) async fn check(&mut self, case: &Case) -> Result<Tally> {
        self.create_tables(case).await?;
        // A statement that was prepared for a map with more values isn't prepared again for one with fewer.
        self.connection.clear_cached_statements().await.unwrap();
        if let Err(error) = self.run(&ddl::insert_all(case)).await {
            return disagree(format!("the database refuses the rows: {error}"));
        }
        let checked = self.check_operations(case).await;
        self.run(&ddl::delete_all(case)).await.unwrap();
        checked
    }

    /// Creates the tables, unless the case before had the same.
    async fn create_tables(&mut self, case: &Case) -> Result<()> {
        let create = ddl::create_tables(case);
        if self.tables.as_ref().is_some_and(|(existing, _)| *existing == create) {
            return Ok(());
        }
        if let Some((_, drop_all)) = self.tables.take() {
            self.run(&drop_all).await.unwrap();
        }
        if let Err(error) = self.run(&create).await {
            return disagree(format!("the database refuses the tables: {error}"));
        }
        self.tables = Some((create, ddl::drop_all(case)));
        Ok(())
    }

    async fn run(&mut self, sql: &str) -> sqlx::Result<()> {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *self.connection).await.map(drop)
    }

    async fn check_operations(&mut self, case: &Case) -> Result<Tally> {
        let file = map_file::write(&case.map);
        let map = match DataMap::parse(&file) {
            Ok(map) => map,
            Err(error) => return disagree(format!("the map is refused: {error}")),
        };
        let resolved = data_map::resolve(&map, &mut self.connection).await;
        let resolved = match resolved.and_then(|resolved| deletion::check_keys(&resolved).map(|()| resolved)) {
            Ok(resolved) => resolved,
            // The generator doesn't foresee in which tables without a key rows couldn't be found again.
            Err(error) if error.to_string().contains("no key tells them apart") => return Ok(Tally::default()),
            Err(error) => return disagree(format!("the map is refused: {error}")),
        };
        let mut rows = self
            .compare(case, &case.rows)
            .await
            .map_err(|Disagreement(text)| Disagreement(format!("the tables don't have the generated rows: {text}")))?;
        let first = usize::try_from(case.seed % 3).unwrap();
        self.check_export(case, &map, PEOPLE[first]).await?;
        let mut tally = Tally::default();
        for person in [PEOPLE[first], PEOPLE[(first + 1) % 3]] {
            let model = Model { schema: &case.schema, map: &case.map, rows: &rows };
            match model.erase(person, MODEL_NOW) {
                Ok(expected) => {
                    rows = self.check_erasure(case, &resolved, person, &expected).await?;
                    tally.erased += 1;
                }
                Err(refused) => {
                    self.check_refusal(&resolved, person, &format!("{refused:?}")).await?;
                    self.compare(case, &rows).await?;
                    tally.refused += 1;
                }
            }
        }
        self.check_breakages(case, &mut tally).await?;
        Ok(tally)
    }

    async fn check_export(&mut self, case: &Case, map: &DataMap, person: &str) -> Result<()> {
        let subject = ClerkUserId::parse(person).unwrap();
        let read = async || {
            let snapshot = Snapshot::open(self.database.pool(), map, &identifiers(&subject)).await?;
            snapshot.write(String::new(), "").try_collect::<Vec<_>>().await
        };
        let file = match read().await {
            Ok(file) => file.concat(),
            Err(error) => return disagree(format!("the export of {person} fails: {}", lethe::error_chain(&error))),
        };
        let exported: BTreeMap<String, Vec<JsonValue>> = serde_json::from_slice(&file).unwrap();
        let model = Model { schema: &case.schema, map: &case.map, rows: &case.rows };
        let expected = names_in_file(model.export(person));
        for (table, rows) in &expected {
            let mut actual = exported.get(table).cloned().unwrap_or_default();
            actual.sort_by_key(JsonValue::to_string);
            if actual != *rows {
                let (actual, expected) = (JsonValue::from(actual), JsonValue::from(rows.clone()));
                return disagree(format!(
                    "the export of {person} has of {table}\n  {actual}\ninstead of\n  {expected}"
                ));
            }
        }
        if exported.keys().ne(expected.keys()) {
            let (actual, expected) = (exported.keys(), expected.keys());
            return disagree(format!("the export of {person} has {actual:?} instead of {expected:?}"));
        }
        Ok(())
    }

    /// Erases the person, and once more. Returns the rows that are left.
    async fn check_erasure(&mut self, case: &Case, resolved: &Resolved, person: &str, expected: &Rows) -> Result<Rows> {
        let subject = ClerkUserId::parse(person).unwrap();
        let plan = deletion::plan(resolved, &mut self.connection, &identifiers(&subject), NOW).await;
        let results = match self.erase(resolved, &subject).await {
            Ok(results) => results,
            Err(error) => return disagree(format!("the erasure of {person} fails: {}", lethe::error_chain(&error))),
        };
        let left = self
            .compare(case, expected)
            .await
            .map_err(|Disagreement(text)| Disagreement(format!("after the erasure of {person}: {text}")))?;
        let mut planned: Vec<(String, bool, u64)> =
            plan.unwrap().lines.iter().map(|line| (line.table.clone(), line.others, line.rows)).collect();
        let mut done: Vec<(String, bool, u64)> =
            results.iter().map(|result| (result.line.table.clone(), result.line.others, result.line.rows)).collect();
        planned.sort();
        done.sort();
        if planned != done {
            return disagree(format!("the erasure of {person} did {done:?}, and planned was {planned:?}"));
        }
        let leftovers = deletion::verify(resolved, &mut self.connection, &identifiers(&subject)).await.unwrap();
        if !leftovers.is_empty() {
            return disagree(format!("the verification of {person} finds {leftovers:?}"));
        }
        let again = match self.erase(resolved, &subject).await {
            Ok(results) => results,
            Err(error) => {
                return disagree(format!("the second erasure of {person} fails: {}", lethe::error_chain(&error)));
            }
        };
        let changed = again
            .iter()
            .find(|result| result.line.rows > 0 && !matches!(result.line.outcome, Outcome::Retained { .. }));
        if let Some(result) = changed {
            return disagree(format!(
                "the second erasure of {person} changes {} rows of {}",
                result.line.rows, result.line.table
            ));
        }
        self.compare(case, &left)
            .await
            .map_err(|Disagreement(text)| Disagreement(format!("after the second erasure of {person}: {text}")))
    }

    async fn check_refusal(&mut self, resolved: &Resolved, person: &str, refused: &str) -> Result<()> {
        let subject = ClerkUserId::parse(person).unwrap();
        match self.erase(resolved, &subject).await {
            Ok(_) => disagree(format!("the erasure of {person} succeeds, and the model says {refused}")),
            Err(error) if lethe::error_chain(&error).contains("the map says there are none") => Ok(()),
            Err(error) => {
                let error = lethe::error_chain(&error);
                disagree(format!("the erasure of {person} fails with {error}, and the model says {refused}"))
            }
        }
    }

    async fn erase(&mut self, resolved: &Resolved, subject: &ClerkUserId) -> lethe::Result<Vec<TableResult>> {
        let mut transaction = self.connection.begin().await?;
        let results = deletion::erase(resolved, &mut transaction, &identifiers(subject), NOW).await?;
        transaction.commit().await.map_err(Error::from)?;
        Ok(results)
    }

    /// Compares all rows with the expected ones, and returns them with their random values.
    async fn compare(&mut self, case: &Case, expected: &Rows) -> Result<Rows> {
        let mut actual = self.read(case).await;
        let mut rows = Rows::new();
        for table in &case.schema.tables {
            let name = table.full_name();
            let mut actual = actual.remove(&name).unwrap_or_default();
            // Rows with random values could take those that are expected as they are.
            let mut expected: Vec<&Row> = expected.get(&name).into_iter().flatten().collect();
            expected.sort_by_key(|row| row.values().any(Value::is_random));
            for expected in expected {
                let Some(position) = actual.iter().position(|actual| matches_row(expected, actual)) else {
                    return disagree(format!(
                        "{name} has no row\n  {}\nbut {}",
                        display(expected),
                        display_all(&actual)
                    ));
                };
                let found = actual.swap_remove(position);
                rows.entry(name.clone()).or_default().push(with_random_values(expected, &found));
            }
            if !actual.is_empty() {
                return disagree(format!("{name} has too many rows: {}", display_all(&actual)));
            }
        }
        Ok(rows)
    }

    /// Returns the text of every value.
    async fn read(&mut self, case: &Case) -> BTreeMap<String, Vec<TextRow>> {
        let selects = case.schema.tables.iter().enumerate().map(|(position, table)| {
            let columns: Vec<String> =
                table.columns.iter().map(|column| format!("t.{}::text", quote(&column.name))).collect();
            format!("SELECT {position}, ARRAY[{}]::text[] FROM {} AS t", columns.join(", "), table.sql_name())
        });
        let query = selects.collect::<Vec<_>>().join(" UNION ALL ");
        let values: Vec<(i32, Vec<Option<String>>)> =
            sqlx::query_as(AssertSqlSafe(query)).fetch_all(&mut *self.connection).await.unwrap();
        let mut rows: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for (position, values) in values {
            let table = &case.schema.tables[usize::try_from(position).unwrap()];
            let names = table.columns.iter().map(|column| column.name.clone());
            rows.entry(table.full_name()).or_default().push(names.zip(values).collect());
        }
        rows
    }

    async fn check_breakages(&mut self, case: &Case, tally: &mut Tally) -> Result<()> {
        for (breakage, map) in breakage::break_map(case, BREAKAGES) {
            let map: Map = map;
            let file = map_file::write(&map);
            let refusal = match DataMap::parse(&file) {
                Ok(map) => data_map::resolve(&map, &mut self.connection).await.err(),
                Err(error) => Some(error),
            };
            let Some(refusal) = refusal else {
                return disagree(format!("a broken map is accepted ({breakage:?}):\n{file}"));
            };
            let message = refusal.to_string();
            if !breakage.messages().iter().any(|expected| message.contains(expected)) {
                return disagree(format!(
                    "a broken map ({breakage:?}) is refused for another reason: {message}\n{file}"
                ));
            }
            *tally.breakages.entry(breakage).or_default() += 1;
        }
        Ok(())
    }
}

fn identifiers(subject: &ClerkUserId) -> Identifiers {
    Identifiers::from(subject).with_email_addresses([address_of(subject.as_str())])
}
