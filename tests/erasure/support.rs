//! What the erasure tests share: databases, maps, and views of the rows.

use std::collections::BTreeMap;

use lethe::data_map::{self, DataMap, Resolved};
use lethe::deletion::{self, Plan, TableResult};
use lethe::{ClerkUserId, Identifiers};
use lethe_demo::people;
use lethe_demo::sample::{self, SeedOptions};
use lethe_demo::testing::Database;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use time::OffsetDateTime;
use time::macros::datetime;

pub(crate) const SAMPLE: &str = include_str!("../../demo/data-map.toml");
pub(crate) const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

pub(crate) async fn seeded() -> Database {
    let database = Database::create().await;
    sample::seed(database.pool(), &SeedOptions { people: 8, rows_per_person: 4 }).await.unwrap();
    database
}

pub(crate) async fn only(schema: &str) -> Database {
    let database = Database::create().await;
    run(database.pool(), &format!("DROP SCHEMA public CASCADE; CREATE SCHEMA public; {schema}")).await;
    database
}

pub(crate) async fn run(pool: &PgPool, statements: &str) {
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(pool).await.unwrap();
}

pub(crate) async fn count(pool: &PgPool, rows: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {rows}"))).fetch_one(pool).await.unwrap()
}

pub(crate) fn subject(index: usize) -> ClerkUserId {
    ClerkUserId::parse(&people::person(index).id).unwrap()
}

pub(crate) fn named(id: &str) -> ClerkUserId {
    ClerkUserId::parse(id).unwrap()
}

pub(crate) async fn resolve(map: &str, connection: &mut PgConnection) -> Resolved {
    data_map::resolve(&DataMap::parse(map).unwrap(), connection).await.unwrap()
}

pub(crate) async fn plan(pool: &PgPool, map: &str, subject: &ClerkUserId) -> Plan {
    let mut connection = pool.acquire().await.unwrap();
    let resolved = resolve(map, &mut connection).await;
    deletion::plan(&resolved, &mut connection, &Identifiers::from(subject), NOW).await.unwrap()
}

pub(crate) async fn erase_at(
    pool: &PgPool,
    map: &str,
    subject: &ClerkUserId,
    now: OffsetDateTime,
) -> lethe::Result<Vec<TableResult>> {
    let mut transaction = pool.begin().await?;
    let resolved = resolve(map, &mut transaction).await;
    let results = deletion::erase(&resolved, &mut transaction, &Identifiers::from(subject), now).await?;
    assert_eq!(deletion::verify(&resolved, &mut transaction, &Identifiers::from(subject)).await?, []);
    transaction.commit().await?;
    Ok(results)
}

pub(crate) async fn erase(pool: &PgPool, map: &str, subject: &ClerkUserId) -> lethe::Result<Vec<TableResult>> {
    erase_at(pool, map, subject, NOW).await
}

/// Returns every row of the sample application as text, by table.
pub(crate) async fn everything(pool: &PgPool) -> BTreeMap<String, Vec<String>> {
    let map = DataMap::parse(SAMPLE).unwrap();
    let mut tables = BTreeMap::new();
    for rule in map.tables() {
        let query = format!("SELECT t::text FROM {} AS t ORDER BY id", rule.name);
        let rows = sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(pool).await.unwrap();
        tables.insert(rule.name.clone(), rows);
    }
    tables
}

/// Returns the rows that contain the person's id.
pub(crate) fn of(everything: &BTreeMap<String, Vec<String>>, subject: &ClerkUserId) -> BTreeMap<String, Vec<String>> {
    let own = |rows: &Vec<String>| rows.iter().filter(|row| row.contains(subject.as_str())).cloned().collect();
    everything.iter().map(|(table, rows)| (table.clone(), own(rows))).collect()
}

pub(crate) fn rows_of(results: &[TableResult]) -> BTreeMap<(String, bool), u64> {
    results.iter().map(|result| ((result.line.table.clone(), result.line.others), result.line.rows)).collect()
}
