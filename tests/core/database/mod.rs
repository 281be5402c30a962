//! The database on bad days: rows are locked, statements and transactions take too long, it goes away, takes no changes, has
//! no space, and is ahead of this version.

mod erasure;
mod outages;

use std::time::{Duration, Instant};

use lethe::connection::{Pooling, TimeLimits, connect};
use lethe::consent::{self, Choice, Source};
use lethe::database::{MigrationError, SchemaState, migrate, schema_state};
use lethe::deletion::{self, NewRequest, Origin};
use lethe::{ErrorCode, Lethe};
use sqlx::PgConnection;

use crate::world::{World, eventually, subject};

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
