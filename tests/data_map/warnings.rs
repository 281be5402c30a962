//! What a schema does, or a map leaves out, that no rule can decide: each is named as a warning.

use lethe::data_map::{self, DataMap};
use lethe_demo::testing::Database;

use crate::second_language::{map, table, with};
use crate::support::{POSTS, posts, problem};

async fn warnings(database: &Database, map: &str) -> Vec<String> {
    let map = DataMap::parse(map).unwrap();
    let found = data_map::warnings(&map, &mut database.pool().acquire().await.unwrap()).await.unwrap();
    found.into_iter().map(|warning| format!("{} {}", warning.table, warning.message)).collect()
}

/// Each warning begins as expected, and there is no other.
fn assert_begin(found: &[String], expected: &[&str]) {
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
}

/// A table whose rows a trigger deletes, and one to which it copies.
const LIKES_AND_LOG: &str = "CREATE TABLE likes (id int PRIMARY KEY, a int NOT NULL REFERENCES users, post int); \
    CREATE INDEX ON posts (a); CREATE INDEX ON likes (a); CREATE TABLE log (entry text);";

#[tokio::test]
async fn keys_of_people_without_a_decision_are_a_warning() {
    let database = with(
        "CREATE TABLE notes (id int PRIMARY KEY, a int REFERENCES users, reviewer_id int, member_ids int[], position int); \
         CREATE INDEX ON notes (a); CREATE INDEX ON notes (reviewer_id)",
    )
    .await;
    let of = |rest: &str| map(&table("notes", "\"a -> public.users\"", rest));
    let message = "it may hold keys of people, and the map doesn't say what becomes of them in rows of others";
    assert_eq!(
        warnings(&database, &of("")).await,
        [format!("public.notes {message}"), format!("public.notes {message}")]
    );
    let mention = "[[table.mention]]\ncolumns = [\"reviewer_id -> public.users(id)\"]\nerase = \"null\"\n";
    assert_eq!(warnings(&database, &of(mention)).await, [format!("public.notes {message}")]);

    let inside = "[[table.mention]]\ncolumns = [\"member_ids[] -> public.users(id)\"]\nerase = \"null\"\n";
    let found = problem(&database, &of(inside)).await;
    assert!(found.2.contains("`mention` names keys of rows inside member_ids[]"), "{found:?}");
}

#[tokio::test]
async fn values_that_no_where_names_are_a_warning() {
    let database = with(
        "CREATE TABLE notes (id int PRIMARY KEY, kind text, a int, b int); CREATE INDEX ON notes (a); CREATE INDEX ON notes (b); \
         INSERT INTO notes VALUES (1, 'user', 1, 1), (2, 'it''s', 1, 1), (3, 'team', 1, 1), (4, NULL, 1, 1)",
    )
    .await;
    let owner = |column: &str, filter: &str| {
        format!(
            "[[table.owner]]\npath = \"{column} -> public.users(id)\"\n{filter}forget = {{ {column} = \"null\" }}\n"
        )
    };
    let rule = |second: &str| {
        let first = owner("a", "where = { kind = [\"user\"] }\n");
        map(&[
            "[[table]]\nname = \"public.notes\"\nexport = \"all\"\nerase = \"delete\"\n",
            &first,
            &owner("b", second),
        ]
        .concat())
    };
    assert_eq!(
        warnings(&database, &rule("where = { kind = [\"team\"] }\n")).await,
        ["public.notes rows with 'it''s' or NULL here are nobody's, since no `where` names it"]
    );
    assert_eq!(warnings(&database, &rule("")).await, [""; 0], "the second owner counts for every value");
}

#[tokio::test]
async fn what_triggers_publications_and_stored_copies_do_is_a_warning() {
    let database = with(&format!(
        "{POSTS} {LIKES_AND_LOG} CREATE FUNCTION after_post() RETURNS trigger LANGUAGE plpgsql AS \
            'BEGIN DELETE FROM likes WHERE post = OLD.id; INSERT INTO log VALUES (OLD.a); RETURN OLD; END'; \
         CREATE TRIGGER after_post AFTER DELETE ON posts FOR EACH ROW EXECUTE FUNCTION after_post(); \
         CREATE PUBLICATION copies FOR TABLE posts; CREATE MATERIALIZED VIEW top AS SELECT * FROM posts"
    ))
    .await;
    let ignored = "[[ignore]]\nnames = [\"public.log\", \"public.top\"]\nreason = \"r\"\n".to_owned();
    let rules = [posts(), table("likes", "\"a -> public.users\"", ""), ignored].concat();
    let found = warnings(&database, &map(&rules)).await;
    let expected = [
        "public.posts the materialized view public.top has copies",
        "public.posts the publication copies copies its rows",
        "public.posts the trigger after_post changes or deletes rows of public.likes",
        "public.posts the trigger after_post copies rows to public.log",
    ];
    assert_begin(&found, &expected);
}

#[tokio::test]
async fn what_functions_do_that_a_trigger_calls_is_a_warning() {
    let database = with(&format!(
        "{POSTS} {LIKES_AND_LOG} CREATE FUNCTION \"Write down\"(entry int) RETURNS void LANGUAGE sql BEGIN ATOMIC INSERT INTO log VALUES (entry); END; \
         CREATE FUNCTION wipe(post int) RETURNS void LANGUAGE plpgsql AS \
            'BEGIN PERFORM \"Write down\"(post); DELETE FROM likes l WHERE l.post = wipe.post; END'; \
         CREATE FUNCTION after_post() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM WIPE (OLD.id); RETURN OLD; END'; \
         CREATE TRIGGER after_post AFTER DELETE ON posts FOR EACH ROW EXECUTE FUNCTION after_post()"
    ))
    .await;
    let ignored = "[[ignore]]\nnames = [\"public.log\"]\nreason = \"r\"\n".to_owned();
    let rules = [posts(), table("likes", "\"a -> public.users\"", ""), ignored].concat();
    let found = warnings(&database, &map(&rules)).await;
    let expected = [
        "public.posts the trigger after_post changes or deletes rows of public.likes",
        "public.posts the trigger after_post copies rows to public.log",
    ];
    assert_begin(&found, &expected);
}

#[tokio::test]
async fn rows_that_are_searched_without_an_index_are_a_warning_with_the_statement_that_makes_it() {
    let database = with(POSTS).await;
    let map = map(&posts());
    let parsed = DataMap::parse(&map).unwrap();
    let mut connection = database.pool().acquire().await.unwrap();
    let found = data_map::warnings(&parsed, &mut connection).await.unwrap();
    let [warning] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(warning.remedy, "CREATE INDEX CONCURRENTLY ON \"public\".\"posts\" (\"a\")");
    sqlx::raw_sql(sqlx::AssertSqlSafe(warning.remedy.as_str())).execute(&mut *connection).await.unwrap();
    assert_eq!(data_map::warnings(&parsed, &mut connection).await.unwrap(), []);
}

#[tokio::test]
async fn addresses_that_are_searched_without_an_index_are_a_warning_with_the_statement_that_makes_it() {
    let database = with("CREATE TABLE guests (id int PRIMARY KEY, \"E mail\" varchar(90), phone text)").await;
    let rule = |owner: &str| {
        map(&format!("[[table]]\nname = \"public.guests\"\nowner = {owner}\nexport = \"all\"\nerase = \"delete\"\n"))
    };
    let mut connection = database.pool().acquire().await.unwrap();
    for owner in ["{ email = \"E mail\" }", "{ phone = \"phone\" }"] {
        let map = DataMap::parse(&rule(owner)).unwrap();
        let found = data_map::warnings(&map, &mut connection).await.unwrap();
        let [warning] = found.as_slice() else { panic!("{found:?}") };
        assert!(warning.message.starts_with("no index finds rows by the address"), "{warning}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(warning.remedy.as_str())).execute(&mut *connection).await.unwrap();
        assert_eq!(data_map::warnings(&map, &mut connection).await.unwrap(), []);
    }
}

#[tokio::test]
async fn user_ids_in_json_beside_those_of_the_mentions_are_a_warning() {
    let id = "user_2abcdefghijklmnopqrstuvwxyz";
    let database = with(&format!(
        "CREATE TABLE notes (id int PRIMARY KEY, a int REFERENCES users, data jsonb); CREATE INDEX ON notes (a); \
         INSERT INTO notes VALUES (1, 1, '{{\"by\": \"{id}\"}}')"
    ))
    .await;
    let mention = "[[table.mention]]\ncolumns = [\"data->'by'\"]\nerase = \"null\"\n";
    let map = map(&table("notes", "\"a -> public.users\"", mention));
    let is_beside = |found: &Vec<String>| found.iter().any(|found| found.contains("elsewhere than where the mentions"));
    assert!(!is_beside(&warnings(&database, &map).await));
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("UPDATE notes SET data = data || '{{\"seen\": [\"{id}\"]}}'")))
        .execute(database.pool())
        .await
        .unwrap();
    assert!(is_beside(&warnings(&database, &map).await));
}

#[tokio::test]
async fn rows_that_go_with_an_actor_are_a_warning() {
    let database = with(
        "CREATE TABLE payments (id int PRIMARY KEY, processed_by int REFERENCES users, user_id int REFERENCES users)",
    )
    .await;
    let of = |owner: &str| {
        map(&table(
            "payments",
            &format!("\"{owner} -> public.users\""),
            &format!(
                "[[table.mention]]\ncolumns = [\"{}\"]\nerase = \"null\"\n",
                if owner == "user_id" { "processed_by" } else { "user_id" }
            ),
        ))
    };
    let is_actors = |found: &Vec<String>| found.iter().any(|found| found.contains("seems to have acted on them"));
    assert!(is_actors(&warnings(&database, &of("processed_by")).await));
    assert!(!is_actors(&warnings(&database, &of("user_id")).await));
}

#[tokio::test]
async fn trigger_with_dynamic_statements_is_a_warning_and_changes_that_the_map_allows_are_none() {
    let database = with(&format!(
        "{POSTS} CREATE FUNCTION on_post() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN EXECUTE ''SELECT 1''; UPDATE users SET clerk_id = clerk_id; RETURN OLD; END'; \
         CREATE TRIGGER on_post AFTER DELETE ON posts FOR EACH ROW EXECUTE FUNCTION on_post()"
    ))
    .await;
    let refused = warnings(&database, &map(&posts())).await;
    assert!(refused.iter().any(|found| found.contains("(EXECUTE)")), "{refused:?}");
    assert!(refused.iter().any(|found| found.contains("an erasure during which it does is refused")), "{refused:?}");
    let allowing = map(&posts()).replacen("[[subject]]", "[[subject]]\nchanged_by_triggers = \"counters\"", 1);
    let allowed = warnings(&database, &allowing).await;
    assert!(!allowed.iter().any(|found| found.contains("by itself")), "{allowed:?}");
}
