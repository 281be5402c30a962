//! Retention: what a deletion left behind for a time is erased when that time is over.

use serde_json::json;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::subject::SubjectId;
use crate::{Error, Lethe, Result, data_map, deletion};

/// What one run erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Tables of people whose time was over.
    pub ended: u64,
    /// Rows that were erased.
    pub rows: u64,
}

struct Due {
    id: i64,
    request: Uuid,
    table: String,
    subject: SubjectId,
}

/// Erases everything whose time is over, each table of each person in a transaction of its own.
pub async fn erase_due(lethe: &Lethe) -> Result<Erased> {
    let mut erased = Erased::default();
    while let Some(due) = next(lethe).await? {
        erased.rows += erase(lethe, &due).await?;
        erased.ended += 1;
    }
    Ok(erased)
}

/// The oldest one that is due; children come before their parents, as they were noted.
async fn next(lethe: &Lethe) -> Result<Option<Due>> {
    let row = sqlx::query!(
        r#"select id, request_id, table_name, clerk_id as "clerk_id!" from lethe.retention
        where finished_at is null and due_at <= $1 order by due_at, id limit 1"#,
        lethe.clock.now(),
    )
    .fetch_optional(&lethe.database)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let subject = SubjectId::parse(&row.clerk_id).map_err(|_| Error::Internal("a stored id is unreadable"))?;
    Ok(Some(Due { id: row.id, request: row.request_id, table: row.table_name, subject }))
}

async fn erase(lethe: &Lethe, due: &Due) -> Result<u64> {
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
    let open = json!({"request": due.request, "table": due.table, "rows": rows});
    let entry = Entry { kind: "retention.ended", subject: None, open, personal: None };
    audit::append(lethe, &mut transaction, entry).await?;
    transaction.commit().await?;
    Ok(rows)
}
