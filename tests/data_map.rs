//! The data map against live schemas: what fits, and each way in which it doesn't.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use demo::testing::Database;
use lethe::data_map::{self, DataMap, Error, Problem};
use sqlx::AssertSqlSafe;

const SAMPLE: &str = include_str!("../demo/data-map.toml");

/// A database in which `schema` stands beside the sample application.
async fn database(schema: &str) -> Database {
    let database = Database::create().await;
    sqlx::raw_sql(AssertSqlSafe(schema)).execute(database.pool()).await.unwrap();
    database
}

/// A database with nothing but `schema`.
async fn only(schema: &str) -> Database {
    database(&format!("DROP SCHEMA public CASCADE; CREATE SCHEMA public; {schema}")).await
}

async fn problems(database: &Database, map: &str) -> Vec<Problem> {
    let map = DataMap::parse(map).unwrap();
    let mut connection = database.pool().acquire().await.unwrap();
    match data_map::resolve(&map, &mut connection).await {
        Ok(_) => Vec::new(),
        Err(Error::Mismatch(problems)) => problems,
        Err(error) => panic!("{error}"),
    }
}

/// The one problem there is, as table, column and message.
async fn problem(database: &Database, map: &str) -> (String, String, String) {
    let problems = problems(database, map).await;
    let [problem] = problems.as_slice() else { panic!("one problem expected, got {problems:#?}") };
    assert!(!problem.remedy.is_empty());
    (problem.table.clone(), problem.column.clone().unwrap_or_default(), problem.message.clone())
}

#[track_caller]
fn holds(found: &(String, String, String), table: &str, column: &str, part: &str) {
    assert!(found.0 == table && found.1 == column && found.2.contains(part), "{found:?}");
}

const PEOPLE: &str = "CREATE TABLE people (id bigint PRIMARY KEY, clerk_id text NOT NULL UNIQUE);";
const PEOPLE_RULE: &str = r#"
    [[subject]]
    table = "public.people"
    key = "clerk_id"
    export = "all"
    erase = "delete"
"#;

#[tokio::test]
async fn the_sample_applications_map_fits_and_children_come_first() {
    let database = Database::create().await;
    let map = DataMap::parse(SAMPLE).unwrap();
    let resolved = data_map::resolve(&map, &mut database.pool().acquire().await.unwrap()).await.unwrap();
    let order: Vec<&str> = resolved.in_erasure_order().map(data_map::Table::name).collect();
    let before = |child: &str, parent: &str| {
        let place = |name: &str| order.iter().position(|other| *other == format!("public.{name}")).unwrap();
        assert!(place(child) < place(parent), "{child} comes after {parent}: {order:?}");
    };
    for (child, parent) in [
        ("comments", "posts"),
        ("posts", "users"),
        ("preferences", "users"),
        ("datasets", "pipelines"),
        ("pipelines", "experiments"),
        ("experiments", "reports"),
        ("reports", "projects"),
        ("projects", "profiles"),
        ("usage_logs", "profiles"),
    ] {
        before(child, parent);
    }
    assert_eq!(order.len(), map.tables().len());
}

#[tokio::test]
async fn a_table_that_a_foreign_key_leads_to_needs_a_rule() {
    let schema = "CREATE TABLE likes (post_id bigint REFERENCES posts (id)); \
                  CREATE TABLE like_notes (id bigint); ALTER TABLE likes ADD PRIMARY KEY (post_id); \
                  ALTER TABLE like_notes ADD like_post bigint REFERENCES likes (post_id)";
    let database = database(schema).await;
    let found = problems(&database, SAMPLE).await;
    let tables: Vec<&str> = found.iter().map(|problem| problem.table.as_str()).collect();
    assert_eq!(tables, ["public.like_notes", "public.likes"], "the second is reached through the first");
    assert!(found[1].remedy.contains("post_id -> public.posts"), "{}", found[1].remedy);

    let ignored = format!("{SAMPLE}\n[[ignore]]\nname = \"public.like_notes\"\nreason = \"empty\"\n");
    let found = problems(&database, &ignored).await;
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[tokio::test]
async fn an_ignored_table_cannot_hold_a_key_to_rows_that_go() {
    let database = database("CREATE TABLE likes (post_id bigint REFERENCES posts (id))").await;
    let map = format!("{SAMPLE}\n[[ignore]]\nname = \"public.likes\"\nreason = \"no names in it\"\n");
    holds(&problem(&database, &map).await, "public.likes", "post_id", "would block the deletion");
}

#[tokio::test]
async fn a_telling_column_needs_a_rule_or_a_reason() {
    for (column, name) in
        [("email text", "email"), ("\"userId\" bigint", "userId"), ("customer_id uuid", "customer_id")]
    {
        let database = database(&format!("CREATE TABLE newsletter (id bigint, {column})")).await;
        holds(&problem(&database, SAMPLE).await, "public.newsletter", name, "about people");
        let map = format!("{SAMPLE}\n[[ignore]]\nname = \"public.newsletter\"\nreason = \"imprint only\"\n");
        assert!(problems(&database, &map).await.is_empty());
    }
    let views = database("CREATE MATERIALIZED VIEW authors AS SELECT author_id FROM posts").await;
    holds(&problem(&views, SAMPLE).await, "public.authors", "author_id", "about people");
}

#[tokio::test]
async fn lethes_own_tables_and_other_schemas_are_told_apart() {
    let database = database(
        "CREATE SCHEMA lethe; CREATE TABLE lethe.data_subject (user_id text); \
         CREATE SCHEMA shop; CREATE TABLE shop.orders (user_id text)",
    )
    .await;
    holds(&problem(&database, SAMPLE).await, "shop.orders", "user_id", "about people");
}

#[tokio::test]
async fn tables_and_columns_that_are_not_there_are_named() {
    let database = Database::create().await;
    let map = SAMPLE.replace("\"public.posts\"", "\"blog.posts\"");
    let found = problems(&database, &map).await;
    let unknown = found.iter().find(|problem| problem.table == "blog.posts").unwrap();
    assert_eq!(unknown.remedy, "Write \"public.posts\"");

    let map = SAMPLE.replace("stamp = [\"revoked_at\"]", "stamp = [\"gone_at\"]");
    holds(&problem(&database, &map).await, "public.api_keys", "gone_at", "doesn't have");
    let map = SAMPLE.replace("except = [\"secret_hash\"]", "except = [\"secret\"]");
    holds(&problem(&database, &map).await, "public.api_keys", "secret", "doesn't have");
    let map =
        SAMPLE.replace("owner  = \"author_id\"\nlabel  = \"Posts\"", "owner  = \"writer_id\"\nlabel  = \"Posts\"");
    assert!(problems(&database, &map).await.iter().any(|problem| problem.column.as_deref() == Some("writer_id")));
}

#[tokio::test]
async fn a_column_that_is_added_to_a_scrubbed_table_needs_a_word() {
    let database = database("ALTER TABLE profiles ADD phone text").await;
    holds(&problem(&database, SAMPLE).await, "public.profiles", "phone", "nothing says what becomes of this column");
    let map = SAMPLE.replace("scrub = { email = \"null\" }", "scrub = { email = \"null\", phone = \"null\" }");
    assert!(problems(&database, &map).await.is_empty());
}

#[tokio::test]
async fn columns_must_be_able_to_do_what_the_map_says() {
    let database = database(
        "ALTER TABLE api_keys ALTER revoked_at TYPE text; \
         ALTER TABLE profiles ALTER email SET NOT NULL; \
         ALTER TABLE projects ALTER deleted_at SET NOT NULL; \
         ALTER TABLE users DROP CONSTRAINT users_clerk_id_key CASCADE",
    )
    .await;
    let found = problems(&database, SAMPLE).await;
    let about = |column: &str, part: &str| {
        assert!(
            found.iter().any(|problem| problem.column.as_deref() == Some(column) && problem.message.contains(part)),
            "{column}: {part}: {found:#?}"
        );
    };
    about("revoked_at", "can't hold a time");
    about("email", "NOT NULL and can't be emptied");
    about("deleted_at", "the mark");
    about("clerk_id", "isn't unique");
    assert_eq!(found.len(), 4, "{found:#?}");
}

#[tokio::test]
async fn the_owner_must_be_able_to_hold_a_key() {
    let database = only(&format!("{PEOPLE} CREATE TABLE notes (id bigint PRIMARY KEY, owner bigint)")).await;
    let map = format!(
        "{PEOPLE_RULE} [[table]]\nname = \"public.notes\"\nowner = \"owner\"\nexport = \"all\"\nerase = \"delete\""
    );
    holds(&problem(&database, &map).await, "public.notes", "owner", "can't hold a Clerk user id");
    // The same column as a path needs no foreign key where the primary key fits.
    let map = map.replace("owner = \"owner\"", "owner = \"owner -> public.people\"");
    assert!(problems(&database, &map).await.is_empty());
}

/// Notes with tags by others, and what a foreign key between them does.
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
async fn every_foreign_key_that_reaches_other_peoples_rows_is_decided() {
    for (action, consequence) in [
        ("", "would block"),
        ("ON DELETE RESTRICT", "would block"),
        ("ON DELETE CASCADE", "silently delete"),
        ("ON DELETE SET NULL", "silently detach"),
        ("ON DELETE SET DEFAULT", "silently point"),
    ] {
        let database = tagged(action, true).await;
        holds(&problem(&database, &tagged_map("")).await, "public.tags", "note_id", consequence);
        for others in ["detach", "delete", "none"] {
            assert_eq!(problems(&database, &tagged_map(&reference(others))).await, [], "{action} {others}");
        }
    }
    let database = tagged("", false).await;
    holds(&problem(&database, &tagged_map(&reference("detach"))).await, "public.tags", "note_id", "can't be detached");
}

#[tokio::test]
async fn rows_that_stay_cannot_point_to_rows_that_go() {
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
        assert!(tags.message.contains("go after 1 year") && tags.message.contains(consequence), "{}", tags.message);
    }
}

#[tokio::test]
async fn a_second_column_with_a_key_is_decided_too() {
    let database = database("ALTER TABLE posts ADD edited_by text, ADD editor_id text").await;
    holds(&problem(&database, SAMPLE).await, "public.posts", "editor_id", "somebody who doesn't own the row");
    let map = SAMPLE.replace(
        "label  = \"Posts\"\nexport = \"all\"\nerase  = \"delete\"",
        "label  = \"Posts\"\nexport = \"all\"\nerase  = \"delete\"\n[[table.reference]]\ncolumn = \"editor_id\"\nothers = \"detach\"\nreason = \"it stays the author's\"",
    );
    assert!(problems(&database, &map).await.is_empty());
}

#[tokio::test]
async fn circles_are_broken_where_the_database_allows_it() {
    let circle = |nullable: &str, deferrable: &str| {
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
    let held = only(&circle("NOT NULL", "")).await;
    holds(&problem(&held, &map).await, "public.teams", "", "circle through public.teams, public.tasks");
    assert_eq!(problems(&only(&circle("", "")).await, &map).await, []);
    assert_eq!(problems(&only(&circle("NOT NULL", "DEFERRABLE")).await, &map).await, []);
}

#[tokio::test]
async fn rows_that_a_policy_or_a_missing_grant_hides_are_an_error() {
    // Roles belong to the whole cluster.
    let role = format!("lethe_test_reader_{}", std::process::id());
    let database = database(&format!(
        "CREATE ROLE {role}; \
         GRANT SELECT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}; \
         REVOKE DELETE ON posts FROM {role}; \
         ALTER TABLE comments ENABLE ROW LEVEL SECURITY"
    ))
    .await;
    let map = DataMap::parse(SAMPLE).unwrap();
    let mut transaction = database.pool().begin().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("SET LOCAL ROLE {role}"))).execute(&mut *transaction).await.unwrap();
    let Err(Error::Mismatch(found)) = data_map::resolve(&map, &mut transaction).await else { panic!("it fits") };
    transaction.rollback().await.unwrap();
    let cleanup = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    sqlx::raw_sql(AssertSqlSafe(cleanup)).execute(database.pool()).await.unwrap();
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].message.contains("row-level security") && found[1].message.contains("no DELETE"), "{found:#?}");
}

#[test]
fn a_file_that_says_something_else_is_refused_with_line_table_and_remedy() {
    let rule = |erase: &str| {
        format!(
            "{PEOPLE_RULE}\n[[table]]\nname = \"public.notes\"\nowner = \"user_id\"\nexport = \"all\"\nerase = {erase}\n"
        )
    };
    let cases = [
        (rule("\"remove\""), 8, Some("public.notes"), "`remove` is no rule"),
        (rule("{ stamp = [\"gone\"], purge_after = \"soon\" }"), 8, Some("public.notes"), "`soon` is no period"),
        (rule("{ keep = \"\" }"), 8, Some("public.notes"), "reason of keep is empty"),
        (rule("{ keep = \"law\", stamp = [\"gone\"] }"), 8, Some("public.notes"), "don't go together"),
        (rule("{ scrub = { email = \"empty\" } }"), 8, Some("public.notes"), "`empty` isn't what"),
        (rule("\"delete\"\nowners = \"x\""), 13, Some("public.notes"), "unknown field `owners`"),
        (
            rule("\"delete\"\n[[table]]\nname = \"public.notes\"\nowner = \"x\"\nexport = \"all\"\nerase = \"delete\""),
            13,
            Some("public.notes"),
            "entry in line 8",
        ),
        (rule("\"delete\"").replace("\"user_id\"", "\"-> public.people\""), 8, Some("public.notes"), "no path"),
        (
            rule("\"delete\"").replacen("export = \"all\"\nerase", "export = { except = [\"x\"] }\nerase", 1),
            8,
            Some("public.notes"),
            "needs a reason",
        ),
        ("[[ignore]]\nname = \"a.b\"\nreason = \"r\"".to_owned(), 1, None, "no [[subject]]"),
        (
            format!("{PEOPLE_RULE}[[ignore]]\nname = \"a.b\"\nreason = \" \""),
            7,
            Some("a.b"),
            "reason of ignore is empty",
        ),
        (
            format!(
                "{PEOPLE_RULE}[[purpose]]\nkey = \"ads\"\ntitle = \"Ads\"\ntext = \"Ads.\"\nversion = \"1\"\ndefault_granted = true"
            ),
            7,
            None,
            "recital 32",
        ),
    ];
    for (text, expected_line, expected_table, part) in cases {
        let Err(Error::Invalid { line, table, message, remedy }) = DataMap::parse(&text) else {
            panic!("{text} is accepted")
        };
        assert!(message.contains(part), "{message}");
        assert_eq!((line, table.as_deref()), (expected_line, expected_table), "{message}\n{text}");
        assert!(!remedy.is_empty());
    }
    let purposes = format!(
        "{PEOPLE_RULE}[[purpose]]\nkey = \"ads\"\ntitle = \"Ads\"\ntext = \"Ads.\"\nversion = \"1\"\nlegal_basis = \"legitimate_interest\"\ndefault_granted = true\nopt_out_signal = true"
    );
    let map = DataMap::parse(&purposes).unwrap();
    assert!(map.purposes().unwrap().find("ads").unwrap().default_granted);
    assert!(DataMap::parse(PEOPLE_RULE).unwrap().purposes().is_none());
}

#[tokio::test]
async fn a_draft_of_the_sample_application_parses_and_fits() {
    let database = Database::create().await;
    let mut connection = database.pool().acquire().await.unwrap();
    let draft = data_map::draft(&mut connection, None).await.unwrap();
    let map = DataMap::parse(&draft).unwrap();
    data_map::resolve(&map, &mut connection).await.unwrap();
    let written = DataMap::parse(SAMPLE).unwrap();
    let mut drafted: Vec<(&str, &str, bool)> =
        map.tables().iter().map(|rule| (rule.name.as_str(), rule.owner.column(), rule.subject)).collect();
    let mut expected: Vec<(&str, &str, bool)> =
        written.tables().iter().map(|rule| (rule.name.as_str(), rule.owner.column(), rule.subject)).collect();
    drafted.sort_unstable();
    expected.sort_unstable();
    assert_eq!(drafted, expected);
    assert!(draft.contains("DECIDE: rows can be marked here"));
    assert!(draft.contains("secret_hash"));
}

#[tokio::test]
async fn a_draft_says_what_a_person_must_decide() {
    let database = only(
        "CREATE TABLE people (id bigint PRIMARY KEY, handle text UNIQUE); \
         CREATE TABLE notes (id bigint PRIMARY KEY, people_id bigint REFERENCES people, \"in reply\nto\" bigint REFERENCES notes); \
         CREATE TABLE newsletter (email text)",
    )
    .await;
    let mut connection = database.pool().acquire().await.unwrap();
    let lost = data_map::draft(&mut connection, None).await.unwrap();
    assert!(lost.contains("DECIDE: no table with a unique text column"));
    let draft = data_map::draft(&mut connection, Some("public.people")).await.unwrap();
    assert!(draft.contains("DECIDE: \"public.newsletter\" has a column \"email\""), "{draft}");
    let map = DataMap::parse(&draft).unwrap();
    let Err(Error::Mismatch(found)) = data_map::resolve(&map, &mut connection).await else { panic!("{draft}") };
    assert_eq!(found.len(), 1, "{found:#?}");
    let decided = format!("{draft}\n[[ignore]]\nname = \"public.newsletter\"\nreason = \"imprint only\"\n");
    data_map::resolve(&DataMap::parse(&decided).unwrap(), &mut connection).await.unwrap();
}

#[tokio::test]
async fn deleting_other_peoples_rows_never_runs_in_a_circle() {
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
    holds(&problem(&database, &map("delete")).await, "public.notes", "", "in a circle");
    assert_eq!(problems(&database, &map("detach")).await, []);
}
