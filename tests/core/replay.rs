//! Replay: a database that is restored from a backup loses again what was erased since.

use std::collections::BTreeSet;
use std::time::Duration;

use lethe::consent::{self, Choice, Source};
use lethe::deletion::{self, NewRequest, Origin, Request, replay};
use lethe::{ClerkUserId, Lethe, Presence, audit, subject as person};
use lethe_demo::testing::rows_of;

use crate::world::{PEOPLE, World, empty_storage, subject};

const TIMEOUT: Duration = Duration::from_secs(20);

async fn request(lethe: &Lethe, subject: &ClerkUserId) -> Request {
    let new =
        NewRequest { subject, origin: Origin::Operator, confirmed_plan: None, contact: None, idempotency_key: None };
    deletion::request(lethe, new).await.unwrap()
}

async fn erase(lethe: &Lethe, subject: &ClerkUserId) {
    let request = request(lethe, subject).await;
    assert!(deletion::run(lethe, request.id, TIMEOUT).await.unwrap().finished);
}

async fn choose(lethe: &Lethe, subject: &ClerkUserId) {
    let choice = Choice { purpose: "marketing".to_owned(), granted: true };
    consent::set(lethe, subject, &[choice], Source::Page, false).await.unwrap();
}

async fn search(lethe: &Lethe) -> replay::Report {
    replay::search(lethe, |_| {}).await.unwrap()
}

/// Everybody whose rows are back.
async fn restored(lethe: &Lethe) -> BTreeSet<ClerkUserId> {
    search(lethe).await.restored.into_iter().collect()
}

async fn tombstones(lethe: &Lethe) -> i64 {
    sqlx::query_scalar("select count(*) from lethe.tombstone").fetch_one(&lethe.database).await.unwrap()
}

#[tokio::test]
async fn restored_database_loses_again_what_was_erased_since_the_backup() {
    let world = World::start().await;
    // Their profile stays by the map, so this isn't a row that came back.
    erase(&world.lethe, &subject(1)).await;
    // Made a choice and has no row of the application's.
    let visitor = ClerkUserId::parse("user_2visitor").unwrap();
    choose(&world.lethe, &visitor).await;
    let backup = world.database.copy().await;
    // Came and went after the backup.
    let newcomer = ClerkUserId::parse("user_2newcomer").unwrap();
    choose(&world.lethe, &newcomer).await;
    let erased = [subject(0), subject(3), visitor];
    for subject in erased.iter().chain([&newcomer]) {
        erase(&world.lethe, subject).await;
    }

    let after_restore = world.with_data(&backup, world.lethe.storage.clone());
    let everybody = BTreeSet::from(erased.clone());
    let found = search(&after_restore).await;
    assert_eq!(found.restored.iter().cloned().collect::<BTreeSet<_>>(), everybody);
    assert_eq!((found.people, found.tombstones), (8, 5));
    assert_eq!((found.missing_in_database(), found.missing_in_store()), (1, 0), "{found:?}");
    assert_eq!(person::presence(&after_restore, &erased[0]).await.unwrap(), Presence::Active);
    assert_eq!(tombstones(&after_restore).await, 1, "a search changes nothing");

    // However far an earlier run came, those who aren't erased yet are found: after the tombstones of the others were
    // written, after the requests were stored, and in the middle of a deletion.
    replay::write_tombstones(&after_restore, &found).await.unwrap();
    assert_eq!((restored(&after_restore).await, tombstones(&after_restore).await), (everybody.clone(), 2));
    for subject in &erased {
        let request = request(&after_restore, subject).await;
        for _ in 0..3 {
            deletion::advance(&after_restore, request.id).await.unwrap();
        }
    }
    // Most of their rows are gone already; the row that links them to the log goes last.
    assert_eq!(restored(&after_restore).await, everybody);
    erase(&after_restore, &erased[0]).await;
    assert_eq!(restored(&after_restore).await, BTreeSet::from([erased[1].clone(), erased[2].clone()]));
    for subject in &erased[1..] {
        erase(&after_restore, subject).await;
    }
    replay::write_tombstones(&after_restore, &search(&after_restore).await).await.unwrap();

    let found = search(&after_restore).await;
    assert!(found.restored.is_empty() && found.missing_in_database() == 0, "{found:?}");
    assert_eq!(tombstones(&after_restore).await, 5);
    for subject in erased.iter().chain([&subject(1), &newcomer]) {
        assert_eq!(person::presence(&after_restore, subject).await.unwrap(), Presence::Erased);
    }
    assert!(rows_of(backup.pool(), erased[0].as_str()).await.values().all(Vec::is_empty));
    let of_lethe: i64 = sqlx::query_scalar(
        "select (select count(*) from lethe.data_subject)
            + (select count(*) from lethe.deletion_request where finished_at is null)",
    )
    .fetch_one(backup.pool())
    .await
    .unwrap();
    assert_eq!(of_lethe, 0);
    assert!(audit::verify(&after_restore).await.unwrap().is_intact());
    // Everybody else's rows are those of the database that was lost.
    for index in (0..PEOPLE).filter(|index| ![0, 3].contains(index)) {
        let id = subject(index);
        assert_eq!(rows_of(backup.pool(), id.as_str()).await, world.rows_of(&id).await, "{index}");
    }
}

#[tokio::test]
async fn lost_store_gets_the_tombstones_of_the_database() {
    let world = World::start().await;
    erase(&world.lethe, &subject(0)).await;
    let lethe = world.with_data(&world.database, empty_storage());
    let found = search(&lethe).await;
    assert_eq!((found.tombstones, found.missing_in_store(), found.missing_in_database()), (0, 1, 0));
    replay::write_tombstones(&lethe, &found).await.unwrap();
    let found = search(&lethe).await;
    assert_eq!((found.tombstones, found.missing_in_store()), (1, 0));
}

#[tokio::test]
async fn foreign_object_in_the_store_is_no_tombstone() {
    let world = World::start().await;
    for name in ["README", "00ff", &"0".repeat(63), &"F".repeat(64)] {
        world.lethe.storage.put(&format!("tombstones/{name}"), Vec::new()).await.unwrap();
    }
    let found = search(&world.lethe).await;
    assert_eq!((found.tombstones, found.unrecognised_objects, found.missing_in_database()), (0, 4, 0));
}
