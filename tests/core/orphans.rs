//! The search for users of the database whom Clerk doesn't know.

use std::time::Duration;

use lethe::Error;
use lethe::deletion::{self, Origin, orphans};
use lethe_demo::testing::Fault;

use crate::world::{World, by, subject};

const TIMEOUT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn erased_people_whose_rows_stay_are_no_orphans() {
    let world = World::start().await;
    // Their profile stays, with its key.
    let request = deletion::request(&world.lethe, by(&subject(1), Origin::Api)).await.unwrap();
    assert!(deletion::run(&world.lethe, request.id, TIMEOUT).await.unwrap().finished);
    let report = orphans::search(&world.lethe, |_| {}).await.unwrap();
    assert!(report.orphans.is_empty() && report.erased == 1, "{report:?}");
}

#[tokio::test]
async fn search_stops_if_clerk_knows_no_user() {
    let world = World::start().await;
    for index in 0..8 {
        world.clerk.delete_user(subject(index).as_str()).await;
    }
    let refused = orphans::search(&world.lethe, |_| {}).await;
    assert!(matches!(refused, Err(orphans::SearchError::WrongInstance(_))), "{refused:?}");
}

#[tokio::test]
async fn user_who_is_missing_in_a_list_is_looked_up_once_more() {
    let world = World::start().await;
    world.clerk.delete_user(subject(0).as_str()).await;
    world.clerk.forget_requests();
    orphans::search(&world.lethe, |_| {}).await.unwrap();
    assert_eq!(world.clerk.requests("GET /v1/users/{user_id}"), 1);
    world.clerk.fail(Fault {
        operation: Some("GET /v1/users/{user_id}".to_owned()),
        status: Some(503),
        ..Fault::default()
    });
    let failed = orphans::search(&world.lethe, |_| {}).await;
    assert!(matches!(failed, Err(orphans::SearchError::Failed(Error::Clerk(_)))), "{failed:?}");
}
