//! Handles events that Clerk delivers by webhook: each delivery once, in any order.

use time::Duration;

use super::request::{NewRequest, Origin, PreparedRequest, create, prepare};
use crate::audit::{self, AuditEvent};
use crate::clerk::webhook::Event;
use crate::ids::ClerkUserId;
use crate::subject::{self, Presence};
use crate::{Lethe, Result};

/// How long delivery ids are kept. Clerk retries a delivery for about a day and a half.
const DELIVERY_RETENTION: Duration = Duration::days(30);

/// The result of handling a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It was handled.
    Processed,
    /// It had been handled before.
    Duplicate,
}

/// Handles a verified delivery. A user who was deleted elsewhere is erased here; the event that our own deletion caused
/// changes nothing.
#[tracing::instrument(name = "webhook", skip_all, fields(delivery = %delivery, kind = event.kind()))]
pub async fn receive(lethe: &Lethe, delivery: &str, event: &Event) -> Result<Received> {
    let deletion = match event {
        Event::UserDeleted { id: Some(subject) } => prepare_deletion(lethe, subject).await?,
        _ => None,
    };
    let mut transaction = lethe.database.begin().await?;
    let inserted = sqlx::query!(
        "insert into lethe.webhook_delivery (id, kind, received_at) values ($1, $2, $3)
        on conflict on constraint webhook_delivery_pkey do nothing",
        delivery,
        event.kind(),
        lethe.clock.now(),
    )
    .execute(&mut *transaction)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(Received::Duplicate);
    }
    let request = match deletion {
        Some((subject, prepared)) => Some(create(lethe, &mut transaction, subject, prepared).await?.id),
        None => None,
    };
    let received =
        AuditEvent::WebhookReceived { delivery: delivery.to_owned(), event: event.kind().to_owned(), request };
    audit::append(lethe, &mut transaction, None, received).await?;
    transaction.commit().await?;
    Ok(Received::Processed)
}

/// Prepares the deletion of a user who was deleted elsewhere; returns `None` if the deletion was ours.
async fn prepare_deletion<'a>(
    lethe: &Lethe,
    subject: &'a ClerkUserId,
) -> Result<Option<(&'a ClerkUserId, PreparedRequest)>> {
    if subject::presence(lethe, subject).await? != Presence::Active {
        return Ok(None);
    }
    let new =
        NewRequest { subject, origin: Origin::Webhook, confirmed_plan: None, contact: None, idempotency_key: None };
    Ok(Some((subject, prepare(lethe, new).await?)))
}

/// Deletes the ids of deliveries that Clerk no longer retries. Returns their number.
pub async fn delete_old_deliveries(lethe: &Lethe) -> Result<u64> {
    let before = lethe.clock.now() - DELIVERY_RETENTION;
    let deleted = sqlx::query!("delete from lethe.webhook_delivery where received_at < $1", before)
        .execute(&lethe.database)
        .await?;
    Ok(deleted.rows_affected())
}
