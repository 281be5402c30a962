//! Other people's rows: which foreign keys and columns need a decision, and what can't be decided.

use lethe_demo::testing::Database;

use crate::support::{PEOPLE, PEOPLE_RULE, SAMPLE, assert_problem, database, only, problem, problems};

#[tokio::test]
async fn ignored_table_cannot_reference_deleted_rows() {
    let database = database("CREATE TABLE likes (post_id bigint REFERENCES posts (id))").await;
    let map = format!("{SAMPLE}\n[[ignore]]\nname = \"public.likes\"\nreason = \"no names in it\"\n");
    assert_problem(&problem(&database, &map).await, "public.likes", "post_id", "would block the deletion");
}

/// A database with notes and other people's tags on them; `action` is the foreign key's.
async fn tagged(action: &str, nullable: bool) -> Database {
    let null = if nullable { "" } else { "NOT NULL" };
    only(&format!(
        "{PEOPLE} CREATE TABLE notes (id bigint PRIMARY KEY, user_id text NOT NULL REFERENCES people (clerk_id)); \
         CREATE TABLE tags (id bigint PRIMARY KEY, user_id text NOT NULL REFERENCES people (clerk_id), \
             note_id bigint {null} REFERENCES notes (id) {action})"
    ))
    .await
}

fn tagged_map(reference: &str) -> String {
    let table = |name: &str| {
        format!("[[table]]\nname = \"public.{name}\"\nowner = \"user_id\"\nexport = \"all\"\nerase = \"delete\"\n")
    };
    format!("{PEOPLE_RULE}{}{}{reference}", table("notes"), table("tags"))
}

fn reference(others: &str) -> String {
    format!("[[table.reference]]\ncolumn = \"note_id\"\nothers = \"{others}\"\nreason = \"decided\"\n")
}

#[tokio::test]
async fn every_foreign_key_that_reaches_other_peoples_rows_needs_a_decision() {
    for (action, consequence) in [
        ("", "would block"),
        ("ON DELETE RESTRICT", "would block"),
        ("ON DELETE CASCADE", "silently delete"),
        ("ON DELETE SET NULL", "silently detach"),
        ("ON DELETE SET DEFAULT", "silently point"),
    ] {
        let database = tagged(action, true).await;
        assert_problem(&problem(&database, &tagged_map("")).await, "public.tags", "note_id", consequence);
        for others in ["detach", "delete", "none"] {
            assert_eq!(problems(&database, &tagged_map(&reference(others))).await, [], "{action} {others}");
        }
    }
    let database = tagged("", false).await;
    assert_problem(
        &problem(&database, &tagged_map(&reference("detach"))).await,
        "public.tags",
        "note_id",
        "can't be detached",
    );
}

#[tokio::test]
async fn rows_that_stay_cannot_reference_deleted_rows() {
    let keep = tagged_map(&reference("none")).replacen(
        "name = \"public.tags\"\nowner = \"user_id\"\nexport = \"all\"\nerase = \"delete\"",
        "name = \"public.tags\"\nowner = \"user_id\"\nexport = \"all\"\nerase = { keep = \"law\", for = \"1 year\" }",
        1,
    );
    for (action, consequence) in [("", "would block"), ("ON DELETE CASCADE", "silently delete them")] {
        let database = tagged(action, true).await;
        let found = problems(&database, &keep).await;
        assert_eq!(found.len(), 2, "{found:#?}");
        let tags = found.iter().find(|problem| problem.column.as_deref() == Some("note_id")).unwrap();
        assert!(
            tags.message.contains("are deleted after 1 year") && tags.message.contains(consequence),
            "{}",
            tags.message
        );
    }
}

#[tokio::test]
async fn second_column_with_a_user_id_needs_a_decision() {
    let database = database("ALTER TABLE posts ADD edited_by text, ADD editor_id text").await;
    let first = SAMPLE.replacen("version = 2", "version = 1", 1);
    assert_problem(&problem(&database, &first).await, "public.posts", "editor_id", "somebody who doesn't own the row");
    let map = first.replace(
        "label  = \"Posts\"\nexport = \"all\"\nerase  = \"delete\"",
        "label  = \"Posts\"\nexport = \"all\"\nerase  = \"delete\"\n[[table.reference]]\ncolumn = \"editor_id\"\nothers = \"detach\"\nreason = \"it stays the author's\"",
    );
    assert!(problems(&database, &map).await.is_empty());
    let second = problems(&database, SAMPLE).await;
    let columns: Vec<&str> = second.iter().filter_map(|problem| problem.column.as_deref()).collect();
    assert_eq!(columns, ["edited_by", "editor_id"], "the second language knows endings of names");
}

#[tokio::test]
async fn cycles_are_broken_where_the_database_allows_it() {
    let cycle = |nullable: &str, deferrable: &str| {
        format!(
            "{PEOPLE} CREATE TABLE teams (id bigint PRIMARY KEY, user_id text NOT NULL, first_task bigint {nullable}); \
             CREATE TABLE tasks (id bigint PRIMARY KEY, user_id text NOT NULL, team bigint NOT NULL REFERENCES teams (id)); \
             ALTER TABLE teams ADD FOREIGN KEY (first_task) REFERENCES tasks (id) {deferrable}"
        )
    };
    let table = |name: &str, column: &str| {
        format!(
            "[[table]]\nname = \"public.{name}\"\nowner = \"user_id\"\nexport = \"all\"\nerase = \"delete\"\n\
             [[table.reference]]\ncolumn = \"{column}\"\nothers = \"none\"\nreason = \"never\"\n"
        )
    };
    let map = format!("{PEOPLE_RULE}{}{}", table("teams", "first_task"), table("tasks", "team"));
    let held = only(&cycle("NOT NULL", "")).await;
    assert_problem(&problem(&held, &map).await, "public.teams", "", "cycle through public.teams, public.tasks");
    assert_eq!(problems(&only(&cycle("", "")).await, &map).await, []);
    assert_eq!(problems(&only(&cycle("NOT NULL", "DEFERRABLE")).await, &map).await, []);
    // Purges have a transaction for each table, in which nothing can be deferred to the other's.
    let stamped =
        cycle("", "DEFERRABLE").replace("user_id text NOT NULL,", "user_id text NOT NULL, deleted_at timestamptz,");
    let purging = |rule: String| {
        rule.replace("erase = \"delete\"", "erase = { stamp = [\"deleted_at\"], purge_after = \"30 days\" }")
    };
    let purged = format!("{PEOPLE_RULE}{}{}", purging(table("teams", "first_task")), purging(table("tasks", "team")));
    let found = problems(&only(&stamped).await, &purged).await;
    assert!(
        found.iter().any(|problem| problem.message.contains("cycle through public.teams, public.tasks")),
        "{found:#?}"
    );
}

#[tokio::test]
async fn deleting_other_peoples_rows_in_a_cycle_is_refused() {
    let database = only(&format!(
        "{PEOPLE} CREATE TABLE notes (id bigint PRIMARY KEY, user_id text, reply_to bigint REFERENCES notes (id))"
    ))
    .await;
    let map = |others: &str| {
        format!(
            "{PEOPLE_RULE}[[table]]\nname = \"public.notes\"\nowner = \"user_id\"\nexport = \"all\"\nerase = \"delete\"\n\
             [[table.reference]]\ncolumn = \"reply_to\"\nothers = \"{others}\"\nreason = \"decided\"\n"
        )
    };
    assert_problem(&problem(&database, &map("delete")).await, "public.notes", "", "in a cycle");
    assert_eq!(problems(&database, &map("detach")).await, []);
}
