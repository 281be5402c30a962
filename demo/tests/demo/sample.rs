//! The sample application's data and its map.

use std::collections::{BTreeMap, BTreeSet};

use demo::{
    people::{Product, people, person},
    sample::{self, SeedOptions},
    testing::Database,
};
use sqlx::{AssertSqlSafe, PgPool};

/// Every row of every table, as text.
async fn dump(pool: &PgPool) -> BTreeMap<String, Vec<String>> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let mut dump = BTreeMap::new();
    for table in tables {
        let rows =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT row::text FROM {table} AS row ORDER BY row::text")))
                .fetch_all(pool)
                .await
                .unwrap();
        dump.insert(table, rows);
    }
    dump
}

#[tokio::test]
async fn two_seeds_are_equal_and_a_second_one_does_nothing() {
    let (first, second) = (Database::create().await, Database::create().await);
    let options = SeedOptions { people: 12, rows_per_person: 3 };
    assert!(sample::seed(first.pool(), &options).await.unwrap());
    assert!(sample::seed(second.pool(), &options).await.unwrap());
    let dumped = dump(first.pool()).await;
    assert_eq!(dumped, dump(second.pool()).await);
    assert!(dumped.values().all(|rows| !rows.is_empty()), "{dumped:?}");
    assert!(!sample::seed(first.pool(), &options).await.unwrap());
    assert_eq!(dumped, dump(first.pool()).await);
}

#[tokio::test]
async fn everybody_has_rows_in_every_table_of_their_products() {
    let database = Database::create().await;
    sample::seed(database.pool(), &SeedOptions { people: 8, rows_per_person: 2 }).await.unwrap();
    for person in people(8) {
        for (product, tables) in [
            (
                Product::Blog,
                &[("users", "clerk_id"), ("posts", "author_id"), ("comments", "author_id"), ("preferences", "user_id")]
                    [..],
            ),
            (
                Product::Lab,
                &[
                    ("profiles", "user_id"),
                    ("projects", "user_id"),
                    ("reports", "user_id"),
                    ("experiments", "user_id"),
                    ("pipelines", "user_id"),
                    ("datasets", "user_id"),
                    ("api_keys", "user_id"),
                    ("activity_logs", "user_id"),
                    ("usage_logs", "user_id"),
                ],
            ),
        ] {
            for (table, column) in tables {
                let count: i64 =
                    sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table} WHERE {column} = $1")))
                        .bind(&person.id)
                        .fetch_one(database.pool())
                        .await
                        .unwrap();
                assert_eq!(count > 0, person.uses(product), "{} rows of {} in {table}", count, person.name());
            }
        }
    }
}

#[tokio::test]
async fn others_comment_but_neighbours_share_no_row() {
    for count in [2, 3, 5, 8, 13] {
        let database = Database::create().await;
        sample::seed(database.pool(), &SeedOptions { people: count, rows_per_person: 2 }).await.unwrap();
        let pairs: Vec<(String, String)> = sqlx::query_as(
            "SELECT DISTINCT posts.author_id, comments.author_id FROM comments JOIN posts ON posts.id = post_id",
        )
        .fetch_all(database.pool())
        .await
        .unwrap();
        let index: BTreeMap<String, usize> = people(count).map(|person| (person.id, person.index)).collect();
        let mut distances = BTreeSet::new();
        for (author, commenter) in pairs {
            distances.insert((index[&commenter] + count - index[&author]) % count);
        }
        assert!(!distances.contains(&1) && !distances.contains(&(count - 1)), "{count}: {distances:?}");
        assert!(count < 6 || distances.len() == 4, "{count}: {distances:?}");
    }
}

#[tokio::test]
async fn the_map_names_every_table_once() {
    let database = Database::create().await;
    let map: toml::Table = include_str!("../../data-map.toml").parse().unwrap();
    let mut named = BTreeSet::new();
    for (kind, name) in [("subject", "table"), ("table", "name"), ("ignore", "name")] {
        for entry in map[kind].as_array().unwrap() {
            assert!(kind == "ignore" || entry.get("label").is_some(), "{entry}");
            assert!(named.insert(entry[name].as_str().unwrap().to_owned()), "{entry}");
        }
    }
    let tables: BTreeSet<String> = dump(database.pool()).await.keys().map(|table| format!("public.{table}")).collect();
    assert_eq!(named, tables);
}

#[tokio::test]
async fn a_usage_log_is_filled_once() {
    let database = Database::create().await;
    sample::seed(database.pool(), &SeedOptions { people: 2, rows_per_person: 2 }).await.unwrap();
    for _ in 0..2 {
        sample::fill_usage_logs(database.pool(), &person(1).id, 1000).await.unwrap();
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM usage_logs").fetch_one(database.pool()).await.unwrap();
        assert_eq!(rows, 1000);
    }
}

#[test]
fn people_are_the_same_every_time() {
    let (ada, grace) = (person(0), person(1));
    assert_eq!(
        (ada.name().as_str(), ada.email.as_str(), ada.products),
        ("Ada Lovelace", "ada@example.org", &[Product::Blog][..])
    );
    assert_eq!(
        (grace.name().as_str(), grace.email.as_str(), grace.products),
        ("Grace Hopper", "grace@example.org", &[Product::Lab][..])
    );
    assert_eq!(ada.id.len(), 32);
    let everybody: Vec<_> = people(20_000).collect();
    assert_eq!(everybody.iter().map(|person| &person.id).collect::<BTreeSet<_>>().len(), 20_000);
    assert_eq!(everybody.iter().map(|person| &person.email).collect::<BTreeSet<_>>().len(), 20_000);
    assert_eq!(everybody.iter().filter(|person| person.products.len() == 2).count(), 5_000);
}
