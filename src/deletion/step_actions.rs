//! What each step does: first outside of the database, then inside the transaction that records it.

use serde_json::{Value, json};
use sqlx::{PgConnection, PgTransaction};
use uuid::Uuid;

use super::alert::{self, Repeat, Topic};
use super::content_search::{self, FoundContent, Needles};
use super::erasure::{Erasure, erase_and_observe};
use super::late_rows::{erase_late, store_retention};
use super::notice::SendReceipt;
use super::obstacle;
use super::operator_notice::{Notice, send_later};
use super::recheck;
use super::side_effects::SideEffect;
use super::step::Step;
use super::stored_identifiers::stored_identifiers;
use super::tombstone;
use super::verification::{Searched, searched};
use crate::audit::{self, AuditEvent};
use crate::clerk::{DeleteOutcome, User};
use crate::consent::MirrorConsent;
use crate::data_map::{self, PlanHash};
use crate::identifiers::Identifiers;
use crate::ids::ClerkUserId;
use crate::platform::connection;
use crate::{DataSubjectId, Error, ErrorCode, Lethe, Result};

/// A deletion that isn't finished.
pub(super) struct OpenDeletion {
    id: Uuid,
    subject: ClerkUserId,
    /// With the addresses, once the first step has asked Clerk for them.
    identifiers: Identifiers,
    subject_id: Uuid,
    /// `None` if nobody confirmed a plan.
    plan_hash: Option<PlanHash>,
    has_contact: bool,
}

impl OpenDeletion {
    pub(super) async fn load(lethe: &Lethe, id: Uuid) -> Result<Self> {
        Self::load_on(lethe, &mut *lethe.database.acquire().await?, id).await
    }

    /// Does what [`OpenDeletion::load`] does, on a connection that the caller has.
    pub(super) async fn load_on(lethe: &Lethe, connection: &mut PgConnection, id: Uuid) -> Result<Self> {
        let row = sqlx::query!(
            r#"select subject_id as "subject_id?", clerk_id, plan_hash, contact is not null as "has_contact!",
                identifiers
            from lethe.deletion_request where id = $1"#,
            id,
        )
        .fetch_one(connection)
        .await?;
        let clerk_id = row.clerk_id.ok_or(Error::Internal("a finished deletion has an unfinished step"))?;
        let identifiers = stored_identifiers(lethe, id, &clerk_id, row.identifiers.as_deref())?;
        let subject = identifiers.user_id().clone();
        let subject_id = row.subject_id.ok_or(Error::Internal("a finished deletion has an unfinished step"))?;
        let plan_hash = (!row.plan_hash.is_empty()).then(|| PlanHash::from_text(row.plan_hash));
        Ok(Self { id, subject, identifiers, subject_id, plan_hash, has_contact: row.has_contact })
    }
}

/// What the part outside of the database hands to the transaction.
#[derive(Default)]
pub(super) struct ExternalResult {
    sealed_contact: Option<Vec<u8>>,
    sealed_identifiers: Option<Vec<u8>>,
    /// Tombstones by older secrets that the database may lack.
    former_tombstones: Vec<tombstone::Digest>,
    detail: Value,
}

/// Executes the part of a step outside of the database: calls of Clerk and the archive store. No transaction is open.
pub(super) async fn run_external(lethe: &Lethe, deletion: &OpenDeletion, step: Step) -> Result<ExternalResult> {
    match step {
        Step::EndSessions => {
            let user = lethe.clerk.user(&deletion.subject).await?;
            let identifiers = user.as_ref().map_or_else(|| deletion.identifiers.clone(), User::identifiers);
            obstacle::ensure_none(lethe, &identifiers).await?;
            let ended = lethe.clerk.end_sessions(&deletion.subject).await?;
            Ok(ExternalResult { detail: json!({"sessions": ended}), ..sealed(lethe, deletion, user.as_ref()) })
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
            let former_tombstones = tombstone::write_new_copy(lethe, &deletion.subject).await?;
            Ok(ExternalResult { former_tombstones, ..ExternalResult::default() })
        }
        Step::PendingWork | Step::ApplicationData | Step::Verification | Step::Receipt => Ok(ExternalResult::default()),
    }
}

/// Seals what is needed of the user after Clerk has deleted it: where the receipt goes, and by what rows are found.
fn sealed(lethe: &Lethe, deletion: &OpenDeletion, user: Option<&User>) -> ExternalResult {
    let Some(user) = user else { return ExternalResult::default() };
    let contact = user.primary_email().filter(|_| !deletion.has_contact);
    ExternalResult {
        sealed_contact: contact.map(|address| lethe.keys.seal_contact(deletion.id, address, &lethe.random)),
        sealed_identifiers: Some(lethe.keys.seal_identifiers(deletion.id, &user.identifiers(), &lethe.random)),
        ..ExternalResult::default()
    }
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
        Step::EndSessions => store_sealed(transaction, deletion, &external).await?,
        Step::PendingWork => {
            sqlx::query!("delete from lethe.consent_mirror where subject_id = $1", deletion.subject_id)
                .execute(&mut **transaction)
                .await?;
            let mirror = MirrorConsent { subject: DataSubjectId(deletion.subject_id) };
            lethe.queue().remove(transaction, &mirror).await?;
        }
        Step::ApplicationData => return erase_application_data(lethe, transaction, deletion).await,
        Step::Verification => return verify_erasure(lethe, transaction, deletion).await,
        Step::ClerkUser => {}
        Step::Audit => write_tombstone(lethe, transaction, deletion, &external.former_tombstones).await?,
        Step::Receipt => complete(lethe, transaction, deletion).await?,
    }
    Ok(external.detail)
}

async fn store_sealed(
    transaction: &mut PgTransaction<'_>,
    deletion: &OpenDeletion,
    external: &ExternalResult,
) -> Result<()> {
    sqlx::query!(
        "update lethe.deletion_request
        set contact = coalesce($2, contact), identifiers = coalesce($3, identifiers) where id = $1",
        deletion.id,
        external.sealed_contact,
        external.sealed_identifiers,
    )
    .execute(&mut **transaction)
    .await?;
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
    let now = connection::now(transaction).await?;
    // The columns are erased with the rows, and rows that are written later may still have the addresses.
    let identifiers = resolved.identify(transaction, deletion.identifiers.clone()).await?;
    let Erasure { results, side_effects } = erase_and_observe(&resolved, transaction, &identifiers, now).await?;
    store_retention(transaction, deletion.id, &identifiers, &results).await?;
    let tables: Vec<_> = results
        .iter()
        .map(|result| &result.line)
        .map(|line| json!({"table": line.table, "rows": line.rows, "outcome": line.outcome, "others": line.others}))
        .collect();
    let results = serde_json::to_value(&results).map_err(|_| Error::Internal("a result isn't serializable"))?;
    sqlx::query!(
        "update lethe.deletion_request set results = $2, identifiers = $3 where id = $1",
        deletion.id,
        results,
        lethe.keys.seal_identifiers(deletion.id, &identifiers, &lethe.random),
    )
    .execute(&mut **transaction)
    .await?;
    let mut detail = json!({"plan": plan_hash, "tables": tables});
    if !side_effects.is_empty() {
        for SideEffect { table, inserted, updated, deleted, truncated } in &side_effects {
            tracing::info!(
                table,
                inserted,
                updated,
                deleted,
                truncated,
                "triggers or rules changed rows beside the data map's rules"
            );
        }
        detail["side_effects"] = json!(side_effects);
    }
    Ok(detail)
}

/// Searches for what the erasure should have left nothing of.
async fn verify_erasure(lethe: &Lethe, transaction: &mut PgTransaction<'_>, deletion: &OpenDeletion) -> Result<Value> {
    let resolved = data_map::resolve(&lethe.data_map, transaction).await?;
    let erased_late = erase_late(lethe, transaction, deletion.id, &deletion.identifiers).await?;
    let needles = Needles::of(&deletion.identifiers);
    let limit = u64::from(lethe.config.content_search_megabytes.get()) * 1_000_000;
    let content = content_search::search(&resolved, transaction, &deletion.identifiers, &needles, limit).await?;
    for FoundContent { table, column, rows } in content.found() {
        tracing::warn!(table, column, rows, "texts that no rule erases still contain an erased user's id or address");
        let reference = format!("{table}.{column}");
        if alert::is_due(lethe, transaction, Topic::FoundContent, &reference, "found", Repeat::Growing).await? {
            send_later(lethe, transaction, Notice::ContentFound { column: reference }).await?;
        }
    }
    let rows_found: u64 = content.found().iter().map(|found| found.rows).sum();
    let mut searched = Searched { content: Some(content), ..searched(&resolved) };
    searched.unsearched.extend(resolved.tables_without_address(&deletion.identifiers));
    store_searched(transaction, deletion, &searched).await?;
    let mut detail = json!({"left_behind": 0});
    if erased_late > 0 {
        detail["erased_late"] = erased_late.into();
    }
    if rows_found > 0 {
        detail["found_in_texts"] = rows_found.into();
    }
    Ok(detail)
}

/// Stores where the verification looked, for the receipt.
async fn store_searched(
    transaction: &mut PgTransaction<'_>,
    deletion: &OpenDeletion,
    searched: &Searched,
) -> Result<()> {
    let searched = serde_json::to_value(searched).map_err(|_| Error::Internal("a search isn't serializable"))?;
    sqlx::query!("update lethe.deletion_request set searched = $2 where id = $1", deletion.id, searched)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Writes the tombstone and deletes the row that links the person to their audit entries, with the key that seals these.
async fn write_tombstone(
    lethe: &Lethe,
    transaction: &mut PgTransaction<'_>,
    deletion: &OpenDeletion,
    former: &[tombstone::Digest],
) -> Result<()> {
    tombstone::write_new(lethe, transaction, &deletion.subject).await?;
    for digest in former {
        tombstone::write(lethe, transaction, digest).await?;
    }
    sqlx::query!("delete from lethe.data_subject where clerk_id = $1", deletion.subject.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Completes the request. Its links to the person are removed: the Clerk user id, which only the rechecks have from then on,
/// and the random id under which the ledger and the audit log keep what they chose and did.
async fn complete(lethe: &Lethe, transaction: &mut PgTransaction<'_>, deletion: &OpenDeletion) -> Result<()> {
    let completed = AuditEvent::DeletionCompleted { request: deletion.id };
    let entry = audit::append(lethe, transaction, None, completed).await?;
    let has_contact = sqlx::query_scalar!(
        r#"update lethe.deletion_request set finished_at = $2, clerk_id = null, subject_id = null, identifiers = null,
            audit_entry_id = $3
        where id = $1 returning contact is not null as "mail!""#,
        deletion.id,
        lethe.clock.now(),
        entry,
    )
    .fetch_one(&mut **transaction)
    .await?;
    tracing::info!(request = %deletion.id, "deletion completed");
    recheck::schedule(lethe, transaction, deletion.id, &deletion.identifiers).await?;
    alert::clear(transaction, Topic::Deletion, &deletion.id.to_string()).await?;
    alert::clear(transaction, Topic::DueDate, &deletion.id.to_string()).await?;
    if has_contact {
        lethe.queue().enqueue(transaction, SendReceipt { request: deletion.id }).await?;
    }
    Ok(())
}
