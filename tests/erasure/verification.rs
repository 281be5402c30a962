//! The verification after an erasure, and the list of user ids.

use lethe::Identifiers;
use lethe::deletion::{self, orphans};
use lethe_demo::people;

use crate::support::{NOW, SAMPLE, erase, only, resolve, rows_of, run, seeded, subject};

#[tokio::test]
async fn verification_finds_a_user_id_in_an_ignored_table() {
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
    let results = deletion::erase(&resolved, &mut transaction, &Identifiers::from(&who), NOW).await.unwrap();
    assert_eq!(rows_of(&results)[&("public.posts".to_owned(), true)], 1);
    let left = deletion::verify(&resolved, &mut transaction, &Identifiers::from(&who)).await.unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(
        (left[0].table.as_str(), left[0].column.as_deref(), left[0].rows),
        ("public.queue", Some("created_by"), 1)
    );
}

#[tokio::test]
async fn verification_finds_rows_that_were_written_later() {
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
    let left = deletion::verify(&resolved, &mut connection, &Identifiers::from(&who)).await.unwrap();
    let tables: Vec<&str> = left.iter().map(|left| left.table.as_str()).collect();
    assert_eq!(tables, ["public.users", "public.profiles", "public.projects"]);
}

#[tokio::test]
async fn user_ids_come_once_and_in_pages() {
    let database = seeded().await;
    let mut connection = database.pool().acquire().await.unwrap();
    let resolved = resolve(SAMPLE, &mut connection).await;
    let (mut found, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = orphans::user_ids(&resolved, &mut connection, after.as_deref(), 3).await.unwrap();
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

#[tokio::test]
async fn ghost_row_is_nobodys() {
    let database = only(
        "CREATE TABLE users (id int PRIMARY KEY, clerk_id text NOT NULL UNIQUE); \
         INSERT INTO users VALUES (0, 'user_ghost'), (1, 'user_a')",
    )
    .await;
    let map = "version = 2\n[ghost]\n\"public.users\" = { id = \"0\" }\n[[subject]]\ntable = \"public.users\"\nkey = \"clerk_id\"\n\
        export = \"all\"\nerase = \"delete\"\n";
    let mut connection = database.pool().acquire().await.unwrap();
    let resolved = resolve(map, &mut connection).await;
    assert_eq!(
        orphans::user_ids(&resolved, &mut connection, None, 10).await.unwrap(),
        ["user_a"],
        "it isn't an orphan"
    );
    assert_eq!(orphans::user_ids(&resolved, &mut connection, Some("user_a"), 10).await.unwrap(), [] as [&str; 0]);
}
