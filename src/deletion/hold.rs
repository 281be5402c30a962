//! Holds a deletion before anything irreversible is done, on an operator's word, and releases it.
//!
//! The due date goes on. What an operator decides is in the audit log; their reason isn't, since it may name somebody.

use sqlx::PgConnection;
use uuid::Uuid;

use super::reference::{self, Reference};
use super::step::{Status, Step};
use super::wake::wake;
use crate::audit::{self, AuditEvent};
use crate::{Lethe, Result};

/// What became of an operator's wish to hold a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Nothing is erased until it is released.
    Held,
    /// It was held before. Now it has the new reason.
    HeldBefore,
    /// The application's rows are erased, so nothing is left to stop.
    TooLate,
}

/// What became of an operator's wish to release a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// It goes on.
    Released,
    /// Nobody held it.
    NotHeld,
}

/// Stops a deletion before the application's rows are erased. `reason` is for operators. Returns `None` if there is no such
/// deletion.
pub async fn hold(lethe: &Lethe, reference: &Reference, reason: &str) -> Result<Option<Hold>> {
    let Some(request) = reference::find(lethe, reference).await? else { return Ok(None) };
    let mut transaction = lethe.database.begin().await?;
    // The step that erases takes the same lock.
    let was_held = is_held_locked(&mut transaction, request).await?;
    if is_erased(&mut transaction, request).await? {
        return Ok(Some(Hold::TooLate));
    }
    sqlx::query!(
        "update lethe.deletion_request set held_at = coalesce(held_at, $2), hold_reason = $3 where id = $1",
        request,
        lethe.clock.now(),
        reason,
    )
    .execute(&mut *transaction)
    .await?;
    if was_held {
        transaction.commit().await?;
        return Ok(Some(Hold::HeldBefore));
    }
    audit::append(lethe, &mut transaction, None, AuditEvent::DeletionHeld { request }).await?;
    transaction.commit().await?;
    Ok(Some(Hold::Held))
}

/// Lets a held deletion go on, and wakes the worker. Returns `None` if there is no such deletion.
pub async fn release(lethe: &Lethe, reference: &Reference) -> Result<Option<Release>> {
    let Some(request) = reference::find(lethe, reference).await? else { return Ok(None) };
    let mut transaction = lethe.database.begin().await?;
    if !is_held_locked(&mut transaction, request).await? {
        return Ok(Some(Release::NotHeld));
    }
    sqlx::query!("update lethe.deletion_request set held_at = null, hold_reason = null where id = $1", request)
        .execute(&mut *transaction)
        .await?;
    wake(lethe, &mut transaction, request).await?;
    audit::append(lethe, &mut transaction, None, AuditEvent::DeletionReleased { request }).await?;
    transaction.commit().await?;
    Ok(Some(Release::Released))
}

/// Whether an operator holds the deletion.
pub(super) async fn is_held(lethe: &Lethe, request: Uuid) -> Result<bool> {
    let held = sqlx::query_scalar!(
        r#"select held_at is not null as "held!" from lethe.deletion_request where id = $1"#,
        request
    )
    .fetch_optional(&lethe.database)
    .await?;
    Ok(held.unwrap_or_default())
}

/// Whether an operator holds the deletion. Until the transaction ends, nobody else can hold or release it.
pub(super) async fn is_held_locked(connection: &mut PgConnection, request: Uuid) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select held_at is not null as "held!" from lethe.deletion_request where id = $1 for no key update"#,
        request,
    )
    .fetch_one(connection)
    .await?)
}

/// Whether the application's rows are erased.
pub(super) async fn is_erased(connection: &mut PgConnection, request: Uuid) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select status = $3 as "is_erased!" from lethe.deletion_step where request_id = $1 and position = $2"#,
        request,
        Step::ApplicationData.position(),
        Status::Done.name(),
    )
    .fetch_one(connection)
    .await?)
}
