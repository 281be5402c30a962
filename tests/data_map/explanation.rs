//! What the map says of a table in sentences, and the privileges that its rules need.

use lethe::data_map::{self, DataMap};

use crate::second_language::{map, table, with};
use crate::support::{POSTS, posts, problems};

#[tokio::test]
async fn grants_are_what_a_role_needs() {
    let database = with(&format!(
        "{POSTS} CREATE TABLE log (entry text); \
         CREATE FUNCTION after_post() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (OLD.a); RETURN OLD; END'; \
         CREATE TRIGGER after_post AFTER DELETE ON posts FOR EACH ROW EXECUTE FUNCTION after_post()"
    ))
    .await;
    let role = format!("lethe_grants_{}", std::process::id());
    let ignored = "[[ignore]]\nnames = [\"public.log\"]\nreason = \"r\"\n".to_owned();
    let map = DataMap::parse(&map(&[posts(), ignored].concat())).unwrap();
    let mut connection = database.pool().acquire().await.unwrap();
    let run = |sql: String| sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
    run(format!("CREATE ROLE {role}; SET ROLE {role}")).execute(&mut *connection).await.unwrap();
    assert!(data_map::resolve(&map, &mut connection).await.is_err(), "the role may do nothing yet");
    let grants = data_map::grants(&map, None, &mut connection).await.unwrap();
    assert!(grants.contains(&format!("GRANT INSERT ON \"public\".\"log\" TO \"{role}\"")), "{grants}");
    run(format!("RESET ROLE; {grants}; SET ROLE {role}")).execute(&mut *connection).await.unwrap();
    data_map::resolve(&map, &mut connection).await.unwrap();
    run("BEGIN; DELETE FROM posts; ROLLBACK".to_owned()).execute(&mut *connection).await.unwrap();
    run(format!("RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}")).execute(&mut *connection).await.unwrap();
}

#[tokio::test]
async fn users_at_clerk_alone_need_no_table() {
    let database = with("CREATE TABLE notes (id int PRIMARY KEY, user_id text)").await;
    let map = format!(
        "version = 2\n{}[[ignore]]\nnames = [\"public.users\"]\nreason = \"of another application\"\n",
        table("notes", "\"user_id\"", "")
    );
    assert_eq!(problems(&database, &map).await, []);
    let first = map.replace("version = 2\n", "");
    assert!(DataMap::parse(&first).unwrap_err().to_string().contains("there is no [[subject]]"));
}

#[tokio::test]
async fn explanation_says_what_happens_to_rows() {
    let database = with(&format!(
        "{POSTS} CREATE TABLE likes (id int PRIMARY KEY, a int REFERENCES users, post int REFERENCES posts)"
    ))
    .await;
    let reference =
        "[[table.reference]]\ncolumn = \"post\"\nothers = \"delete\"\nreason = \"nothing is left to like\"\n";
    let map = DataMap::parse(&map(&[posts(), table("likes", "\"a -> public.users\"", reference)].concat())).unwrap();
    let resolved = data_map::resolve(&map, &mut database.pool().acquire().await.unwrap()).await.unwrap();
    assert_eq!(
        data_map::explain(&map, &resolved, "public.likes").unwrap(),
        "public.likes, which users know as \"Likes\":\n\
         - A row belongs to the owners of the row of public.users that a leads to (id).\n\
         - Its owners get every column in their export.\n\
         - When the owner is deleted, the row is deleted.\n\
         - In rows that stay and whose post references a row of public.posts that is deleted, the row is deleted, because: nothing \
         is left to like\n"
    );
    assert_eq!(data_map::explain(&map, &resolved, "public.other"), None);
}
