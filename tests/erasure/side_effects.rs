//! Triggers whose statements are put together at run time, so that nobody can read them beforehand: what they do is counted.

use lethe::data_map;
use lethe::deletion::{self, Rehearsal, SideEffect};
use lethe::{Error, Identifiers};

use crate::support::{count, erase, named, only, resolve, run};

const SCHEMA: &str = "
    CREATE TABLE people (id bigint PRIMARY KEY, clerk_id text NOT NULL UNIQUE);
    CREATE TABLE posts (id bigint PRIMARY KEY, author bigint NOT NULL REFERENCES people);
    CREATE TABLE reviews (id bigint PRIMARY KEY, author bigint REFERENCES people, post bigint);
    CREATE TABLE history (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, author bigint, was text);
    CREATE TABLE archive (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id text, was text);
    CREATE TABLE outbox (event text);
    INSERT INTO people VALUES (1, 'user_a'), (2, 'user_b');
    INSERT INTO posts VALUES (1, 1), (2, 2);
    INSERT INTO reviews VALUES (1, 2, 1), (2, 2, 2), (3, 1, 2);
";

fn map() -> String {
    let table = |name: &str, owner: &str| {
        format!("[[table]]\nname = \"public.{name}\"\nowner = \"{owner}\"\nexport = \"all\"\nerase = \"delete\"\n")
    };
    [
        "version = 2\n[[subject]]\ntable = \"public.people\"\nkey = \"clerk_id\"\nexport = \"all\"\nerase = \"delete\"\n",
        &table("posts", "author -> public.people"),
        &table("reviews", "author -> public.people"),
        &table("history", "author -> public.people(id)"),
        &table("archive", "user_id"),
        "[[ignore]]\nnames = [\"public.outbox\"]\nreason = \"emptied every minute\"\n",
    ]
    .concat()
}

const DEFERRED: &str = "DEFERRABLE INITIALLY DEFERRED";

/// A trigger whose function runs a statement that it puts together.
fn trigger(table: &str, timing: &str, statement: &str) -> String {
    let kind = if timing == DEFERRED { "CONSTRAINT TRIGGER" } else { "TRIGGER" };
    format!(
        "CREATE FUNCTION on_delete() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN EXECUTE {statement}; RETURN OLD; END $f$;
         CREATE {kind} on_delete AFTER DELETE ON {table} {timing} FOR EACH ROW EXECUTE FUNCTION on_delete()"
    )
}

#[tokio::test]
async fn trigger_that_deletes_rows_of_others_stops_the_erasure() {
    let statement = "'DELETE FR' || 'OM reviews WHERE post = ' || OLD.id";
    for timing in ["", DEFERRED] {
        let database = only(&format!("{SCHEMA} {}", trigger("posts", timing, statement))).await;
        let stopped = erase(database.pool(), &map(), &named("user_a")).await.unwrap_err();
        let Error::Map(data_map::Error::Mismatch(problems)) = stopped else { panic!("{stopped}") };
        assert_eq!((problems.len(), problems[0].table.as_str()), (1, "public.reviews"));
        assert!(problems[0].message.starts_with("rows go that the map doesn't delete (1)"), "{problems:?}");
        assert_eq!((count(database.pool(), "reviews").await, count(database.pool(), "people").await), (3, 2));
        run(database.pool(), "UPDATE reviews SET post = NULL WHERE id = 1").await;
        erase(database.pool(), &map(), &named("user_a")).await.unwrap();
        assert_eq!((count(database.pool(), "reviews").await, count(database.pool(), "people").await), (2, 1));
    }
}

#[tokio::test]
async fn rows_that_a_trigger_copies_into_a_table_with_a_rule_are_erased_too() {
    let by_key = "format('INSERT INTO %I (author, was) VALUES ($1, $2)', 'history') USING OLD.author, OLD::text";
    let by_id = "format('INSERT INTO %I (user_id, was) VALUES ($1, $2)', 'archive') USING OLD.clerk_id, OLD::text";
    for (table, timing, statement, copies) in [
        ("posts", "", by_key, "public.history"),
        ("people", "", by_id, "public.archive"),
        ("people", DEFERRED, by_id, "public.archive"),
    ] {
        let database = only(&format!("{SCHEMA} {}", trigger(table, timing, statement))).await;
        let results = erase(database.pool(), &map(), &named("user_a")).await.unwrap();
        let result = results.iter().find(|result| result.line.table == copies).unwrap();
        assert_eq!((result.line.rows, count(database.pool(), copies).await), (1, 0), "{table} {timing}");
    }
}

#[tokio::test]
async fn trigger_that_changes_or_empties_a_table_with_a_rule_stops_the_erasure_unless_the_map_says_so() {
    let update = "'UPD' || 'ATE history SET was = NULL WHERE author = 2'";
    let rows = "INSERT INTO history (author, was) VALUES (2, 'a'), (2, 'b')";
    for (statement, message) in [
        (update, "a trigger changes rows beside the map's rules (2 changes)"),
        ("'TRUN' || 'CATE history'", "a trigger empties the table (TRUNCATE)"),
    ] {
        let database = only(&format!("{SCHEMA} {}; {rows}", trigger("posts", "", statement))).await;
        let stopped = erase(database.pool(), &map(), &named("user_a")).await.unwrap_err();
        let Error::Map(data_map::Error::Mismatch(problems)) = stopped else { panic!("{stopped}") };
        assert_eq!((problems.len(), problems[0].table.as_str()), (1, "public.history"));
        assert!(problems[0].message.starts_with(message), "{problems:?}");
        assert_eq!(count(database.pool(), "history WHERE was IS NOT NULL").await, 2);
        let allowed =
            map().replace("name = \"public.history\"", "name = \"public.history\"\nchanged_by_triggers = \"counters\"");
        erase(database.pool(), &allowed, &named("user_a")).await.unwrap();
        assert_eq!(count(database.pool(), "history WHERE was IS NOT NULL").await, 0, "{statement}");
    }
}

#[tokio::test]
async fn rehearsal_finds_texts_that_an_erasure_leaves() {
    let statement = "format('INSERT INTO %I VALUES ($1)', 'outbox') USING OLD::text";
    let database = only(&format!("{SCHEMA} {}", trigger("people", "", statement))).await;
    let rehearsal = rehearse(&database).await;
    assert!(!rehearsal.is_complete() && rehearsal.leftovers.is_empty());
    assert_eq!(rehearsal.content.found()[0].table, "public.outbox");
    assert_eq!(count(database.pool(), "outbox").await, 0);
}

async fn rehearse(database: &lethe_demo::testing::Database) -> Rehearsal {
    let mut connection = database.pool().acquire().await.unwrap();
    let resolved = resolve(&map(), &mut connection).await;
    deletion::rehearse(&resolved, &mut connection, &Identifiers::from(&named("user_a")), 1_000_000_000).await.unwrap()
}

#[tokio::test]
async fn rehearsal_says_what_happens_and_changes_nothing() {
    let statement = "format('INSERT INTO %I VALUES ($1)', 'outbox') USING OLD::text";
    let database = only(&format!("{SCHEMA} {}", trigger("posts", "", statement))).await;
    let Rehearsal { results, side_effects, leftovers, content } = rehearse(&database).await;
    let rows = |table: &str| {
        let results = results.iter().filter(|result| result.line.table == format!("public.{table}"));
        results.map(|result| result.line.rows).sum::<u64>()
    };
    assert_eq!(["people", "posts", "reviews", "history"].map(rows), [1, 1, 1, 0]);
    let copied =
        SideEffect { table: "public.outbox".to_owned(), inserted: 1, updated: 0, deleted: 0, truncated: false };
    assert!(content.found().is_empty(), "{content:?}");
    assert_eq!((side_effects, leftovers), (vec![copied], Vec::new()));
    for (table, rows) in [("people", 2), ("posts", 2), ("reviews", 3), ("outbox", 0)] {
        assert_eq!(count(database.pool(), table).await, rows, "{table}");
    }
    erase(database.pool(), &map(), &named("user_a")).await.unwrap();
    assert_eq!(count(database.pool(), "outbox").await, 1);
}

#[tokio::test]
async fn row_that_moves_to_another_partition_is_no_side_effect() {
    let database = only(
        "CREATE TABLE people (id bigint PRIMARY KEY, clerk_id text NOT NULL UNIQUE);
         CREATE TABLE events (id bigint, owner text, region text NOT NULL) PARTITION BY LIST (region);
         CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER touch BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION touch();
         CREATE TABLE events_eu PARTITION OF events FOR VALUES IN ('eu'); CREATE TABLE events_none PARTITION OF events FOR VALUES IN ('');
         INSERT INTO people VALUES (1, 'user_a'); INSERT INTO events VALUES (1, 'user_a', 'eu'), (2, 'user_b', 'eu')",
    )
    .await;
    let map = "version = 2\n[[subject]]\ntable = \"public.people\"\nkey = \"clerk_id\"\nexport = \"all\"\nerase = \"delete\"\n\
        [[table]]\nname = \"public.events\"\nowner = \"owner\"\nexport = \"all\"\n\
        erase = { scrub = { owner = \"null\", region = \"neutral\" }, leave = \"rest\", reason = \"r\" }\n";
    erase(database.pool(), map, &named("user_a")).await.unwrap();
    assert_eq!((count(database.pool(), "events_none").await, count(database.pool(), "events_eu").await), (1, 1));
}
