//! What a receipt says about where was looked, and when it counts as sent.

use std::time::Duration;

use lethe::deletion::{self, Origin, UnsearchedReason};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::world::{RunningWorker, World, by, count, eventually, subject};

const TIMEOUT: Duration = Duration::from_secs(20);
const MAP: &str = include_str!("../../demo/data-map.toml");

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
    let map = MAP.replacen("[[purpose]]", ignored, 1);
    let lethe = world.with_map_and_pool(&map, pool.clone());
    let request = deletion::request(&lethe, by(&subject(0), Origin::Api)).await.unwrap();
    assert!(deletion::run(&lethe, request.id, TIMEOUT).await.unwrap().finished);
    let searched = deletion::receipt(&lethe, &request.receipt).await.unwrap().searched.unwrap();
    let found: Vec<_> = searched.unsearched.iter().map(|table| (table.table.as_str(), table.reason)).collect();
    assert_eq!(found, [("public.salaries", UnsearchedReason::NoPrivilege)]);
    pool.close().await;
    run(format!("drop owned by {role}; drop role {role}")).await;
}
