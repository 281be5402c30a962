//! An erasure that meets locks, a deadlock, a missing privilege, or takes long.

use std::time::{Duration, Instant};

use lethe::connection::TimeLimits;
use lethe::deletion::{self, Advance, Reference, Status, inspection};
use sqlx::{AssertSqlSafe, PgConnection};

use super::{TIMEOUT, request};
use crate::world::{World, eventually, subject};

/// Executes the steps before the erasure.
async fn advance_to_erasure(world: &World, request: uuid::Uuid) {
    for _ in 0..2 {
        assert_eq!(deletion::advance(&world.lethe, request).await.unwrap(), Advance::StepDone);
    }
}

async fn failure_of(world: &World, request: uuid::Uuid) -> &'static str {
    let details = inspection::details(&world.lethe, &Reference::Request(request)).await.unwrap().unwrap();
    details.steps[2].failure.unwrap().name()
}

/// Makes a trigger execute this statement when posts are deleted, as one of the application does.
async fn when_posts_are_deleted(world: &World, statement: &str) {
    let trigger = format!(
        "create function lethe.react() returns trigger language plpgsql as $$ begin {statement}; return null; end $$;
        create trigger reaction after delete on public.posts for each statement execute function lethe.react();"
    );
    sqlx::raw_sql(AssertSqlSafe(trigger)).execute(world.pool()).await.unwrap();
}

#[tokio::test]
async fn erasure_waits_for_a_lock_no_longer_than_its_limit_and_goes_on_afterwards() {
    let world = World::start().await;
    let request = request(&world.lethe, 0).await.unwrap();
    advance_to_erasure(&world, request).await;
    // However often it was locked before, operators aren't alerted in the first half hour.
    sqlx::query("update lethe.deletion_step set attempts = 20").execute(world.pool()).await.unwrap();
    let mut application = world.pool().begin().await.unwrap();
    sqlx::query("select from users where clerk_id = $1 for update")
        .bind(subject(0).as_str())
        .execute(&mut *application)
        .await
        .unwrap();

    let started = Instant::now();
    assert_eq!(deletion::advance(&world.lethe, request).await.unwrap(), Advance::RetryLater);
    let waited = started.elapsed();
    let limit = TimeLimits::ERASURE.lock;
    assert!(waited >= limit && waited < limit + Duration::from_secs(4), "{waited:?}");
    let progress = deletion::progress(&world.lethe, request).await.unwrap();
    assert_eq!((progress.steps[2].status, progress.needs_attention), (Status::Retrying, false));
    assert_eq!(failure_of(&world, request).await, "rows_locked");

    application.commit().await.unwrap();
    sqlx::query("update lethe.deletion_step set next_attempt_at = null").execute(world.pool()).await.unwrap();
    assert!(deletion::run(&world.lethe, request, TIMEOUT).await.unwrap().finished);
}

#[tokio::test]
async fn deadlock_with_the_application_is_retried_without_an_alert() {
    let world = World::start().await;
    let request = request(&world.lethe, 0).await.unwrap();
    advance_to_erasure(&world, request).await;
    let mut application = world.pool().begin().await.unwrap();
    let lock = async |application: &mut PgConnection, query: &'static str| {
        sqlx::query(query).bind(subject(0).as_str()).execute(application).await.unwrap();
    };
    lock(&mut application, "select from posts where author_id = $1 for update").await;
    let lethe = world.lethe.clone();
    let erasing = tokio::spawn(async move { deletion::advance(&lethe, request).await.unwrap() });
    eventually("the erasure waits", async || {
        let waiting =
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(world.pool()).await.unwrap() == 1
    })
    .await;
    // The erasure has this row. It waited first, so it is the one that Postgres ends.
    lock(&mut application, "select from users where clerk_id = $1 for update").await;
    assert_eq!(erasing.await.unwrap(), Advance::RetryLater);
    assert_eq!(failure_of(&world, request).await, "rows_locked");
    application.commit().await.unwrap();
    eventually("the deletion ends", async || deletion::run(&world.lethe, request, TIMEOUT).await.unwrap().finished)
        .await;
    assert!(!deletion::progress(&world.lethe, request).await.unwrap().needs_attention);
}

/// Whoever asks for a deletion waits for ten seconds, and the erasure takes longer.
#[tokio::test]
async fn step_goes_on_when_its_caller_stops_waiting() {
    let world = World::start().await;
    let request = request(&world.lethe, 0).await.unwrap();
    when_posts_are_deleted(&world, "perform pg_sleep(3)").await;
    assert!(!deletion::run(&world.lethe, request, Duration::from_secs(2)).await.unwrap().finished);
    eventually("the step ends", async || {
        let details = inspection::details(&world.lethe, &Reference::Request(request)).await.unwrap().unwrap();
        details.steps[2].status == Status::Done && details.steps[2].attempts == 1
    })
    .await;
    assert!(deletion::run(&world.lethe, request, TIMEOUT).await.unwrap().finished);
}

/// As a trigger of the application does that writes to a table of its own.
#[tokio::test]
async fn erasure_goes_on_within_a_minute_after_a_privilege_is_granted() {
    let world = World::start().await;
    let request = request(&world.lethe, 0).await.unwrap();
    advance_to_erasure(&world, request).await;
    let refusal = "raise insufficient_privilege using message = 'permission denied for table post_history'";
    when_posts_are_deleted(&world, refusal).await;
    assert_eq!(deletion::advance(&world.lethe, request).await.unwrap(), Advance::RetryLater);
    assert_eq!(failure_of(&world, request).await, "privilege_missing");
    assert!(deletion::progress(&world.lethe, request).await.unwrap().needs_attention);
    let due_soon = "select next_attempt_at between now() + interval '50 s' and now() + interval '1 min'
        from lethe.deletion_step where request_id = $1 and step = 'application_data'";
    assert!(sqlx::query_scalar::<_, bool>(due_soon).bind(request).fetch_one(world.pool()).await.unwrap());
    sqlx::raw_sql("drop trigger reaction on public.posts").execute(world.pool()).await.unwrap();
    sqlx::query("update lethe.deletion_step set next_attempt_at = now()").execute(world.pool()).await.unwrap();
    assert_eq!(deletion::advance(&world.lethe, request).await.unwrap(), Advance::StepDone);
}

/// The erasure takes six seconds, and for five of them the database refuses to renew its lease.
#[tokio::test]
async fn lease_that_is_not_renewed_at_once_ends_no_erasure() {
    let world = World::start().await;
    let request = request(&world.lethe, 0).await.unwrap();
    advance_to_erasure(&world, request).await;
    sqlx::raw_sql(
        "create sequence lethe.refused_renewal;
        create table lethe.refusal_ends as select clock_timestamp() + interval '5 s' as at;
        create function lethe.refuse_renewal() returns trigger language plpgsql as $$ begin
            if clock_timestamp() < (select at from lethe.refusal_ends) then
                perform nextval('lethe.refused_renewal');
                raise 'out of order';
            end if;
            return new;
        end $$;
        create trigger refuse_renewal before update on lethe.deletion_step for each row
            when (old.status = 'running' and new.status = 'running') execute function lethe.refuse_renewal();",
    )
    .execute(world.pool())
    .await
    .unwrap();
    when_posts_are_deleted(&world, "perform pg_sleep(6)").await;
    assert_eq!(deletion::advance(&world.lethe, request).await.unwrap(), Advance::StepDone);
    let refused = "select last_value from lethe.refused_renewal where is_called";
    let refused: Option<i64> = sqlx::query_scalar(refused).fetch_optional(world.pool()).await.unwrap();
    assert!(refused.is_some_and(|renewals| renewals >= 2), "{refused:?}");
    let details = inspection::details(&world.lethe, &Reference::Request(request)).await.unwrap().unwrap();
    assert_eq!((details.steps[2].status, details.steps[2].attempts), (Status::Done, 1));
}
