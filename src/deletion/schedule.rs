//! Scheduled jobs that fail: how often in a row, why, and when operators are alerted.

use super::alert::{self, Repeat, Topic};
use super::failure::Failure;
use super::operator_notice::{Notice, send_later};
use crate::{Error, Lethe, Result};

/// Operators are alerted when a job has failed this many times in a row.
const ATTEMPTS_BEFORE_ALERT: i32 = 3;

/// Records how a run of the scheduled job `name` ended.
pub(crate) async fn record(lethe: &Lethe, name: &'static str, error: Option<&Error>) -> Result<()> {
    match error {
        None => record_success(lethe, name).await,
        Some(error) => record_failure(lethe, name, Failure::of(error)).await,
    }
}

async fn record_success(lethe: &Lethe, name: &str) -> Result<()> {
    let mut transaction = lethe.database.begin().await?;
    let had_failed = sqlx::query!("delete from lethe.schedule_failure where name = $1", name)
        .execute(&mut *transaction)
        .await?
        .rows_affected();
    if had_failed > 0 {
        alert::clear(&mut transaction, Topic::Schedule, name).await?;
    }
    transaction.commit().await?;
    Ok(())
}

async fn record_failure(lethe: &Lethe, name: &'static str, failure: Failure) -> Result<()> {
    let mut transaction = lethe.database.begin().await?;
    let attempts = sqlx::query_scalar!(
        "insert into lethe.schedule_failure as failed (name, attempts, failure, since) values ($1, 1, $2, $3)
        on conflict on constraint schedule_failure_pkey do update
            set attempts = failed.attempts + 1, failure = excluded.failure
        returning attempts",
        name,
        failure.name(),
        lethe.clock.now(),
    )
    .fetch_one(&mut *transaction)
    .await?;
    if attempts >= ATTEMPTS_BEFORE_ALERT
        && alert::is_due(lethe, &mut transaction, Topic::Schedule, name, failure.name(), Repeat::Growing).await?
    {
        let notice = Notice::ScheduleFailing { name: name.to_owned(), failure: failure.name().to_owned(), attempts };
        send_later(lethe, &mut transaction, notice).await?;
    }
    transaction.commit().await?;
    Ok(())
}
