//! Rows that are found by a person's verified addresses, and not by an id.

use std::num::NonZeroU32;
use std::time::Duration;

use futures::TryStreamExt as _;
use lethe::deletion::{self, Origin, UnsearchedReason, recheck};
use lethe::rate_limit::RateLimit;
use lethe::{Lethe, export};

use crate::world::{World, by, subject};

const MAP: &str = include_str!("../../demo/data-map.toml");

const TIMEOUT: Duration = Duration::from_secs(20);

const ENTRY: &str =
    "[[table]]\nname = \"public.newsletter\"\nowner = { email = \"address\" }\nexport = \"all\"\nerase = \"delete\"\n";

/// The sample application with a newsletter, to which people subscribe with an address and without an account.
async fn with_newsletter(world: &World, map: &str) -> Lethe {
    sqlx::raw_sql("create table public.newsletter (id bigint primary key, address text not null)")
        .execute(world.pool())
        .await
        .unwrap();
    world.with_map_text(&format!("{map}\n{ENTRY}"))
}

async fn subscribe(world: &World, id: i64, address: &str) {
    let insert = sqlx::query("insert into public.newsletter values ($1, $2)").bind(id).bind(address);
    insert.execute(world.pool()).await.unwrap();
}

async fn subscribed(world: &World) -> Vec<i64> {
    sqlx::query_scalar("select id from public.newsletter order by id").fetch_all(world.pool()).await.unwrap()
}

fn address(index: usize) -> String {
    lethe_demo::people::person(index).email.to_uppercase()
}

#[tokio::test]
async fn rows_with_a_verified_address_are_exported_and_erased_with_the_account() {
    let world = World::start().await;
    let lethe = with_newsletter(&world, MAP).await;
    subscribe(&world, 1, &address(0)).await;
    subscribe(&world, 2, &address(1)).await;

    let limit = RateLimit::per_hour("export", NonZeroU32::new(10).unwrap());
    let export = export::start(&lethe, &subject(0), export::Shape::TablesOnly, &limit).await.unwrap();
    let chunks: Vec<_> = export.body.try_collect().await.unwrap();
    let tables: serde_json::Value = serde_json::from_slice(&chunks.concat()).unwrap();
    assert_eq!(tables["newsletter"].as_array().unwrap().len(), 1);

    let plan = deletion::preview(&lethe, &subject(0)).await.unwrap();
    let line = plan.lines.iter().find(|line| line.table == "public.newsletter").unwrap();
    assert_eq!(line.rows, 1);
    let request = deletion::request(&lethe, by(&subject(0), Origin::Api)).await.unwrap();
    assert!(deletion::run(&lethe, request.id, TIMEOUT).await.unwrap().finished);
    assert_eq!(subscribed(&world).await, [2]);

    // Clerk doesn't know the address any more.
    subscribe(&world, 3, &address(0)).await;
    sqlx::query("update lethe.recheck set due_at = now()").execute(world.pool()).await.unwrap();
    assert_eq!(recheck::recheck_due(&lethe).await.unwrap().rows, 1);
    assert_eq!(subscribed(&world).await, [2]);
    let stored: i64 = sqlx::query_scalar(
        "select (select count(*) from lethe.deletion_request where identifiers is not null)
            + (select count(*) from lethe.recheck where clerk_id is not null)",
    )
    .fetch_one(world.pool())
    .await
    .unwrap();
    assert_eq!(stored, 0);
}

#[tokio::test]
async fn receipt_says_that_no_address_was_known() {
    let world = World::start().await;
    let lethe = with_newsletter(&world, MAP).await;
    subscribe(&world, 1, &address(0)).await;
    lethe.clerk.delete_user(&subject(0)).await.unwrap();
    let request = deletion::request(&lethe, by(&subject(0), Origin::Operator)).await.unwrap();
    assert!(deletion::run(&lethe, request.id, TIMEOUT).await.unwrap().finished);
    assert_eq!(subscribed(&world).await, [1], "nobody could know whose it is");
    let receipt = deletion::receipt(&lethe, &request.receipt).await.unwrap();
    let unsearched = receipt.searched.unwrap().unsearched;
    let newsletter = unsearched.iter().find(|unsearched| unsearched.table == "public.newsletter").unwrap();
    assert_eq!(newsletter.reason, UnsearchedReason::AddressUnknown);
}

#[tokio::test]
async fn addresses_in_columns_of_the_subject_count_as_well() {
    let world = World::start().await;
    let map = MAP.replacen("key    = \"clerk_id\"", "key    = \"clerk_id\"\naddresses = { email = [\"email\"] }", 1);
    assert_ne!(map, MAP);
    let lethe = with_newsletter(&world, &map).await;
    subscribe(&world, 1, &address(0)).await;
    lethe.clerk.delete_user(&subject(0)).await.unwrap();
    let request = deletion::request(&lethe, by(&subject(0), Origin::Operator)).await.unwrap();
    assert!(deletion::run(&lethe, request.id, TIMEOUT).await.unwrap().finished);
    assert_eq!(subscribed(&world).await, Vec::<i64>::new());
}

#[tokio::test]
async fn address_that_two_accounts_have_is_nobodys_alone() {
    let world = World::start().await;
    let map = MAP.replacen("key    = \"clerk_id\"", "key    = \"clerk_id\"\naddresses = { email = [\"name\"] }", 1);
    let lethe = with_newsletter(&world, &map).await;
    for (index, family) in [(0, "family@example.org"), (2, "Family@Example.org")] {
        let name = sqlx::query("update users set name = $2 where clerk_id = $1");
        name.bind(subject(index).as_str()).bind(family).execute(world.pool()).await.unwrap();
    }
    subscribe(&world, 1, "family@example.org").await;
    let request = deletion::request(&lethe, by(&subject(0), Origin::Api)).await.unwrap();
    assert!(deletion::run(&lethe, request.id, TIMEOUT).await.unwrap().finished);
    assert_eq!(subscribed(&world).await, [1]);
}
