//! The database on bad days: rows are locked, statements and transactions take too long, it goes away, takes no changes, has
//! no space, and is ahead of this version.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lethe::connection::{Pooling, TimeLimits, connect};
use lethe::consent::{self, Choice, Source};
use lethe::database::{MigrationError, SchemaState, migrate, schema_state};
use lethe::deletion::{self, Advance, NewRequest, Origin, Status};
use lethe::deletion::{Reference, inspection};
use lethe::{ErrorCode, Lethe, overview};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};

use crate::world::{RunningWorker, World, eventually, subject};

const TIMEOUT: Duration = Duration::from_secs(20);

async fn request(lethe: &Lethe, index: usize) -> lethe::Result<uuid::Uuid> {
    let subject = subject(index);
    let new = NewRequest {
        subject: &subject,
        origin: Origin::Api,
        confirmed_plan: None,
        contact: Some("ada@example.org"),
        idempotency_key: None,
    };
    deletion::request(lethe, new).await.map(|request| request.id)
}

async fn save(lethe: &Lethe, granted: bool) -> lethe::Result<()> {
    let choice = Choice { purpose: "marketing".to_owned(), granted };
    consent::set(lethe, &subject(2), &[choice], Source::Page, false).await.map(drop)
}

/// Executes the steps before the erasure.
async fn advance_to_erasure(world: &World, request: uuid::Uuid) {
    for _ in 0..2 {
        assert_eq!(deletion::advance(&world.lethe, request).await.unwrap(), Advance::StepDone);
    }
}

async fn failure_of(world: &World, request: uuid::Uuid) -> &'static str {
    let details = inspection::details(&world.lethe, &Reference::Request(request)).await.unwrap().unwrap();
    details.steps[2].failure.unwrap().name()
}

/// A connection that may do what the database refuses others.
async fn administrator(world: &World, database: &str) -> PgConnection {
    let options: PgConnectOptions = world.database.url().parse().unwrap();
    options.database(database).options([("default_transaction_read_only", "off")]).connect().await.unwrap()
}

async fn execute(connection: &mut PgConnection, statement: String) {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.unwrap();
}

fn name_of(world: &World) -> String {
    world.database.url().rsplit('/').next().unwrap().to_owned()
}

/// Ends every session of the world's database but the one that does it.
async fn end_sessions(world: &World, administrator: &mut PgConnection) {
    let name = name_of(world);
    let ended = format!(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '{name}' and pid <> pg_backend_pid()"
    );
    execute(administrator, ended).await;
}

#[tokio::test]
async fn erasure_waits_for_a_lock_no_longer_than_its_limit_and_goes_on_afterwards() {
    let world = World::start().await;
    let request = request(&world.lethe, 0).await.unwrap();
    advance_to_erasure(&world, request).await;
    // However often it was locked before, operators aren't alerted in the first half hour.
    sqlx::query("update lethe.deletion_step set attempts = 20").execute(world.pool()).await.unwrap();
    let mut application = world.pool().begin().await.unwrap();
    sqlx::query("select from users where clerk_id = $1 for update")
        .bind(subject(0).as_str())
        .execute(&mut *application)
        .await
        .unwrap();

    let started = Instant::now();
    assert_eq!(deletion::advance(&world.lethe, request).await.unwrap(), Advance::RetryLater);
    let waited = started.elapsed();
    let limit = TimeLimits::ERASURE.lock;
    assert!(waited >= limit && waited < limit + Duration::from_secs(4), "{waited:?}");
    let progress = deletion::progress(&world.lethe, request).await.unwrap();
    assert_eq!((progress.steps[2].status, progress.needs_attention), (Status::Retrying, false));
    assert_eq!(failure_of(&world, request).await, "rows_locked");

    application.commit().await.unwrap();
    sqlx::query("update lethe.deletion_step set next_attempt_at = null").execute(world.pool()).await.unwrap();
    assert!(deletion::run(&world.lethe, request, TIMEOUT).await.unwrap().finished);
}

#[tokio::test]
async fn deadlock_with_the_application_is_retried_without_an_alert() {
    let world = World::start().await;
    let request = request(&world.lethe, 0).await.unwrap();
    advance_to_erasure(&world, request).await;
    let mut application = world.pool().begin().await.unwrap();
    let lock = async |application: &mut PgConnection, query: &'static str| {
        sqlx::query(query).bind(subject(0).as_str()).execute(application).await.unwrap();
    };
    lock(&mut application, "select from posts where author_id = $1 for update").await;
    let lethe = world.lethe.clone();
    let erasing = tokio::spawn(async move { deletion::advance(&lethe, request).await.unwrap() });
    eventually("the erasure waits", async || {
        let waiting =
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(world.pool()).await.unwrap() == 1
    })
    .await;
    // The erasure has this row. It waited first, so it is the one that Postgres ends.
    lock(&mut application, "select from users where clerk_id = $1 for update").await;
    assert_eq!(erasing.await.unwrap(), Advance::RetryLater);
    assert_eq!(failure_of(&world, request).await, "rows_locked");
    application.commit().await.unwrap();
    eventually("the deletion ends", async || deletion::run(&world.lethe, request, TIMEOUT).await.unwrap().finished)
        .await;
    assert!(!deletion::progress(&world.lethe, request).await.unwrap().needs_attention);
}

/// Whoever asks for a deletion waits for ten seconds, and the erasure takes longer.
#[tokio::test]
async fn step_goes_on_when_its_caller_stops_waiting() {
    let world = World::start().await;
    let request = request(&world.lethe, 0).await.unwrap();
    sqlx::raw_sql(
        "create function lethe.take_time() returns trigger language plpgsql as $$ begin
            perform pg_sleep(3);
            return null;
        end $$;
        create trigger take_time after delete on public.posts for each statement execute function lethe.take_time();",
    )
    .execute(world.pool())
    .await
    .unwrap();
    assert!(!deletion::run(&world.lethe, request, Duration::from_secs(2)).await.unwrap().finished);
    eventually("the step ends", async || {
        let details = inspection::details(&world.lethe, &Reference::Request(request)).await.unwrap().unwrap();
        details.steps[2].status == Status::Done && details.steps[2].attempts == 1
    })
    .await;
    assert!(deletion::run(&world.lethe, request, TIMEOUT).await.unwrap().finished);
}

/// As a trigger of the application does that writes to a table of its own.
#[tokio::test]
async fn erasure_goes_on_within_a_minute_after_a_privilege_is_granted() {
    let world = World::start().await;
    let request = request(&world.lethe, 0).await.unwrap();
    advance_to_erasure(&world, request).await;
    sqlx::raw_sql(
        "create function lethe.refuse() returns trigger language plpgsql as $$ begin
            raise insufficient_privilege using message = 'permission denied for table post_history';
        end $$;
        create trigger refuse before delete on public.posts for each row execute function lethe.refuse();",
    )
    .execute(world.pool())
    .await
    .unwrap();
    assert_eq!(deletion::advance(&world.lethe, request).await.unwrap(), Advance::RetryLater);
    assert_eq!(failure_of(&world, request).await, "privilege_missing");
    assert!(deletion::progress(&world.lethe, request).await.unwrap().needs_attention);
    let due_soon = "select next_attempt_at between now() + interval '50 s' and now() + interval '1 min'
        from lethe.deletion_step where request_id = $1 and step = 'application_data'";
    assert!(sqlx::query_scalar::<_, bool>(due_soon).bind(request).fetch_one(world.pool()).await.unwrap());
    sqlx::raw_sql("drop trigger refuse on public.posts").execute(world.pool()).await.unwrap();
    sqlx::query("update lethe.deletion_step set next_attempt_at = now()").execute(world.pool()).await.unwrap();
    assert_eq!(deletion::advance(&world.lethe, request).await.unwrap(), Advance::StepDone);
}

/// The erasure takes six seconds, and for five of them the database refuses to renew its lease.
#[tokio::test]
async fn lease_that_is_not_renewed_at_once_ends_no_erasure() {
    let world = World::start().await;
    let request = request(&world.lethe, 0).await.unwrap();
    advance_to_erasure(&world, request).await;
    sqlx::raw_sql(
        "create sequence lethe.refused_renewal;
        create table lethe.refusal_ends as select clock_timestamp() + interval '5 s' as at;
        create function lethe.refuse_renewal() returns trigger language plpgsql as $$ begin
            if clock_timestamp() < (select at from lethe.refusal_ends) then
                perform nextval('lethe.refused_renewal');
                raise 'out of order';
            end if;
            return new;
        end $$;
        create trigger refuse_renewal before update on lethe.deletion_step for each row
            when (old.status = 'running' and new.status = 'running') execute function lethe.refuse_renewal();
        create function lethe.take_time() returns trigger language plpgsql as $$ begin
            perform pg_sleep(6);
            return null;
        end $$;
        create trigger take_time after delete on public.posts for each statement execute function lethe.take_time();",
    )
    .execute(world.pool())
    .await
    .unwrap();
    assert_eq!(deletion::advance(&world.lethe, request).await.unwrap(), Advance::StepDone);
    let refused = "select last_value from lethe.refused_renewal where is_called";
    let refused: Option<i64> = sqlx::query_scalar(refused).fetch_optional(world.pool()).await.unwrap();
    assert!(refused.is_some_and(|renewals| renewals >= 2), "{refused:?}");
    let details = inspection::details(&world.lethe, &Reference::Request(request)).await.unwrap().unwrap();
    assert_eq!((details.steps[2].status, details.steps[2].attempts), (Status::Done, 1));
}

#[tokio::test]
async fn transaction_without_statements_is_ended_by_the_server() {
    let world = World::start().await;
    let options = world.database.url().parse().unwrap();
    let limits = TimeLimits { idle_in_transaction: Duration::from_millis(300), ..TimeLimits::REQUEST };
    let connected = connect(options, std::num::NonZeroU32::MIN, limits).await.unwrap();
    assert_eq!(connected.pooling, Pooling::Session);
    let mut transaction = connected.pool.begin().await.unwrap();
    sqlx::query("select from users for update").execute(&mut *transaction).await.unwrap();
    eventually("the rows are free", async || {
        sqlx::query("select from users for update nowait").execute(world.pool()).await.is_ok()
    })
    .await;
    let ended = sqlx::query("select").execute(&mut *transaction).await.unwrap_err();
    assert_eq!(lethe::Error::from(ended).public(), ErrorCode::Unavailable);
}

#[tokio::test]
async fn every_session_and_every_kind_of_work_has_its_limits() {
    let world = World::start().await;
    let pool = world.connected().await.database.clone();
    let setting = async |connection: &mut PgConnection, name: &str| -> String {
        sqlx::query_scalar("select current_setting($1)").bind(name).fetch_one(connection).await.unwrap()
    };
    let mut connection = pool.acquire().await.unwrap();
    for (name, expected) in [
        ("statement_timeout", "10s"),
        ("lock_timeout", "3s"),
        ("idle_in_transaction_session_timeout", "30s"),
        ("tcp_keepalives_idle", "10"),
        ("tcp_keepalives_interval", "5"),
        ("tcp_keepalives_count", "3"),
        ("tcp_user_timeout", "30000"),
        ("client_connection_check_interval", "10s"),
    ] {
        assert_eq!(setting(&mut connection, name).await, expected, "{name}");
    }
    for (limits, expected) in [(TimeLimits::PREVIEW, "20s"), (TimeLimits::ERASURE, "15min"), (TimeLimits::BATCH, "0")] {
        let mut transaction = limits.begin(&pool).await.unwrap();
        assert_eq!(setting(&mut transaction, "statement_timeout").await, expected);
        transaction.rollback().await.unwrap();
    }
    assert_eq!(setting(&mut connection, "statement_timeout").await, "10s", "a transaction's limits end with it");
}

#[tokio::test]
async fn slow_statement_of_a_request_ends_within_its_limit() {
    let world = World::start().await;
    let lethe = world.connected().await;
    let mut application = world.pool().begin().await.unwrap();
    sqlx::query("lock table posts in access exclusive mode").execute(&mut *application).await.unwrap();
    let started = Instant::now();
    let refused = deletion::preview(&lethe, &subject(0)).await.unwrap_err();
    assert_eq!(refused.public(), ErrorCode::Unavailable);
    assert!(started.elapsed() < TimeLimits::PREVIEW.lock + Duration::from_secs(4), "{:?}", started.elapsed());
    application.rollback().await.unwrap();
    assert!(deletion::preview(&lethe, &subject(0)).await.is_ok());
}

/// As a switch to a standby, and as services do whose disk is nearly full.
#[tokio::test]
async fn read_only_database_is_read_and_jobs_go_on_within_seconds_of_its_end() {
    let world = World::start().await;
    let lethe = world.connected().await;
    let _working = RunningWorker::start(&lethe);
    save(&lethe, true).await.unwrap();
    let name = name_of(&world);
    let mut administrator = administrator(&world, &name).await;
    execute(&mut administrator, format!("alter database {name} set default_transaction_read_only = on")).await;
    end_sessions(&world, &mut administrator).await;
    eventually("changes are refused", async || {
        save(&lethe, false).await.is_err_and(|error| error.public() == ErrorCode::Unavailable)
    })
    .await;
    assert!(overview::read(&lethe, &subject(2), false, 10).await.unwrap().consent.granted("marketing"));
    tokio::time::sleep(Duration::from_secs(3)).await;

    // Sessions that were opened meanwhile would refuse changes for as long as they live.
    execute(&mut administrator, format!("alter database {name} reset default_transaction_read_only")).await;
    finishes_within_five_seconds(&lethe).await;
    assert!(save(&lethe, false).await.is_ok());
}

/// As a restart: there is no connection, and none can be opened for a time.
#[tokio::test]
async fn jobs_go_on_within_seconds_of_the_databases_return() {
    let world = World::start().await;
    let lethe = world.connected().await;
    let _working = RunningWorker::start(&lethe);
    save(&lethe, true).await.unwrap();
    let name = name_of(&world);
    let mut administrator = administrator(&world, "postgres").await;
    execute(&mut administrator, format!("alter database {name} with allow_connections false")).await;
    end_sessions(&world, &mut administrator).await;
    eventually("everything is refused", async || {
        save(&lethe, false).await.is_err_and(|error| error.public() == ErrorCode::Unavailable)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    execute(&mut administrator, format!("alter database {name} with allow_connections true")).await;
    finishes_within_five_seconds(&lethe).await;
}

/// Requests a deletion as soon as that is possible, and lets the worker execute it.
async fn finishes_within_five_seconds(lethe: &Lethe) {
    let started = Instant::now();
    let mut stored = None;
    eventually("a request is stored", async || {
        stored = request(lethe, 0).await.ok();
        stored.is_some()
    })
    .await;
    let request = stored.unwrap();
    eventually("the worker goes on", async || {
        deletion::progress(lethe, request).await.is_ok_and(|progress| progress.steps[0].status == Status::Done)
    })
    .await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    eventually("the deletion ends", async || {
        deletion::progress(lethe, request).await.is_ok_and(|progress| progress.finished)
    })
    .await;
}

#[tokio::test]
async fn full_disk_refuses_changes_and_ends_nothing() {
    let world = World::start().await;
    let mut administrator = administrator(&world, "postgres").await;
    let Some(disk) = SmallDisk::mount(&mut administrator).await else { return };
    let name = name_of(&world);
    let space = format!("space_{name}");
    execute(&mut administrator, format!("create tablespace {space} location '{}'", disk.0.display())).await;
    end_sessions(&world, &mut administrator).await;
    execute(&mut administrator, format!("alter database {name} set tablespace {space}")).await;

    let lethe = world.connected().await;
    let worker = RunningWorker::start(&lethe);
    // The tables are empty: whatever is written first needs a page.
    fill(&world).await;
    eventually("changes are refused", async || {
        let request = request(&lethe, 0).await;
        request.is_err_and(|error| error.public() == ErrorCode::Unavailable)
    })
    .await;
    assert!(overview::read(&lethe, &subject(2), false, 10).await.is_ok());
    sqlx::query("drop table filler").execute(world.pool()).await.unwrap();
    finishes_within_five_seconds(&lethe).await;

    drop(worker);
    end_sessions(&world, &mut administrator).await;
    lethe.database.close().await;
    world.pool().close().await;
    execute(&mut administrator, format!("alter database {name} set tablespace pg_default")).await;
    execute(&mut administrator, format!("drop tablespace {space}")).await;
}

/// Takes every page that is free.
async fn fill(world: &World) {
    let create = "create table filler (value text) with (autovacuum_enabled = false)";
    sqlx::query(create).execute(world.pool()).await.unwrap();
    for rows in [10_000, 1_000, 10] {
        let insert = "insert into filler select repeat('x', 1000) from generate_series(1, $1::int4)";
        while sqlx::query(insert).bind(rows).execute(world.pool()).await.is_ok() {}
    }
}

/// A file system in memory that Postgres' user may write.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Returns `None`, and says so, where this process may not mount.
    async fn mount(administrator: &mut PgConnection) -> Option<Self> {
        let data: String =
            sqlx::query_scalar("select current_setting('data_directory')").fetch_one(administrator).await.unwrap();
        let folder = Path::new(&data).parent().unwrap().join(format!("disk-{}", std::process::id()));
        let run = |program: &str, arguments: &[&str]| {
            std::process::Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
        };
        let path = folder.display().to_string();
        std::fs::create_dir_all(&folder).unwrap();
        let disk = Self(folder);
        let owner = format!("--reference={data}");
        if run("mount", &["-t", "tmpfs", "-o", "size=48m,mode=700", "none", &path]) && run("chown", &[&owner, &path]) {
            return Some(disk);
        }
        eprintln!("skipped: only root can mount a file system, on which the disk can be full");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("--lazy").arg(&self.0).output();
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[tokio::test]
async fn version_serves_on_the_schema_of_a_newer_one_unless_that_rules_it_out() {
    let world = World::start().await;
    let state = async || schema_state(world.pool()).await.unwrap();
    assert_eq!(state().await, SchemaState::Ready { is_newer: false });
    sqlx::query(
        "insert into lethe.migration (version, description, success, checksum, execution_time)
        values (1000, 'of a newer version', true, '', 0)",
    )
    .execute(world.pool())
    .await
    .unwrap();
    assert_eq!(state().await, SchemaState::Ready { is_newer: true });
    migrate(world.pool()).await.unwrap();
    save(&world.lethe, true).await.unwrap();

    sqlx::query("update lethe.schema_requirement set minimum_migration = 1000").execute(world.pool()).await.unwrap();
    assert_eq!(state().await, SchemaState::TooNew { minimum: 1000 });
    assert!(matches!(migrate(world.pool()).await, Err(MigrationError::TooNew { minimum: 1000 })));

    let last =
        "delete from lethe.migration where version = (select max(version) from lethe.migration where version < 1000)";
    sqlx::query(last).execute(world.pool()).await.unwrap();
    sqlx::query("update lethe.schema_requirement set minimum_migration = 7").execute(world.pool()).await.unwrap();
    assert_eq!(state().await, SchemaState::Outdated);
}
