//! The job queue: kinds of work don't starve each other, nothing is added twice, and Clerk's return wakes what waits.

use std::time::{Duration, Instant};

use lethe::consent::{self, Choice, Source};
use lethe::deletion::{self, NewRequest, Origin, Status, Step};
use lethe::queue;
use lethe_demo::testing::Fault;
use sqlx::postgres::PgPoolOptions;

use crate::world::{RunningWorker, World, eventually, subject};

const TIMEOUT: Duration = Duration::from_secs(20);

fn by(subject: &lethe::ClerkUserId) -> NewRequest<'_> {
    let contact = Some("ada@example.org");
    NewRequest { subject, origin: Origin::Api, confirmed_plan: None, contact, idempotency_key: None }
}

fn choice(granted: bool) -> Choice {
    Choice { purpose: "marketing".to_owned(), granted }
}

async fn count(world: &World, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(world.pool()).await.unwrap()
}

/// Each fetch of a local queue once ended the pause after it, which kept a processor busy.
#[tokio::test]
async fn idle_worker_hardly_asks_the_database() {
    let world = World::start().await;
    let _working = world.start_worker();
    let transactions = "select xact_commit from pg_stat_database where datname = current_database()";
    // On a busy machine, what it does at its start is counted late.
    let mut fewest = i64::MAX;
    for _ in 0..5 {
        let before = count(&world, transactions).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        fewest = fewest.min(count(&world, transactions).await - before);
        if fewest < 200 {
            return;
        }
    }
    panic!("at least {fewest} transactions in four seconds");
}

/// As many deletions as there are slots hang at a table that the application has locked.
#[tokio::test]
async fn deletions_that_hang_keep_nothing_else_from_going_on() {
    let world = World::start().await;
    let pool = PgPoolOptions::new().max_connections(30).connect(world.database.url()).await.unwrap();
    let lethe = world.with_pool(pool);
    consent::set(&lethe, &subject(7), &[choice(true)], Source::Page, false).await.unwrap();
    // One is erased before, but its receipt isn't sent yet.
    let erased = deletion::request(&lethe, by(&subject(6))).await.unwrap();
    assert!(deletion::run(&lethe, erased.id, TIMEOUT).await.unwrap().finished);

    for index in 0..5 {
        deletion::request(&lethe, by(&subject(index))).await.unwrap();
    }
    let mut application = world.pool().begin().await.unwrap();
    sqlx::query("lock table users in access exclusive mode").execute(&mut *application).await.unwrap();
    let _working = RunningWorker::start(&lethe);
    eventually("every slot hangs", async || {
        let hanging = "select count(*) from lethe.deletion_step where step = 'application_data' and status = 'running'";
        count(&world, hanging).await == 4
    })
    .await;

    let began = Instant::now();
    consent::set(&lethe, &subject(7), &[choice(false)], Source::Page, false).await.unwrap();
    eventually("the withdrawal at Clerk", async || {
        let user = world.clerk.user(subject(7).as_str()).await.unwrap();
        user["public_metadata"]["consent"]["marketing"] == false
    })
    .await;
    eventually("the receipt", async || !world.inbox.messages().await.is_empty()).await;
    eventually("the chain", async || count(&world, "select count(*) from lethe.audit_pending").await == 0).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    application.rollback().await.unwrap();
}

#[tokio::test]
async fn clerks_return_wakes_what_waits_and_withdrawals_first() {
    let world = World::start().await;
    let _working = world.start_worker();
    let mut people: Vec<_> = (0..6).map(subject).collect();
    let deleted = people.pop().unwrap();
    world.clerk.fail(Fault { status: Some(503), ..Fault::default() });
    for (index, person) in people.iter().enumerate() {
        consent::set(&world.lethe, person, &[choice(index != 4)], Source::Page, false).await.unwrap();
    }
    let request = deletion::request(&world.lethe, by(&deleted)).await.unwrap();
    eventually("everything waits", async || {
        let delayed = count(&world, "select count(*) from lethe.data_subject where mirror_delayed_since is not null");
        delayed.await == 5
            && deletion::progress(&world.lethe, request.id).await.unwrap().steps[0].status == Status::Retrying
    })
    .await;
    // As after hours of outage: the next attempts are far away.
    for statement in [
        "update lethe_jobs._private_jobs set run_at = now() + interval '6 hours'",
        "update lethe.deletion_step set next_attempt_at = now() + interval '15 minutes' where next_attempt_at is not null",
    ] {
        sqlx::query(statement).execute(world.pool()).await.unwrap();
    }
    world.clerk.recover();
    let began = Instant::now();
    eventually("the mirrors and the deletion", async || {
        let delayed = count(&world, "select count(*) from lethe.data_subject where mirror_delayed_since is not null");
        delayed.await == 0
            && deletion::progress(&world.lethe, request.id).await.unwrap().steps[0].status == Status::Done
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(15), "ten seconds, and the calls: {:?}", began.elapsed());
    let user = world.clerk.user(people[4].as_str()).await.unwrap();
    assert_eq!(user["public_metadata"]["consent"]["marketing"], false);
}

#[tokio::test]
async fn delayed_withdrawals_have_the_highest_priority() {
    let world = World::start().await;
    for (index, granted) in [(0, true), (1, false), (2, true)] {
        consent::set(&world.lethe, &subject(index), &[choice(granted)], Source::Page, false).await.unwrap();
    }
    sqlx::query("update lethe.data_subject set mirror_delayed_since = now()").execute(world.pool()).await.unwrap();
    sqlx::query("update lethe_jobs._private_jobs set run_at = now() + interval '6 hours'")
        .execute(world.pool())
        .await
        .unwrap();
    assert_eq!(consent::make_delayed_due(&world.lethe).await.unwrap(), 3);
    let order: Vec<(String, bool)> = sqlx::query_as(
        "select person.clerk_id, job.run_at <= now() from lethe_jobs.jobs job
        join lethe.data_subject person on job.key = 'mirror_consent:' || person.id order by job.priority, job.run_at",
    )
    .fetch_all(world.pool())
    .await
    .unwrap();
    assert_eq!(order[0].0, subject(1).as_str());
    assert!(order.len() == 3 && order.iter().all(|(_, is_due)| *is_due));
}

#[tokio::test]
async fn resuming_adds_no_job_that_exists() {
    let world = World::start().await;
    let mut requests = Vec::new();
    for index in 0..4 {
        requests.push(deletion::request(&world.lethe, by(&subject(index))).await.unwrap().id);
    }
    let revisions = "select coalesce(sum(revision + id), 0)::int8 from lethe_jobs.jobs";
    let before = count(&world, revisions).await;
    assert_eq!(deletion::resume_all(&world.lethe).await.unwrap(), 0);
    assert_eq!(count(&world, revisions).await, before);
    // One runs in a process that lives, one in a process that died, one lost its job.
    let (living, dead, lost) = (requests[0], requests[1], requests[2]);
    for (request, leased) in [(living, "1 minute"), (dead, "-1 minute")] {
        sqlx::query(
            "update lethe_jobs._private_jobs set locked_at = now(), locked_by = 'a worker' where key = 'advance_deletion:' || $1",
        )
        .bind(request.to_string())
        .execute(world.pool())
        .await
        .unwrap();
        sqlx::query(
            "update lethe.deletion_step set status = 'running', leased_until = now() + $2::text::interval
            where request_id = $1 and position = 0",
        )
        .bind(request)
        .bind(leased)
        .execute(world.pool())
        .await
        .unwrap();
    }
    sqlx::query("delete from lethe_jobs._private_jobs where key = 'advance_deletion:' || $1")
        .bind(lost.to_string())
        .execute(world.pool())
        .await
        .unwrap();
    assert_eq!(deletion::resume_all(&world.lethe).await.unwrap(), 2);
    assert_eq!(deletion::resume_all(&world.lethe).await.unwrap(), 0);
}

#[tokio::test]
async fn jobs_that_never_run_again_are_not_counted_and_are_deleted() {
    let world = World::start().await;
    let request = deletion::request(&world.lethe, by(&subject(0))).await.unwrap();
    // It runs, is replaced, and then fails.
    let lock = "update lethe_jobs._private_jobs set locked_at = now(), locked_by = 'a worker', attempts = 1";
    sqlx::query(lock).execute(world.pool()).await.unwrap();
    deletion::inspection::retry(&world.lethe, &deletion::Reference::Request(request.id)).await.unwrap();
    let fail = "update lethe_jobs._private_jobs set locked_at = null, locked_by = null where locked_at is not null";
    sqlx::query(fail).execute(world.pool()).await.unwrap();
    assert_eq!(count(&world, "select count(*) from lethe_jobs.jobs").await, 2);
    assert_eq!(queue::backlog(world.pool()).await.unwrap(), (1, 0));
    queue::delete_leftovers(world.pool()).await.unwrap();
    assert_eq!(count(&world, "select count(*) from lethe_jobs.jobs").await, 1);
}

#[tokio::test]
async fn deletion_removes_the_queued_copy_of_consent() {
    let world = World::start().await;
    consent::set(&world.lethe, &subject(0), &[choice(true)], Source::Page, false).await.unwrap();
    let queued = "select count(*) from lethe_jobs.jobs where key like 'mirror_consent:%'";
    assert_eq!(count(&world, queued).await, 1);
    let request = deletion::request(&world.lethe, by(&subject(0))).await.unwrap();
    for _ in 0..2 {
        deletion::advance(&world.lethe, request.id).await.unwrap();
    }
    let progress = deletion::progress(&world.lethe, request.id).await.unwrap();
    assert_eq!((progress.steps[1].step, progress.steps[1].status), (Step::PendingWork, Status::Done));
    assert_eq!(count(&world, queued).await, 0);
}

#[tokio::test]
async fn changed_consent_sends_no_notification_and_replaces_the_waiting_job() {
    let world = World::start().await;
    // A worker does this when it starts.
    sqlx::query("insert into lethe_jobs._private_tasks (identifier) values ('mirror_consent')")
        .execute(world.pool())
        .await
        .unwrap();
    let mut listener = sqlx::postgres::PgListener::connect_with(world.pool()).await.unwrap();
    listener.listen("jobs:insert").await.unwrap();
    for granted in [true, false] {
        consent::set(&world.lethe, &subject(0), &[choice(granted)], Source::Page, false).await.unwrap();
        // As if the row that says that a copy waits had been read by a job that then failed.
        sqlx::query("delete from lethe.consent_mirror").execute(world.pool()).await.unwrap();
    }
    assert_eq!(count(&world, "select count(*) from lethe_jobs.jobs where key like 'mirror_consent:%'").await, 1);
    let notified = tokio::time::timeout(Duration::from_millis(300), listener.recv()).await;
    assert!(notified.is_err(), "{notified:?}");
}

/// The entry with the smaller number is committed while a copy with the greater one is on its way to Clerk.
#[tokio::test]
async fn copy_of_consent_has_entries_that_were_committed_out_of_order() {
    let world = World::start().await;
    let analytics = Choice { purpose: "analytics".to_owned(), granted: false };
    consent::set(&world.lethe, &subject(0), &[analytics], Source::Page, false).await.unwrap();
    let mut late = world.pool().begin().await.unwrap();
    sqlx::query(
        "insert into lethe.consent_entry (subject_id, purpose, granted, text_version, text_hash, source, recorded_at)
        select subject_id, purpose, true, text_version, text_hash, source, now() from lethe.consent_entry",
    )
    .execute(&mut *late)
    .await
    .unwrap();
    consent::set(&world.lethe, &subject(0), &[choice(true)], Source::Page, false).await.unwrap();
    world.clerk.fail(Fault {
        operation: Some("PATCH /v1/users/{user_id}/metadata".to_owned()),
        latency: 1_500,
        times: Some(1),
        ..Fault::default()
    });
    let _working = world.start_worker();
    eventually("the copy is on its way", async || world.clerk.requests("PATCH /v1/users/{user_id}/metadata") == 1)
        .await;
    late.commit().await.unwrap();
    eventually("both are at Clerk", async || {
        let user = world.clerk.user(subject(0).as_str()).await.unwrap();
        let consent = &user["public_metadata"]["consent"];
        consent["marketing"] == true && consent["analytics"] == true
    })
    .await;
}
