//! What happens to every row of an application.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use futures::TryStreamExt as _;
use lethe::data_map::{self, DataMap};
use lethe::deletion::{self, TableResult};
use lethe::export::Snapshot;
use lethe::{ClerkUserId, Identifiers};
use lethe_demo::testing::Database;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};
use time::macros::datetime;

const PEOPLE: [&str; 3] = ["user_ada", "user_bob", "user_cem"];

/// Every row, as JSON text, by table.
type Rows = BTreeMap<String, Vec<String>>;

/// Exports everybody, erases Ada and then Bob, and tells what became of the rows.
pub(crate) async fn of(schema: &str, map: &str) -> String {
    let database = Database::create().await;
    let pool = database.pool();
    let schema = format!("DROP SCHEMA public CASCADE; CREATE SCHEMA public; {schema}");
    sqlx::raw_sql(AssertSqlSafe(schema)).execute(pool).await.unwrap();
    let map = DataMap::parse(map).unwrap();
    let mut report = String::new();
    for person in PEOPLE {
        let _ = writeln!(report, "== {person} downloads");
        for (table, rows) in export(pool, &map, person).await {
            for row in rows.as_array().unwrap() {
                writeln!(report, "{table} {row}").unwrap();
            }
        }
    }
    for person in &PEOPLE[..2] {
        let before = rows(pool).await;
        let results = erase(pool, &map, person).await;
        let after = rows(pool).await;
        let _ = writeln!(report, "\n== {person} is erased");
        describe_results(&mut report, &results);
        describe_changes(&mut report, &before, &after);
        let again = erase(pool, &map, person).await;
        assert!(again.iter().all(|result| !result.line.others || result.line.rows == 0 || stays(result)), "{again:#?}");
        assert_eq!(rows(pool).await, after, "a second erasure of {person} changed rows");
        let _ = writeln!(report, "-- what still has the id, name or address");
        let name = person.trim_start_matches("user_");
        for (table, row) in after.iter().flat_map(|(table, rows)| rows.iter().map(move |row| (table, row))) {
            if row.to_lowercase().contains(name) {
                let _ = writeln!(report, "{table} {}", redact(row));
            }
        }
    }
    report
}

fn stays(result: &TableResult) -> bool {
    matches!(result.line.outcome, deletion::Outcome::Retained { .. })
}

async fn export(pool: &PgPool, map: &DataMap, person: &str) -> serde_json::Map<String, Value> {
    let snapshot = Snapshot::open(pool, map, &identifiers(person)).await.unwrap();
    let chunks: Vec<_> = snapshot.write(String::new(), "").try_collect().await.unwrap();
    let Value::Object(tables) = serde_json::from_slice(&chunks.concat()).unwrap() else { panic!("no object") };
    tables
}

/// Everybody has a verified address: `ada@quiz.test`.
fn identifiers(person: &str) -> Identifiers {
    let name = person.trim_start_matches("user_");
    Identifiers::from(&ClerkUserId::parse(person).unwrap()).with_email_addresses([format!("{name}@quiz.test")])
}

async fn erase(pool: &PgPool, map: &DataMap, person: &str) -> Vec<TableResult> {
    let person = identifiers(person);
    let mut transaction = pool.begin().await.unwrap();
    let resolved = match data_map::resolve(map, &mut transaction).await {
        Ok(resolved) => resolved,
        Err(error) => panic!("{}", error.to_string().replace(" | ", "\n")),
    };
    let now = datetime!(2026-03-01 12:00 UTC);
    let results = deletion::erase(&resolved, &mut transaction, &person, now).await.unwrap();
    assert_eq!(deletion::verify(&resolved, &mut transaction, &person).await.unwrap(), []);
    transaction.commit().await.unwrap();
    results
}

async fn rows(pool: &PgPool) -> Rows {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = 'public' ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let mut all = Rows::new();
    for table in tables {
        let query = format!("SELECT to_jsonb(t)::text FROM {table} AS t ORDER BY 1");
        let rows = sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(pool).await.unwrap();
        all.insert(table, rows);
    }
    all
}

fn describe_results(report: &mut String, results: &[TableResult]) {
    for TableResult { line, .. } in results.iter().filter(|result| result.line.rows > 0) {
        let whose = if line.others { " (others' rows)" } else { "" };
        let key = line.key.as_ref().map(|key| format!(", which lead to them by {key}")).unwrap_or_default();
        let outcome = serde_json::to_value(&line.outcome).unwrap();
        let _ = writeln!(report, "{}{whose}: {} {outcome}{key}", line.table, line.rows);
    }
}

/// Rows that changed are shown with what they became: what has the same first value, which is the key in these schemas.
fn describe_changes(report: &mut String, before: &Rows, after: &Rows) {
    for (table, rows) in before {
        let new: Vec<&String> = after[table].iter().filter(|row| !rows.contains(row)).collect();
        for row in rows.iter().filter(|row| !after[table].contains(row)) {
            let changed = new.iter().find(|new| key(new) == key(row));
            match changed {
                Some(changed) => writeln!(report, "~ {table} {} -> {}", redact(row), changes(row, changed)),
                None => writeln!(report, "- {table} {}", redact(row)),
            }
            .unwrap();
        }
        for row in new.iter().filter(|new| !rows.iter().any(|row| key(row) == key(new))) {
            let _ = writeln!(report, "+ {table} {}", redact(row));
        }
    }
}

fn fields(row: &str) -> serde_json::Map<String, Value> {
    serde_json::from_str(row).unwrap()
}

fn key(row: &str) -> Value {
    fields(row).get("id").cloned().unwrap_or_default()
}

fn changes(before: &str, after: &str) -> String {
    let (before, after) = (fields(before), fields(after));
    let changed: serde_json::Map<String, Value> =
        after.into_iter().filter(|(column, value)| before.get(column) != Some(value)).collect();
    redact(&Value::Object(changed).to_string())
}

/// Random placeholders differ between runs.
fn redact(text: &str) -> String {
    let mut redacted = String::new();
    let mut digits = String::new();
    for letter in text.chars().chain(['\0']) {
        if letter.is_ascii_hexdigit() && !letter.is_ascii_uppercase() {
            digits.push(letter);
            continue;
        }
        redacted.push_str(if digits.len() == 32 { "(random)" } else { &digits });
        digits.clear();
        redacted.extend((letter != '\0').then_some(letter));
    }
    redacted
}
