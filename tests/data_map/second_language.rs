//! What `version = 2` adds: what is accepted, and what is refused with a remedy.

use lethe::data_map::{self, DataMap};
use lethe_demo::testing::Database;
use sqlx::AssertSqlSafe;

use crate::support::{assert_problem, only, problem, problems};

const USERS: &str = "CREATE TABLE users (id int PRIMARY KEY, clerk_id text NOT NULL UNIQUE); \
    INSERT INTO users VALUES (0, 'nobody'), (1, 'user_a'), (2, 'user_b');";

/// A map whose subject is deleted, with a ghost.
pub(crate) fn map(tables: &str) -> String {
    format!(
        "version = 2\n[ghost]\n\"public.users\" = {{ id = \"0\" }}\n[[subject]]\ntable = \"public.users\"\nkey = \"clerk_id\"\n\
         export = \"all\"\nerase = \"delete\"\n{tables}"
    )
}

pub(crate) fn table(name: &str, owner: &str, rest: &str) -> String {
    format!("[[table]]\nname = \"public.{name}\"\nowner = {owner}\nexport = \"all\"\nerase = \"delete\"\n{rest}\n")
}

pub(crate) async fn with(schema: &str) -> Database {
    only(&format!("{USERS} {schema}")).await
}

#[tokio::test]
async fn every_table_needs_an_entry_or_a_reason() {
    let database = with("CREATE TABLE settings (id int); CREATE TABLE _prisma_a (id int); CREATE SCHEMA other; CREATE TABLE other.things (id int)").await;
    let found = problems(&database, &map("")).await;
    let tables: Vec<&str> = found.iter().map(|problem| problem.table.as_str()).collect();
    assert_eq!(tables, ["other.things", "public._prisma_a", "public.settings"]);
    let scoped = map(
        "[scope]\nschemas = [\"public\"]\n[[ignore]]\nnames = [\"public._prisma_*\", \"public.settings\"]\nreason = \"no personal data\"\n",
    );
    assert_eq!(problems(&database, &scoped).await, []);
    let unknown = scoped.replace("schemas = [\"public\"]", "schemas = [\"public\", \"publik\"]");
    assert_problem(&problem(&database, &unknown).await, "publik", "", "a schema that has no table");
}

#[tokio::test]
async fn column_with_a_foreign_key_elsewhere_is_no_clerk_id() {
    let database = with("CREATE TABLE posts (id int PRIMARY KEY, user_id text NOT NULL); ALTER TABLE users ADD code text UNIQUE; ALTER TABLE posts ADD FOREIGN KEY (user_id) REFERENCES users (code)").await;
    let found = problem(&database, &map(&table("posts", "\"user_id\"", ""))).await;
    assert_problem(&found, "public.posts", "user_id", "aren't Clerk user ids");
    assert_eq!(problems(&database, &map(&table("posts", "\"user_id -> public.users\"", ""))).await, []);
}

#[tokio::test]
async fn path_without_a_foreign_key_names_a_unique_column() {
    let database =
        with("CREATE TABLE posts (id int PRIMARY KEY, by int, at date); ALTER TABLE users ADD rank int, ADD born date")
            .await;
    let owner = |owner: &str| map(&table("posts", &format!("\"{owner}\""), ""));
    let unnamed = problem(&database, &owner("by -> public.users")).await;
    assert_problem(&unnamed, "public.posts", "by", "no foreign key says which column");
    assert_problem(&problem(&database, &owner("by -> public.users(rank)")).await, "public.posts", "by", "isn't unique");
    assert_problem(&problem(&database, &owner("by -> public.users.rank")).await, "public.posts", "by", "isn't unique");
    assert_problem(
        &problem(&database, &owner("at -> public.users(id)")).await,
        "public.posts",
        "at",
        "can't be compared",
    );
    assert_problem(
        &problem(&database, &owner("by -> public.users(nr)")).await,
        "public.posts",
        "by",
        "which the table doesn't have",
    );
    for path in ["by -> public.users(id)", "by -> public.users.id"] {
        assert_eq!(problems(&database, &owner(path)).await, [], "{path}");
    }
}

#[tokio::test]
async fn several_owners_need_to_know_how_each_is_forgotten() {
    let database =
        with("CREATE TABLE messages (id int PRIMARY KEY, a int NOT NULL REFERENCES users, b int REFERENCES users)")
            .await;
    let owners = |a: &str, b: &str| {
        map(&format!(
            "[[table]]\nname = \"public.messages\"\nexport = \"all\"\nerase = \"delete\"\n\
             [[table.owner]]\npath = \"a -> public.users\"\n{a}\n[[table.owner]]\npath = \"b -> public.users\"\n{b}\n"
        ))
    };
    let (ghost, null) = ("forget = { a = \"ghost\" }", "forget = { b = \"null\" }");
    assert_eq!(problems(&database, &owners(ghost, null)).await, []);
    assert_problem(&problem(&database, &owners("", null)).await, "public.messages", "a", "doesn't say how it forgets");
    assert_problem(
        &problem(&database, &owners("forget = { a = \"null\" }", null)).await,
        "public.messages",
        "a",
        "is NOT NULL",
    );
    let without_ghost = owners(ghost, null).replace("\"public.users\" = { id = \"0\" }", "");
    assert_problem(
        &problem(&database, &without_ghost).await,
        "public.messages",
        "a",
        "no path leads from this column to a table with a ghost",
    );
}

#[tokio::test]
async fn forget_of_the_only_owner_never_counts() {
    let database = with("CREATE TABLE posts (id int PRIMARY KEY, a int REFERENCES users)").await;
    let owner = "{ path = \"a -> public.users\", forget = { a = \"null\" } }";
    assert_problem(&problem(&database, &map(&table("posts", owner, ""))).await, "public.posts", "", "never counts");
}

#[tokio::test]
async fn values_that_the_database_cannot_take_are_refused() {
    let database = with(
        "CREATE TABLE posts (id int PRIMARY KEY, a int NOT NULL REFERENCES users, slug text NOT NULL UNIQUE, short varchar(8) UNIQUE, \
         nr int NOT NULL, other int, area box, tenant int NOT NULL, handle text, UNIQUE (tenant, handle)); \
         CREATE UNIQUE INDEX lower_handle ON posts (lower(handle)) WHERE nr > 0",
    )
    .await;
    let scrub = |column: &str, value: &str| {
        map(&format!(
            "[[table]]\nname = \"public.posts\"\nowner = \"a -> public.users\"\nexport = \"all\"\n\
             erase = {{ scrub = {{ a = \"ghost\", {column} = {value} }}, leave = \"rest\", reason = \"threads stay\" }}\n"
        ))
    };
    for (column, value, part) in [
        ("slug", "\"null\"", "NOT NULL"),
        ("slug", "{ value = \"gone\" }", "the column is unique"),
        ("short", "\"unique\"", "fewer than the 40 characters"),
        ("nr", "\"unique\"", "can't hold a random text"),
        ("area", "\"neutral\"", "has no neutral value"),
        ("other", "\"ghost\"", "no path leads from this column"),
        ("missing", "\"null\"", "doesn't have"),
    ] {
        assert_problem(&problem(&database, &scrub(column, value)).await, "public.posts", column, part);
    }
    for value in ["{ value = \"gone\" }", "\"neutral\""] {
        let found = problems(&database, &scrub("handle", value)).await;
        let indexes: Vec<bool> =
            found.iter().map(|problem| problem.message.contains("is unique, and rows of two people")).collect();
        assert_eq!(indexes, [true, true], "{found:#?}");
    }
    for (column, value) in [
        ("slug", "\"unique\""),
        ("slug", "{ unique = \"x-{}@example.invalid\" }"),
        ("short", "\"null\""),
        ("other", "\"neutral\""),
        ("handle", "\"unique\""),
    ] {
        assert_eq!(problems(&database, &scrub(column, value)).await, [], "{column} {value}");
    }
}

#[tokio::test]
async fn rows_whose_owner_is_forgotten_cannot_be_found_for_a_later_deletion() {
    let database = with("CREATE TABLE reports (id int PRIMARY KEY, a int REFERENCES users)").await;
    let erase = |period: &str| {
        map(&table("reports", "\"a -> public.users\"", "")).replace(
            "owner = \"a -> public.users\"\nexport = \"all\"\nerase = \"delete\"",
            &format!("owner = \"a -> public.users\"\nexport = \"all\"\nerase = {{ scrub = {{ a = \"null\" }}, leave = \"rest\", reason = \"r\"{period} }}"),
        )
    };
    assert_problem(
        &problem(&database, &erase(", for = \"1 year\"")).await,
        "public.reports",
        "a",
        "nobody knows whose rows",
    );
    assert_eq!(problems(&database, &erase("")).await, []);
}

#[tokio::test]
async fn mention_that_stays_needs_the_row_that_it_references() {
    let database =
        with("CREATE TABLE posts (id int PRIMARY KEY, a int REFERENCES users, editor_id int REFERENCES users)").await;
    let mention = |erase: &str| {
        let rest = format!("[[table.mention]]\ncolumns = [\"editor_id\"]\nerase = {erase}\n");
        map(&table("posts", "\"a -> public.users\"", &rest))
    };
    let found = problem(&database, &mention("{ keep = \"who edited must stay provable\" }")).await;
    assert_problem(&found, "public.posts", "editor_id", "the mention stays, but the row of public.users");
    for erase in ["\"null\"", "\"ghost\"", "\"delete\"", "\"none\""] {
        assert_eq!(problems(&database, &mention(erase)).await, [], "{erase}");
    }
    let undecided = problem(&database, &map(&table("posts", "\"a -> public.users\"", ""))).await;
    assert_problem(&undecided, "public.posts", "editor_id", "other people's rows may reference");
}

#[tokio::test]
async fn names_that_end_like_a_persons_need_a_decision() {
    let database = with("CREATE TABLE posts (id int PRIMARY KEY, a int REFERENCES users, approved_by_clerk_id text, buyer_clerk_user_id text)").await;
    let found = problems(&database, &map(&table("posts", "\"a -> public.users\"", ""))).await;
    let columns: Vec<&str> = found.iter().filter_map(|problem| problem.column.as_deref()).collect();
    assert_eq!(columns, ["approved_by_clerk_id", "buyer_clerk_user_id"]);
    let rest = "[[table.mention]]\ncolumns = [\"approved_by_clerk_id\", \"buyer_clerk_user_id\"]\nerase = \"null\"\n";
    assert_eq!(problems(&database, &map(&table("posts", "\"a -> public.users\"", rest))).await, []);
}

#[tokio::test]
async fn rows_show_paths_that_lead_nowhere_ghosts_that_are_missing_and_values_that_are_refused() {
    let database = with(
        "CREATE TABLE posts (id int PRIMARY KEY, owner_id text, kind text); INSERT INTO posts VALUES (1, 'ada', 'a'), (2, NULL, 'b'); \
         CREATE TABLE likes (id int PRIMARY KEY, who int); INSERT INTO likes VALUES (1, 77); \
         CREATE TABLE notes (id int PRIMARY KEY, a int REFERENCES users, body text CHECK (body <> 'gone')); INSERT INTO notes VALUES (1, 1, 'x'); \
         CREATE TABLE empty (id int PRIMARY KEY, owner_id text)",
    )
    .await;
    let notes = table("notes", "\"a -> public.users\"", "").replace(
        "erase = \"delete\"",
        "erase = { scrub = { a = \"ghost\", body = { value = \"gone\" } }, leave = \"rest\", reason = \"r\" }",
    );
    let tables = [
        table("posts", "\"owner_id\"", ""),
        table("likes", "\"who -> public.users(id)\"", ""),
        table("empty", "\"owner_id\"", ""),
        notes,
    ];
    let map = DataMap::parse(&map(&tables.concat())).unwrap();
    let mut connection = database.pool().acquire().await.unwrap();
    let resolved = data_map::resolve(&map, &mut connection).await.unwrap();
    let before: Vec<String> = rows(&database).await;
    let mut found: Vec<String> = data_map::check_values(&resolved, &mut connection)
        .await
        .unwrap()
        .into_iter()
        .map(|problem| format!("{} {}", problem.table, problem.message))
        .collect();
    found.sort_unstable();
    let expected = [
        "public.likes none of its values is found where the path leads to",
        "public.notes the database refuses the new values",
        "public.posts no value in it is a Clerk user id",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
    assert_eq!(rows(&database).await, before, "the check changes nothing");
}

async fn rows(database: &Database) -> Vec<String> {
    let query =
        "SELECT t::text FROM notes t UNION ALL SELECT t::text FROM posts t UNION ALL SELECT t::text FROM likes t";
    sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(database.pool()).await.unwrap()
}

#[tokio::test]
async fn map_of_the_first_language_is_translated() {
    let database = with(
        "CREATE TABLE posts (id int PRIMARY KEY, by int, title text); CREATE TABLE likes (id int PRIMARY KEY, post_id int REFERENCES posts); \
         CREATE TABLE settings (id int PRIMARY KEY)",
    )
    .await;
    let first = format!(
        "# The blog.\nversion = 1\n[[subject]]\ntable = \"public.users\"\nkey = \"clerk_id\"\nexport = \"all\"\nerase = \"delete\"\n\
         # Written by people.\n{}{}",
        table("posts", "\"by -> public.users\"", ""),
        table("likes", "\"post_id -> public.posts\"", ""),
    );
    assert_eq!(problems(&database, &first).await, []);
    let mut connection = database.pool().acquire().await.unwrap();
    let second = data_map::upgrade(&first, &mut connection).await.unwrap();
    assert!(
        second.contains("owner = \"by -> public.users(id)\"") && second.contains("# Written by people."),
        "{second}"
    );
    assert!(second.contains("owner = \"post_id -> public.posts\""), "a foreign key shows the target: {second}");
    assert_problem(&problem(&database, &second).await, "public.settings", "", "no entry");
    let decided = format!("{second}\n[[ignore]]\nname = \"public.settings\"\nreason = \"no personal data\"\n");
    assert_eq!(problems(&database, &decided).await, []);
    assert_eq!(data_map::upgrade(&decided, &mut connection).await.unwrap(), decided);
}

#[tokio::test]
async fn rows_are_found_by_addresses_in_text_columns_and_never_purged() {
    let database = with(
        "CREATE TABLE newsletter (id int PRIMARY KEY, address text NOT NULL, score int); \
        CREATE TABLE openings (id int PRIMARY KEY, newsletter_id int NOT NULL REFERENCES newsletter); \
        ALTER TABLE users ADD billing text, ADD age int",
    )
    .await;
    let newsletter = |owner: &str| table("newsletter", owner, "");
    let openings = table("openings", "\"newsletter_id -> public.newsletter\"", "");
    let valid = map(&format!("{}{openings}", newsletter("{ email = \"address\" }")));
    assert_eq!(problems(&database, &valid).await, []);
    assert_eq!(problems(&database, &valid.replace("email =", "phone =")).await, []);
    let named = valid.replace("key = \"clerk_id\"", "key = \"clerk_id\"\naddresses = { email = [\"billing\"] }");
    assert_eq!(problems(&database, &named).await, []);
    let wrong = problem(&database, &named.replace("billing", "age")).await;
    assert_problem(&wrong, "public.users", "age", "can't hold an address");
    let wrong = problem(&database, &valid.replace("\"address\"", "\"score\"")).await;
    assert_problem(&wrong, "public.newsletter", "score", "can't hold an address");
    let purged = valid.replacen("erase = \"delete\"\n\n", "erase = { keep = \"tax law\", for = \"10 years\" }\n\n", 1);
    assert_ne!(purged, valid);
    let found = problems(&database, &purged).await;
    assert!(found.iter().any(|problem| problem.message.contains("nobody knows any more")), "{found:?}");
    let both =
        DataMap::parse(&valid.replace("{ email = \"address\" }", "{ email = \"address\", phone = \"address\" }"));
    assert!(both.unwrap_err().to_string().contains("an owner is found in one way"));
}
