//! What comes late: rows that are written after a deletion is completed.

use std::time::Duration;

use lethe::deletion::Reference;
use lethe::deletion::inspection::{self, State};
use lethe::deletion::{self, NewRequest, Origin, Outcome, recheck};
use lethe::{ClerkUserId, Lethe};

use crate::world::{World, eventually, subject};

const TIMEOUT: Duration = Duration::from_secs(20);

async fn erase(world: &World, lethe: &Lethe, subject: &ClerkUserId) -> deletion::Request {
    let new = NewRequest { subject, origin: Origin::Api, confirmed_plan: None, contact: None, idempotency_key: None };
    let request = deletion::request(lethe, new).await.unwrap();
    assert!(deletion::run(lethe, request.id, TIMEOUT).await.unwrap().finished);
    assert!(world.rows_of(subject).await["users"].is_empty());
    request
}

/// What an application does for a token that is still valid: it finds or creates the user by the Clerk user id.
async fn write_late(world: &World, subject: &ClerkUserId) {
    sqlx::query("insert into users (clerk_id, email, name) values ($1, $2, 'Late')")
        .bind(subject.as_str())
        .bind(format!("{}@example.org", subject.as_str().to_lowercase()))
        .execute(world.pool())
        .await
        .unwrap();
}

/// Makes everything due that is due within so many seconds by the database's clock.
async fn pass(world: &World, seconds: i32) {
    sqlx::query(
        "update lethe.recheck set due_at = due_at - make_interval(secs => $1),
            next_attempt_at = next_attempt_at - make_interval(secs => $1)",
    )
    .bind(f64::from(seconds))
    .execute(world.pool())
    .await
    .unwrap();
}

#[tokio::test]
async fn rows_that_come_after_a_deletion_are_erased_and_counted() {
    let world = World::start().await;
    let lethe = world.at_fixed_time();
    let (ada, unknown) = (subject(0), ClerkUserId::parse("user_2withoutanyrows0000000001").unwrap());
    let request = erase(&world, &lethe, &ada).await;
    let empty = erase(&world, &lethe, &unknown).await;
    let receipt = deletion::receipt(&lethe, &request.receipt).await.unwrap();
    assert!(receipt.finished_at.is_some(), "the receipt doesn't wait");
    assert_eq!(receipt.rechecks.len(), 2);
    let users = |receipt: &deletion::Receipt| {
        let line = receipt.results.iter().map(|result| &result.line).find(|line| line.table == "public.users");
        line.map_or(0, |line| if line.outcome == Outcome::Deleted { line.rows } else { 0 })
    };
    let before = users(&receipt);

    // A token may live as long as that.
    write_late(&world, &ada).await;
    pass(&world, 60).await;
    assert_eq!(recheck::recheck_due(&lethe).await.unwrap(), recheck::Rechecked::default());
    pass(&world, 5).await;
    let rechecked = recheck::recheck_due(&lethe).await.unwrap();
    assert_eq!((rechecked.done, rechecked.rows, rechecked.failed), (2, 1, 0));
    assert!(world.rows_of(&ada).await["users"].is_empty());

    // A background job.
    write_late(&world, &ada).await;
    pass(&world, 24 * 60 * 60).await;
    let rechecked = recheck::recheck_due(&lethe).await.unwrap();
    assert_eq!((rechecked.done, rechecked.rows, rechecked.failed), (2, 1, 0));
    assert!(world.rows_of(&ada).await["users"].is_empty());

    let receipt = deletion::receipt(&lethe, &request.receipt).await.unwrap();
    assert_eq!(users(&receipt), before + 2, "the receipt counts them");
    let found: Vec<_> = receipt.rechecks.iter().map(|recheck| recheck.rows_erased).collect();
    assert_eq!(found, [1, 1]);
    assert!(receipt.rechecks.iter().all(|recheck| recheck.finished_at.is_some()));
    let empty = deletion::receipt(&lethe, &empty.receipt).await.unwrap();
    assert!(empty.rechecks.iter().all(|recheck| recheck.finished_at.is_some() && recheck.rows_erased == 0));
    let stored: i64 = sqlx::query_scalar("select count(*) from lethe.recheck where clerk_id is not null")
        .fetch_one(world.pool())
        .await
        .unwrap();
    assert_eq!(stored, 0, "the id is forgotten");
}

#[tokio::test]
async fn recheck_that_fails_is_retried_and_alerts_operators() {
    let world = World::start().await;
    let lethe = world.at_fixed_time();
    let request = erase(&world, &lethe, &subject(0)).await;
    let other = erase(&world, &lethe, &subject(2)).await;
    write_late(&world, &subject(0)).await;
    for statement in [
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not now'; end $$",
        "create trigger refuse before delete on users for each row execute function refuse()",
    ] {
        sqlx::query(statement).execute(world.pool()).await.unwrap();
    }
    let _working = world.start_worker();
    pass(&world, 120).await;
    let rechecked = recheck::recheck_due(&lethe).await.unwrap();
    assert_eq!((rechecked.done, rechecked.failed), (1, 1), "the other one is done");
    assert_eq!(recheck::recheck_due(&lethe).await.unwrap().failed, 0, "the next attempt waits");
    for _ in 0..2 {
        pass(&world, 60 * 60).await;
        recheck::recheck_due(&lethe).await.unwrap();
    }
    let attention = inspection::list(&lethe, &[State::Attention], None, 10).await.unwrap().deletions;
    assert_eq!(attention.len(), 1);
    assert_eq!(attention[0].current.as_ref().unwrap().work, inspection::Work::Recheck);
    eventually("an alert", async || {
        world.inbox.messages().await.iter().any(|mail| format!("{mail:?}").contains("Step: recheck"))
    })
    .await;
    let other = inspection::details(&lethe, &Reference::Request(other.id)).await.unwrap().unwrap();
    assert!(other.rechecks[0].finished_at.is_some());

    sqlx::query("drop trigger refuse on users").execute(world.pool()).await.unwrap();
    let retry = inspection::retry(&lethe, &Reference::Request(request.id)).await.unwrap().unwrap();
    assert_eq!(retry.rechecks, 1);
    assert_eq!(recheck::recheck_due(&lethe).await.unwrap().done, 1);
    assert!(world.rows_of(&subject(0)).await["users"].is_empty());
    assert!(inspection::list(&lethe, &[State::Attention], None, 10).await.unwrap().deletions.is_empty());
}
