//! The secret rotates: what the old one made goes on working, and what can be moved to the new one is.

use std::time::Duration;

use lethe::consent::{self, Choice, Source};
use lethe::deletion::rotation::{self, Rotated};
use lethe::deletion::{self, NewRequest, Origin, replay, restore};
use lethe::secrets::{self, Recognition};
use lethe::{ClerkUserId, Lethe, Presence, overview, subject as person};
use lethe_demo::testing::eventually;

use crate::world::{RunningWorker, SECRET, World, subject};

const TIMEOUT: Duration = Duration::from_secs(20);
const NEW: &str = "bmV3IHNlY3JldCBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVzIG9yIG1vcmU=";

fn both() -> String {
    format!("{NEW},{SECRET}")
}

fn by<'a>(subject: &'a ClerkUserId, contact: Option<&'a str>) -> NewRequest<'a> {
    NewRequest { subject, origin: Origin::Api, confirmed_plan: None, contact, idempotency_key: None }
}

async fn erase(lethe: &Lethe, subject: &ClerkUserId) {
    let request = deletion::request(lethe, by(subject, None)).await.unwrap();
    assert!(deletion::run(lethe, request.id, TIMEOUT).await.unwrap().finished);
}

async fn choose(lethe: &Lethe, subject: &ClerkUserId) {
    let choice = Choice { purpose: "marketing".to_owned(), granted: true };
    consent::set(lethe, subject, &[choice], Source::Page, false).await.unwrap();
}

/// How many entries about a person can be read.
async fn readable(lethe: &Lethe, subject: &ClerkUserId) -> Result<usize, lethe::Error> {
    Ok(overview::activity(lethe, subject, i64::MAX, 10).await?.entries.len())
}

async fn recognized(lethe: &Lethe) -> Recognition {
    secrets::recognize(&lethe.database, &lethe.keys, lethe.clock.now()).await.unwrap()
}

#[tokio::test]
async fn new_secret_opens_and_recognizes_what_the_old_one_made() {
    let world = World::start().await;
    assert_eq!(recognized(&world.lethe).await, Recognition::Complete);
    choose(&world.lethe, &subject(0)).await;
    // Of one the profile stays by the map, with its key; of the others nothing.
    let (stays, gone, recent) = (subject(1), subject(4), subject(6));
    erase(&world.lethe, &stays).await;
    erase(&world.lethe, &gone).await;
    // As their last recheck does.
    sqlx::query("update lethe.recheck set clerk_id = null, finished_at = now()").execute(world.pool()).await.unwrap();
    erase(&world.lethe, &recent).await;
    let waiting = deletion::request(&world.lethe, by(&subject(2), Some("alan@example.org"))).await.unwrap();

    let rotated = world.with_secrets(&both());
    assert_eq!(recognized(&rotated).await, Recognition::Complete);
    for subject in [&stays, &gone, &recent] {
        assert_eq!(person::presence(&rotated, subject).await.unwrap(), Presence::Erased);
    }
    assert_eq!(readable(&rotated, &subject(0)).await.unwrap(), 1);
    choose(&rotated, &subject(5)).await;

    let done = rotation::rotate(&rotated).await.unwrap();
    // No worker has sent the receipts of the erased yet.
    assert_eq!(done, Rotated { subject_keys: 2, contacts: 4, user_ids: 2, tombstones: 2, unreadable: 0 });
    assert_eq!(rotation::rotate(&rotated).await.unwrap(), Rotated::default(), "there is nothing left to do");
    let uses = rotation::secret_uses(&rotated).await.unwrap();
    assert_eq!(uses.len(), 2);
    assert_eq!((uses[0].sealed, uses[0].tombstones, uses[0].is_newest), (0, 3, false));
    assert_eq!((uses[1].tombstones, uses[1].is_newest, uses[1].is_configured), (2, true, true));

    // The address was sealed with the old secret.
    assert!(deletion::run(&rotated, waiting.id, TIMEOUT).await.unwrap().finished);
    let _working = RunningWorker::start(&rotated);
    eventually("the mail", async || {
        world.inbox.messages().await.iter().any(|mail| format!("{mail:?}").contains("alan@example.org"))
    })
    .await;

    // Without the old secret: what was moved works, and who left nothing behind isn't recognised any more.
    let new = world.with_secrets(NEW);
    assert_eq!(readable(&new, &subject(0)).await.unwrap(), 1);
    assert_eq!(person::presence(&new, &stays).await.unwrap(), Presence::Erased);
    assert_eq!(person::presence(&new, &recent).await.unwrap(), Presence::Erased, "the rechecks had the id");
    assert_eq!(person::presence(&new, &gone).await.unwrap(), Presence::Active);
}

#[tokio::test]
async fn missing_and_wrong_secrets_are_refused_until_one_is_dropped() {
    let world = World::start().await;
    assert_eq!(recognized(&world.lethe).await, Recognition::Complete);
    let (rotated, new) = (world.with_secrets(&both()), world.with_secrets(NEW));
    assert_eq!(recognized(&new).await, Recognition::Unknown);
    assert_eq!(recognized(&rotated).await, Recognition::Complete);
    let [new_id, old_id]: [String; 2] =
        rotated.keys.ids().map(|id| id.to_string()).collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(recognized(&new).await, Recognition::Missing(vec![Some(old_id.clone())]));
    assert_eq!(recognized(&world.lethe).await, Recognition::Missing(vec![Some(new_id)]), "a process with old settings");
    assert!(secrets::drop_secret(world.pool(), &old_id, world.lethe.clock.now()).await.unwrap());
    assert!(!secrets::drop_secret(world.pool(), &old_id, world.lethe.clock.now()).await.unwrap(), "once");
    assert_eq!(recognized(&new).await, Recognition::Complete);
    assert_eq!(recognized(&rotated).await, Recognition::Complete);
}

/// Version 0.1 stored one value in another table, and no ids.
#[tokio::test]
async fn secret_of_an_older_version_is_recognized() {
    let world = World::start().await;
    assert_eq!(recognized(&world.lethe).await, Recognition::Complete);
    sqlx::query("delete from lethe.secret_key").execute(world.pool()).await.unwrap();
    assert_eq!(recognized(&world.with_secrets(NEW)).await, Recognition::Unknown);
    assert_eq!(recognized(&world.with_secrets(&both())).await, Recognition::Complete);
    let recorded = secrets::recorded(world.pool()).await.unwrap();
    assert_eq!(recorded.len(), 2);
    assert!(recorded[0].first_used_at.is_none() && recorded[1].first_used_at.is_some());
    assert_eq!(recognized(&world.with_secrets(NEW)).await, Recognition::Missing(vec![Some(recorded[0].id.clone())]));
}

#[tokio::test]
async fn replay_recognizes_tombstones_of_every_secret() {
    let world = World::start().await;
    recognized(&world.lethe).await;
    // Their profile stays: erased before the backup, and again under the new secret.
    erase(&world.lethe, &subject(1)).await;
    let backup = world.database.copy().await;
    erase(&world.lethe, &subject(0)).await;
    let rotated = world.with_secrets(&both());
    recognized(&rotated).await;
    erase(&rotated, &subject(3)).await;
    rotation::rotate(&rotated).await.unwrap();

    let restored = world.with_secrets_and_data(&both(), &backup);
    recognized(&restored).await;
    assert_eq!(restore::missing_tombstones(&restored).await.unwrap(), 4);
    let mut found = replay::search(&restored, |_| {}).await.unwrap();
    found.restored.sort();
    let mut expected = vec![subject(0), subject(3)];
    expected.sort();
    assert_eq!(found.restored, expected, "who was erased before the backup isn't erased again");
    for subject in &found.restored {
        erase(&restored, subject).await;
    }
    replay::write_tombstones(&restored, &found).await.unwrap();
    assert!(replay::search(&restored, |_| {}).await.unwrap().restored.is_empty());
    assert_eq!(restore::missing_tombstones(&restored).await.unwrap(), 0);
}
