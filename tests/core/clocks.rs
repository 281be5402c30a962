//! A server whose clock is wrong by minutes: leases and due times are those of the database's clock.

use std::time::Duration as Limit;

use lethe::deletion::{self, Advance, NewRequest, Origin, retention};
use lethe::{Clock, Lethe};
use lethe_demo::testing::Fault;
use time::Duration;

use crate::world::{RunningWorker, World, eventually, subject};

const TIMEOUT: Limit = Limit::from_secs(20);

async fn request(lethe: &Lethe) -> uuid::Uuid {
    let subject = subject(1);
    let new = NewRequest {
        subject: &subject,
        origin: Origin::Api,
        confirmed_plan: None,
        contact: Some("ada@example.org"),
        idempotency_key: None,
    };
    deletion::request(lethe, new).await.unwrap().id
}

/// The installation on a server whose clock is wrong by so much.
fn off_by(world: &World, minutes: i64) -> Lethe {
    world.with_clock(Clock::fixed(world.lethe.clock.now() + Duration::minutes(minutes)))
}

/// The next call of Clerk fails.
fn fail_once(world: &World) {
    world.clerk.fail(Fault { times: Some(1), status: Some(400), ..Fault::default() });
}

#[tokio::test]
async fn clock_that_is_ahead_takes_no_step_over() {
    let world = World::start().await;
    let request = request(&world.lethe).await;
    world.clerk.fail(Fault { latency: 1_000, times: Some(1), ..Fault::default() });
    let lethe = world.lethe.clone();
    let working = tokio::spawn(async move { deletion::advance(&lethe, request).await.unwrap() });
    eventually("the step runs", async || {
        let running = "select count(*) from lethe.deletion_step where status = 'running'";
        sqlx::query_scalar::<_, i64>(running).fetch_one(world.pool()).await.unwrap() == 1
    })
    .await;
    let ahead = off_by(&world, 10);
    assert_eq!(deletion::advance(&ahead, request).await.unwrap(), Advance::LeasedElsewhere);
    assert_eq!(working.await.unwrap(), Advance::StepDone);
}

#[tokio::test]
async fn clock_that_is_behind_delays_no_retry() {
    let world = World::start().await;
    let request = request(&world.lethe).await;
    fail_once(&world);
    assert_eq!(deletion::advance(&world.lethe, request).await.unwrap(), Advance::RetryLater);
    let behind = off_by(&world, -10);
    eventually("the deletion ends", async || deletion::run(&behind, request, TIMEOUT).await.unwrap().finished).await;
}

/// A failed attempt is repeated by the queue after a second, whatever the server's clock says.
#[tokio::test]
async fn job_is_due_by_the_databases_clock() {
    for minutes in [-10, 10] {
        let world = World::start().await;
        let wrong = off_by(&world, minutes);
        fail_once(&world);
        let request = request(&wrong).await;
        let _working = RunningWorker::start(&wrong);
        eventually("the deletion ends", async || deletion::progress(&wrong, request).await.unwrap().finished).await;
    }
}

#[tokio::test]
async fn retention_ends_by_the_databases_clock() {
    let world = World::start().await;
    let request = request(&world.lethe).await;
    assert!(deletion::run(&world.lethe, request, TIMEOUT).await.unwrap().finished);
    let due_in = async |minutes: i32| {
        sqlx::query("update lethe.retention set due_at = now() + make_interval(mins => $1)")
            .bind(minutes)
            .execute(world.pool())
            .await
            .unwrap();
    };
    due_in(5).await;
    let early = retention::purge_expired(&off_by(&world, 10)).await.unwrap();
    assert_eq!(early.expired + early.failed, 0, "{early:?}");
    due_in(-5).await;
    let due = retention::purge_expired(&off_by(&world, -10)).await.unwrap();
    assert!(due.expired > 0, "{due:?}");
}
