//! Bad days: the database drops its connections, a purge can't succeed, rows are written during a deletion, the map is
//! edited, and somebody who has everything looks for who was erased.

use std::time::Duration;

use lethe::consent::{self, Choice, Source};
use lethe::data_map::DataMap;
use lethe::deletion::{self, NewRequest, Origin, Outcome, Status, Step, retention};

use crate::world::{World, by, count, eventually, subject};

const TIMEOUT: Duration = Duration::from_secs(20);
const MAP: &str = include_str!("../../demo/data-map.toml");

/// Ends every session of this database but the one that does it.
async fn drop_connections(world: &World) {
    let ended = "select count(pg_terminate_backend(pid)) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()";
    let _: i64 = sqlx::query_scalar(ended).fetch_one(world.pool()).await.unwrap();
}

#[tokio::test]
async fn worker_outlives_dropped_connections() {
    let world = World::start().await;
    let _working = world.start_worker();
    for index in 0..3 {
        drop_connections(&world).await;
        // As the queue does: the first statement on each old connection fails.
        let mut request = None;
        eventually("the request is stored", async || {
            request = deletion::request(&world.lethe, by(&subject(index), Origin::Api)).await.ok();
            request.is_some()
        })
        .await;
        let request = request.unwrap().id;
        eventually("the worker goes on", async || {
            deletion::progress(&world.lethe, request).await.is_ok_and(|progress| progress.finished)
        })
        .await;
        // Jobs of the other kinds go on, too.
        let choice = Choice { purpose: "marketing".to_owned(), granted: index % 2 == 0 };
        consent::set(&world.lethe, &subject(7), &[choice], Source::Page, false).await.unwrap();
        eventually("the copy at Clerk", async || {
            let user = world.clerk.user(subject(7).as_str()).await.unwrap();
            user["public_metadata"]["consent"]["marketing"] == (index % 2 == 0)
        })
        .await;
    }
}

#[tokio::test]
async fn purge_that_fails_holds_up_no_other_and_alerts_operators() {
    let world = World::start().await;
    for index in [1, 4] {
        let request = deletion::request(&world.lethe, by(&subject(index), Origin::Api)).await.unwrap();
        assert!(deletion::run(&world.lethe, request.id, TIMEOUT).await.unwrap().finished);
    }
    // The oldest entry of all can't succeed: the rows of this table refuse to go.
    sqlx::query(
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not now'; end $$",
    )
    .execute(world.pool())
    .await
    .unwrap();
    sqlx::query("create trigger refuse before delete on projects for each row execute function refuse()")
        .execute(world.pool())
        .await
        .unwrap();
    for statement in [
        "update lethe.retention set due_at = due_at - interval '31 days'",
        "update lethe.retention set due_at = due_at - interval '1 hour' where table_name = 'public.projects'",
    ] {
        sqlx::query(statement).execute(world.pool()).await.unwrap();
    }
    for table in ["projects", "reports", "experiments", "pipelines", "datasets"] {
        let statement = format!("update {table} set deleted_at = deleted_at - interval '31 days'");
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(world.pool()).await.unwrap();
    }
    let purged = retention::purge_expired(&world.lethe).await.unwrap();
    assert!(purged.expired > 0 && purged.failed >= 1, "{purged:?}");
    assert_eq!(count(&world, "select count(*) from datasets where deleted_at is not null").await, 0);
    assert_eq!(retention::purge_expired(&world.lethe).await.unwrap().failed, 0, "the next attempt waits");

    let _working = world.start_worker();
    for _ in 0..2 {
        sqlx::query("update lethe.retention set next_attempt_at = null").execute(world.pool()).await.unwrap();
        retention::purge_expired(&world.lethe).await.unwrap();
    }
    eventually("an alert", async || {
        world.inbox.messages().await.iter().any(|mail| format!("{mail:?}").contains("purge of public.projects"))
    })
    .await;
    sqlx::query("drop trigger refuse on projects").execute(world.pool()).await.unwrap();
    sqlx::query("update lethe.retention set next_attempt_at = null").execute(world.pool()).await.unwrap();
    assert_eq!(retention::purge_expired(&world.lethe).await.unwrap().failed, 0);
}

#[tokio::test]
async fn retention_of_a_dropped_table_is_done() {
    let world = World::start().await;
    let request = deletion::request(&world.lethe, by(&subject(1), Origin::Api)).await.unwrap();
    assert!(deletion::run(&world.lethe, request.id, TIMEOUT).await.unwrap().finished);
    sqlx::query(
        "update lethe.retention set due_at = due_at - interval '31 days', table_name = 'public.gone'
        where table_name = 'public.datasets'",
    )
    .execute(world.pool())
    .await
    .unwrap();
    let purged = retention::purge_expired(&world.lethe).await.unwrap();
    assert_eq!(purged.failed, 0, "{purged:?}");
    let open = "select count(*) from lethe.retention where table_name = 'public.gone' and finished_at is null";
    assert_eq!(count(&world, open).await, 0);
}

#[tokio::test]
async fn row_that_is_written_during_a_deletion_is_erased_too() {
    let world = World::start().await;
    let request = deletion::request(&world.lethe, by(&subject(0), Origin::Api)).await.unwrap();
    for _ in 0..3 {
        deletion::advance(&world.lethe, request.id).await.unwrap();
    }
    let progress = deletion::progress(&world.lethe, request.id).await.unwrap();
    assert_eq!((progress.steps[2].step, progress.steps[2].status), (Step::ApplicationData, Status::Done));
    sqlx::query("insert into users (clerk_id, email, name) values ($1, 'late@example.org', 'Late')")
        .bind(subject(0).as_str())
        .execute(world.pool())
        .await
        .unwrap();
    assert!(deletion::run(&world.lethe, request.id, TIMEOUT).await.unwrap().finished);
    assert!(world.rows_of(&subject(0)).await["users"].is_empty());
    let receipt = deletion::receipt(&world.lethe, &request.receipt).await.unwrap();
    let users = receipt.results.iter().find(|result| result.line.table == "public.users").unwrap();
    assert_eq!((users.line.rows, &users.line.outcome), (2, &Outcome::Deleted), "the receipt counts it");
}

#[tokio::test]
async fn edited_map_blocks_no_unconfirmed_deletion() {
    let world = World::start().await;
    let request = deletion::request(&world.lethe, by(&subject(0), Origin::Webhook)).await.unwrap();
    let edited = MAP.replace("purge_after = \"30 days\"", "purge_after = \"40 days\"");
    assert_ne!(edited, MAP);
    let edited = world.with_map_text(&edited);
    assert!(deletion::run(&edited, request.id, TIMEOUT).await.unwrap().finished);
}

#[tokio::test]
async fn confirmed_plan_outlives_new_words_and_not_new_outcomes() {
    let world = World::start().await;
    let plan = deletion::preview(&world.lethe, &subject(0)).await.unwrap();
    let confirmed = |subject| NewRequest { confirmed_plan: Some(&plan.hash), ..by(subject, Origin::Page) };
    let (ada, noor) = (subject(0), subject(3));
    let first = deletion::request(&world.lethe, confirmed(&ada)).await.unwrap();
    let second = deletion::request(&world.lethe, confirmed(&noor)).await.unwrap();
    let words = world.with_map_text(&MAP.replace("label  = \"Posts\"", "label  = \"What you wrote\""));
    assert!(deletion::run(&words, first.id, TIMEOUT).await.unwrap().finished);
    let outcomes = world.with_map_text(&MAP.replace("purge_after = \"30 days\"", "purge_after = \"40 days\""));
    let progress = deletion::run(&outcomes, second.id, TIMEOUT).await.unwrap();
    assert_eq!(progress.steps[2].status, Status::Blocked);
}

/// Whoever has the database, the secret, the Clerk id and the receipt finds no way from the person to what they chose.
#[tokio::test]
async fn nothing_leads_from_an_erased_person_to_their_choices() {
    let world = World::start().await;
    let choice = Choice { purpose: "marketing".to_owned(), granted: true };
    consent::set(&world.lethe, &subject(0), &[choice], Source::Page, false).await.unwrap();
    let id: uuid::Uuid = sqlx::query_scalar("select id from lethe.data_subject where clerk_id = $1")
        .bind(subject(0).as_str())
        .fetch_one(world.pool())
        .await
        .unwrap();
    let _working = world.start_worker();
    let request = deletion::request(&world.lethe, by(&subject(0), Origin::Api)).await.unwrap();
    deletion::run(&world.lethe, request.id, TIMEOUT).await.unwrap();
    eventually("the mail", async || {
        count(&world, "select count(*) from lethe.deletion_request where contact is not null").await == 0
    })
    .await;
    assert_eq!(count(&world, "select count(*) from lethe.consent_entry").await, 1, "the entry itself stays");

    // Each row of each table as text. From a row that names the person, the receipt or the request, no id leads on.
    let digest = data_encoding::HEXLOWER.encode(&world.lethe.keys.tombstone(&subject(0)));
    let known = [subject(0).as_str().to_owned(), "ada@example.org".to_owned(), digest, request.id.to_string()];
    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname in ('lethe', 'lethe_jobs')",
    )
    .fetch_all(world.pool())
    .await
    .unwrap();
    let mut linked = Vec::new();
    for table in tables {
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select row::text from {table} row")))
            .fetch_all(world.pool())
            .await
            .unwrap();
        for row in rows {
            let names_person = known.iter().any(|trace| row.contains(trace)) || row.contains(request.receipt.as_str());
            if names_person && row.contains(&id.to_string()) {
                linked.push(format!("{table}: {row}"));
            }
            assert!(!row.contains(subject(0).as_str()) && !row.contains("ada@example.org"), "{table}: {row}");
        }
    }
    assert!(linked.is_empty(), "{linked:#?}");
}

#[test]
fn sample_map_has_what_these_tests_edit() {
    assert!(MAP.contains("label  = \"Posts\"") && DataMap::parse(MAP).is_ok());
}
