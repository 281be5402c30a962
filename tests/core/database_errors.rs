//! What the log says about errors of the database.

use sqlx::AssertSqlSafe;

use crate::world::World;

/// The application's triggers may quote what they refuse.
#[tokio::test]
async fn message_of_a_trigger_is_not_logged() {
    let world = World::start().await;
    let statement = |sql: &'static str| sqlx::raw_sql(sql).execute(world.pool());
    statement(
        "create table quoting (email text unique);
         create function quote() returns trigger language plpgsql as $$
         begin raise exception 'refused: %', new.email using errcode = '42501'; end $$;
         insert into quoting values ('ada@example.org');
         create table refusing (email text); create trigger quote before insert on refusing for each row execute function quote()",
    )
    .await
    .unwrap();
    for (sql, expected) in [
        ("insert into refusing values ('ada@example.org')", "database error 42501"),
        (
            "insert into quoting values ('ada@example.org')",
            "database error 23505, constraint quoting_email_key, table quoting",
        ),
        ("select 'ada@example.org'::int", "database error 22P02"),
        ("select 1 from missing", "database error 42P01: relation \"missing\" does not exist"),
    ] {
        let error = lethe::Error::from(statement(sql).await.unwrap_err());
        assert_eq!(lethe::error_chain(&error), format!("database error: {expected}"), "{sql}");
    }
}

/// Operators must learn what to grant, also where a function of the application lacks it.
#[tokio::test]
async fn missing_privilege_is_named_in_the_log() {
    let world = World::start().await;
    // Roles belong to the whole cluster.
    let role = format!("lethe_test_definer_{}", std::process::id());
    let run = async |sql: String| sqlx::raw_sql(AssertSqlSafe(sql)).execute(world.pool()).await;
    run(format!(
        "create role {role}; grant usage, create on schema public to {role};
        create function public.peek() returns bigint security definer language sql
            set search_path = public as 'select count(*) from posts';
        alter function public.peek() owner to {role}"
    ))
    .await
    .unwrap();
    let error = lethe::Error::from(run("select public.peek()".to_owned()).await.unwrap_err());
    run(format!(
        "create sequence public.counter; create function public.count_up() returns bigint security definer
            language sql as 'select nextval(''public.counter'')';
        alter function public.count_up() owner to {role}"
    ))
    .await
    .unwrap();
    let of_sequence = lethe::Error::from(run("select public.count_up()".to_owned()).await.unwrap_err());
    assert!(lethe::error_chain(&of_sequence).ends_with("permission denied for sequence counter"), "{of_sequence:?}");
    run(format!("drop owned by {role} cascade; drop role {role}")).await.unwrap();
    let expected = "database error: database error 42501: permission denied for table posts";
    assert_eq!(lethe::error_chain(&error), expected);
}
