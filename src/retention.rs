//! Retention: what a deletion left behind for a time is erased when that time is over.

use uuid::Uuid;

use crate::audit::{self, AuditEvent};
use crate::ids::ClerkUserId;
use crate::{Error, Lethe, Result, data_map, deletion};

/// What one run erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Tables of people whose time was over.
    pub expired: u64,
    /// Rows that were erased.
    pub rows: u64,
}

struct DueRetention {
    id: i64,
    request: Uuid,
    table: String,
    subject: ClerkUserId,
}

/// Erases everything whose time is over, each table of each person in a transaction of its own.
pub async fn purge_expired(lethe: &Lethe) -> Result<Purged> {
    let mut erased = Purged::default();
    while let Some(due) = next_expired(lethe).await? {
        erased.rows += purge_one(lethe, &due).await?;
        erased.expired += 1;
    }
    Ok(erased)
}

/// The oldest one that is due; children come before their parents, as they were noted.
async fn next_expired(lethe: &Lethe) -> Result<Option<DueRetention>> {
    let row = sqlx::query!(
        r#"select id, request_id, table_name, clerk_id as "clerk_id!" from lethe.retention
        where finished_at is null and due_at <= $1 order by due_at, id limit 1"#,
        lethe.clock.now(),
    )
    .fetch_optional(&lethe.database)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let subject = ClerkUserId::parse(&row.clerk_id).map_err(|_| Error::Internal("a stored id is unreadable"))?;
    Ok(Some(DueRetention { id: row.id, request: row.request_id, table: row.table_name, subject }))
}

async fn purge_one(lethe: &Lethe, due: &DueRetention) -> Result<u64> {
    let mut transaction = lethe.database.begin().await?;
    let taken = sqlx::query!("select from lethe.retention where id = $1 and finished_at is null for update", due.id)
        .fetch_optional(&mut *transaction)
        .await?;
    if taken.is_none() {
        return Ok(0);
    }
    let resolved = data_map::resolve(&lethe.data_map, &mut transaction).await?;
    let rows = deletion::purge(&resolved, &mut transaction, &due.table, &due.subject).await?;
    let counted = i64::try_from(rows).unwrap_or(i64::MAX);
    sqlx::query!(
        "update lethe.retention set finished_at = $2, clerk_id = null, rows_erased = $3 where id = $1",
        due.id,
        lethe.clock.now(),
        counted,
    )
    .execute(&mut *transaction)
    .await?;
    let ended = AuditEvent::RetentionEnded { request: due.request, rows, table: due.table.clone() };
    audit::append(lethe, &mut transaction, None, ended).await?;
    transaction.commit().await?;
    Ok(rows)
}
