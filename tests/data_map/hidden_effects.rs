//! What a schema does behind a statement's back, and maps that contradict the schema: each is refused.

use lethe::data_map::{self, DataMap};

use crate::second_language::{map, table, with};
use crate::support::{POSTS, assert_problem, posts, problem, problems};

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
