//! What each step does: outside the database, and inside the transaction that records it.

use serde_json::{Value, json};
use sqlx::PgTransaction;
use uuid::Uuid;

use super::erasure::{erase, verify};
use super::notice::SendReceipt;
use super::plan::plan;
use super::step::Step;
use crate::audit::{self, AuditEvent};
use crate::clerk::DeleteOutcome;
use crate::ids::ClerkUserId;
use crate::{Error, ErrorCode, Lethe, Result, data_map, keys};

/// An open deletion.
pub(super) struct OpenDeletion {
    pub(super) id: Uuid,
    pub(super) subject: ClerkUserId,
    subject_id: Uuid,
    /// Empty when the request was taken in without a plan.
    plan_hash: String,
    has_contact: bool,
}

impl OpenDeletion {
    pub(super) async fn load(lethe: &Lethe, id: Uuid) -> Result<Self> {
        let row = sqlx::query!(
            r#"select subject_id, clerk_id, plan_hash, contact is not null as "has_contact!"
            from lethe.deletion_request where id = $1"#,
            id,
        )
        .fetch_one(&lethe.database)
        .await?;
        let clerk_id = row.clerk_id.ok_or(Error::Internal("a finished deletion has an open step"))?;
        let subject = ClerkUserId::parse(&clerk_id).map_err(|_| Error::Internal("a stored id is unreadable"))?;
        let (subject_id, plan_hash, has_contact) = (row.subject_id, row.plan_hash, row.has_contact);
        Ok(Self { id, subject, subject_id, plan_hash, has_contact })
    }
}

/// What the outside part hands to the inside part.
#[derive(Default)]
pub(super) struct ExternalResult {
    contact: Option<Vec<u8>>,
    detail: Value,
}

/// Calls Clerk and the archive store. No transaction is open meanwhile.
pub(super) async fn run_external(lethe: &Lethe, deletion: &OpenDeletion, step: Step) -> Result<ExternalResult> {
    match step {
        Step::EndSessions => {
            let contact = if deletion.has_contact { None } else { sealed_contact(lethe, deletion).await? };
            let ended = lethe.clerk.end_sessions(&deletion.subject).await?;
            Ok(ExternalResult { contact, detail: json!({"sessions": ended}) })
        }
        Step::ClerkUser => {
            let outcome = match lethe.clerk.delete_user(&deletion.subject).await? {
                DeleteOutcome::Deleted => "deleted",
                DeleteOutcome::AlreadyDeleted => "already_gone",
            };
            Ok(ExternalResult { detail: json!({"user": outcome}), ..ExternalResult::default() })
        }
        Step::Audit => {
            // A restored database forgets its tombstones; this copy doesn't.
            let digest = data_encoding::HEXLOWER.encode(&lethe.keys.tombstone(&deletion.subject));
            lethe.storage.put(&format!("tombstones/{digest}"), deletion.id.to_string().into_bytes()).await?;
            Ok(ExternalResult::default())
        }
        Step::PendingWork | Step::ApplicationData | Step::Verification | Step::Receipt => Ok(ExternalResult::default()),
    }
}

/// The person's address, sealed, while Clerk still knows it.
async fn sealed_contact(lethe: &Lethe, deletion: &OpenDeletion) -> Result<Option<Vec<u8>>> {
    let user = lethe.clerk.user(&deletion.subject).await?;
    let address = user.as_ref().and_then(|user| user.primary_email());
    Ok(address.map(|address| keys::seal(lethe.keys.contact(), address.as_bytes(), &lethe.random)))
}

/// Does the step's part in the database and answers what the audit log says of it.
pub(super) async fn run_in_transaction(
    lethe: &Lethe,
    transaction: &mut PgTransaction<'_>,
    deletion: &OpenDeletion,
    step: Step,
    outside: ExternalResult,
) -> Result<Value> {
    match step {
        Step::EndSessions => store_contact(transaction, deletion, outside.contact).await?,
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
    Ok(outside.detail)
}

async fn store_contact(
    transaction: &mut PgTransaction<'_>,
    deletion: &OpenDeletion,
    contact: Option<Vec<u8>>,
) -> Result<()> {
    if contact.is_some() {
        sqlx::query!("update lethe.deletion_request set contact = $2 where id = $1", deletion.id, contact)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

/// Executes the plan that was confirmed; where the map has changed since, nothing is erased.
async fn erase_application_data(
    lethe: &Lethe,
    transaction: &mut PgTransaction<'_>,
    deletion: &OpenDeletion,
) -> Result<Value> {
    let resolved = data_map::resolve(&lethe.data_map, transaction).await?;
    let now = lethe.clock.now();
    let plan = plan(&resolved, transaction, &deletion.subject, now).await?;
    if !deletion.plan_hash.is_empty() && deletion.plan_hash != plan.hash {
        return Err(ErrorCode::PlanChanged.into());
    }
    let results = erase(&resolved, transaction, &deletion.subject, now).await?;
    for result in &results {
        let Some(due) = result.purge_due else { continue };
        sqlx::query!(
            "insert into lethe.retention (request_id, table_name, clerk_id, due_at) values ($1, $2, $3, $4)
            on conflict on constraint retention_request_table_key do nothing",
            deletion.id,
            result.table,
            deletion.subject.as_str(),
            due,
        )
        .execute(&mut **transaction)
        .await?;
    }
    let told: Vec<_> = results
        .iter()
        .map(|result| json!({"table": result.table, "rows": result.rows, "outcome": result.outcome, "others": result.others}))
        .collect();
    let results = serde_json::to_value(&results).map_err(|_| Error::Internal("a result can't be written as JSON"))?;
    sqlx::query!("update lethe.deletion_request set results = $2 where id = $1", deletion.id, results)
        .execute(&mut **transaction)
        .await?;
    Ok(json!({"plan": plan.hash, "tables": told}))
}

async fn verify_erasure(lethe: &Lethe, transaction: &mut PgTransaction<'_>, deletion: &OpenDeletion) -> Result<Value> {
    let resolved = data_map::resolve(&lethe.data_map, transaction).await?;
    let leftovers = verify(&resolved, transaction, &deletion.subject).await?;
    let rows: u64 = leftovers.iter().map(|leftover| leftover.rows).sum();
    if rows > 0 {
        for leftover in &leftovers {
            tracing::error!(request = %deletion.id, table = leftover.table, rows = leftover.rows, "rows were left behind");
        }
        return Err(Error::RowsRemaining(rows));
    }
    Ok(json!({"left_behind": 0}))
}

/// Sets the tombstone and destroys the row that leads from the person to their entries, with the
/// key that opens these.
async fn write_tombstone(lethe: &Lethe, transaction: &mut PgTransaction<'_>, deletion: &OpenDeletion) -> Result<()> {
    sqlx::query!(
        "insert into lethe.tombstone (digest, request_id, erased_at) values ($1, $2, $3)
        on conflict on constraint tombstone_pkey do nothing",
        &lethe.keys.tombstone(&deletion.subject),
        deletion.id,
        lethe.clock.now(),
    )
    .execute(&mut **transaction)
    .await?;
    sqlx::query!("delete from lethe.data_subject where clerk_id = $1", deletion.subject.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Closes the request. Its last link to the person goes.
async fn complete(lethe: &Lethe, transaction: &mut PgTransaction<'_>, deletion: &OpenDeletion) -> Result<()> {
    let completed = AuditEvent::DeletionCompleted { request: deletion.id };
    let entry = audit::append(lethe, transaction, None, completed).await?;
    let mail = sqlx::query_scalar!(
        r#"update lethe.deletion_request set finished_at = $2, clerk_id = null, audit_entry_id = $3
        where id = $1 returning contact is not null as "mail!""#,
        deletion.id,
        lethe.clock.now(),
        entry,
    )
    .fetch_one(&mut **transaction)
    .await?;
    if mail {
        lethe.queue().enqueue(transaction, SendReceipt { request: deletion.id }).await?;
    }
    Ok(())
}
