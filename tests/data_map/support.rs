//! What the data map tests share: databases, and the problems of a map.

use lethe::data_map::{self, DataMap, Error, Problem};
use lethe_demo::testing::Database;
use sqlx::AssertSqlSafe;

pub(crate) const SAMPLE: &str = include_str!("../../demo/data-map.toml");

/// Creates a database with the sample application and `schema`.
pub(crate) async fn database(schema: &str) -> Database {
    let database = Database::create().await;
    sqlx::raw_sql(AssertSqlSafe(schema)).execute(database.pool()).await.unwrap();
    database
}

/// Creates a database with `schema` alone.
pub(crate) async fn only(schema: &str) -> Database {
    database(&format!("DROP SCHEMA public CASCADE; CREATE SCHEMA public; {schema}")).await
}

pub(crate) async fn problems(database: &Database, map: &str) -> Vec<Problem> {
    let map = DataMap::parse(map).unwrap();
    let mut connection = database.pool().acquire().await.unwrap();
    match data_map::resolve(&map, &mut connection).await {
        Ok(_) => Vec::new(),
        Err(Error::Mismatch(problems)) => problems,
        Err(error) => panic!("{error}"),
    }
}

/// Returns table, column and message of the only problem.
pub(crate) async fn problem(database: &Database, map: &str) -> (String, String, String) {
    let problems = problems(database, map).await;
    let [problem] = problems.as_slice() else { panic!("one problem expected, got {problems:#?}") };
    assert!(!problem.remedy.is_empty());
    (problem.table.clone(), problem.column.clone().unwrap_or_default(), problem.message.clone())
}

#[track_caller]
pub(crate) fn assert_problem(found: &(String, String, String), table: &str, column: &str, part: &str) {
    assert!(found.0 == table && found.1 == column && found.2.contains(part), "{found:?}");
}

pub(crate) const PEOPLE: &str = "CREATE TABLE people (id bigint PRIMARY KEY, clerk_id text NOT NULL UNIQUE);";

pub(crate) const PEOPLE_RULE: &str = r#"
    [[subject]]
    table = "public.people"
    key = "clerk_id"
    export = "all"
    erase = "delete"
"#;

/// A table whose rows have an owner.
pub(crate) const POSTS: &str = "CREATE TABLE posts (id int PRIMARY KEY, a int NOT NULL REFERENCES users);";

/// Its rule.
pub(crate) fn posts() -> String {
    "[[table]]\nname = \"public.posts\"\nowner = \"a -> public.users\"\nexport = \"all\"\nerase = \"delete\"\n\n"
        .to_owned()
}
