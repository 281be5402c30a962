//! Retention: deletes what a deletion left behind for a time, when that time is over.

use uuid::Uuid;

use super::purge::purge;
use crate::audit::{self, AuditEvent};
use crate::ids::ClerkUserId;
use crate::{Error, Lethe, Result, data_map};

/// What one run deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Expired retention periods: each is one table of one person.
    pub expired: u64,
    /// Deleted rows.
    pub rows: u64,
}

/// A retention period that has expired.
struct DueRetention {
    id: i64,
    request: Uuid,
    table: String,
    subject: ClerkUserId,
}

/// Deletes the rows of every expired retention period, each in a transaction of its own.
#[tracing::instrument(skip_all)]
pub async fn purge_expired(lethe: &Lethe) -> Result<Purged> {
    let mut purged = Purged::default();
    while let Some(due) = next_expired(lethe).await? {
        purged.rows += purge_one(lethe, &due).await?;
        purged.expired += 1;
    }
    Ok(purged)
}

/// Returns the oldest one. Children come before their parents, because they were stored in that order.
async fn next_expired(lethe: &Lethe) -> Result<Option<DueRetention>> {
    let row = sqlx::query!(
        r#"select id, request_id, table_name, clerk_id as "clerk_id!" from lethe.retention
        where finished_at is null and due_at <= $1 order by due_at, id limit 1"#,
        lethe.clock.now(),
    )
    .fetch_optional(&lethe.database)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let subject =
        ClerkUserId::parse(&row.clerk_id).map_err(|_| Error::Internal("invalid Clerk user id in the database"))?;
    Ok(Some(DueRetention { id: row.id, request: row.request_id, table: row.table_name, subject }))
}

#[tracing::instrument(name = "purge", skip_all, fields(request = %due.request, table = due.table))]
async fn purge_one(lethe: &Lethe, due: &DueRetention) -> Result<u64> {
    let mut transaction = lethe.database.begin().await?;
    let unfinished =
        sqlx::query!("select from lethe.retention where id = $1 and finished_at is null for update", due.id)
            .fetch_optional(&mut *transaction)
            .await?;
    if unfinished.is_none() {
        return Ok(0);
    }
    let resolved = data_map::resolve(&lethe.data_map, &mut transaction).await?;
    let rows = purge(&resolved, &mut transaction, &due.table, &due.subject).await?;
    sqlx::query!(
        "update lethe.retention set finished_at = $2, clerk_id = null, rows_erased = $3 where id = $1",
        due.id,
        lethe.clock.now(),
        i64::try_from(rows).unwrap_or(i64::MAX),
    )
    .execute(&mut *transaction)
    .await?;
    let ended = AuditEvent::RetentionEnded { request: due.request, rows, table: due.table.clone() };
    audit::append(lethe, &mut transaction, None, ended).await?;
    transaction.commit().await?;
    Ok(rows)
}
