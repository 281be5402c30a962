//! What only rows show: values that match nobody, and rows that refuse what a rule would write.

use lethe::data_map::{self, DataMap};
use lethe_demo::testing::Database;

use crate::second_language::{map, table, with};
use crate::support::{posts, problem, problems};

async fn values(database: &Database, map: &str) -> Vec<String> {
    let map = DataMap::parse(map).unwrap();
    let mut connection = database.pool().acquire().await.unwrap();
    let resolved = data_map::resolve(&map, &mut connection).await.unwrap();
    let found = data_map::check_values(&resolved, &mut connection).await.unwrap();
    found.into_iter().map(|problem| format!("{} {}", problem.table, problem.message)).collect()
}

#[tokio::test]
async fn rows_show_mentions_that_match_no_user() {
    let database = with(
        "CREATE TABLE tags (id int PRIMARY KEY, a int REFERENCES users, tagged_by text, seen_by text); \
         INSERT INTO tags VALUES (1, 1, '1', 'user_2abcdefghijklmnopqrstuvwxyz')",
    )
    .await;
    let mention =
        |column: &str, erase: &str| format!("[[table.mention]]\ncolumns = [\"{column}\"]\nerase = \"{erase}\"\n");
    let of = |erase: &str| {
        let mentions = [mention("tagged_by", erase), mention("seen_by", "null")].concat();
        map(&table("tags", "\"a -> public.users(id)\"", &mentions))
    };
    assert_eq!(
        values(&database, &of("null")).await,
        ["public.tags no value in it is a Clerk user id (user_…), so the mention finds nobody"]
    );
    assert_eq!(values(&database, &of("none")).await, [""; 0]);
}

#[tokio::test]
async fn rows_show_values_of_where_that_do_not_occur() {
    let database =
        with("CREATE TABLE notes (id int PRIMARY KEY, kind text, a int); INSERT INTO notes VALUES (1, 'User', 1)")
            .await;
    let owner = "{ path = \"a -> public.users(id)\", where = { kind = [\"user\"] } }";
    assert_eq!(
        values(&database, &map(&table("notes", owner, ""))).await,
        ["public.notes no row has the values of `where`, in this case and spelling"]
    );
}

#[tokio::test]
async fn map_with_a_ghost_that_is_missing_or_a_user_does_not_fit() {
    let database = with("CREATE TABLE notes (id int PRIMARY KEY, a int REFERENCES users)").await;
    let map = map(&table("notes", "\"a -> public.users(id)\"", ""));
    assert_eq!(problems(&database, &map).await, []);
    let update = "UPDATE users SET clerk_id = 'user_2abcdefghijklmnopqrstuvwxyz' WHERE id = 0";
    sqlx::raw_sql(update).execute(database.pool()).await.unwrap();
    assert!(problem(&database, &map).await.2.contains("has a Clerk user id"));
    sqlx::raw_sql("DELETE FROM users WHERE id = 0").execute(database.pool()).await.unwrap();
    assert!(problem(&database, &map).await.2.contains("doesn't exist"));
}

#[tokio::test]
async fn trigger_that_puts_the_old_value_back_is_found_by_trying() {
    let database = with(
        "CREATE TABLE posts (id int PRIMARY KEY, a int REFERENCES users, body text); INSERT INTO posts VALUES (1, 1, 'x'); \
         CREATE FUNCTION restore() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.body := OLD.body; RETURN NEW; END'; \
         CREATE TRIGGER restore BEFORE UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION restore()",
    )
    .await;
    let scrub = "erase = { scrub = { a = \"ghost\", body = \"null\" }, leave = \"rest\", reason = \"r\" }";
    let map = map(&posts().replace("erase = \"delete\"", scrub));
    assert_eq!(values(&database, &map).await, ["public.posts a trigger or a rule puts the old values back"]);
}

#[tokio::test]
async fn values_that_only_some_rows_refuse_are_found_by_trying() {
    let database = with(
        "CREATE TABLE docs (id int PRIMARY KEY, a int REFERENCES users, by int REFERENCES users, status text, \
            CHECK (status <> 'approved' OR by IS NOT NULL)); \
         INSERT INTO docs VALUES (1, 1, NULL, 'draft'), (2, 2, 1, 'approved')",
    )
    .await;
    let mention = "[[table.mention]]\ncolumns = [\"by\"]\nerase = \"null\"\n";
    let found = values(&database, &map(&table("docs", "\"a -> public.users\"", mention))).await;
    assert!(found.len() == 1 && found[0].contains("the database refuses the new values"), "{found:?}");
}

#[tokio::test]
async fn mentions_inside_values_that_match_no_user_are_an_error() {
    let database = with(
        "CREATE TABLE notes (id int PRIMARY KEY, a int REFERENCES users, data jsonb, viewers text[]); \
         INSERT INTO notes VALUES (1, 1, '{\"by\": \"user_2abcdefghijklmnopqrstuvwxyz\", \"seen\": [\"user_2abcdefghijklmnopqrstuvwxyz\"], \"of\": 1}', '{1, 2}')",
    )
    .await;
    let of = |column: &str| {
        let mention = format!("[[table.mention]]\ncolumns = [\"{column}\"]\nerase = \"null\"\n");
        map(&table("notes", "\"a -> public.users(id)\"", &mention))
    };
    let message = "public.notes no value there is a Clerk user id (user_…), so the mention finds nobody";
    for column in ["data->'seen'", "data->'of'", "viewers[]"] {
        assert_eq!(values(&database, &of(column)).await, [message], "{column}");
    }
    for column in ["data->'by'", "data->'later'"] {
        assert_eq!(values(&database, &of(column)).await, [""; 0], "{column}");
    }
}
