//! Taking in what Clerk tells: each delivery once, in any order.

use time::Duration;

use crate::audit::{self, AuditEvent};
use crate::clerk::webhook::Event;
use crate::deletion::{self, NewRequest, Origin};
use crate::ids::ClerkUserId;
use crate::subject::{self, Presence};
use crate::{Lethe, Result};

/// Clerk gives up after about a day and a half; whatever is older can't come again.
const DELIVERY_RETENTION: Duration = Duration::days(30);

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It was taken in.
    Processed,
    /// It had been taken in before.
    Duplicate,
}

/// Takes in a verified delivery. A person deleted elsewhere is erased here; our own deletion,
/// told back to us, changes nothing.
pub async fn receive(lethe: &Lethe, delivery: &str, event: &Event) -> Result<Received> {
    let erase = match event {
        Event::UserDeleted { id: Some(subject) } => prepare_deletion(lethe, subject).await?,
        _ => None,
    };
    let mut transaction = lethe.database.begin().await?;
    let first = sqlx::query!(
        "insert into lethe.webhook_delivery (id, kind, received_at) values ($1, $2, $3)
        on conflict on constraint webhook_delivery_pkey do nothing",
        delivery,
        event.kind(),
        lethe.clock.now(),
    )
    .execute(&mut *transaction)
    .await?;
    if first.rows_affected() == 0 {
        return Ok(Received::Duplicate);
    }
    let mut request = None;
    if let Some((subject, draft)) = erase {
        request = Some(deletion::create(lethe, &mut transaction, subject, draft).await?.id);
    }
    let received =
        AuditEvent::WebhookReceived { delivery: delivery.to_owned(), event: event.kind().to_owned(), request };
    audit::append(lethe, &mut transaction, None, received).await?;
    transaction.commit().await?;
    Ok(Received::Processed)
}

/// What a deletion that was done elsewhere means here; nothing, when it was ours.
async fn prepare_deletion<'a>(
    lethe: &Lethe,
    subject: &'a ClerkUserId,
) -> Result<Option<(&'a ClerkUserId, deletion::PreparedRequest)>> {
    if subject::presence(lethe, subject).await? != Presence::Active {
        return Ok(None);
    }
    let new = NewRequest { subject, origin: Origin::Webhook, confirmed_plan: None, contact: None };
    Ok(Some((subject, deletion::prepare(lethe, new).await?)))
}

/// Forgets the ids of deliveries that can't come again. Answers how many.
pub async fn delete_old_deliveries(lethe: &Lethe) -> Result<u64> {
    let before = lethe.clock.now() - DELIVERY_RETENTION;
    let forgotten = sqlx::query!("delete from lethe.webhook_delivery where received_at < $1", before)
        .execute(&lethe.database)
        .await?;
    Ok(forgotten.rows_affected())
}
