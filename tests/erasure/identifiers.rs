//! Names of tables and columns that would end a quotation, a statement or a comment.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use lethe::Identifiers;
use lethe::data_map::DataMap;
use lethe::deletion;
use lethe::export::Snapshot;
use lethe_demo::testing::Database;
use proptest::collection::hash_set;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use sqlx::AssertSqlSafe;

use crate::support::{count, erase, named, only, resolve, run};

/// Names that Postgres doesn't truncate, without the arrow of a path.
fn identifier() -> impl Strategy<Value = String> {
    let odd = prop_oneof![
        "[a-z\"'$;.\\\\ -]{1,20}",
        "(select|user|from|table|\"\"|--|/\\*|\\$1|\\{\\}|@)",
        // Aliases in the statements.
        "(t|t_|r|key|locked|pages)",
        "[\\PC]{1,12}",
        any::<[char; 6]>().prop_map(|letters| letters.into_iter().collect()),
    ];
    odd.prop_filter("a name that Postgres accepts", |name: &String| {
        name.trim() == name
            && !name.is_empty()
            && name.len() <= 40
            && !name.contains('\0')
            && !name.contains("->")
            && !["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"].contains(&name.as_str())
    })
}

fn sql(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Exports, erases and purges a person in tables and columns with these names.
async fn assert_usable(database: &Database, names: &[String]) {
    let [schema, people, notes, key, stamp, secret] = names else { panic!("six names") };
    let (people_sql, notes_sql) =
        (format!("{}.{}", sql(schema), sql(people)), format!("{}.{}", sql(schema), sql(notes)));
    run(
        database.pool(),
        &format!(
            "DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}; \
             CREATE TABLE {people_sql} ({key} text PRIMARY KEY, {stamp} timestamptz, {secret} text); \
             CREATE TABLE {notes_sql} ({stamp} text REFERENCES {people_sql} ({key}), {key} bigint PRIMARY KEY, {secret} timestamptz); \
             INSERT INTO {people_sql} VALUES ('user_a', NULL, 'x'), ('user_b', NULL, 'y'); \
             INSERT INTO {notes_sql} VALUES ('user_a', 1), ('user_b', 2)",
            schema = sql(schema),
            key = sql(key),
            stamp = sql(stamp),
            secret = sql(secret),
        ),
    )
    .await;
    let toml = |text: &str| {
        format!("\"{}\"", text.chars().fold(String::new(), |all, letter| format!("{all}\\U{:08X}", u32::from(letter))))
    };
    let name = |table: &str| toml(&format!("{schema}.{table}"));
    let map = format!(
        "[[subject]]\ntable = {}\nkey = {key}\nexport = \"all\"\nerase = {{ scrub = {{ {secret} = \"null\" }}, stamp = [{stamp}] }}\n\
         [[table]]\nname = {}\nowner = {}\nexport = \"all\"\nerase = {{ stamp = [{secret}], purge_after = \"1 day\" }}\n",
        name(people),
        name(notes),
        toml(&format!("{stamp} -> {schema}.{people}")),
        key = toml(key),
        secret = toml(secret),
        stamp = toml(stamp),
    );
    let who = named("user_a");
    let snapshot =
        Snapshot::open(database.pool(), &DataMap::parse(&map).unwrap(), &Identifiers::from(&who)).await.unwrap();
    let file = snapshot.write(String::new(), "").try_collect::<Vec<_>>().await.unwrap().concat();
    let file: BTreeMap<String, Vec<BTreeMap<String, Value>>> = serde_json::from_slice(&file).unwrap();
    let rows: Vec<_> = file.values().flatten().collect();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().any(|row| row.get(secret) == Some(&Value::from("x"))));
    assert!(rows.iter().any(|row| row.get(stamp) == Some(&Value::from("user_a"))));

    erase(database.pool(), &map, &who).await.unwrap();
    let query = format!("SELECT (t.*)::text FROM {people_sql} AS t ORDER BY {}", sql(key));
    let left: Vec<String> = sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(database.pool()).await.unwrap();
    assert_eq!(left, ["(user_a,\"2026-03-01 12:00:00+00\",)", "(user_b,,y)"]);
    assert_eq!(count(database.pool(), &format!("{notes_sql} WHERE {} IS NOT NULL", sql(secret))).await, 1);

    let mut connection = database.pool().acquire().await.unwrap();
    let resolved = resolve(&map, &mut connection).await;
    let purged = deletion::purge(&resolved, &mut connection, &format!("{schema}.{notes}"), &Identifiers::from(&who))
        .await
        .unwrap();
    assert_eq!((purged, count(database.pool(), &notes_sql).await), (1, 1));
    run(database.pool(), &format!("DROP SCHEMA {} CASCADE", sql(schema))).await;
}

#[test]
fn any_name_can_be_exported_erased_and_purged() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(only(""));
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let tried = runner.run(&hash_set(identifier(), 6), |names| {
        let names: Vec<String> = names.into_iter().collect();
        runtime.block_on(assert_usable(&database, &names));
        Ok(())
    });
    tried.unwrap();
    // The connections belong to the runtime.
    runtime.block_on(database.drop_all());
}

#[tokio::test]
async fn names_with_an_at_sign_can_be_exported_erased_and_purged() {
    let database = only("").await;
    let names = ["a@b", "@", "notes@", "id@", "gone@at", "@@"].map(str::to_owned);
    assert_usable(&database, &names).await;
}
