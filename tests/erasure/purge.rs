//! The purge: rows that a deletion stamped or kept are deleted once their period is over.

use lethe::Error;
use lethe::Identifiers;
use lethe::data_map;
use lethe::deletion::{self, TableResult};
use sqlx::AssertSqlSafe;

use crate::support::{NOW, SAMPLE, count, erase, everything, named, of, only, resolve, rows_of, run, seeded, subject};

#[tokio::test]
async fn stamped_and_kept_rows_are_purged_after_their_period() {
    let database = seeded().await;
    let pool = database.pool();
    let (who, other) = (subject(3), subject(1));
    // The application had already hidden a project itself; it is purged with the others.
    let hidden = format!(
        "UPDATE projects SET deleted_at = '2026-02-20' WHERE id = (SELECT min(id) FROM projects WHERE user_id = '{}')",
        who.as_str()
    );
    run(pool, &hidden).await;
    let results = erase(pool, SAMPLE, &who).await.unwrap();
    assert_eq!(count(pool, "projects WHERE deleted_at = '2026-02-20'").await, 1);
    let before = of(&everything(pool).await, &other);

    let due: Vec<&TableResult> = results.iter().filter(|result| result.purge_due.is_some()).collect();
    let tables: Vec<&str> = due.iter().map(|result| result.line.table.as_str()).collect();
    assert_eq!(tables.len(), 7, "{tables:?}");
    for result in due {
        let mut transaction = pool.begin().await.unwrap();
        let resolved = resolve(SAMPLE, &mut transaction).await;
        let rows =
            deletion::purge(&resolved, &mut transaction, &result.line.table, &Identifiers::from(&who)).await.unwrap();
        let again =
            deletion::purge(&resolved, &mut transaction, &result.line.table, &Identifiers::from(&who)).await.unwrap();
        transaction.commit().await.unwrap();
        let hidden = u64::from(result.line.table == "public.projects");
        assert_eq!((rows, again), (result.line.rows + hidden, 0), "{}", result.line.table);
    }
    let after = everything(pool).await;
    assert_eq!(of(&after, &other), before);
    let left: Vec<String> =
        of(&after, &who).into_iter().filter(|(_, rows)| !rows.is_empty()).map(|(table, _)| table).collect();
    assert_eq!(left, ["public.api_keys", "public.profiles"], "rows that are stamped or scrubbed without a purge date");
}

#[tokio::test]
async fn purge_needs_a_rule_and_spares_rows_that_the_map_now_keeps() {
    let database = seeded().await;
    let mut connection = database.pool().acquire().await.unwrap();
    let map = SAMPLE.replace(", for = \"2 years\"", "");
    let resolved = resolve(&map, &mut connection).await;
    let purged = deletion::purge(&resolved, &mut connection, "public.usage_logs", &Identifiers::from(&subject(1)))
        .await
        .unwrap();
    assert_eq!(purged, 0);
    let unknown = deletion::purge(&resolved, &mut connection, "public.gone", &Identifiers::from(&subject(1))).await;
    assert!(matches!(unknown, Err(Error::Map(data_map::Error::Mismatch(_)))));
}

/// They are counted without a lock, which would need the privilege UPDATE.
#[tokio::test]
async fn rows_that_stay_are_only_read() {
    let role = format!("lethe_test_keeper_{}", std::process::id());
    let database = only(&format!(
        "CREATE TABLE people (clerk_id text PRIMARY KEY);
        CREATE TABLE invoices (id bigint PRIMARY KEY, user_id text NOT NULL REFERENCES people);
        CREATE TABLE notes (id bigint PRIMARY KEY, user_id text NOT NULL REFERENCES people);
        INSERT INTO people VALUES ('user_a');
        INSERT INTO invoices VALUES (1, 'user_a'), (2, 'user_a');
        INSERT INTO notes VALUES (1, 'user_a');
        CREATE ROLE {role};
        GRANT USAGE ON SCHEMA public TO {role};
        GRANT SELECT ON people, invoices TO {role};
        GRANT SELECT, UPDATE, DELETE ON notes TO {role}"
    ))
    .await;
    let map = r#"
        [[subject]]
        table = "public.people"
        key = "clerk_id"
        export = "all"
        erase = { keep = "named in invoices" }
        [[table]]
        name = "public.invoices"
        owner = "user_id"
        export = "all"
        erase = { keep = "tax law" }
        [[table]]
        name = "public.notes"
        owner = "user_id"
        export = "all"
        erase = "delete"
    "#;
    let mut transaction = database.pool().begin().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("SET LOCAL ROLE {role}"))).execute(&mut *transaction).await.unwrap();
    let resolved = resolve(map, &mut transaction).await;
    let results =
        deletion::erase(&resolved, &mut transaction, &Identifiers::from(&named("user_a")), NOW).await.unwrap();
    let rows = rows_of(&results);
    assert_eq!((rows[&("public.invoices".to_owned(), false)], rows[&("public.notes".to_owned(), false)]), (2, 1));
    sqlx::raw_sql("RESET ROLE").execute(&mut *transaction).await.unwrap();
    let locked: i64 =
        sqlx::query_scalar("SELECT count(*) FROM invoices WHERE xmax <> 0").fetch_one(&mut *transaction).await.unwrap();
    assert_eq!(locked, 0);
    transaction.rollback().await.unwrap();
    run(database.pool(), &format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}
