//! The process dies, in every step of a deletion, before the step's work and between the work and its record.
//! Started again it comes to the same end.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use lethe::deletion::Step;
use lethe_demo::people::person;
use lethe_demo::sample::{PERSONAL_TABLES, SeedOptions, seed};
use lethe_demo::testing::{ClerkStandIn, Database, Port, StandInOptions};
use reqwest::StatusCode;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};

use crate::process::{Process, lethe, wait_until};
use crate::support::{Directory, environment, rows_of, site};

/// Has rows in both products.
const SUBJECT: usize = 3;
const NEIGHBOUR: usize = 4;
/// Servers that are killed side by side.
const MAX_CONCURRENT: usize = 7;

/// Where in a step the process dies.
#[derive(Clone, Copy, Debug)]
enum KillPoint {
    /// Before its work.
    BeforeWork,
    /// After its work, before the record.
    BeforeRecord,
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_process_resumes_to_the_same_final_state() {
    let expected = delete_with_real_binary(None).await;
    assert_eq!(expected.statuses, ["done"; 7]);
    assert!(!expected.clerk_knows);
    let moments =
        Step::ALL.into_iter().flat_map(|step| [(step, KillPoint::BeforeWork), (step, KillPoint::BeforeRecord)]);
    let ends: Vec<_> = stream::iter(moments)
        .map(|(step, moment)| async move { (step, moment, delete_with_real_binary(Some((step, moment))).await) })
        .buffer_unordered(MAX_CONCURRENT)
        .collect()
        .await;
    assert_eq!(ends.len(), 14);
    for (step, moment, end) in ends {
        assert_eq!(end, expected, "killed at {moment:?} in {step:?}");
    }
}

/// Everything that must not depend on how often the process died.
#[derive(Debug, PartialEq)]
struct FinalState {
    rows: Vec<(String, Value)>,
    neighbour: BTreeMap<&'static str, Vec<String>>,
    statuses: Vec<String>,
    tombstones: i64,
    people_known: i64,
    obligations: i64,
    results: Value,
    clerk_knows: bool,
    chain_holds: bool,
}

/// Deletes one person with the real binary; with `death`, kills it there and starts it again.
async fn delete_with_real_binary(death: Option<(Step, KillPoint)>) -> FinalState {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let port = Port::hold();
    let url = port.url();
    let database = Database::create().await;
    let clerk = ClerkStandIn::start(StandInOptions {
        people: 8,
        application_origin: Some(url.clone()),
        ..StandInOptions::default()
    })
    .await;
    seed(database.pool(), &SeedOptions { people: 8, rows_per_person: 2 }).await.unwrap();
    let directory = Directory::new();
    site(&directory.path().join("site"));
    let environment = environment(&url, &clerk, database.url(), directory.path());

    let migrated = lethe(&environment, directory.path(), &["migrate"]).status().unwrap();
    assert!(migrated.success());
    let neighbour = rows_of(database.pool(), &person(NEIGHBOUR).id).await;
    let mut server = Process::serve(&environment, directory.path(), &url).await;
    if let Some((step, moment)) = death {
        sleep_at(database.pool(), step, moment).await;
    }
    let token = clerk.sign_in(&person(SUBJECT).id).await;
    let http = reqwest::Client::new();
    let asked = http.delete(format!("{url}/api/privacy/delete")).bearer_auth(&token.jwt).send();
    if death.is_some() {
        let asking = tokio::spawn(asked);
        wait_until("the step is reached", async || is_asleep(database.pool()).await).await;
        server.kill();
        let _ = asking.await;
        // What the dead process asked of Postgres goes with it; Postgres would notice only on waking up.
        wait_until("its sessions are gone", async || {
            let ended = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                 where application_name = 'lethe' and datname = current_database()";
            sqlx::query_scalar::<_, i64>(ended).fetch_one(database.pool()).await.unwrap() == 0
        })
        .await;
        sqlx::query("drop trigger stop_here on lethe.deletion_step").execute(database.pool()).await.unwrap();
        server = Process::serve(&environment, directory.path(), &url).await;
    } else {
        assert_eq!(asked.await.unwrap().status(), StatusCode::OK);
    }
    wait_until("the deletion ends", async || {
        let open = "select count(*) from lethe.deletion_request where finished_at is null";
        sqlx::query_scalar::<_, i64>(open).fetch_one(database.pool()).await.unwrap() == 0
    })
    .await;

    let mut end = final_state(database.pool(), &clerk).await;
    assert_eq!(end.neighbour, neighbour, "killed at {death:?}");
    assert!(server.stop().await);
    end.chain_holds = lethe(&environment, directory.path(), &["audit", "verify"]).status().unwrap().success();
    end
}

async fn final_state(pool: &PgPool, clerk: &ClerkStandIn) -> FinalState {
    let mut rows = Vec::new();
    for (table, column) in PERSONAL_TABLES {
        // Only whether something is stamped can be the same, not when.
        let query = format!(
            "select coalesce(jsonb_agg(
                (to_jsonb(row) - '{{deleted_at,updated_at,revoked_at}}'::text[])
                || jsonb_build_object('deleted', to_jsonb(row)->>'deleted_at' is not null,
                                      'revoked', to_jsonb(row)->>'revoked_at' is not null)
                order by row.id), '[]')
            from public.{table} row where {column} = $1"
        );
        let of_table = sqlx::query_scalar(AssertSqlSafe(query)).bind(person(SUBJECT).id).fetch_one(pool).await.unwrap();
        rows.push((table.to_owned(), of_table));
    }
    let one = async |query: &'static str| sqlx::query_scalar::<_, i64>(query).fetch_one(pool).await.unwrap();
    let mut results: Value =
        sqlx::query_scalar("select results from lethe.deletion_request").fetch_one(pool).await.unwrap();
    without_times(&mut results);
    FinalState {
        rows,
        neighbour: rows_of(pool, &person(NEIGHBOUR).id).await,
        statuses: sqlx::query_scalar("select status from lethe.deletion_step order by position")
            .fetch_all(pool)
            .await
            .unwrap(),
        tombstones: one("select count(*) from lethe.tombstone").await,
        people_known: one("select count(*) from lethe.data_subject").await,
        obligations: one("select count(*) from lethe.retention").await,
        results,
        clerk_knows: clerk.user(&person(SUBJECT).id).await.is_some(),
        chain_holds: true,
    }
}

/// Ends of periods depend on the minute.
fn without_times(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(without_times),
        Value::Object(map) => {
            map.retain(|key, _| !matches!(key.as_str(), "purge_at" | "until" | "purge_due"));
            map.values_mut().for_each(without_times);
        }
        _ => {}
    }
}

/// Lets whoever claims or records this step sleep until it is killed.
async fn sleep_at(pool: &PgPool, step: Step, moment: KillPoint) {
    let status = match moment {
        KillPoint::BeforeWork => "running",
        KillPoint::BeforeRecord => "done",
    };
    let name = step.name();
    let statements = format!(
        "create function lethe.sleep_here() returns trigger language plpgsql as
            'begin perform pg_sleep(600); return new; end';
         create trigger stop_here before update on lethe.deletion_step for each row
            when (new.step = '{name}' and new.status = '{status}' and old.status <> '{status}')
            execute function lethe.sleep_here();"
    );
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(pool).await.unwrap();
}

async fn is_asleep(pool: &PgPool) -> bool {
    let asleep = "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()";
    sqlx::query_scalar::<_, i64>(asleep).fetch_one(pool).await.unwrap() > 0
}
