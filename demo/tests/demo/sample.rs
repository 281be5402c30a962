//! The sample application's data and its map.

use std::collections::{BTreeMap, BTreeSet};

use lethe_demo::{
    people::{Product, people, person},
    sample::{self, SeedOptions},
    testing::{Database, rows_of},
};
use serde_json::json;
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
async fn seeding_is_deterministic_and_happens_once() {
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
async fn seeded_people_have_rows_in_exactly_their_products_tables() {
    let database = Database::create().await;
    sample::seed(database.pool(), &SeedOptions { people: 8, rows_per_person: 2 }).await.unwrap();
    for person in people(8) {
        for (table, rows) in rows_of(database.pool(), &person.id).await {
            let is_blog = matches!(table, "users" | "posts" | "comments" | "preferences");
            let product = if is_blog { Product::Blog } else { Product::Lab };
            let uses = Product::of(person.index).contains(&product);
            assert_eq!(!rows.is_empty(), uses, "{} rows of {} in {table}", rows.len(), person.name());
        }
    }
}

#[tokio::test]
async fn comments_never_come_from_neighbours() {
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
async fn data_map_names_every_table_once() {
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
async fn usage_log_is_filled_up_to_the_number_of_rows() {
    let database = Database::create().await;
    sample::seed(database.pool(), &SeedOptions { people: 2, rows_per_person: 2 }).await.unwrap();
    for _ in 0..2 {
        sample::fill_usage_logs(database.pool(), &person(1).id, 1000).await.unwrap();
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM usage_logs").fetch_one(database.pool()).await.unwrap();
        assert_eq!(rows, 1000);
    }
}

#[test]
fn people_have_their_products_in_the_metadata() {
    assert_eq!(person(0).public_metadata["products"], json!(["blog"]));
    assert_eq!(person(1).public_metadata["products"], json!(["lab"]));
    assert_eq!(person(3).public_metadata["products"], json!(["blog", "lab"]));
    assert_eq!(people(20_000).filter(|person| Product::of(person.index).len() == 2).count(), 5_000);
}
