//! What a schema does behind a statement's back, and maps that contradict the schema: each is refused, or named as a warning.

use lethe::data_map::{self, DataMap};
use lethe_demo::testing::Database;

use crate::second_language::{map, table, with};
use crate::support::{assert_problem, problem, problems};

const POSTS: &str = "CREATE TABLE posts (id int PRIMARY KEY, a int NOT NULL REFERENCES users);";

fn posts() -> String {
    table("posts", "\"a -> public.users\"", "")
}

async fn values(database: &Database, map: &str) -> Vec<String> {
    let map = DataMap::parse(map).unwrap();
    let mut connection = database.pool().acquire().await.unwrap();
    let resolved = data_map::resolve(&map, &mut connection).await.unwrap();
    let found = data_map::check_values(&resolved, &mut connection).await.unwrap();
    found.into_iter().map(|problem| format!("{} {}", problem.table, problem.message)).collect()
}

async fn warnings(database: &Database, map: &str) -> Vec<String> {
    let map = DataMap::parse(map).unwrap();
    let found = data_map::warnings(&map, &mut database.pool().acquire().await.unwrap()).await.unwrap();
    found.into_iter().map(|warning| format!("{} {}", warning.table, warning.message)).collect()
}

#[tokio::test]
async fn foreign_key_of_one_partition_or_to_one_counts_for_its_table() {
    let events = "CREATE TABLE events (id int, a int NOT NULL REFERENCES users, post int, at date NOT NULL, PRIMARY KEY (id, at)) \
        PARTITION BY RANGE (at); CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');";
    let rules = [posts(), table("events", "\"a -> public.users\"", "")].concat();
    let of = format!("{POSTS} {events} ALTER TABLE events_1 ADD FOREIGN KEY (post) REFERENCES posts ON DELETE CASCADE");
    assert_problem(&problem(&with(&of).await, &map(&rules)).await, "public.events", "post", "rows of public.posts");
    let to = format!(
        "{events} CREATE TABLE posts (id int PRIMARY KEY, a int NOT NULL REFERENCES users, event int, at date, \
        FOREIGN KEY (event, at) REFERENCES events_1 (id, at) ON DELETE CASCADE)"
    );
    assert_problem(&problem(&with(&to).await, &map(&rules)).await, "public.posts", "event", "rows of public.events");
}

#[tokio::test]
async fn foreign_key_of_a_table_that_inherits_counts_for_the_parent() {
    let schema = format!(
        "{POSTS} CREATE TABLE logs (id int PRIMARY KEY, a int REFERENCES users, post int); \
        CREATE TABLE logs_old (FOREIGN KEY (post) REFERENCES posts ON DELETE CASCADE) INHERITS (logs)"
    );
    let rules = [posts(), table("logs", "\"a -> public.users\"", "")].concat();
    assert_problem(&problem(&with(&schema).await, &map(&rules)).await, "public.logs", "post", "rows of public.posts");
}

#[tokio::test]
async fn path_that_contradicts_a_foreign_key_is_refused() {
    let database = with(
        "CREATE TABLE people (id int PRIMARY KEY); \
        CREATE TABLE posts (id int PRIMARY KEY, a int NOT NULL REFERENCES people)",
    )
    .await;
    let ignored = "[[ignore]]\nnames = [\"public.people\"]\nreason = \"r\"\n";
    let rules = [table("posts", "\"a -> public.users(id)\"", ""), ignored.to_owned()].concat();
    assert_problem(&problem(&database, &map(&rules)).await, "public.posts", "a", "are those of public.people");
}

#[tokio::test]
async fn pattern_ignores_no_table_that_seems_to_be_about_people() {
    let database = with("CREATE TABLE notes (id int PRIMARY KEY, user_id int, body text)").await;
    let ignored = |name: &str| map(&format!("[[ignore]]\nnames = [\"{name}\"]\nreason = \"r\"\n"));
    assert_problem(&problem(&database, &ignored("public.*")).await, "public.notes", "user_id", "a pattern ignores");
    assert_eq!(problems(&database, &ignored("public.notes")).await, []);
}

#[tokio::test]
async fn forget_takes_no_row_from_another_owner() {
    let database =
        with("CREATE TABLE docs (id int PRIMARY KEY, a int REFERENCES users, by int REFERENCES users)").await;
    let mention = "[[table.mention]]\ncolumns = [\"by\"]\nerase = \"null\"\nforget = { a = \"null\" }\n";
    let found = problem(&database, &map(&table("docs", "\"a -> public.users\"", mention))).await;
    assert_problem(&found, "public.docs", "a", "isn't the one that the mention names");
}

#[tokio::test]
async fn nothing_that_stays_with_others_loses_the_value_by_which_it_is_theirs() {
    let database = with(
        "CREATE TABLE notes (id int PRIMARY KEY, a int REFERENCES users, b int, kind text, c int REFERENCES users)",
    )
    .await;
    let rule = |forget: &str, mention: &str| {
        map(&format!(
            "[[table]]\nname = \"public.notes\"\nexport = \"all\"\nerase = \"delete\"\n\
             [[table.owner]]\npath = \"a -> public.users(id)\"\nforget = {{ a = \"null\"{forget} }}\n\
             [[table.owner]]\npath = \"b -> public.users(id)\"\nwhere = {{ kind = [\"user\"] }}\nforget = {{ b = \"null\" }}\n\
             [[table.mention]]\ncolumns = [\"c\"]\nerase = \"null\"\n{mention}"
        ))
    };
    assert_eq!(problems(&database, &rule("", "")).await, []);
    let found = problem(&database, &rule(", kind = \"null\"", "")).await;
    assert_problem(&found, "public.notes", "kind", "`where` of another owner");
    let found = problem(&database, &rule("", "forget = { kind = \"null\" }\n")).await;
    assert_problem(&found, "public.notes", "kind", "`where` of an owner");
}

#[tokio::test]
async fn mention_by_a_key_of_several_tables_changes_no_row() {
    let database =
        with("CREATE TABLE tickets (id int PRIMARY KEY, a int REFERENCES users, actor_type text, actor_id int)").await;
    let of = |erase: &str| {
        let mention = format!("[[table.mention]]\ncolumns = [\"actor_id -> public.users(id)\"]\nerase = {erase}\n");
        map(&table("tickets", "\"a -> public.users\"", &mention))
    };
    for erase in ["\"null\"", "\"delete\""] {
        let found = problem(&database, &of(erase)).await;
        assert_problem(&found, "public.tickets", "actor_id", "actor_type seems to say what its values are");
    }
    assert_eq!(problems(&database, &of("\"none\"")).await, []);
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
async fn owner_in_a_unique_column_that_is_not_null_is_written_as_a_mention() {
    let database = with(
        "CREATE TABLE referrals (id int PRIMARY KEY, a int NOT NULL REFERENCES users, b int NOT NULL UNIQUE REFERENCES users)",
    )
    .await;
    let rule = |rest: &str| {
        map(&format!(
            "[[table]]\nname = \"public.referrals\"\nexport = \"all\"\nerase = \"delete\"\n\
             [[table.owner]]\npath = \"a -> public.users\"\n{rest}"
        ))
    };
    let owners = rule("forget = { a = \"ghost\" }\n[[table.owner]]\npath = \"b -> public.users\"\n");
    let parsed = DataMap::parse(&owners).unwrap();
    let mut connection = database.pool().acquire().await.unwrap();
    let error = data_map::resolve(&parsed, &mut connection).await.unwrap_err().to_string();
    assert!(error.contains("[[table.mention]] columns = [\"b\"], erase = \"delete\""), "{error}");
    drop(connection);
    let mention = rule("[[table.mention]]\ncolumns = [\"b\"]\nerase = \"delete\"\n");
    assert_eq!(problems(&database, &mention).await, []);
}

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
async fn what_triggers_publications_and_stored_copies_do_is_a_warning() {
    let database = with(&format!(
        "{POSTS} CREATE TABLE likes (id int PRIMARY KEY, a int NOT NULL REFERENCES users, post int); CREATE INDEX ON posts (a); \
         CREATE INDEX ON likes (a); CREATE TABLE log (entry text); \
         CREATE FUNCTION after_post() RETURNS trigger LANGUAGE plpgsql AS \
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
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
}

#[tokio::test]
async fn what_functions_do_that_a_trigger_calls_is_a_warning() {
    let database = with(&format!(
        "{POSTS} CREATE TABLE likes (id int PRIMARY KEY, a int NOT NULL REFERENCES users, post int); CREATE INDEX ON posts (a); \
         CREATE INDEX ON likes (a); CREATE TABLE log (entry text); \
         CREATE FUNCTION \"Write down\"(entry int) RETURNS void LANGUAGE sql BEGIN ATOMIC INSERT INTO log VALUES (entry); END; \
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
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
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

#[tokio::test]
async fn accounts_of_others_are_deleted_with_nobodys() {
    let database = with("ALTER TABLE users ADD invited_by int REFERENCES users").await;
    let map = map("[[subject.reference]]\ncolumn = \"invited_by\"\nothers = \"delete\"\nreason = \"decided\"\n");
    let found = problems(&database, &map).await;
    assert!(
        found.iter().any(|problem| problem.message.contains("other people's accounts would be deleted")),
        "{found:?}"
    );
    assert_eq!(problems(&database, &map.replace("\"delete\"\nreason", "\"detach\"\nreason")).await, []);
}

#[tokio::test]
async fn rows_of_others_never_lose_what_says_whose_they_are() {
    let database = with(
        "CREATE TABLE boards (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users); \
        CREATE TABLE cards (id int PRIMARY KEY, by int NOT NULL REFERENCES users, board_id int REFERENCES boards); \
        CREATE TABLE files (id int PRIMARY KEY, card int)",
    )
    .await;
    let board = table("boards", "\"user_id -> public.users\"", "");
    let file = table("files", "\"card -> public.cards(id)\"", "");
    let card = |others: &str| {
        let reference =
            format!("[[table.reference]]\ncolumn = \"board_id\"\nothers = \"{others}\"\nreason = \"decided\"\n");
        table("cards", "\"by -> public.users\"", &reference)
    };
    let found = problem(&database, &map(&format!("{board}{}{file}", card("delete")))).await;
    assert_problem(
        &found,
        "public.cards",
        "",
        "the rows of public.files that are found by them would belong to nobody",
    );
    assert_eq!(problems(&database, &map(&format!("{board}{}{file}", card("detach")))).await, []);
}

#[tokio::test]
async fn clerk_id_in_a_key_of_several_columns_does_not_stay_behind() {
    let database = with(
        "ALTER TABLE users ADD nr int NOT NULL DEFAULT 0, ADD UNIQUE (clerk_id, nr); \
        CREATE TABLE messages (id int PRIMARY KEY, sender text, nr int, receiver int REFERENCES users); \
        CREATE TABLE notes (id int PRIMARY KEY, by int NOT NULL REFERENCES users, about text, nr int, \
            FOREIGN KEY (about, nr) REFERENCES users (clerk_id, nr))",
    )
    .await;
    let message = |forget: &str| {
        format!(
            "[[table]]\nname = \"public.messages\"\nexport = \"all\"\nerase = \"delete\"\n\
            [[table.owner]]\npath = \"(sender, nr) -> public.users(clerk_id, nr)\"\nforget = {{ {forget} = \"null\" }}\n\
            [[table.owner]]\npath = \"receiver -> public.users\"\nforget = {{ receiver = \"null\" }}\n"
        )
    };
    let note = |column: &str| {
        let reference =
            format!("[[table.reference]]\ncolumn = \"{column}\"\nothers = \"detach\"\nreason = \"decided\"\n");
        table("notes", "\"by -> public.users\"", &reference)
    };
    let forgotten = problem(&database, &map(&format!("{}{}", message("nr"), note("about")))).await;
    assert_problem(&forgotten, "public.messages", "sender", "would stay in the row when this owner leaves");
    let detached = problem(&database, &map(&format!("{}{}", message("sender"), note("nr")))).await;
    assert_problem(&detached, "public.notes", "about", "would stay in other people's rows");
    assert_eq!(problems(&database, &map(&format!("{}{}", message("sender"), note("about")))).await, []);
}

#[tokio::test]
async fn path_by_an_id_of_several_tables_says_for_which_values_it_counts() {
    let database = with("CREATE TABLE events (id int PRIMARY KEY, actor_id int, actor_type text)").await;
    let found = problem(&database, &map(&table("events", "\"actor_id -> public.users(id)\"", ""))).await;
    assert_problem(&found, "public.events", "actor_id", "actor_type seems to say what its values are");
    let owner = "{ path = \"actor_id -> public.users(id)\", where = { actor_type = [\"user\"] } }";
    assert_eq!(problems(&database, &map(&table("events", owner, ""))).await, []);
}

#[tokio::test]
async fn mention_exports_no_column_that_the_owners_do_not_get() {
    let database =
        with("CREATE TABLE invites (id int PRIMARY KEY, by int NOT NULL REFERENCES users, sent_to int REFERENCES users, token text)")
            .await;
    let invites = |export: &str| {
        let mention = format!("[[table.mention]]\ncolumns = [\"sent_to\"]\nerase = \"null\"\nexport = {export}\n");
        let entry = table("invites", "\"by -> public.users\"", &mention);
        map(&entry.replacen("export = \"all\"", "export = { except = [\"token\"], reason = \"a credential\" }", 1))
    };
    let found = problem(&database, &invites("\"all\"")).await;
    assert_problem(
        &found,
        "public.invites",
        "sent_to",
        "the mention would export what the owners don't get themselves: token",
    );
    for export in ["{ only = [\"id\", \"token\"] }", "{ except = [\"token\"], reason = \"a credential\" }"] {
        assert_eq!(problems(&database, &invites(export)).await, [], "{export}");
    }
}

#[test]
fn forget_of_a_mention_is_about_one_user() {
    let mention = "[[table.mention]]\ncolumns = [\"approved_by\", \"rejected_by\"]\nerase = \"null\"\nforget = { approver_name = \"null\" }\n";
    let refused = DataMap::parse(&map(&table("invites", "\"by -> public.users\"", mention))).unwrap_err().to_string();
    assert!(refused.contains("may name different users"), "{refused}");
}

#[tokio::test]
async fn column_by_which_rows_of_others_are_found_is_not_overwritten() {
    let database = with("CREATE TABLE profiles (id int PRIMARY KEY, u int REFERENCES users, guardian int REFERENCES users, slug text UNIQUE); \
        CREATE TABLE notes (id int PRIMARY KEY, slug text)")
    .await;
    let entries = |forget: &str| {
        let notes = table("notes", "\"slug -> public.profiles(slug)\"", "");
        map(&format!(
            "[[table]]\nname = \"public.profiles\"\nexport = \"all\"\nerase = \"delete\"\n\
             [[table.owner]]\npath = \"u -> public.users\"\nforget = {{ u = \"null\"{forget} }}\n\
             [[table.owner]]\npath = \"guardian -> public.users\"\nforget = {{ guardian = \"null\" }}\n{notes}"
        ))
    };
    let found = problem(&database, &entries(", slug = \"null\"")).await;
    assert_problem(&found, "public.profiles", "slug", "rows of public.notes are found by this column");
    assert_eq!(problems(&database, &entries("")).await, []);
}
