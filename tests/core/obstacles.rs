//! What would stop an erasure halfway is noticed before anything has happened; and what waits for the map goes on with it.

use std::time::Duration;

use lethe::deletion::inspection::{self, DeletionDetails};
use lethe::deletion::{self, Failure, NewRequest, Origin, Reference, Status, Woken, recheck, retention};
use lethe::drift::{self, Fit};
use lethe::{ClerkUserId, Lethe};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::world::{World, eventually, subject};

const TIMEOUT: Duration = Duration::from_secs(20);
const SAMPLE: &str = include_str!("../../demo/data-map.toml");
const IGNORED: &str = "[[ignore]]\nname = \"public.queue\"\nreason = \"emptied every minute\"\n";
const RULE: &str = "[[table]]\nname = \"public.queue\"\nowner = \"user_id\"\nexport = \"all\"\nerase = \"delete\"\n";

/// The sample's map with another entry before its purposes.
fn map_with(entry: &str) -> String {
    SAMPLE.replacen("[[purpose]]", &format!("{entry}\n[[purpose]]"), 1)
}

async fn execute(world: &World, statements: &str) {
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(world.pool()).await.unwrap();
}

async fn request(lethe: &Lethe, subject: &ClerkUserId) -> Uuid {
    let new = NewRequest { subject, origin: Origin::Api, confirmed_plan: None, contact: None, idempotency_key: None };
    deletion::request(lethe, new).await.unwrap().id
}

async fn details(world: &World, request: Uuid) -> DeletionDetails {
    inspection::details(&world.lethe, &Reference::Request(request)).await.unwrap().unwrap()
}

/// The first step was refused: the person is signed in, and has their data.
async fn assert_nothing_happened(world: &World, request: Uuid, failure: Failure) {
    let details = details(world, request).await;
    assert_eq!((details.steps[0].status, details.steps[0].failure), (Status::Blocked, Some(failure)));
    assert_eq!(world.clerk.requests("POST /v1/sessions/{session_id}/revoke"), 0);
    assert!(deletion::progress(&world.lethe, request).await.unwrap().needs_attention);
}

#[tokio::test]
async fn user_id_in_a_table_without_a_rule_stops_the_deletion_before_its_first_step() {
    let world = World::start().await;
    execute(&world, "create table public.queue (id bigint primary key, user_id text)").await;
    let ignoring = world.with_map_text(&map_with(IGNORED));
    let ada = subject(0);
    world.clerk.sign_in(ada.as_str()).await;
    execute(&world, &format!("insert into public.queue values (1, '{}')", ada.as_str())).await;
    let is_obstructed = async |lethe: &Lethe, subject: &ClerkUserId| {
        deletion::preview_with_obstacles(lethe, subject).await.unwrap().is_obstructed
    };
    assert!(is_obstructed(&ignoring, &ada).await, "the page says it before anything is requested");
    assert!(!is_obstructed(&ignoring, &subject(1)).await);
    let mut busy = world.pool().begin().await.unwrap();
    sqlx::query("lock table public.queue in access exclusive mode").execute(&mut *busy).await.unwrap();
    assert!(!is_obstructed(&ignoring, &ada).await, "what can't be found out at once is left to the deletion");
    busy.rollback().await.unwrap();
    let before = world.rows_of(&ada).await;
    let deletion = request(&ignoring, &ada).await;
    assert!(!deletion::run(&ignoring, deletion, TIMEOUT).await.unwrap().finished);
    assert_nothing_happened(&world, deletion, Failure::RowsRemaining).await;
    assert_eq!(world.rows_of(&ada).await, before);

    // The operator gives the table a rule, and the map is read again.
    let ruling = world.with_map_text(&map_with(RULE));
    assert_eq!(drift::check(&ruling, None).await.unwrap(), Fit::Fits);
    eventually("it goes on by itself", async || deletion::run(&ruling, deletion, TIMEOUT).await.unwrap().finished)
        .await;
    let rows: i64 = sqlx::query_scalar("select count(*) from public.queue").fetch_one(world.pool()).await.unwrap();
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn forbidden_reference_of_another_person_stops_the_deletion_before_its_first_step() {
    let world = World::start().await;
    let forbidding = world.with_map_text(&SAMPLE.replacen("others = \"detach\"", "others = \"none\"", 1));
    let (ada, other) = (subject(0), subject(2));
    world.clerk.sign_in(ada.as_str()).await;
    execute(
        &world,
        &format!(
            "update public.comments set post_id = (select min(id) from public.posts where author_id = '{}')
            where id = (select min(id) from public.comments where author_id = '{}')",
            ada.as_str(),
            other.as_str()
        ),
    )
    .await;
    for (person, expected) in [(&ada, true), (&subject(1), false)] {
        let preview = deletion::preview_with_obstacles(&forbidding, person).await.unwrap();
        assert_eq!(preview.is_obstructed, expected, "the page says it before anything is requested");
    }
    let before = world.rows_of(&ada).await;
    let deletion = request(&forbidding, &ada).await;
    assert!(!deletion::run(&forbidding, deletion, TIMEOUT).await.unwrap().finished);
    assert_nothing_happened(&world, deletion, Failure::DataMapMismatch).await;
    assert_eq!(world.rows_of(&ada).await, before);
}

#[tokio::test]
async fn purges_that_wait_for_the_map_have_one_alert_and_go_on_with_it() {
    let world = World::start().await;
    let deletion = request(&world.lethe, &subject(1)).await;
    assert!(deletion::run(&world.lethe, deletion, TIMEOUT).await.unwrap().finished);
    execute(
        &world,
        "update lethe.retention set due_at = now();
        create table public.surprise (id bigint primary key, user_id text references public.users (clerk_id))",
    )
    .await;
    let _working = world.start_worker();
    for _ in 0..4 {
        assert!(retention::purge_expired(&world.lethe).await.unwrap().failed > 2);
        execute(&world, "update lethe.retention set next_attempt_at = now() where next_attempt_at is not null").await;
    }
    let alerts = async || {
        let mails = world.inbox.messages().await;
        let to_operators = mails.iter().filter(|mail| format!("{mail:?}").contains("operator@example.org"));
        to_operators.map(|mail| format!("{mail:?}").contains("public.surprise")).collect::<Vec<_>>()
    };
    eventually("an alert", async || !alerts().await.is_empty()).await;
    assert_eq!(alerts().await, [true], "one, about the map");

    execute(
        &world,
        "drop table public.surprise; update lethe.retention set next_attempt_at = now() + interval '1 day'",
    )
    .await;
    assert_eq!(drift::check(&world.lethe, Some(Fit::Mismatch)).await.unwrap(), Fit::Fits);
    eventually("the purges are done", async || {
        let left = "select count(*) from lethe.retention where finished_at is null";
        sqlx::query_scalar::<_, i64>(left).fetch_one(world.pool()).await.unwrap() == 0
    })
    .await;
}

#[tokio::test]
async fn what_waited_for_the_map_is_counted_by_its_kind() {
    let world = World::start().await;
    let (done, waiting) = (request(&world.lethe, &subject(1)).await, request(&world.lethe, &subject(0)).await);
    assert!(deletion::run(&world.lethe, done, TIMEOUT).await.unwrap().finished);
    let plan = deletion::preview(&world.lethe, &subject(2)).await.unwrap();
    execute(
        &world,
        "update lethe.retention set due_at = now();
        update lethe.recheck set due_at = now();
        create table public.surprise (id bigint primary key, user_id text references public.users (clerk_id))",
    )
    .await;
    assert!(!deletion::run(&world.lethe, waiting, TIMEOUT).await.unwrap().finished);
    let purges = retention::purge_expired(&world.lethe).await.unwrap().failed;
    let rechecks = recheck::recheck_due(&world.lethe).await.unwrap().failed;
    assert!(purges > 2 && rechecks == 2, "{purges} {rechecks}");

    execute(&world, "drop table public.surprise").await;
    let woken = deletion::wake_waiting(&world.lethe, &plan.hash, false).await.unwrap();
    assert_eq!(woken, Woken { deletions: 1, purges, rechecks });
    let again = deletion::wake_waiting(&world.lethe, &plan.hash, false).await.unwrap();
    assert_eq!((again.purges, again.rechecks), (0, 0), "they are due already");
}
