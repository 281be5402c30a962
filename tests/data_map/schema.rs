//! Tables, columns and privileges.

use lethe::data_map::{self, DataMap, Error};
use lethe_demo::testing::Database;
use sqlx::AssertSqlSafe;

use crate::support::{PEOPLE, PEOPLE_RULE, SAMPLE, assert_problem, database, only, problem, problems};

#[tokio::test]
async fn sample_application_matches_and_children_come_first() {
    let database = Database::create().await;
    let map = DataMap::parse(SAMPLE).unwrap();
    let resolved = data_map::resolve(&map, &mut database.pool().acquire().await.unwrap()).await.unwrap();
    let order: Vec<&str> = resolved.in_erasure_order().map(data_map::Table::name).collect();
    let before = |child: &str, parent: &str| {
        let position = |name: &str| order.iter().position(|other| *other == format!("public.{name}")).unwrap();
        assert!(position(child) < position(parent), "{child} comes after {parent}: {order:?}");
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
async fn table_with_a_foreign_key_to_a_mapped_table_needs_an_entry() {
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
async fn table_with_a_column_that_suggests_people_needs_an_entry() {
    for (column, name) in
        [("email text", "email"), ("\"userId\" bigint", "userId"), ("customer_id uuid", "customer_id")]
    {
        let database = database(&format!("CREATE TABLE newsletter (id bigint, {column})")).await;
        assert_problem(&problem(&database, SAMPLE).await, "public.newsletter", name, "about people");
        let map = format!("{SAMPLE}\n[[ignore]]\nname = \"public.newsletter\"\nreason = \"imprint only\"\n");
        assert!(problems(&database, &map).await.is_empty());
    }
    let views = database("CREATE MATERIALIZED VIEW authors AS SELECT author_id FROM posts").await;
    assert_problem(&problem(&views, SAMPLE).await, "public.authors", "author_id", "about people");
}

#[tokio::test]
async fn other_schemas_are_checked_except_lethes_own() {
    let database = database(
        "CREATE SCHEMA lethe; CREATE TABLE lethe.data_subject (user_id text); \
         CREATE SCHEMA shop; CREATE TABLE shop.orders (user_id text)",
    )
    .await;
    assert_problem(&problem(&database, SAMPLE).await, "shop.orders", "user_id", "about people");
}

#[tokio::test]
async fn unknown_tables_and_columns_are_reported() {
    let database = Database::create().await;
    let map = SAMPLE.replace("\"public.posts\"", "\"blog.posts\"");
    let found = problems(&database, &map).await;
    let unknown = found.iter().find(|problem| problem.table == "blog.posts").unwrap();
    assert_eq!(unknown.remedy, "Write \"public.posts\"");

    let map = SAMPLE.replace("stamp = [\"revoked_at\"]", "stamp = [\"gone_at\"]");
    assert_problem(&problem(&database, &map).await, "public.api_keys", "gone_at", "doesn't have");
    let map = SAMPLE.replace("except = [\"secret_hash\"]", "except = [\"secret\"]");
    assert_problem(&problem(&database, &map).await, "public.api_keys", "secret", "doesn't have");
    let map =
        SAMPLE.replace("owner  = \"author_id\"\nlabel  = \"Posts\"", "owner  = \"writer_id\"\nlabel  = \"Posts\"");
    assert!(problems(&database, &map).await.iter().any(|problem| problem.column.as_deref() == Some("writer_id")));
}

#[tokio::test]
async fn new_column_of_a_scrubbed_table_needs_a_decision() {
    let database = database("ALTER TABLE profiles ADD phone text").await;
    assert_problem(
        &problem(&database, SAMPLE).await,
        "public.profiles",
        "phone",
        "doesn't say what becomes of this column",
    );
    let map = SAMPLE.replace("scrub = { email = \"null\" }", "scrub = { email = \"null\", phone = \"null\" }");
    assert!(problems(&database, &map).await.is_empty());
}

#[tokio::test]
async fn readable_key_and_time_of_a_scrubbed_table_need_a_decision() {
    let database = only(&format!(
        "{PEOPLE} CREATE TABLE patients (email text PRIMARY KEY, user_id text, born_at timestamp, \
         diagnosis text, \"createdAt\" timestamp, updated_on date)"
    ))
    .await;
    let map = |leave: &str| {
        format!(
            "{PEOPLE_RULE}\n[[table]]\nname = \"public.patients\"\nowner = \"user_id\"\nexport = \"all\"\n\
             erase = {{ scrub = {{ diagnosis = \"null\" }}, leave = {leave}, reason = \"law\" }}\n"
        )
    };
    let found = problems(&database, &map("[\"user_id\"]")).await;
    let columns: Vec<_> = found.iter().map(|problem| problem.column.as_deref().unwrap()).collect();
    assert_eq!(columns, ["born_at", "email"], "{found:#?}");
    assert!(problems(&database, &map("[\"email\", \"born_at\"]")).await.is_empty());
}

#[tokio::test]
async fn columns_that_cannot_hold_what_the_map_says_are_reported() {
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
    about("email", "NOT NULL and can't be set to NULL");
    about("deleted_at", "must be NULL until a row is stamped");
    about("clerk_id", "isn't unique");
    assert_eq!(found.len(), 4, "{found:#?}");
}

#[tokio::test]
async fn owner_column_must_be_able_to_hold_a_user_id() {
    let database = only(&format!("{PEOPLE} CREATE TABLE notes (id bigint PRIMARY KEY, owner bigint)")).await;
    let map = format!(
        "{PEOPLE_RULE} [[table]]\nname = \"public.notes\"\nowner = \"owner\"\nexport = \"all\"\nerase = \"delete\""
    );
    assert_problem(&problem(&database, &map).await, "public.notes", "owner", "can't hold a Clerk user id");
    // As a path, the column needs no foreign key if its type is that of the primary key.
    let map = map.replace("owner = \"owner\"", "owner = \"owner -> public.people\"");
    assert!(problems(&database, &map).await.is_empty());
}

#[tokio::test]
async fn row_level_security_and_missing_privileges_are_reported() {
    // Roles belong to the whole cluster.
    let role = format!("lethe_test_reader_{}", std::process::id());
    let database = database(&format!(
        "CREATE ROLE {role}; \
         GRANT SELECT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}; \
         REVOKE UPDATE, DELETE ON posts FROM {role}; \
         ALTER TABLE comments ENABLE ROW LEVEL SECURITY"
    ))
    .await;
    let map = DataMap::parse(SAMPLE).unwrap();
    let mut transaction = database.pool().begin().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("SET LOCAL ROLE {role}"))).execute(&mut *transaction).await.unwrap();
    let Err(Error::Mismatch(found)) = data_map::resolve(&map, &mut transaction).await else { panic!("it matches") };
    transaction.rollback().await.unwrap();
    let cleanup = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    sqlx::raw_sql(AssertSqlSafe(cleanup)).execute(database.pool()).await.unwrap();
    let messages: Vec<&str> = found.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(messages.len(), 3, "{found:#?}");
    assert!(messages[0].contains("row-level security"), "{found:#?}");
    // Postgres wants UPDATE for the lock before DELETE.
    assert!(messages[1].contains("no DELETE privilege") && messages[2].contains("no UPDATE privilege"), "{found:#?}");
}
