//! Idempotency keys of deletion requests: which receipt a request gets, and that one which was given up doesn't count.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::ids::ClerkUserId;
use crate::receipt_code::ReceiptCode;
use crate::{ErrorCode, Lethe, Result};

/// Returns the receipt code that a request of `subject` with this idempotency key gets. No receipt opens with it unless
/// the request was stored.
#[must_use]
pub fn reserved_receipt(lethe: &Lethe, subject: &ClerkUserId, idempotency_key: Uuid) -> ReceiptCode {
    ReceiptCode::from_bytes(lethe.keys.receipt(subject, idempotency_key))
}

/// Makes sure that no request of `subject` with this key starts a deletion, so that it can be said that nothing was deleted: one
/// that is still on its way is refused. Fails with [`ErrorCode::AccountDeleted`] if it has arrived.
pub async fn invalidate_key(lethe: &Lethe, subject: &ClerkUserId, idempotency_key: Uuid) -> Result<()> {
    let receipt = reserved_receipt(lethe, subject, idempotency_key);
    let mut transaction = lethe.database.begin().await?;
    lock(&mut transaction, &receipt).await?;
    let has_arrived = sqlx::query_scalar!(
        r#"select exists (select from lethe.deletion_request where receipt_code = $1) as "has_arrived!""#,
        receipt.as_str(),
    )
    .fetch_one(&mut *transaction)
    .await?;
    if has_arrived {
        return Err(ErrorCode::AccountDeleted.into());
    }
    sqlx::query!(
        "insert into lethe.invalid_idempotency_key (receipt_code, invalidated_at) values ($1, now())
        on conflict on constraint invalid_idempotency_key_pkey do nothing",
        receipt.as_str(),
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}

/// Refuses a request whose key was invalidated. Until the transaction ends, it can't be.
pub(super) async fn refuse_invalid(connection: &mut PgConnection, receipt: &ReceiptCode) -> Result<()> {
    lock(connection, receipt).await?;
    let is_invalid = sqlx::query_scalar!(
        r#"select exists (select from lethe.invalid_idempotency_key where receipt_code = $1) as "is_invalid!""#,
        receipt.as_str(),
    )
    .fetch_one(connection)
    .await?;
    // The user was told that nothing has started, and may have decided otherwise.
    if is_invalid { Err(ErrorCode::PlanChanged.into()) } else { Ok(()) }
}

async fn lock(connection: &mut PgConnection, receipt: &ReceiptCode) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('deletion request ' || $1, 0))", receipt.as_str())
        .execute(connection)
        .await?;
    Ok(())
}
