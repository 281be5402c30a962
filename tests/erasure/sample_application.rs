//! The sample application: every table is covered, and no one else loses anything.

use std::collections::BTreeMap;

use lethe::data_map::{self, DataMap};
use lethe::deletion::{Outcome, Plan};
use lethe_demo::people;
use time::macros::datetime;

use crate::support::{
    NOW, SAMPLE, count, erase, erase_at, everything, named, of, only, plan, rows_of, run, seeded, subject,
};

#[tokio::test]
async fn erasure_covers_every_table_and_leaves_the_neighbour_byte_identical() {
    let database = seeded().await;
    let pool = database.pool();
    // Person 3 uses both products; person 4 has no comment under 3's posts.
    let (who, neighbour) = (subject(3), subject(4));
    let before = everything(pool).await;
    let plan = plan(pool, SAMPLE, &who).await;
    for line in &plan.lines {
        assert!(line.rows > 0, "{} has no rows in the plan", line.table);
    }
    let results = erase(pool, SAMPLE, &who).await.unwrap();

    // The plan matches what happened.
    let announced: BTreeMap<_, _> =
        plan.lines.iter().map(|line| ((line.table.clone(), line.others), line.rows)).collect();
    assert_eq!(rows_of(&results), announced);

    let after = everything(pool).await;
    assert_eq!(of(&before, &neighbour), of(&after, &neighbour));
    for table in ["users", "posts", "comments", "preferences"] {
        assert_eq!(of(&after, &who)[&format!("public.{table}")], Vec::<String>::new());
    }
    for table in ["activity_logs", "usage_logs"] {
        let table = format!("public.{table}");
        assert_eq!(of(&after, &who)[&table], of(&before, &who)[&table]);
    }
    let id = who.as_str();
    for table in ["projects", "reports", "experiments", "pipelines", "datasets"] {
        let marked = format!(
            "{table} WHERE user_id = '{id}' AND deleted_at = '2026-03-01 12:00+00' AND updated_at = deleted_at"
        );
        assert_eq!(count(pool, &marked).await, count(pool, &format!("{table} WHERE user_id = '{id}'")).await);
    }
    let scrubbed = format!("profiles WHERE user_id = '{id}' AND email IS NULL AND deleted_at = '2026-03-01 12:00+00'");
    assert_eq!(count(pool, &scrubbed).await, 1);
    assert_eq!(count(pool, &format!("api_keys WHERE user_id = '{id}' AND revoked_at IS NULL")).await, 0);

    // No one else lost a row, and only comments under deleted posts changed.
    let email = people::person(3).email;
    for (table, rows) in &before {
        let foreign = |rows: &[String]| -> Vec<String> {
            rows.iter().filter(|row| !row.contains(id) && !row.contains(&email)).cloned().collect()
        };
        let (was, is) = (foreign(rows), foreign(&after[table]));
        assert_eq!(was.len(), is.len(), "{table}");
        let changed = was.iter().zip(&is).filter(|(was, is)| was != is).count() as u64;
        let detached = rows_of(&results).get(&(table.clone(), true)).copied().unwrap_or_default();
        assert_eq!(changed, detached, "{table}");
    }
    assert_eq!(
        count(pool, "comments WHERE post_id IS NULL").await.unsigned_abs(),
        announced[&("public.comments".to_owned(), true)]
    );
}

#[tokio::test]
async fn second_run_changes_nothing() {
    let database = seeded().await;
    let who = subject(3);
    erase(database.pool(), SAMPLE, &who).await.unwrap();
    let once = everything(database.pool()).await;
    let results = erase_at(database.pool(), SAMPLE, &who, NOW + time::Duration::days(3)).await.unwrap();
    assert_eq!(everything(database.pool()).await, once);
    for result in results {
        let line = result.line;
        let stays = matches!(line.outcome, Outcome::Retained { .. });
        assert!(stays || line.rows == 0, "{} was changed again", line.table);
    }
}

#[tokio::test]
async fn plan_hash_depends_on_the_rules_and_not_on_the_rows() {
    let database = seeded().await;
    let pool = database.pool();
    let plan_of = |map: String, index| async move { plan(pool, &map, &subject(index)).await.hash };
    let hash = plan_of(SAMPLE.to_owned(), 0).await;
    run(pool, "DELETE FROM comments WHERE id = 1").await;
    assert_eq!(plan_of(SAMPLE.to_owned(), 0).await, hash);
    assert_eq!(plan_of(SAMPLE.to_owned(), 1).await, hash);
    assert_ne!(plan_of(SAMPLE.replace("\"30 days\"", "\"60 days\""), 0).await, hash);
    assert_ne!(plan_of(SAMPLE.replace("\"detach\"", "\"delete\""), 0).await, hash);
}

#[tokio::test]
async fn outcomes_have_their_dates() {
    let database = seeded().await;
    let plan = plan(database.pool(), SAMPLE, &subject(1)).await;
    let outcome =
        |table: &str| &plan.lines.iter().find(|line| line.table == format!("public.{table}")).unwrap().outcome;
    assert!(
        matches!(outcome("projects"), Outcome::Stamped { purge_at: Some(at), .. } if *at == datetime!(2026-03-31 12:00 UTC))
    );
    assert!(
        matches!(outcome("usage_logs"), Outcome::Retained { until: Some(at), .. } if *at == datetime!(2028-03-01 12:00 UTC))
    );
    assert!(matches!(outcome("api_keys"), Outcome::Stamped { purge_at: None, .. }));
    let written = serde_json::to_value(&plan).unwrap();
    let mut stored = plan;
    // Personal, and only shown.
    stored.lines.iter_mut().for_each(|line| line.since = None);
    assert_eq!(serde_json::from_value::<Plan>(written).unwrap(), stored);
}

#[tokio::test]
async fn columns_are_overwritten_in_their_own_types() {
    let database = only(
        "CREATE TYPE mood AS ENUM ('good', 'unknown');
         CREATE TABLE people (id bigint PRIMARY KEY, clerk_id text NOT NULL UNIQUE, name varchar(20) NOT NULL, born date NOT NULL,
             mood mood NOT NULL, extra json NOT NULL, gone_on date, gone timestamp);
         INSERT INTO people VALUES (1, 'user_a', 'Ada', '1815-12-10', 'good', '{\"a\": 1}'), (2, 'user_b', 'Bob', '1990-01-01', 'good', '{}')",
    )
    .await;
    let map = r#"
        [[subject]]
        table = "public.people"
        key = "clerk_id"
        export = "all"
        erase = { scrub = { name = { value = "it's $1; --" }, born = { value = "1900-01-01" }, mood = { value = "unknown" }, extra = { value = "{}" } }, stamp = ["gone_on", "gone"] }
    "#;
    let results = erase(database.pool(), map, &named("user_a")).await.unwrap();
    assert_eq!(results[0].line.rows, 1);
    assert_eq!(erase(database.pool(), map, &named("user_a")).await.unwrap()[0].line.rows, 0);
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT t::text FROM people AS t ORDER BY id").fetch_all(database.pool()).await.unwrap();
    assert_eq!(
        rows,
        [
            "(1,user_a,\"it's $1; --\",1900-01-01,unknown,{},2026-03-01,\"2026-03-01 12:00:00\")",
            "(2,user_b,Bob,1990-01-01,good,{},,)"
        ]
    );
}

#[tokio::test]
async fn erasures_of_all_people_can_run_concurrently() {
    let database = seeded().await;
    let erasing = (0..8).map(|index| {
        let pool = database.pool().clone();
        tokio::spawn(async move { erase(&pool, SAMPLE, &subject(index)).await.map(|_| ()) })
    });
    for done in erasing.collect::<Vec<_>>() {
        done.await.unwrap().unwrap();
    }
    assert_eq!(count(database.pool(), "users").await + count(database.pool(), "comments").await, 0);
    assert_eq!(count(database.pool(), "profiles WHERE email IS NOT NULL").await, 0);
}

#[tokio::test]
async fn values_below_keys_of_json_are_scrubbed_and_the_rest_stays() {
    let database = only(
        "CREATE TABLE people (id bigint PRIMARY KEY, clerk_id text NOT NULL UNIQUE, settings jsonb, extra json);
         INSERT INTO people VALUES
            (1, 'user_a', '{\"email\": \"ada@x.test\", \"theme\": \"dark\", \"card\": {\"name\": \"Ada\", \"limit\": 3}}', '{\"ip\": \"1.2.3.4\", \"v\": 2}'),
            (2, 'user_b', '\"ada@x.test\"', NULL), (3, 'user_c', '{\"email\": null}', '[]')",
    )
    .await;
    let map = r#"
        version = 2
        [[subject]]
        table = "public.people"
        key = "clerk_id"
        export = "all"
        [subject.erase]
        reason = "settings of the device"
        leave = "rest"
        [subject.erase.scrub]
        "settings->'email'" = "null"
        "settings->'card'->'name'" = { value = "somebody" }
        "extra->'ip'" = "neutral"
    "#;
    for (person, rows) in [("user_a", 1), ("user_b", 0), ("user_c", 0)] {
        assert_eq!(erase(database.pool(), map, &named(person)).await.unwrap()[0].line.rows, rows, "{person}");
        assert_eq!(erase(database.pool(), map, &named(person)).await.unwrap()[0].line.rows, 0);
    }
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT t::text FROM people AS t ORDER BY id").fetch_all(database.pool()).await.unwrap();
    let expected = [
        r#"(1,user_a,"{""card"": {""name"": ""somebody"", ""limit"": 3}, ""email"": null, ""theme"": ""dark""}","{""v"": 2, ""ip"": """"}")"#,
        r#"(2,user_b,"""ada@x.test""",)"#,
        r#"(3,user_c,"{""email"": null}",[])"#,
    ];
    assert_eq!(rows, expected);
    let mut connection = database.pool().acquire().await.unwrap();
    for (wrong, message) in
        [(r#""extra->'ip'" = "ghost""#, "references nothing"), (r#""id->'ip'" = "null""#, "and not JSON")]
    {
        let map = DataMap::parse(&map.replace(r#""extra->'ip'" = "neutral""#, wrong)).unwrap();
        let refused = data_map::resolve(&map, &mut connection).await.unwrap_err().to_string();
        assert!(refused.contains(message), "{refused}");
    }
}
