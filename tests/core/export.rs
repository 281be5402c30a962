//! The whole export: Clerk's profile, the tables, and its entries in the audit log.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

use std::num::NonZeroU32;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use lethe::deletion::{self, NewRequest, Origin};
use lethe::export::{self, Export, Shape};
use lethe::rate_limit::RateLimit;
use lethe::{Error, overview};
use lethe_demo::testing::Fault;
use serde_json::Value;

use crate::world::{World, subject};

async fn read(export: Export) -> Vec<u8> {
    export.body.try_collect::<Vec<_>>().await.unwrap().concat()
}

async fn kinds(world: &World, index: usize) -> Vec<String> {
    overview::read(&world.lethe, &subject(index), false, 10)
        .await
        .unwrap()
        .activity
        .entries
        .into_iter()
        .map(|entry| entry.event.kind().into_owned())
        .collect()
}

/// More than any test asks for.
fn limit() -> RateLimit {
    RateLimit::per_hour("export", NonZeroU32::new(1_000).unwrap())
}

#[tokio::test]
async fn export_holds_profile_and_tables_and_is_logged() {
    let world = World::start().await;
    assert_eq!(export::latest(&world.lethe, &subject(3)).await.unwrap(), None);
    let file = read(export::start(&world.lethe, &subject(3), Shape::Full, &limit()).await.unwrap()).await;
    let read: Value = serde_json::from_slice(&file).unwrap();
    let keys: Vec<&String> = read.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 3, "{keys:?}");
    assert!(read["exportDate"].as_str().unwrap().ends_with('Z'));
    assert!(read["clerkProfile"].to_string().contains(&lethe_demo::people::person(3).email));
    let tables = read["applicationData"].as_object().unwrap();
    assert_eq!(tables.len(), 13);
    let rows: usize = tables.values().map(|rows| rows.as_array().unwrap().len()).sum();

    let latest = export::latest(&world.lethe, &subject(3)).await.unwrap().unwrap();
    assert_eq!((latest.rows, latest.bytes), (rows as u64, file.len() as u64));
    assert_eq!(kinds(&world, 3).await, ["export.completed", "export.requested"]);
    assert_eq!(export::latest(&world.lethe, &subject(1)).await.unwrap(), None);
}

#[tokio::test]
async fn tables_only_export_needs_no_clerk() {
    let world = World::start().await;
    world.clerk.fail(Fault { status: Some(503), ..Fault::default() });
    let file = read(export::start(&world.lethe, &subject(1), Shape::TablesOnly, &limit()).await.unwrap()).await;
    let read: Value = serde_json::from_slice(&file).unwrap();
    assert_eq!(read.as_object().unwrap().len(), 13);
    assert_eq!(read["profiles"][0]["user_id"], subject(1).as_str());
}

#[tokio::test]
async fn full_export_fails_without_clerk() {
    let world = World::start().await;
    world.clerk.fail(Fault { status: Some(503), ..Fault::default() });
    let refused = export::start(&world.lethe, &subject(1), Shape::Full, &limit()).await;
    assert!(matches!(refused.err(), Some(Error::Clerk(_))));
    assert!(kinds(&world, 1).await.is_empty());
}

#[tokio::test]
async fn exports_that_an_outage_refuses_are_not_counted() {
    let world = World::start().await;
    world.clerk.fail(Fault { status: Some(503), times: Some(30), ..Fault::default() });
    let two = RateLimit::per_hour("export", NonZeroU32::new(2).unwrap());
    for _ in 0..5 {
        let refused = export::start(&world.lethe, &subject(1), Shape::Full, &two).await.err().unwrap();
        assert!(matches!(refused, Error::Clerk(_)), "{refused}");
    }
    for _ in 0..2 {
        read(export::start(&world.lethe, &subject(1), Shape::TablesOnly, &two).await.unwrap()).await;
    }
    let refused = export::start(&world.lethe, &subject(1), Shape::TablesOnly, &two).await.err().unwrap();
    assert!(matches!(refused, Error::RateLimited(_)), "{refused}");
}

#[tokio::test]
async fn aborted_export_is_not_logged_as_completed() {
    let world = World::start().await;
    sqlx::query(
        "insert into usage_logs (user_id, metric, quantity) select $1, 'requests', r from generate_series(1, 50000) r",
    )
    .bind(subject(1).as_str())
    .execute(world.pool())
    .await
    .unwrap();
    let mut export = export::start(&world.lethe, &subject(1), Shape::Full, &limit()).await.unwrap();
    export.body.next().await.unwrap().unwrap();
    drop(export);
    assert_eq!(kinds(&world, 1).await, ["export.requested"]);
    assert_eq!(export::latest(&world.lethe, &subject(1)).await.unwrap(), None);
}

/// The whole file was read from the database before the erasure began.
#[tokio::test]
async fn export_of_a_person_who_deletes_the_account_meanwhile_is_whole() {
    let world = World::start().await;
    let export = export::start(&world.lethe, &subject(1), Shape::Full, &limit()).await.unwrap();
    let new = NewRequest {
        subject: &subject(1),
        origin: Origin::Api,
        confirmed_plan: None,
        contact: None,
        idempotency_key: None,
    };
    let request = deletion::request(&world.lethe, new).await.unwrap();
    assert!(deletion::run(&world.lethe, request.id, Duration::from_secs(20)).await.unwrap().finished);
    let read: Value = serde_json::from_slice(&read(export).await).unwrap();
    assert_eq!(read["applicationData"]["profiles"][0]["user_id"], subject(1).as_str());
}
