//! Bad days: the database drops its connections, a purge can't succeed, rows are written during a deletion, the map is
//! edited, and somebody who has everything looks for who was erased.

use std::time::Duration;

use lethe::consent::{self, Choice, Source};
use lethe::data_map::DataMap;
use lethe::deletion::{self, NewRequest, Origin, Outcome, Status, Step, UnsearchedReason, orphans, retention};
use lethe::{Error, overview};
use lethe_demo::testing::Fault;
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::world::{RunningWorker, World, eventually, subject};

const TIMEOUT: Duration = Duration::from_secs(20);
const MAP: &str = include_str!("../../demo/data-map.toml");

fn by(subject: &lethe::ClerkUserId, origin: Origin) -> NewRequest<'_> {
    NewRequest { subject, origin, confirmed_plan: None, contact: Some("ada@example.org"), idempotency_key: None }
}

async fn count(world: &World, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(world.pool()).await.unwrap()
}

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

#[tokio::test]
async fn opt_out_signal_is_recorded_once_and_mirrored() {
    let world = World::start().await;
    let granted = Choice { purpose: "thirdParty".to_owned(), granted: true };
    consent::set(&world.lethe, &subject(0), &[granted], Source::Page, false).await.unwrap();
    // As the HTTP interface reads it, and as the page does.
    assert!(!consent::current(&world.lethe, &subject(0), true).await.unwrap().granted("thirdParty"));
    for _ in 0..3 {
        let overview = overview::read(&world.lethe, &subject(0), true, 10).await.unwrap();
        assert!(!overview.consent.granted("thirdParty"));
    }
    let ledger: Vec<(String, bool)> = sqlx::query_as("select source, granted from lethe.consent_entry order by id")
        .fetch_all(world.pool())
        .await
        .unwrap();
    assert_eq!(ledger, [("page".to_owned(), true), ("signal".to_owned(), false)]);
    // Also without the signal, until the person turns it on again.
    assert!(!consent::current(&world.lethe, &subject(0), false).await.unwrap().granted("thirdParty"));
    let _working = world.start_worker();
    eventually("the mirror", async || {
        let user = world.clerk.user(subject(0).as_str()).await.unwrap();
        user["public_metadata"]["consent"]["thirdParty"] == false
    })
    .await;
    // Nobody is written about whose browser sends nothing.
    overview::read(&world.lethe, &subject(1), false, 10).await.unwrap();
    assert_eq!(count(&world, "select count(*) from lethe.consent_entry").await, 2);
}

#[tokio::test]
async fn receipt_names_where_was_looked_and_what_stays_with_the_persons_id() {
    let world = World::start().await;
    sqlx::query("create materialized view public.post_copies as select * from public.posts")
        .execute(world.pool())
        .await
        .unwrap();
    let ignored = "\n[[ignore]]\nname = \"public.post_copies\"\nreason = \"refreshed each night\"\n";
    let lethe = world.with_map_text(&[MAP, ignored].concat());
    // Told before.
    let plan = deletion::preview(&lethe, &subject(1)).await.unwrap();
    let line = |table: &str| plan.lines.iter().find(|line| line.table == table && !line.others).unwrap();
    assert_eq!(line("public.profiles").key.as_deref(), Some("user_id"), "the row stays, and so does its key");
    assert_eq!(line("public.usage_logs").key.as_deref(), Some("user_id"));
    assert_eq!(line("public.posts").key, None, "the rows go");

    let request = deletion::request(&lethe, by(&subject(1), Origin::Api)).await.unwrap();
    assert!(deletion::run(&lethe, request.id, TIMEOUT).await.unwrap().finished);
    let receipt = deletion::receipt(&lethe, &request.receipt).await.unwrap();
    let profile = receipt.results.iter().find(|result| result.line.table == "public.profiles").unwrap();
    assert_eq!((profile.line.rows, profile.line.key.as_deref()), (1, Some("user_id")));
    let searched = receipt.searched.unwrap();
    assert!(searched.tables.contains(&"public.posts".to_owned()), "{searched:?}");
    assert!(!searched.tables.contains(&"public.usage_logs".to_owned()), "it is retained as it is: {searched:?}");
    let [unsearched] = searched.unsearched.as_slice() else { panic!("{searched:?}") };
    assert_eq!(
        (unsearched.table.as_str(), unsearched.reason),
        ("public.post_copies", UnsearchedReason::MaterializedView)
    );
}

#[test]
fn sample_map_has_what_these_tests_edit() {
    assert!(MAP.contains("label  = \"Posts\"") && DataMap::parse(MAP).is_ok());
}

/// The application's triggers may quote what they refuse.
#[tokio::test]
async fn message_of_a_trigger_is_not_logged() {
    let world = World::start().await;
    let statement = |sql: &'static str| sqlx::raw_sql(sql).execute(world.pool());
    statement(
        "create table quoting (email text unique);
         create function quote() returns trigger language plpgsql as $$
         begin raise exception 'refused: %', new.email using errcode = '42501'; end $$;
         insert into quoting values ('ada@example.org');
         create table refusing (email text); create trigger quote before insert on refusing for each row execute function quote()",
    )
    .await
    .unwrap();
    for (sql, expected) in [
        ("insert into refusing values ('ada@example.org')", "database error 42501"),
        (
            "insert into quoting values ('ada@example.org')",
            "database error 23505, constraint quoting_email_key, table quoting",
        ),
        ("select 'ada@example.org'::int", "database error 22P02"),
        ("select 1 from missing", "database error 42P01: relation \"missing\" does not exist"),
    ] {
        let error = lethe::Error::from(statement(sql).await.unwrap_err());
        assert_eq!(lethe::error_chain(&error), format!("database error: {expected}"), "{sql}");
    }
}

/// Operators must learn what to grant, also where a function of the application lacks it.
#[tokio::test]
async fn missing_privilege_is_named_in_the_log() {
    let world = World::start().await;
    // Roles belong to the whole cluster.
    let role = format!("lethe_test_definer_{}", std::process::id());
    let run = async |sql: String| sqlx::raw_sql(AssertSqlSafe(sql)).execute(world.pool()).await;
    run(format!(
        "create role {role}; grant usage, create on schema public to {role};
        create function public.peek() returns bigint security definer language sql
            set search_path = public as 'select count(*) from posts';
        alter function public.peek() owner to {role}"
    ))
    .await
    .unwrap();
    let error = lethe::Error::from(run("select public.peek()".to_owned()).await.unwrap_err());
    run(format!(
        "create sequence public.counter; create function public.count_up() returns bigint security definer
            language sql as 'select nextval(''public.counter'')';
        alter function public.count_up() owner to {role}"
    ))
    .await
    .unwrap();
    let of_sequence = lethe::Error::from(run("select public.count_up()".to_owned()).await.unwrap_err());
    assert!(lethe::error_chain(&of_sequence).ends_with("permission denied for sequence counter"), "{of_sequence:?}");
    run(format!("drop owned by {role} cascade; drop role {role}")).await.unwrap();
    let expected = "database error: database error 42501: permission denied for table posts";
    assert_eq!(lethe::error_chain(&error), expected);
}

#[tokio::test]
async fn receipt_counts_as_sent_only_where_a_mail_server_took_it() {
    let world = World::start().await;
    let lethe = world.without_mail();
    let request = deletion::request(&lethe, by(&subject(0), Origin::Api)).await.unwrap();
    assert!(deletion::run(&lethe, request.id, TIMEOUT).await.unwrap().finished);
    let _working = RunningWorker::start(&lethe);
    let entries = "select count(*) from lethe.audit_entry where kind = 'receipt.not_sent'";
    eventually("the entry", async || count(&world, entries).await == 1).await;
    assert_eq!(count(&world, "select count(*) from lethe.audit_entry where kind = 'receipt.sent'").await, 0);
    assert_eq!(world.inbox.messages().await.len(), 0);
}

#[tokio::test]
async fn receipt_names_a_table_that_lethe_may_not_read() {
    let world = World::start().await;
    // Roles belong to the whole cluster.
    let role = format!("lethe_test_limited_{}", std::process::id());
    let run = async |sql: String| sqlx::raw_sql(AssertSqlSafe(sql)).execute(world.pool()).await.unwrap();
    run(format!(
        "create table public.salaries (id bigint primary key, user_id text);
        insert into public.salaries values (1, '{}');
        create role {role} bypassrls;
        grant usage on schema public, lethe, lethe_jobs to {role};
        grant all on all tables in schema public, lethe, lethe_jobs to {role};
        grant all on all sequences in schema public, lethe, lethe_jobs to {role};
        grant execute on all functions in schema lethe_jobs to {role};
        revoke all on public.salaries from {role}",
        subject(0).as_str()
    ))
    .await;
    let options: PgConnectOptions = world.database.url().parse().unwrap();
    let pool = PgPoolOptions::new().connect_with(options.options([("role", &role)])).await.unwrap();
    let ignored = "[[ignore]]\nname = \"public.salaries\"\nreason = \"of the accountants\"\n\n[[purpose]]";
    let map = include_str!("../../demo/data-map.toml").replacen("[[purpose]]", ignored, 1);
    let lethe = world.with_map_and_pool(&map, pool.clone());
    let request = deletion::request(&lethe, by(&subject(0), Origin::Api)).await.unwrap();
    assert!(deletion::run(&lethe, request.id, TIMEOUT).await.unwrap().finished);
    let searched = deletion::receipt(&lethe, &request.receipt).await.unwrap().searched.unwrap();
    let found: Vec<_> = searched.unsearched.iter().map(|table| (table.table.as_str(), table.reason)).collect();
    assert_eq!(found, [("public.salaries", UnsearchedReason::NoPrivilege)]);
    pool.close().await;
    run(format!("drop owned by {role}; drop role {role}")).await;
}
