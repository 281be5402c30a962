//! Foreign keys: other people's rows, threads, cycles, and triggers that interfere.

use lethe::{Error, data_map};

use crate::support::{count, erase, named, only, plan, rows_of, run};

/// Two people with notes, and tags of both on the notes.
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
async fn other_peoples_rows_are_deleted_with_their_children_where_the_map_says_so() {
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
async fn forbidden_reference_stops_the_erasure() {
    let database = only(&NOTES.replace("ACTION", "")).await;
    let stopped = erase(database.pool(), &notes_map("none"), &named("user_a")).await.unwrap_err();
    let Error::Map(data_map::Error::Mismatch(problems)) = stopped else { panic!("{stopped}") };
    assert!(problems[0].table == "public.tags" && problems[0].column.as_deref() == Some("note_id"), "{problems:?}");
    assert_eq!(count(database.pool(), "tags").await + count(database.pool(), "people").await, 6);
    run(database.pool(), "DELETE FROM votes WHERE tag_id = 2; DELETE FROM tags WHERE id = 2").await;
    erase(database.pool(), &notes_map("none"), &named("user_a")).await.unwrap();
}

#[tokio::test]
async fn trigger_that_suppresses_a_change_stops_the_erasure() {
    let swallow = "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; \
                   CREATE TRIGGER swallow BEFORE DELETE ON votes FOR EACH ROW EXECUTE FUNCTION swallow();";
    let database = only(&format!("{} {swallow}", NOTES.replace("ACTION", ""))).await;
    let stopped = erase(database.pool(), &notes_map("detach"), &named("user_a")).await.unwrap_err();
    let Error::Map(data_map::Error::Mismatch(problems)) = stopped else { panic!("{stopped}") };
    assert!(problems[0].table == "public.votes" && problems[0].message.starts_with("2 of 2"), "{problems:?}");
    assert_eq!(count(database.pool(), "tags").await, 4);
}

#[tokio::test]
async fn trigger_that_puts_old_values_back_stops_the_erasure() {
    let database = only(
        "CREATE TABLE people (id bigint PRIMARY KEY, clerk_id text NOT NULL UNIQUE, address text);
         INSERT INTO people VALUES (1, 'user_a', 'Main St');
         CREATE FUNCTION restore() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.address := OLD.address; RETURN NEW; END';
         CREATE TRIGGER restore BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION restore()",
    )
    .await;
    let map = "version = 2\n[[subject]]\ntable = \"public.people\"\nkey = \"clerk_id\"\nexport = \"all\"\n\
               erase = { scrub = { address = \"null\" }, leave = \"rest\", reason = \"r\" }\n";
    let stopped = erase(database.pool(), map, &named("user_a")).await.unwrap_err();
    let Error::Map(data_map::Error::Mismatch(problems)) = stopped else { panic!("{stopped}") };
    assert!(problems[0].table == "public.people" && problems[0].message.starts_with("1 of 1"), "{problems:?}");
}

#[tokio::test]
async fn rule_of_a_parent_leaves_heirs_with_rules_of_their_own_alone() {
    let database = only(
        "CREATE TABLE people (id bigint PRIMARY KEY, clerk_id text NOT NULL UNIQUE);
         CREATE TABLE docs (id bigint PRIMARY KEY, owner text);
         CREATE TABLE legal_docs (PRIMARY KEY (id)) INHERITS (docs);
         CREATE TABLE old_legal_docs (PRIMARY KEY (id)) INHERITS (legal_docs);
         INSERT INTO people VALUES (1, 'user_a');
         INSERT INTO docs VALUES (1, 'user_a'); INSERT INTO legal_docs VALUES (2, 'user_a'); INSERT INTO old_legal_docs VALUES (3, 'user_a')",
    )
    .await;
    let table = |name: &str, erase: &str| {
        format!("[[table]]\nname = \"public.{name}\"\nowner = \"owner\"\nexport = \"all\"\nerase = {erase}\n")
    };
    let subject = "version = 2\n[[subject]]\ntable = \"public.people\"\nkey = \"clerk_id\"\nexport = \"all\"\nerase = \"delete\"\n";
    let keep = "{ keep = \"legal hold\" }";
    let incomplete = [subject, &table("docs", "\"delete\""), &table("old_legal_docs", keep)].concat();
    let parsed = data_map::DataMap::parse(&incomplete).unwrap();
    let refused = data_map::resolve(&parsed, &mut database.pool().acquire().await.unwrap()).await.unwrap_err();
    let data_map::Error::Mismatch(problems) = refused else { panic!("{refused}") };
    assert_eq!(problems[0].table, "public.legal_docs", "one heir has an entry, so each needs one");
    let map = [incomplete.as_str(), &table("legal_docs", keep)].concat();
    erase(database.pool(), &map, &named("user_a")).await.unwrap();
    assert_eq!(count(database.pool(), "docs").await, 2, "those of the heirs");
    assert_eq!(count(database.pool(), "ONLY docs").await, 0);
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
async fn cycles_of_foreign_keys_are_erased() {
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

/// The parent's rows stay for a month, but what others have of the person's id goes with the deletion.
#[tokio::test]
async fn references_by_the_user_id_are_cut_although_their_rows_are_purged_later() {
    let schema = "
        CREATE TABLE people (clerk_id text PRIMARY KEY);
        CREATE TABLE profiles (user_id text PRIMARY KEY REFERENCES people, deleted_at timestamptz);
        CREATE TABLE follows (id bigint PRIMARY KEY, user_id text NOT NULL REFERENCES people,
            followed text REFERENCES profiles);
        INSERT INTO people VALUES ('user_a'), ('user_b');
        INSERT INTO profiles VALUES ('user_a'), ('user_b');
        INSERT INTO follows VALUES (1, 'user_a', 'user_b'), (2, 'user_b', 'user_a'), (3, 'user_b', 'user_b');
    ";
    for (others, left) in [("detach", vec!["(2,user_b,)", "(3,user_b,user_b)"]), ("delete", vec!["(3,user_b,user_b)"])]
    {
        let database = only(schema).await;
        let map = format!(
            r#"
            [[subject]]
            table = "public.people"
            key = "clerk_id"
            export = "all"
            erase = {{ keep = "named in invoices" }}
            [[table]]
            name = "public.profiles"
            owner = "user_id"
            export = "all"
            erase = {{ stamp = ["deleted_at"], purge_after = "30 days" }}
            [[table]]
            name = "public.follows"
            owner = "user_id"
            export = "all"
            erase = "delete"
            [[table.reference]]
            column = "followed"
            others = "{others}"
            reason = "decided"
            "#
        );
        erase(database.pool(), &map, &named("user_a")).await.unwrap();
        let rows: Vec<String> = sqlx::query_scalar("SELECT t::text FROM follows AS t ORDER BY id")
            .fetch_all(database.pool())
            .await
            .unwrap();
        assert_eq!(rows, left, "{others}");
        assert_eq!(count(database.pool(), "profiles").await, 2, "the purge comes later");
    }
}
