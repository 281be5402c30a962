//! What each step does: first outside of the database, then inside the transaction that records it.

use serde_json::{Value, json};
use sqlx::PgTransaction;
use uuid::Uuid;

use super::erasure::{TableResult, erase};
use super::notice::SendReceipt;
use super::step::Step;
use super::tombstone;
use super::verification::verify;
use crate::audit::{self, AuditEvent};
use crate::clerk::DeleteOutcome;
use crate::data_map::{self, Outcome, PlanHash};
use crate::ids::ClerkUserId;
use crate::{Error, ErrorCode, Lethe, Result, keys};

/// A deletion that isn't finished.
pub(super) struct OpenDeletion {
    id: Uuid,
    subject: ClerkUserId,
    subject_id: Uuid,
    /// `None` if nobody confirmed a plan.
    plan_hash: Option<PlanHash>,
    has_contact: bool,
}

impl OpenDeletion {
    pub(super) async fn load(lethe: &Lethe, id: Uuid) -> Result<Self> {
        let row = sqlx::query!(
            r#"select subject_id as "subject_id?", clerk_id, plan_hash, contact is not null as "has_contact!"
            from lethe.deletion_request where id = $1"#,
            id,
        )
        .fetch_one(&lethe.database)
        .await?;
        let clerk_id = row.clerk_id.ok_or(Error::Internal("a finished deletion has an unfinished step"))?;
        let subject =
            ClerkUserId::parse(&clerk_id).map_err(|_| Error::Internal("invalid Clerk user id in the database"))?;
        let subject_id = row.subject_id.ok_or(Error::Internal("a finished deletion has an unfinished step"))?;
        let plan_hash = (!row.plan_hash.is_empty()).then(|| PlanHash::from_text(row.plan_hash));
        Ok(Self { id, subject, subject_id, plan_hash, has_contact: row.has_contact })
    }
}

/// What the part outside of the database hands to the transaction.
#[derive(Default)]
pub(super) struct ExternalResult {
    sealed_contact: Option<Vec<u8>>,
    detail: Value,
}

/// Executes the part of a step outside of the database: calls of Clerk and the archive store. No transaction is open.
pub(super) async fn run_external(lethe: &Lethe, deletion: &OpenDeletion, step: Step) -> Result<ExternalResult> {
    match step {
        Step::EndSessions => {
            let sealed_contact =
                if deletion.has_contact { None } else { sealed_contact(lethe, &deletion.subject).await? };
            let ended = lethe.clerk.end_sessions(&deletion.subject).await?;
            Ok(ExternalResult { sealed_contact, detail: json!({"sessions": ended}) })
        }
        Step::ClerkUser => {
            let outcome = match lethe.clerk.delete_user(&deletion.subject).await? {
                DeleteOutcome::Deleted => "deleted",
                DeleteOutcome::AlreadyDeleted => "already_gone",
            };
            Ok(ExternalResult { detail: json!({"user": outcome}), ..ExternalResult::default() })
        }
        Step::Audit => {
            // Before the database, so that the store lacks none of its tombstones.
            tombstone::write_copy(lethe, &lethe.keys.tombstone(&deletion.subject)).await?;
            Ok(ExternalResult::default())
        }
        Step::PendingWork | Step::ApplicationData | Step::Verification | Step::Receipt => Ok(ExternalResult::default()),
    }
}

/// Returns the person's e-mail address, sealed, while Clerk still has it.
async fn sealed_contact(lethe: &Lethe, subject: &ClerkUserId) -> Result<Option<Vec<u8>>> {
    let user = lethe.clerk.user(subject).await?;
    let address = user.as_ref().and_then(|user| user.primary_email());
    Ok(address.map(|address| keys::seal(lethe.keys.contact(), address.as_bytes(), &lethe.random)))
}

/// Executes the part of a step in the database and returns the details for the audit log.
pub(super) async fn run_in_transaction(
    lethe: &Lethe,
    transaction: &mut PgTransaction<'_>,
    deletion: &OpenDeletion,
    step: Step,
    external: ExternalResult,
) -> Result<Value> {
    match step {
        Step::EndSessions => store_contact(transaction, deletion, external.sealed_contact).await?,
        Step::PendingWork => {
            sqlx::query!("delete from lethe.consent_mirror where subject_id = $1", deletion.subject_id)
                .execute(&mut **transaction)
                .await?;
        }
        Step::ApplicationData => return erase_application_data(lethe, transaction, deletion).await,
        Step::Verification => return verify_erasure(lethe, transaction, deletion).await,
        Step::ClerkUser => {}
        Step::Audit => write_tombstone(lethe, transaction, deletion).await?,
        Step::Receipt => complete(lethe, transaction, deletion).await?,
    }
    Ok(external.detail)
}

async fn store_contact(
    transaction: &mut PgTransaction<'_>,
    deletion: &OpenDeletion,
    sealed_contact: Option<Vec<u8>>,
) -> Result<()> {
    if sealed_contact.is_some() {
        sqlx::query!("update lethe.deletion_request set contact = $2 where id = $1", deletion.id, sealed_contact)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

/// Executes the plan that was confirmed. Fails without erasing anything if the map was changed since.
async fn erase_application_data(
    lethe: &Lethe,
    transaction: &mut PgTransaction<'_>,
    deletion: &OpenDeletion,
) -> Result<Value> {
    let resolved = data_map::resolve(&lethe.data_map, transaction).await?;
    let plan_hash = resolved.hash();
    if deletion.plan_hash.as_ref().is_some_and(|confirmed| *confirmed != plan_hash) {
        return Err(ErrorCode::PlanChanged.into());
    }
    let results = erase(&resolved, transaction, &deletion.subject, lethe.clock.now()).await?;
    store_retention(transaction, deletion, &results).await?;
    let tables: Vec<_> = results
        .iter()
        .map(|result| &result.line)
        .map(|line| json!({"table": line.table, "rows": line.rows, "outcome": line.outcome, "others": line.others}))
        .collect();
    let results = serde_json::to_value(&results).map_err(|_| Error::Internal("a result isn't serializable"))?;
    sqlx::query!("update lethe.deletion_request set results = $2 where id = $1", deletion.id, results)
        .execute(&mut **transaction)
        .await?;
    Ok(json!({"plan": plan_hash, "tables": tables}))
}

/// Stores for each table what has to be purged later.
async fn store_retention(
    transaction: &mut PgTransaction<'_>,
    deletion: &OpenDeletion,
    results: &[TableResult],
) -> Result<()> {
    for result in results {
        let Some(due) = result.purge_due else { continue };
        sqlx::query!(
            "insert into lethe.retention (request_id, table_name, clerk_id, due_at) values ($1, $2, $3, $4)
            on conflict on constraint retention_request_table_key do nothing",
            deletion.id,
            result.line.table,
            deletion.subject.as_str(),
            due,
        )
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

/// Searches for what the erasure should have left nothing of. Rows that were written since are erased as well, by the same
/// rules; what is still there then fails the step.
async fn verify_erasure(lethe: &Lethe, transaction: &mut PgTransaction<'_>, deletion: &OpenDeletion) -> Result<Value> {
    let resolved = data_map::resolve(&lethe.data_map, transaction).await?;
    let found = verify(&resolved, transaction, &deletion.subject).await?;
    if found.is_empty() {
        return Ok(json!({"left_behind": 0}));
    }
    let late = erase(&resolved, transaction, &deletion.subject, lethe.clock.now()).await?;
    store_retention(transaction, deletion, &late).await?;
    add_late_results(transaction, deletion, &late).await?;
    let leftovers = verify(&resolved, transaction, &deletion.subject).await?;
    let rows: u64 = leftovers.iter().map(|leftover| leftover.rows).sum();
    if rows > 0 {
        for leftover in &leftovers {
            let (table, column) = (&leftover.table, leftover.column.as_deref());
            tracing::error!(table, column, rows = leftover.rows, "rows were left behind");
        }
        return Err(Error::RowsRemaining(rows));
    }
    let erased_late: u64 = found.iter().map(|leftover| leftover.rows).sum();
    tracing::info!(rows = erased_late, "rows that were written during the deletion were erased too");
    Ok(json!({"left_behind": 0, "erased_late": erased_late}))
}

/// Adds the rows that were erased late to what the receipt says.
async fn add_late_results(
    transaction: &mut PgTransaction<'_>,
    deletion: &OpenDeletion,
    late: &[TableResult],
) -> Result<()> {
    let stored = sqlx::query_scalar!("select results from lethe.deletion_request where id = $1", deletion.id)
        .fetch_one(&mut **transaction)
        .await?;
    let unreadable = |_| Error::Internal("stored results can't be read");
    let mut results: Vec<TableResult> =
        serde_json::from_value(stored.unwrap_or(Value::Array(Vec::new()))).map_err(unreadable)?;
    for late in late.iter().filter(|late| late.line.rows > 0) {
        let is_same =
            |result: &&mut TableResult| result.line.table == late.line.table && result.line.others == late.line.others;
        match results.iter_mut().find(is_same) {
            // Rows that stay as they are were counted anew, all of them.
            Some(result) if matches!(late.line.outcome, Outcome::Retained { .. }) => result.line.rows = late.line.rows,
            Some(result) => result.line.rows += late.line.rows,
            None => results.push(late.clone()),
        }
    }
    let results = serde_json::to_value(&results).map_err(unreadable)?;
    sqlx::query!("update lethe.deletion_request set results = $2 where id = $1", deletion.id, results)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Writes the tombstone and deletes the row that links the person to their audit entries.
async fn write_tombstone(lethe: &Lethe, transaction: &mut PgTransaction<'_>, deletion: &OpenDeletion) -> Result<()> {
    tombstone::write(lethe, transaction, &lethe.keys.tombstone(&deletion.subject)).await?;
    sqlx::query!("delete from lethe.data_subject where clerk_id = $1", deletion.subject.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Completes the request. Its links to the person are removed: the Clerk user id, and the random id under which the ledger
/// and the audit log keep what they chose and did.
async fn complete(lethe: &Lethe, transaction: &mut PgTransaction<'_>, deletion: &OpenDeletion) -> Result<()> {
    let completed = AuditEvent::DeletionCompleted { request: deletion.id };
    let entry = audit::append(lethe, transaction, None, completed).await?;
    let has_contact = sqlx::query_scalar!(
        r#"update lethe.deletion_request set finished_at = $2, clerk_id = null, subject_id = null, audit_entry_id = $3
        where id = $1 returning contact is not null as "mail!""#,
        deletion.id,
        lethe.clock.now(),
        entry,
    )
    .fetch_one(&mut **transaction)
    .await?;
    if has_contact {
        lethe.queue().enqueue(transaction, SendReceipt { request: deletion.id }).await?;
    }
    Ok(())
}
