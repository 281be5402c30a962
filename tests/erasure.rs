//! Erasure on a real Postgres: every table of the sample application, people beside the one who
//! goes, and the traps of foreign keys.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::collections::BTreeMap;

use demo::people;
use demo::sample::{self, SeedOptions};
use demo::testing::Database;
use lethe::data_map::{self, DataMap, Resolved};
use lethe::deletion::{self, Outcome, Plan, TableResult};
use lethe::{ClerkUserId, Error};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use time::OffsetDateTime;
use time::macros::datetime;

const SAMPLE: &str = include_str!("../demo/data-map.toml");
const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

async fn seeded() -> Database {
    let database = Database::create().await;
    sample::seed(database.pool(), &SeedOptions { people: 8, rows_per_person: 4 }).await.unwrap();
    database
}

async fn only(schema: &str) -> Database {
    let database = Database::create().await;
    run(database.pool(), &format!("DROP SCHEMA public CASCADE; CREATE SCHEMA public; {schema}")).await;
    database
}

async fn run(pool: &PgPool, statements: &str) {
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(pool).await.unwrap();
}

async fn count(pool: &PgPool, rows: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {rows}"))).fetch_one(pool).await.unwrap()
}

fn subject(index: usize) -> ClerkUserId {
    ClerkUserId::parse(&people::person(index).id).unwrap()
}

fn named(id: &str) -> ClerkUserId {
    ClerkUserId::parse(id).unwrap()
}

async fn resolve(map: &str, connection: &mut PgConnection) -> Resolved {
    data_map::resolve(&DataMap::parse(map).unwrap(), connection).await.unwrap()
}

async fn plan(pool: &PgPool, map: &str, subject: &ClerkUserId) -> Plan {
    let mut connection = pool.acquire().await.unwrap();
    let resolved = resolve(map, &mut connection).await;
    deletion::plan(&resolved, &mut connection, subject, NOW).await.unwrap()
}

async fn erase_at(
    pool: &PgPool,
    map: &str,
    subject: &ClerkUserId,
    now: OffsetDateTime,
) -> lethe::Result<Vec<TableResult>> {
    let mut transaction = pool.begin().await?;
    let resolved = resolve(map, &mut transaction).await;
    let results = deletion::erase(&resolved, &mut transaction, subject, now).await?;
    assert_eq!(deletion::verify(&resolved, &mut transaction, subject).await?, []);
    transaction.commit().await?;
    Ok(results)
}

async fn erase(pool: &PgPool, map: &str, subject: &ClerkUserId) -> lethe::Result<Vec<TableResult>> {
    erase_at(pool, map, subject, NOW).await
}

/// Every row of the sample application, by table, as text.
async fn everything(pool: &PgPool) -> BTreeMap<String, Vec<String>> {
    let map = DataMap::parse(SAMPLE).unwrap();
    let mut tables = BTreeMap::new();
    for rule in map.tables() {
        let query = format!("SELECT t::text FROM {} AS t ORDER BY id", rule.name);
        let rows = sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(pool).await.unwrap();
        tables.insert(rule.name.clone(), rows);
    }
    tables
}

/// The rows that name the person.
fn of(everything: &BTreeMap<String, Vec<String>>, subject: &ClerkUserId) -> BTreeMap<String, Vec<String>> {
    let own = |rows: &Vec<String>| rows.iter().filter(|row| row.contains(subject.as_str())).cloned().collect();
    everything.iter().map(|(table, rows)| (table.clone(), own(rows))).collect()
}

fn rows_of(results: &[TableResult]) -> BTreeMap<(String, bool), u64> {
    results.iter().map(|result| ((result.table.clone(), result.others), result.rows)).collect()
}

#[tokio::test]
async fn every_table_of_the_sample_application_takes_part_and_the_neighbour_stays_byte_identical() {
    let database = seeded().await;
    let pool = database.pool();
    // 3 uses both products; 4 writes no comment under 3's posts.
    let (who, neighbour) = (subject(3), subject(4));
    let before = everything(pool).await;
    let plan = plan(pool, SAMPLE, &who).await;
    for line in &plan.lines {
        assert!(line.rows > 0, "{} takes no part", line.table);
    }
    let results = erase(pool, SAMPLE, &who).await.unwrap();

    // What was announced is what happened.
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

    // Nobody else lost a row, and only comments under the posts that went were changed.
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
async fn a_second_run_finds_nothing_and_moves_no_mark() {
    let database = seeded().await;
    let who = subject(3);
    erase(database.pool(), SAMPLE, &who).await.unwrap();
    let once = everything(database.pool()).await;
    let results = erase_at(database.pool(), SAMPLE, &who, NOW + time::Duration::days(3)).await.unwrap();
    assert_eq!(everything(database.pool()).await, once);
    for result in results {
        let kept = matches!(result.outcome, Outcome::Kept { .. });
        assert!(kept || result.rows == 0, "{} was touched again", result.table);
    }
}

#[tokio::test]
async fn the_hash_follows_the_rules_and_not_the_rows() {
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
async fn outcomes_carry_their_dates() {
    let database = seeded().await;
    let plan = plan(database.pool(), SAMPLE, &subject(1)).await;
    let outcome =
        |table: &str| &plan.lines.iter().find(|line| line.table == format!("public.{table}")).unwrap().outcome;
    assert!(
        matches!(outcome("projects"), Outcome::Stamped { purge_at: Some(at), .. } if *at == datetime!(2026-03-31 12:00 UTC))
    );
    assert!(
        matches!(outcome("usage_logs"), Outcome::Kept { until: Some(at), .. } if *at == datetime!(2028-03-01 12:00 UTC))
    );
    assert!(matches!(outcome("api_keys"), Outcome::Stamped { purge_at: None, .. }));
    let written = serde_json::to_value(&plan).unwrap();
    assert_eq!(serde_json::from_value::<Plan>(written).unwrap(), plan);
}

#[tokio::test]
async fn what_was_marked_is_purged_and_what_was_kept_goes_when_its_time_is_over() {
    let database = seeded().await;
    let pool = database.pool();
    let (who, other) = (subject(3), subject(1));
    // The application had hidden a project before; it goes with the rest.
    let hidden = format!(
        "UPDATE projects SET deleted_at = '2026-02-20' WHERE id = (SELECT min(id) FROM projects WHERE user_id = '{}')",
        who.as_str()
    );
    run(pool, &hidden).await;
    let results = erase(pool, SAMPLE, &who).await.unwrap();
    assert_eq!(count(pool, "projects WHERE deleted_at = '2026-02-20'").await, 1);
    let before = of(&everything(pool).await, &other);

    let due: Vec<&TableResult> = results.iter().filter(|result| result.purge_due.is_some()).collect();
    let tables: Vec<&str> = due.iter().map(|result| result.table.as_str()).collect();
    assert_eq!(tables.len(), 7, "{tables:?}");
    for result in due {
        let mut transaction = pool.begin().await.unwrap();
        let resolved = resolve(SAMPLE, &mut transaction).await;
        let rows = deletion::purge(&resolved, &mut transaction, &result.table, &who).await.unwrap();
        let again = deletion::purge(&resolved, &mut transaction, &result.table, &who).await.unwrap();
        transaction.commit().await.unwrap();
        let hidden = u64::from(result.table == "public.projects");
        assert_eq!((rows, again), (result.rows + hidden, 0), "{}", result.table);
    }
    let after = everything(pool).await;
    assert_eq!(of(&after, &other), before);
    let left: Vec<String> =
        of(&after, &who).into_iter().filter(|(_, rows)| !rows.is_empty()).map(|(table, _)| table).collect();
    assert_eq!(left, ["public.api_keys", "public.profiles"], "what is marked or scrubbed for good");
}

#[tokio::test]
async fn a_purge_needs_a_rule_and_spares_what_the_map_now_keeps() {
    let database = seeded().await;
    let mut connection = database.pool().acquire().await.unwrap();
    let map = SAMPLE.replace(", for = \"2 years\"", "");
    let resolved = resolve(&map, &mut connection).await;
    let purged = deletion::purge(&resolved, &mut connection, "public.usage_logs", &subject(1)).await.unwrap();
    assert_eq!(purged, 0);
    let unknown = deletion::purge(&resolved, &mut connection, "public.gone", &subject(1)).await;
    assert!(matches!(unknown, Err(Error::Map(data_map::Error::Mismatch(_)))));
}

/// Two people, notes of the first and tags of both on them.
const NOTES: &str = "
    CREATE TABLE people (id bigint PRIMARY KEY, clerk_id text NOT NULL UNIQUE);
    CREATE TABLE notes (id bigint PRIMARY KEY, user_id text NOT NULL REFERENCES people (clerk_id));
    CREATE TABLE tags (id bigint PRIMARY KEY, user_id text NOT NULL REFERENCES people (clerk_id),
        note_id bigint REFERENCES notes (id) ACTION);
    CREATE TABLE votes (tag_id bigint NOT NULL REFERENCES tags (id) ACTION, weight integer);
    INSERT INTO people VALUES (1, 'user_a'), (2, 'user_b');
    INSERT INTO notes VALUES (1, 'user_a'), (2, 'user_b');
    INSERT INTO tags VALUES (1, 'user_a', 1), (2, 'user_b', 1), (3, 'user_b', 2), (4, 'user_a', 2);
    INSERT INTO votes VALUES (1, 1), (2, 2), (3, 3), (4, 4);
";

fn notes_map(others: &str) -> String {
    let people = "[[subject]]\ntable = \"public.people\"\nkey = \"clerk_id\"\nexport = \"all\"\nerase = \"delete\"\n";
    let table = |name: &str, owner: &str| {
        format!("[[table]]\nname = \"public.{name}\"\nowner = \"{owner}\"\nexport = \"all\"\nerase = \"delete\"\n")
    };
    let reference = |column: &str| {
        format!("[[table.reference]]\ncolumn = \"{column}\"\nothers = \"{others}\"\nreason = \"decided\"\n")
    };
    let votes = if others == "delete" { reference("tag_id") } else { String::new() };
    format!(
        "{people}{}{}{}{}{votes}",
        table("notes", "user_id"),
        table("tags", "user_id"),
        reference("note_id"),
        table("votes", "tag_id -> public.tags"),
    )
}

const ACTIONS: [&str; 4] = ["", "ON DELETE RESTRICT", "ON DELETE CASCADE", "ON DELETE SET NULL"];

#[tokio::test]
async fn other_peoples_rows_are_detached_whatever_the_foreign_key_would_do() {
    for action in ACTIONS {
        let schema = NOTES.replacen("ACTION", action, 1).replacen("ACTION", "", 1);
        let database = only(&schema).await;
        let results = erase(database.pool(), &notes_map("detach"), &named("user_a")).await.unwrap();
        let rows = rows_of(&results);
        assert_eq!(rows[&("public.tags".to_owned(), true)], 1, "{action}");
        assert_eq!(rows[&("public.votes".to_owned(), false)], 2, "{action}");
        let left: Vec<String> =
            sqlx::query_scalar("SELECT t::text FROM tags AS t ORDER BY id").fetch_all(database.pool()).await.unwrap();
        assert_eq!(left, ["(2,user_b,)", "(3,user_b,2)"], "{action}");
        assert_eq!(count(database.pool(), "votes").await, 2);
    }
}

#[tokio::test]
async fn other_peoples_rows_go_with_what_hangs_on_them_where_the_map_says_so() {
    for action in ["", "ON DELETE RESTRICT", "ON DELETE CASCADE"] {
        let database = only(&NOTES.replace("ACTION", action)).await;
        let map = notes_map("delete");
        let plan = plan(database.pool(), &map, &named("user_a")).await;
        let results = erase(database.pool(), &map, &named("user_a")).await.unwrap();
        let rows = rows_of(&results);
        assert_eq!(rows, plan.lines.iter().map(|line| ((line.table.clone(), line.others), line.rows)).collect());
        assert_eq!(rows[&("public.tags".to_owned(), true)], 1, "{action}");
        assert_eq!(rows[&("public.votes".to_owned(), true)], 1, "{action}");
        assert_eq!(count(database.pool(), "tags").await, 1);
        assert_eq!(count(database.pool(), "votes WHERE tag_id = 3").await, 1);
    }
}

#[tokio::test]
async fn a_row_that_the_map_says_cannot_exist_stops_everything() {
    let database = only(&NOTES.replace("ACTION", "")).await;
    let stopped = erase(database.pool(), &notes_map("none"), &named("user_a")).await.unwrap_err();
    let Error::Map(data_map::Error::Mismatch(problems)) = stopped else { panic!("{stopped}") };
    assert!(problems[0].table == "public.tags" && problems[0].column.as_deref() == Some("note_id"), "{problems:?}");
    assert_eq!(count(database.pool(), "tags").await + count(database.pool(), "people").await, 6);
    run(database.pool(), "DELETE FROM votes WHERE tag_id = 2; DELETE FROM tags WHERE id = 2").await;
    erase(database.pool(), &notes_map("none"), &named("user_a")).await.unwrap();
}

#[tokio::test]
async fn a_trigger_that_swallows_rows_stops_everything() {
    let swallow = "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; \
                   CREATE TRIGGER swallow BEFORE DELETE ON votes FOR EACH ROW EXECUTE FUNCTION swallow();";
    let database = only(&format!("{} {swallow}", NOTES.replace("ACTION", ""))).await;
    let stopped = erase(database.pool(), &notes_map("detach"), &named("user_a")).await.unwrap_err();
    let Error::Map(data_map::Error::Mismatch(problems)) = stopped else { panic!("{stopped}") };
    assert!(problems[0].table == "public.votes" && problems[0].message.starts_with("2 of 2"), "{problems:?}");
    assert_eq!(count(database.pool(), "tags").await, 4);
}

#[tokio::test]
async fn ownership_is_followed_over_several_tables_and_threads() {
    let database = only(
        "CREATE TABLE people (id bigint PRIMARY KEY, clerk_id text NOT NULL UNIQUE);
         CREATE TABLE boards (id bigint PRIMARY KEY, people_id bigint NOT NULL REFERENCES people);
         CREATE TABLE cards (id bigint PRIMARY KEY, board bigint NOT NULL REFERENCES boards, reply_to bigint REFERENCES cards ON DELETE RESTRICT);
         CREATE TABLE files (card bigint NOT NULL REFERENCES cards, body bytea);
         INSERT INTO people VALUES (1, 'user_a'), (2, 'user_b');
         INSERT INTO boards VALUES (1, 1), (2, 2);
         INSERT INTO cards VALUES (1, 1, NULL), (2, 1, 1), (3, 2, 1), (4, 2, 3);
         INSERT INTO files VALUES (1, ''), (2, ''), (3, ''), (4, '')",
    )
    .await;
    let table = |name: &str, owner: &str| {
        format!("[[table]]\nname = \"public.{name}\"\nowner = \"{owner}\"\nexport = \"all\"\nerase = \"delete\"\n")
    };
    let map = format!(
        "[[subject]]\ntable = \"public.people\"\nkey = \"clerk_id\"\nexport = \"all\"\nerase = \"delete\"\n{}{}{}{}",
        table("boards", "people_id -> public.people"),
        table("files", "card -> public.cards"),
        table("cards", "board -> public.boards"),
        "[[table.reference]]\ncolumn = \"reply_to\"\nothers = \"detach\"\nreason = \"an answer is its writer's\"\n"
    );
    let results = erase(database.pool(), &map, &named("user_a")).await.unwrap();
    let rows = rows_of(&results);
    assert_eq!(rows[&("public.files".to_owned(), false)], 2);
    assert_eq!(rows[&("public.cards".to_owned(), false)], 2);
    assert_eq!(rows[&("public.cards".to_owned(), true)], 1);
    let left: Vec<String> =
        sqlx::query_scalar("SELECT t::text FROM cards AS t ORDER BY id").fetch_all(database.pool()).await.unwrap();
    assert_eq!(left, ["(3,2,)", "(4,2,3)"]);
    assert_eq!(count(database.pool(), "files").await, 2);
}

#[tokio::test]
async fn circles_of_foreign_keys_are_erased() {
    for (null, deferrable) in [("", ""), ("NOT NULL", "DEFERRABLE")] {
        let database = only(&format!(
            "CREATE TABLE people (id bigint PRIMARY KEY, clerk_id text NOT NULL UNIQUE);
             CREATE TABLE teams (id bigint PRIMARY KEY, user_id text NOT NULL, first_task bigint {null});
             CREATE TABLE tasks (id bigint PRIMARY KEY, user_id text NOT NULL, team bigint NOT NULL REFERENCES teams (id) DEFERRABLE INITIALLY IMMEDIATE);
             ALTER TABLE teams ADD FOREIGN KEY (first_task) REFERENCES tasks (id) {deferrable};
             BEGIN; SET CONSTRAINTS ALL DEFERRED;
             INSERT INTO people VALUES (1, 'user_a'), (2, 'user_b');
             INSERT INTO tasks VALUES (1, 'user_a', 1), (2, 'user_b', 2);
             INSERT INTO teams VALUES (1, 'user_a', 1), (2, 'user_b', 2);
             COMMIT;"
        ))
        .await;
        let table = |name: &str, column: &str| {
            format!(
                "[[table]]\nname = \"public.{name}\"\nowner = \"user_id\"\nexport = \"all\"\nerase = \"delete\"\n\
                 [[table.reference]]\ncolumn = \"{column}\"\nothers = \"none\"\nreason = \"never\"\n"
            )
        };
        let map = format!(
            "[[subject]]\ntable = \"public.people\"\nkey = \"clerk_id\"\nexport = \"all\"\nerase = \"delete\"\n{}{}",
            table("teams", "first_task"),
            table("tasks", "team")
        );
        erase(database.pool(), &map, &named("user_a")).await.unwrap();
        for rows in ["people", "teams", "tasks"] {
            assert_eq!(count(database.pool(), rows).await, 1, "{rows}");
        }
    }
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
    assert_eq!(results[0].rows, 1);
    assert_eq!(erase(database.pool(), map, &named("user_a")).await.unwrap()[0].rows, 0);
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
async fn a_key_in_an_unexpected_place_is_found() {
    let database = seeded().await;
    let who = subject(0);
    run(
        database.pool(),
        "CREATE TABLE queue (created_by text); ALTER TABLE posts ADD editor_id text; UPDATE posts SET editor_id = author_id",
    )
    .await;
    let decided = "label  = \"Posts\"\nexport = \"all\"\nerase  = \"delete\"\n";
    let map = SAMPLE.replace(
        decided,
        &format!(
            "{decided}[[table.reference]]\ncolumn = \"editor_id\"\nothers = \"detach\"\nreason = \"the author's\"\n"
        ),
    ) + "[[ignore]]\nname = \"public.queue\"\nreason = \"emptied every minute\"\n";
    sqlx::query("UPDATE posts SET editor_id = $1 WHERE id = (SELECT max(id) FROM posts WHERE author_id <> $1)")
        .bind(who.as_str())
        .execute(database.pool())
        .await
        .unwrap();
    sqlx::query("INSERT INTO queue VALUES ($1)").bind(who.as_str()).execute(database.pool()).await.unwrap();

    let mut transaction = database.pool().begin().await.unwrap();
    let resolved = resolve(&map, &mut transaction).await;
    let results = deletion::erase(&resolved, &mut transaction, &who, NOW).await.unwrap();
    assert_eq!(rows_of(&results)[&("public.posts".to_owned(), true)], 1);
    let left = deletion::verify(&resolved, &mut transaction, &who).await.unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(
        (left[0].table.as_str(), left[0].column.as_deref(), left[0].rows),
        ("public.queue", Some("created_by"), 1)
    );
}

#[tokio::test]
async fn verification_sees_what_came_back() {
    let database = seeded().await;
    let who = subject(3);
    erase(database.pool(), SAMPLE, &who).await.unwrap();
    let id = who.as_str();
    run(
        database.pool(),
        &format!(
            "UPDATE profiles SET email = 'back@example.org' WHERE user_id = '{id}'; \
             INSERT INTO projects (user_id, name) VALUES ('{id}', 'late'); \
             INSERT INTO users (clerk_id, email, name) VALUES ('{id}', 'late@example.org', 'Late')"
        ),
    )
    .await;
    let mut connection = database.pool().acquire().await.unwrap();
    let resolved = resolve(SAMPLE, &mut connection).await;
    let left = deletion::verify(&resolved, &mut connection, &who).await.unwrap();
    let tables: Vec<&str> = left.iter().map(|left| left.table.as_str()).collect();
    assert_eq!(tables, ["public.users", "public.profiles", "public.projects"]);
}

#[tokio::test]
async fn everybody_can_be_erased_at_once() {
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
async fn keys_come_once_and_in_pages() {
    let database = seeded().await;
    let mut connection = database.pool().acquire().await.unwrap();
    let resolved = resolve(SAMPLE, &mut connection).await;
    let (mut found, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = deletion::user_ids(&resolved, &mut connection, after.as_deref(), 3).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 3);
        after = Some(last.clone());
        found.extend(page);
    }
    found.sort_unstable();
    let mut everybody: Vec<String> = people::people(8).map(|person| person.id).collect();
    everybody.sort_unstable();
    assert_eq!(found, everybody);
}

mod identifiers {
    //! Names that would end a quotation, a statement or a comment.

    use futures::TryStreamExt;
    use lethe::export::Snapshot;
    use proptest::collection::hash_set;
    use proptest::prelude::{Strategy, any, prop_oneof};
    use proptest::test_runner::{Config, TestRunner};
    use serde_json::Value;

    use super::*;

    /// At most 63 bytes, as Postgres keeps of a name, and no path's arrow.
    fn identifier() -> impl Strategy<Value = String> {
        let odd = prop_oneof![
            "[a-z\"'$;.\\\\ -]{1,20}",
            "(select|user|from|table|\"\"|--|/\\*|\\$1|\\{\\}|@)",
            // As the statements themselves name what they read.
            "(t|t_|r|key|locked|pages)",
            "[\\PC]{1,12}",
            any::<[char; 6]>().prop_map(|letters| letters.into_iter().collect()),
        ];
        odd.prop_filter("a name that Postgres takes", |name: &String| {
            name.trim() == name
                && !name.is_empty()
                && name.len() <= 40
                && !name.contains('\0')
                && !name.contains("->")
                && !["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"].contains(&name.as_str())
        })
    }

    fn sql(name: &str) -> String {
        format!("\"{}\"", name.replace('"', "\"\""))
    }

    async fn survives(database: &Database, names: &[String]) {
        let [schema, people, notes, key, mark, secret] = names else { panic!("six names") };
        let (people_sql, notes_sql) =
            (format!("{}.{}", sql(schema), sql(people)), format!("{}.{}", sql(schema), sql(notes)));
        run(
            database.pool(),
            &format!(
                "DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}; \
                 CREATE TABLE {people_sql} ({key} text PRIMARY KEY, {mark} timestamptz, {secret} text); \
                 CREATE TABLE {notes_sql} ({mark} text REFERENCES {people_sql} ({key}), {key} bigint PRIMARY KEY); \
                 INSERT INTO {people_sql} VALUES ('user_a', NULL, 'x'), ('user_b', NULL, 'y'); \
                 INSERT INTO {notes_sql} VALUES ('user_a', 1), ('user_b', 2)",
                schema = sql(schema),
                key = sql(key),
                mark = sql(mark),
                secret = sql(secret),
            ),
        )
        .await;
        let toml = |text: &str| {
            format!(
                "\"{}\"",
                text.chars().fold(String::new(), |all, letter| format!("{all}\\U{:08X}", u32::from(letter)))
            )
        };
        let name = |table: &str| toml(&format!("{schema}.{table}"));
        let map = format!(
            "[[subject]]\ntable = {}\nkey = {key}\nexport = \"all\"\nerase = {{ scrub = {{ {secret} = \"null\" }}, stamp = [{mark}] }}\n\
             [[table]]\nname = {}\nowner = {}\nexport = \"all\"\nerase = \"delete\"\n",
            name(people),
            name(notes),
            toml(&format!("{mark} -> {schema}.{people}")),
            key = toml(key),
            secret = toml(secret),
            mark = toml(mark),
        );
        let who = named("user_a");
        let snapshot = Snapshot::open(database.pool(), &DataMap::parse(&map).unwrap(), &who).await.unwrap();
        let file = snapshot.write(String::new(), "").try_collect::<Vec<_>>().await.unwrap().concat();
        let file: BTreeMap<String, Vec<BTreeMap<String, Value>>> = serde_json::from_slice(&file).unwrap();
        let rows: Vec<_> = file.values().flatten().collect();
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().any(|row| row.get(secret) == Some(&Value::from("x"))));
        assert!(rows.iter().any(|row| row.get(mark) == Some(&Value::from("user_a"))));

        erase(database.pool(), &map, &who).await.unwrap();
        let query = format!("SELECT (t.*)::text FROM {people_sql} AS t ORDER BY {}", sql(key));
        let left: Vec<String> = sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(database.pool()).await.unwrap();
        assert_eq!(left, ["(user_a,\"2026-03-01 12:00:00+00\",)", "(user_b,,y)"]);
        assert_eq!(count(database.pool(), &notes_sql).await, 1);
        run(database.pool(), &format!("DROP SCHEMA {} CASCADE", sql(schema))).await;
    }

    #[test]
    fn odd_names_are_only_names() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let database = runtime.block_on(only(""));
        let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new(config);
        let tried = runner.run(&hash_set(identifier(), 6), |names| {
            let names: Vec<String> = names.into_iter().collect();
            runtime.block_on(survives(&database, &names));
            Ok(())
        });
        tried.unwrap();
        // Its connections belong to the runtime.
        runtime.block_on(database.drop_all());
    }
}
