//! What a receipt says about where was looked, and when it counts as sent.

use std::time::Duration;

use lethe::deletion::{self, ContentSearch, Origin, Remainder, UnsearchedReason};
use lethe_demo::people::person;
use serde_json::json;
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
async fn receipt_says_where_texts_still_have_the_persons_id_or_address() {
    let world = World::start().await;
    let (ada, address) = (subject(0), person(0).email.to_uppercase());
    sqlx::query("create table public.events (id bigint, detail jsonb, note text, tags text[], day date)")
        .execute(world.pool())
        .await
        .unwrap();
    let id = ada.as_str();
    let event = async |number: i64, detail: serde_json::Value, note: &str, tags: &[&str]| {
        let insert = sqlx::query("insert into public.events values ($1, $2, $3, $4)");
        insert.bind(number).bind(detail).bind(note).bind(tags).execute(world.pool()).await.unwrap();
    };
    event(1, json!({"before": {"actor": id}}), &format!("sent to <{address}>."), &["x", &address]).await;
    event(2, json!({"file": format!("/avatars/{id}.png")}), "", &[]).await;
    // Other people's.
    event(3, json!({"actor": format!("{id}x")}), &format!("{address}.uk and X{address}"), &["%"]).await;
    let ignored = "\n[[ignore]]\nname = \"public.events\"\nreason = \"names nobody, the operator thinks\"\n";
    let map = [MAP, ignored].concat();
    let lethe = world.with_map_text(&map);
    let request = deletion::request(&lethe, by(&ada, Origin::Api)).await.unwrap();
    assert!(deletion::run(&lethe, request.id, TIMEOUT).await.unwrap().finished);

    let receipt = deletion::receipt(&lethe, &request.receipt).await.unwrap();
    let Some(ContentSearch::Searched { tables, found }) = receipt.searched.clone().unwrap().content else {
        panic!("{:?}", receipt.searched)
    };
    assert!(tables > 5, "{tables}");
    let found: Vec<_> = found.iter().map(|found| (found.column.as_str(), found.rows)).collect();
    assert_eq!(found, [("detail", 2), ("note", 1), ("tags", 1)]);
    assert_ne!(receipt.summary().remainder(), Remainder::Nothing, "the headline doesn't claim that nothing is left");
    let _working = RunningWorker::start(&lethe);
    eventually("an alert for each column", async || {
        let mails = world.inbox.messages().await;
        let alerts = mails.iter().filter(|mail| format!("{mail:?}").contains("public.events"));
        alerts.count() == 3
    })
    .await;
}

#[tokio::test]
async fn texts_of_own_rows_that_stay_are_searched_where_the_receipt_does_not_say_that_they_stay() {
    let world = World::start().await;
    let (ada, address) = (subject(0), person(0).email);
    sqlx::raw_sql(
        "create table public.visits (id text primary key, user_id text, note text, detail jsonb, doctor text);
         create index on public.visits (user_id)",
    )
    .execute(world.pool())
    .await
    .unwrap();
    let insert = sqlx::query("insert into public.visits values ($1, $2, $3, $4, $5)");
    let detail = json!({"mail": address, "by": address});
    insert
        .bind(&address)
        .bind(ada.as_str())
        .bind(&address)
        .bind(detail)
        .bind(&address)
        .execute(world.pool())
        .await
        .unwrap();
    let rule = "\n[[table]]\nname = \"public.visits\"\nowner = \"user_id\"\nexport = \"all\"\n\
        erase = { scrub = { note = \"null\", \"detail->'mail'\" = \"null\" }, leave = [\"doctor\"], reason = \"law\" }\n";
    let lethe = world.with_map_text(&MAP.replacen("\n[[table]]", &format!("{rule}\n[[table]]"), 1));
    let request = deletion::request(&lethe, by(&ada, Origin::Api)).await.unwrap();
    assert!(deletion::run(&lethe, request.id, TIMEOUT).await.unwrap().finished);

    let receipt = deletion::receipt(&lethe, &request.receipt).await.unwrap();
    let content = receipt.searched.unwrap().content.unwrap();
    let found: Vec<_> = content.found().iter().map(|found| (found.column.as_str(), found.rows)).collect();
    assert_eq!(found, [("id", 1), ("detail", 1)], "the doctor's column is in the receipt");
}

#[tokio::test]
async fn texts_of_a_large_database_are_not_searched_and_the_receipt_says_so() {
    let world = World::start().await;
    sqlx::raw_sql(
        "create table public.pages (text text);
        insert into public.pages select md5(number::text) from generate_series(1, 50000) number",
    )
    .execute(world.pool())
    .await
    .unwrap();
    let map = [MAP, "\n[[ignore]]\nname = \"public.pages\"\nreason = \"published\"\n"].concat();
    let lethe = world.with_content_search_megabytes(&map, 1);
    let request = deletion::request(&lethe, by(&subject(0), Origin::Api)).await.unwrap();
    assert!(deletion::run(&lethe, request.id, TIMEOUT).await.unwrap().finished);
    let searched = deletion::receipt(&lethe, &request.receipt).await.unwrap().searched.unwrap();
    assert_eq!(searched.content, Some(ContentSearch::TooLarge));
    assert!(!searched.tables.is_empty(), "rows were looked for: {searched:?}");
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
