//! The export of the application's tables: all rows of a person, no one else's, no loss in JSON, and never a partial
//! file that looks complete.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt};
use lethe::data_map::DataMap;
use lethe::export::Snapshot;
use lethe::{ClerkUserId, Identifiers};
use lethe_demo::people;
use lethe_demo::sample::{self, SeedOptions};
use lethe_demo::testing::Database;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};

const SAMPLE: &str = include_str!("../demo/data-map.toml");

async fn seeded() -> Database {
    let database = Database::create().await;
    sample::seed(database.pool(), &SeedOptions { people: 8, rows_per_person: 4 }).await.unwrap();
    database
}

async fn run(pool: &PgPool, statements: &str) {
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(pool).await.unwrap();
}

async fn add_usage_logs(pool: &PgPool, user_id: &str, rows: i32) {
    sqlx::query(
        "INSERT INTO usage_logs (user_id, metric, quantity) SELECT $1, 'requests', r FROM generate_series(1, $2) AS r",
    )
    .bind(user_id)
    .bind(rows)
    .execute(pool)
    .await
    .unwrap();
}

fn subject(index: usize) -> ClerkUserId {
    ClerkUserId::parse(&people::person(index).id).unwrap()
}

async fn open(pool: &PgPool, map: &str, subject: &ClerkUserId) -> Snapshot {
    Snapshot::open(pool, &DataMap::parse(map).unwrap(), &Identifiers::from(subject)).await.unwrap()
}

async fn text(snapshot: Snapshot) -> String {
    let pieces: Vec<_> = snapshot.write(String::new(), "").try_collect().await.unwrap();
    String::from_utf8(pieces.concat()).unwrap()
}

async fn export(pool: &PgPool, map: &str, subject: &ClerkUserId) -> Value {
    serde_json::from_str(&text(open(pool, map, subject).await).await).unwrap()
}

#[tokio::test]
async fn export_holds_every_own_row_and_no_other() {
    let database = seeded().await;
    for index in [0, 1, 3] {
        let who = subject(index);
        let exported = export(database.pool(), SAMPLE, &who).await;
        let mut transaction = database.pool().begin().await.unwrap();
        sqlx::raw_sql("SET LOCAL timezone = 'UTC'").execute(&mut *transaction).await.unwrap();
        let mut expected = serde_json::Map::new();
        for rule in DataMap::parse(SAMPLE).unwrap().tables() {
            let query = format!(
                "SELECT coalesce(jsonb_agg(to_jsonb(t) - 'secret_hash' ORDER BY id), '[]') FROM {} AS t WHERE {} = $1",
                rule.name,
                rule.owners[0].path.columns()[0]
            );
            let rows: Value =
                sqlx::query_scalar(AssertSqlSafe(query)).bind(who.as_str()).fetch_one(&mut *transaction).await.unwrap();
            expected.insert(rule.name.strip_prefix("public.").unwrap().to_owned(), rows);
        }
        assert_eq!(exported, Value::Object(expected));
        let text = exported.to_string();
        for other in (0..8).filter(|other| *other != index).map(people::person) {
            assert!(!text.contains(&other.id) && !text.contains(&other.email), "{index} sees {}", other.index);
        }
    }
    let everything = export(database.pool(), SAMPLE, &subject(3)).await;
    assert!(everything.as_object().unwrap().values().all(|rows| !rows.as_array().unwrap().is_empty()));
}

const TYPES: &str = "
    CREATE TYPE pair AS (number bigint, bytes bytea); CREATE DOMAIN shallow AS bytea; CREATE DOMAIN deep AS shallow;
    CREATE TABLE people (id bigint PRIMARY KEY, clerk_id text NOT NULL UNIQUE, small bigint, exact bigint, beyond bigint,
        price numeric(10, 2), long numeric, tiny numeric, huge numeric, nan numeric, real double precision, bytes bytea, at timestamptz,
        wide bigint[], precise numeric[][], pair pair, names deep, local timestamp, day date, span interval, tags text[], doc jsonb, raw json, ip inet, ever timestamptz, empty text);
    INSERT INTO people VALUES (1, 'user_a', 7, 9007199254740991, -9007199254740993, 12.50, 1234567890.123456789, 0.000000000000000000012,
        1e400, 'NaN', 0.1, '\\x00ff10', '2026-03-01 12:00:00.123456+02',
        '{1, 9007199254740993}', '{{0.1, 1234567890.123456789}}', (9007199254740993, '\\xff'), '\\x00ff10', '2026-03-01 12:00:00', '2026-03-01', '1 year 2 days 03:00',
        ARRAY['a', NULL, 'quote\" and \\\\'], '{\"b\": 9007199254740993, \"a\": [true]}', '{ \"b\" : 1 }', '::1', 'infinity', NULL);
";
const PEOPLE_RULE: &str =
    "[[subject]]\ntable = \"public.people\"\nkey = \"clerk_id\"\nexport = \"all\"\nerase = \"delete\"\n";

#[tokio::test]
async fn values_survive_json_whatever_the_server_settings() {
    let database = Database::create().await;
    run(database.pool(), &format!("DROP SCHEMA public CASCADE; CREATE SCHEMA public; {TYPES}")).await;
    let who = ClerkUserId::parse("user_a").unwrap();
    let name: String = sqlx::query_scalar("SELECT current_database()").fetch_one(database.pool()).await.unwrap();
    let plain = text(open(database.pool(), PEOPLE_RULE, &who).await).await;
    let exported: Value = serde_json::from_str(&plain).unwrap();
    assert_eq!(
        exported["people"][0],
        json!({
            "id": 1, "clerk_id": "user_a", "small": 7, "exact": 9_007_199_254_740_991_i64, "beyond": "-9007199254740993",
            "price": 12.50, "long": "1234567890.123456789", "tiny": 0.000_000_000_000_000_000_012, "huge": format!("1{}", "0".repeat(400)),
            "nan": "NaN", "real": 0.1, "bytes": "AP8Q", "at": "2026-03-01T10:00:00.123456+00:00",
            "wide": [1, "9007199254740993"], "precise": [[0.1, "1234567890.123456789"]],
            "pair": {"number": "9007199254740993", "bytes": "\\xff"}, "names": "AP8Q",
            "local": "2026-03-01T12:00:00", "day": "2026-03-01", "span": "P1Y2DT3H", "tags": ["a", null, "quote\" and \\\\"],
            "doc": {"a": [true], "b": "9007199254740993"}, "raw": {"b": 1}, "ip": "::1", "ever": "infinity", "empty": null
        })
    );
    for setting in [
        "timezone = 'America/New_York'",
        "datestyle = 'German'",
        "intervalstyle = 'postgres_verbose'",
        "bytea_output = 'escape'",
        "extra_float_digits = 0",
    ] {
        run(database.pool(), &format!("ALTER DATABASE \"{name}\" SET {setting}")).await;
    }
    let odd = PgPool::connect(database.url()).await.unwrap();
    assert_eq!(text(open(&odd, PEOPLE_RULE, &who).await).await, plain);
}

#[tokio::test]
async fn tables_of_the_same_name_keep_their_schema_prefix() {
    let database = Database::create().await;
    run(
        database.pool(),
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE SCHEMA shop; \
         CREATE TABLE people (clerk_id text PRIMARY KEY); CREATE TABLE orders (user_id text, n int); CREATE TABLE shop.orders (user_id text, n int); \
         INSERT INTO people VALUES ('user_a'); INSERT INTO orders VALUES ('user_a', 1); INSERT INTO shop.orders VALUES ('user_a', 2), ('user_b', 3)",
    )
    .await;
    let table = |name: &str, export: &str| {
        format!("[[table]]\nname = \"{name}\"\nowner = \"user_id\"\nexport = {export}\nerase = \"delete\"\n")
    };
    let who = ClerkUserId::parse("user_a").unwrap();
    let map =
        format!("{PEOPLE_RULE}{}{}", table("public.orders", "\"all\""), table("shop.orders", "{ only = [\"n\"] }"));
    assert_eq!(
        export(database.pool(), &map, &who).await,
        json!({"people": [{"clerk_id": "user_a"}], "public.orders": [{"user_id": "user_a", "n": 1}], "shop.orders": [{"n": 2}]})
    );
    let map = format!(
        "{PEOPLE_RULE}{}{}",
        table("public.orders", "\"all\""),
        table("shop.orders", "{ none = true, reason = \"sealed\" }")
    );
    assert_eq!(
        export(database.pool(), &map, &who).await,
        json!({"people": [{"clerk_id": "user_a"}], "orders": [{"user_id": "user_a", "n": 1}]})
    );
}

/// A column may have the same name as an alias in the export's statements.
#[tokio::test]
async fn column_named_like_the_row_alias_is_exported() {
    let database = Database::create().await;
    run(
        database.pool(),
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public;
         CREATE TABLE notes (t text PRIMARY KEY, r text, key int, \"t_\" text);
         INSERT INTO notes VALUES ('user_1', NULL, 1, 'a'), ('user_2', 'b', 2, 'b')",
    )
    .await;
    let map = "[[subject]]\ntable = \"public.notes\"\nkey = \"t\"\nexport = \"all\"\nerase = \"delete\"\n";
    let exported = export(database.pool(), map, &ClerkUserId::parse("user_1").unwrap()).await;
    assert_eq!(exported, json!({"notes": [{"t": "user_1", "r": null, "key": 1, "t_": "a"}]}));
}

#[tokio::test]
async fn rows_inserted_during_the_export_are_excluded() {
    let database = seeded().await;
    let who = subject(1);
    let before = export(database.pool(), SAMPLE, &who).await;
    let snapshot = open(database.pool(), SAMPLE, &who).await;
    add_usage_logs(database.pool(), who.as_str(), 100).await;
    sqlx::query("DELETE FROM activity_logs WHERE user_id = $1")
        .bind(who.as_str())
        .execute(database.pool())
        .await
        .unwrap();
    let tally = snapshot.tally();
    let read: Value = serde_json::from_str(&text(snapshot).await).unwrap();
    assert_eq!(read, before);
    let rows: usize = read.as_object().unwrap().values().map(|rows| rows.as_array().unwrap().len()).sum();
    assert_eq!(tally.rows(), rows as u64);
}

/// Server processes that hold a snapshot in this database.
async fn snapshots(pool: &PgPool) -> Vec<i32> {
    let query = "SELECT pid FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL \
                 AND backend_type = 'client backend'";
    sqlx::query_scalar(query).fetch_all(pool).await.unwrap()
}

#[tokio::test]
async fn dropping_the_stream_ends_the_transaction() {
    let database = seeded().await;
    add_usage_logs(database.pool(), subject(1).as_str(), 50_000).await;
    let snapshot = open(database.pool(), SAMPLE, &subject(1)).await;
    let mut pieces = Box::pin(snapshot.write(String::new(), ""));
    assert!(pieces.next().await.unwrap().unwrap().len() >= 16 * 1024);
    assert_eq!(snapshots(database.pool()).await.len(), 1);
    drop(pieces);
    for _ in 0..1000 {
        if snapshots(database.pool()).await.is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the transaction is still open");
}

#[tokio::test]
async fn database_failure_leaves_an_invalid_file() {
    let database = seeded().await;
    add_usage_logs(database.pool(), subject(1).as_str(), 200_000).await;
    let snapshot = open(database.pool(), SAMPLE, &subject(1)).await;
    let mut pieces = Box::pin(snapshot.write(String::new(), ""));
    let mut read = pieces.next().await.unwrap().unwrap().to_vec();
    for process in snapshots(database.pool()).await {
        sqlx::query("SELECT pg_terminate_backend($1)").bind(process).execute(database.pool()).await.unwrap();
    }
    let mut failed = false;
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => read.extend_from_slice(&piece),
            Err(_) => failed = true,
        }
    }
    assert!(failed, "the stream ended as if it were complete");
    assert!(serde_json::from_slice::<Value>(&read).is_err());
}

#[tokio::test]
async fn mismatched_map_fails_before_the_first_byte() {
    let database = seeded().await;
    run(database.pool(), "CREATE TABLE newsletter (email text)").await;
    let refused =
        Snapshot::open(database.pool(), &DataMap::parse(SAMPLE).unwrap(), &Identifiers::from(&subject(0))).await;
    assert!(matches!(refused.err(), Some(lethe::Error::Map(_))));
}

#[tokio::test]
async fn envelope_surrounds_the_tables() {
    let database = seeded().await;
    let snapshot = open(database.pool(), SAMPLE, &subject(0)).await;
    let pieces: Vec<_> = snapshot.write("{\"before\":1,\"tables\":".to_owned(), "}").try_collect().await.unwrap();
    let read: BTreeMap<String, Value> = serde_json::from_slice(&pieces.concat()).unwrap();
    assert_eq!(read.keys().collect::<Vec<_>>(), ["before", "tables"]);
}
