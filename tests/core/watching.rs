//! What operators learn, and when: due dates, repeated alerts, scheduled jobs that fail, orphans, unusual events.

use std::time::Duration;

use lethe::clerk::webhook::Event;
use lethe::consent;
use lethe::deletion::{self, Hold, NewRequest, Origin, Reference, Status, clerk_events, due_dates, orphans};
use lethe::{Lethe, deletion::inspection};
use lethe_demo::testing::Fault;
use time::Duration as Span;

use crate::world::{RunningWorker, World, eventually, subject};

const TIMEOUT: Duration = Duration::from_secs(20);

fn by(subject: &lethe::ClerkUserId) -> NewRequest<'_> {
    NewRequest { subject, origin: Origin::Api, confirmed_plan: None, contact: None, idempotency_key: None }
}

async fn mails(world: &World, text: &str) -> usize {
    world.inbox.messages().await.iter().filter(|mail| format!("{mail:?}").contains(text)).count()
}

/// How many alerts wait or were sent, by the name of their job.
async fn queued(world: &World, name: &str) -> i64 {
    sqlx::query_scalar("select count(*) from lethe_jobs.jobs where task_identifier = $1")
        .bind(name)
        .fetch_one(world.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn due_dates_alert_a_week_before_on_the_day_and_afterwards() {
    let world = World::start().await;
    let lethe = world.at_fixed_time();
    let request = deletion::request(&lethe, by(&subject(0))).await.unwrap();
    let watch = async |days: i64| {
        lethe.clock.advance(Span::days(days) + Span::MINUTE);
        due_dates::watch_due_dates(&lethe).await.unwrap()
    };
    assert_eq!(watch(22).await, 0);
    assert_eq!(watch(1).await, 1, "seven days before");
    assert_eq!(watch(1).await, 0, "once");
    assert_eq!(watch(5).await, 1, "on the day");
    let figures = due_dates::figures(&lethe).await.unwrap();
    assert_eq!((figures.open, figures.overdue), (1, 0));
    assert_eq!(watch(1).await, 1, "overdue");
    assert_eq!(watch(0).await, 0, "the pause grows");
    assert_eq!(watch(3).await, 1, "it is still overdue");
    let figures = due_dates::figures(&lethe).await.unwrap();
    assert_eq!((figures.open, figures.overdue), (1, 1));
    assert!(figures.oldest_seconds > 32.0 * 86_400.0, "{figures:?}");
    assert_eq!(queued(&world, "send_notice").await, 4);

    // Otherwise it may be done before the mail is written, which is then about nothing.
    let held = deletion::hold(&lethe, &Reference::Request(request.id), "a court order").await.unwrap();
    assert_eq!(held, Some(Hold::Held));
    let _working = RunningWorker::start(&lethe);
    let command = format!("lethe deletions show {}", request.id);
    eventually("an e-mail", async || mails(&world, &command).await > 0).await;
}

#[tokio::test]
async fn jobs_that_keep_failing_alert_operators_once() {
    let world = World::start().await;
    let choice = consent::Choice { purpose: "marketing".to_owned(), granted: true };
    consent::set(&world.lethe, &subject(0), &[choice], consent::Source::Page, false).await.unwrap();
    let watch = async || due_dates::watch_due_dates(&world.lethe).await.unwrap();
    watch().await;
    assert_eq!(queued(&world, "send_notice").await, 0, "it has not failed yet");
    sqlx::query("update lethe_jobs._private_jobs set attempts = 8, run_at = now() + interval '1 hour'")
        .execute(world.pool())
        .await
        .unwrap();
    for _ in 0..2 {
        watch().await;
        assert_eq!(queued(&world, "send_notice").await, 1);
    }
    let _working = world.start_worker();
    eventually("an e-mail", async || mails(&world, "mirror_consent").await > 0).await;
}

/// Makes the next attempt of every step due now.
async fn make_due(world: &World) {
    sqlx::query("update lethe.deletion_step set next_attempt_at = null").execute(world.pool()).await.unwrap();
}

#[tokio::test]
async fn alerts_repeat_with_growing_pauses_and_at_once_for_a_new_cause() {
    let world = World::start().await;
    let lethe = world.at_fixed_time();
    let request = deletion::request(&lethe, by(&subject(0))).await.unwrap();
    let fail = |operation: &str| {
        world.clerk.fail(Fault { operation: Some(operation.to_owned()), status: Some(400), ..Fault::default() });
    };
    fail("GET /v1/sessions");
    let alerts = async || -> i64 {
        sqlx::query_scalar("select coalesce(sum(sent), 0)::int8 from lethe.alert")
            .fetch_one(world.pool())
            .await
            .unwrap()
    };
    let attempt = async |lethe: &Lethe, pause: Span| {
        lethe.clock.advance(pause);
        // Attempts are due by the database's clock, which stands still in comparison.
        make_due(&world).await;
        deletion::advance(lethe, request.id).await.unwrap();
    };
    for _ in 0..5 {
        attempt(&lethe, Span::minutes(1)).await;
    }
    assert_eq!(alerts().await, 1, "after five attempts");
    attempt(&lethe, Span::minutes(30)).await;
    assert_eq!(alerts().await, 1);
    attempt(&lethe, Span::minutes(31)).await;
    assert_eq!(alerts().await, 2, "an hour later");
    attempt(&lethe, Span::hours(2)).await;
    assert_eq!(alerts().await, 2);
    attempt(&lethe, Span::hours(23)).await;
    assert_eq!(alerts().await, 3, "a day later");
    // Another step fails for another reason.
    world.clerk.recover();
    for _ in 0..20 {
        if deletion::progress(&lethe, request.id).await.unwrap().steps[2].status == Status::Done {
            break;
        }
        attempt(&lethe, Span::minutes(20)).await;
    }
    assert_eq!(alerts().await, 3);
    sqlx::query("create table public.surprise (id int primary key, user_id text)").execute(world.pool()).await.unwrap();
    attempt(&lethe, Span::minutes(20)).await;
    assert_eq!(alerts().await, 4, "at once");
    sqlx::query("drop table public.surprise").execute(world.pool()).await.unwrap();
    make_due(&world).await;
    assert!(deletion::run(&lethe, request.id, TIMEOUT).await.unwrap().finished);
    assert_eq!(alerts().await, 0, "forgotten with the deletion");
}

#[tokio::test]
async fn orphans_are_searched_for_and_reported_without_a_change() {
    let world = World::start().await;
    let _working = world.start_worker();
    orphans::search_on_schedule(&world.lethe).await.unwrap();
    assert_eq!(queued(&world, "send_notice").await, 0);
    world.clerk.delete_user(subject(0).as_str()).await;
    let rows = world.rows_of(&subject(0)).await;
    for _ in 0..3 {
        orphans::search_on_schedule(&world.lethe).await.unwrap();
    }
    eventually("an e-mail", async || mails(&world, "know 1 of 8 users").await == 1).await;
    assert_eq!(world.rows_of(&subject(0)).await, rows);
    for index in 1..8 {
        world.clerk.delete_user(subject(index).as_str()).await;
    }
    orphans::search_on_schedule(&world.lethe).await.unwrap();
    eventually("an e-mail", async || mails(&world, "CLERK_SECRET_KEY is probably").await == 1).await;
    assert_eq!(mails(&world, "users without an account").await, 0);
}

#[tokio::test]
async fn scheduled_job_that_fails_has_its_own_attempts_reason_and_alert() {
    let world = World::start().await;
    world.clerk.fail(Fault { status: Some(503), ..Fault::default() });
    let _working = world.start_worker();
    let enqueue = "select lethe_jobs.add_job('search_orphans', '{}', max_attempts => 1)";
    let attempts = async || -> Option<(i32, String)> {
        sqlx::query_as("select attempts, failure from lethe.schedule_failure where name = 'search_orphans'")
            .fetch_optional(world.pool())
            .await
            .unwrap()
    };
    for attempt in 1..=3 {
        sqlx::query(enqueue).execute(world.pool()).await.unwrap();
        eventually("a failed attempt", async || attempts().await.is_some_and(|(count, _)| count == attempt)).await;
    }
    assert_eq!(attempts().await.unwrap().1, "clerk_failed");
    eventually("an alert", async || mails(&world, "The scheduled job search_orphans has failed 3 times").await == 1)
        .await;
    // Others go on.
    sqlx::query("select lethe_jobs.add_job('delete_leftovers', '{}')").execute(world.pool()).await.unwrap();
    eventually("another job", async || queued(&world, "delete_leftovers").await == 0).await;
    world.clerk.recover();
    sqlx::query(enqueue).execute(world.pool()).await.unwrap();
    eventually("it is over", async || attempts().await.is_none()).await;
}

#[tokio::test]
async fn events_that_wait_are_dated_from_their_receipt_and_skip_users_whom_clerk_has() {
    let world = World::start().await;
    let lethe = world.with_clerk_deletions_per_hour(2);
    for index in 0..5 {
        let event = Event::UserDeleted { id: Some(subject(index)) };
        if index != 4 {
            world.clerk.delete_user(subject(index).as_str()).await;
        }
        clerk_events::receive(&lethe, &format!("msg_{index}"), &event).await.unwrap();
    }
    assert_eq!(clerk_events::waiting(&lethe).await.unwrap(), 3);
    assert_eq!(inspection::list(&lethe, &[inspection::State::Open], None, 10).await.unwrap().deletions.len(), 2);
    let _working = world.start_worker();
    eventually("an alert", async || mails(&world, "lethe deletions resume-clerk-events").await == 1).await;
    sqlx::query("update lethe.held_clerk_event set received_at = received_at - interval '3 days'")
        .execute(world.pool())
        .await
        .unwrap();
    sqlx::query("update lethe.deletion_request set requested_at = requested_at - interval '2 hours'")
        .execute(world.pool())
        .await
        .unwrap();
    // The number is usual again, but they were to wait.
    let event = Event::UserDeleted { id: Some(subject(3)) };
    clerk_events::receive(&lethe, "msg_again", &event).await.unwrap();
    assert_eq!(clerk_events::waiting(&lethe).await.unwrap(), 3);
    let resumed = clerk_events::resume(&lethe).await.unwrap();
    assert_eq!(resumed, clerk_events::Resumed { requested: 2, obsolete: 0, still_at_clerk: 1 });
    let dated: i64 = sqlx::query_scalar(
        "select count(*) from lethe.deletion_request
        where requested_at < now() - interval '2 days' and due_at = requested_at + interval '30 days'",
    )
    .fetch_one(world.pool())
    .await
    .unwrap();
    assert_eq!(dated, 2);
    assert_eq!(clerk_events::discard(&lethe).await.unwrap(), 1);
    assert_eq!(clerk_events::waiting(&lethe).await.unwrap(), 0);
    eventually("the erasures", async || world.rows_of(&subject(3)).await["users"].is_empty()).await;
    assert!(!world.rows_of(&subject(4)).await["users"].is_empty());
}
