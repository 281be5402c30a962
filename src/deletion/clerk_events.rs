//! Handles events that Clerk delivers by webhook: each delivery once, in any order.

use sqlx::PgTransaction;
use time::{Duration, OffsetDateTime};

use super::alert::{self, Repeat, Topic};
use super::operator_notice::{Notice, send_later};
use super::request::{NewRequest, Origin, PreparedRequest, create, prepare};
use crate::audit::{self, AuditEvent};
use crate::clerk::webhook::Event;
use crate::ids::ClerkUserId;
use crate::platform::connection::TimeLimits;
use crate::subject::{self, Presence};
use crate::{Error, Lethe, Result, consent};

/// How long delivery ids are kept. Clerk retries a delivery for about a day and a half.
const DELIVERY_RETENTION_DAYS: i32 = 30;

/// After these events, a session issues no tokens.
const SESSION_ENDS: [&str; 3] = ["session.ended", "session.removed", "session.revoked"];

/// The advisory lock under which deletions are counted. The number is arbitrary, but not used elsewhere.
const COUNT_LOCK_KEY: i64 = 0x6c65_7468_6533;
/// What alerts refer to.
const REFERENCE: &str = "user.deleted";
/// How many events are looked up at Clerk in one call.
const PAGE_SIZE: i64 = 100;

/// The result of handling a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It was handled.
    Processed,
    /// It had been handled before.
    Duplicate,
}

/// Handles a verified delivery. A user who was deleted elsewhere is erased here; the event that our own deletion caused
/// changes nothing. Tokens of a session that has ended are refused from now on. An edit of the consent in a user's metadata that
/// wasn't ours is overwritten by the ledger.
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
        Some((subject, _)) if must_wait(lethe, &mut transaction, subject).await? => {
            hold(lethe, &mut transaction, subject, delivery).await?;
            None
        }
        Some((subject, prepared)) => Some(create(lethe, &mut transaction, subject, prepared).await?.id),
        None => None,
    };
    if let Event::UserUpdated(user) = event {
        consent::correct_mirror(lethe, &mut transaction, user.id(), user.public_metadata()).await?;
    }
    if let Event::Session { kind, session } = event
        && SESSION_ENDS.contains(&kind.as_str())
    {
        subject::end_session_on(lethe, &mut transaction, session.id()).await?;
    }
    // The log can't be shortened, so only what changed something is in it, and not every sign-in to the application.
    if request.is_some() {
        let received =
            AuditEvent::WebhookReceived { delivery: delivery.to_owned(), event: event.kind().to_owned(), request };
        audit::append(lethe, &mut transaction, None, received).await?;
    }
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

/// Whether so many users were deleted at Clerk within an hour that an operator must look first: a script at Clerk or a stolen
/// secret deletes thousands in a minute. A user whose event waits goes on waiting. Deliveries that delete count one after the
/// other.
async fn must_wait(lethe: &Lethe, transaction: &mut PgTransaction<'_>, subject: &ClerkUserId) -> Result<bool> {
    sqlx::query("select pg_advisory_xact_lock($1)").bind(COUNT_LOCK_KEY).execute(&mut **transaction).await?;
    let events = sqlx::query!(
        r#"select (select count(*) from lethe.deletion_request where origin = 'webhook' and requested_at > $1)
                + (select count(*) from lethe.held_clerk_event where received_at > $1) as "recent!",
            exists (select from lethe.held_clerk_event where clerk_id = $2) as "is_waiting!""#,
        lethe.clock.now() - Duration::HOUR,
        subject.as_str(),
    )
    .fetch_one(&mut **transaction)
    .await?;
    Ok(events.is_waiting || events.recent >= i64::from(lethe.config.clerk_deletions_per_hour.get()))
}

/// Stores the event until an operator releases it.
async fn hold(lethe: &Lethe, transaction: &mut PgTransaction<'_>, subject: &ClerkUserId, delivery: &str) -> Result<()> {
    sqlx::query!(
        "insert into lethe.held_clerk_event (clerk_id, delivery, received_at) values ($1, $2, $3)
        on conflict on constraint held_clerk_event_pkey do nothing",
        subject.as_str(),
        delivery,
        lethe.clock.now(),
    )
    .execute(&mut **transaction)
    .await?;
    alert(lethe, transaction).await
}

/// Alerts operators that events wait for them.
pub(super) async fn alert(lethe: &Lethe, transaction: &mut PgTransaction<'_>) -> Result<()> {
    let (topic, cause) = (Topic::ClerkEvents, "unusual_number");
    if alert::is_due(lethe, transaction, topic, REFERENCE, cause, Repeat::Growing).await? {
        send_later(lethe, transaction, Notice::ClerkEventsWaiting).await?;
    }
    Ok(())
}

/// Returns how many events wait for an operator.
pub async fn waiting(lethe: &Lethe) -> Result<u64> {
    let waiting = sqlx::query_scalar!(r#"select count(*) as "count!" from lethe.held_clerk_event"#)
        .fetch_one(&lethe.database)
        .await?;
    Ok(waiting.unsigned_abs())
}

/// What became of the events that waited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resumed {
    /// Deletions that were requested, dated from the event.
    pub requested: u64,
    /// Events about users who have been erased since, or are being erased.
    pub obsolete: u64,
    /// Events about users whom Clerk still has. They go on waiting.
    pub still_at_clerk: u64,
}

/// Requests the deletions that wait for an operator. Users whom Clerk still has are left alone: an event about them isn't
/// true. Each is one transaction, so that it can be interrupted and run again.
pub async fn resume(lethe: &Lethe) -> Result<Resumed> {
    let clerk = lethe.clerk.batch();
    let mut resumed = Resumed::default();
    let mut after = String::new();
    loop {
        let page = sqlx::query!(
            "select clerk_id, received_at from lethe.held_clerk_event where clerk_id > $1 order by clerk_id limit $2",
            after,
            PAGE_SIZE,
        )
        .fetch_all(&lethe.database)
        .await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.clerk_id);
        let events: Vec<_> = page
            .into_iter()
            .map(|row| ClerkUserId::parse(&row.clerk_id).map(|subject| (subject, row.received_at)))
            .collect::<Result<_, _>>()
            .map_err(|_| Error::Internal("invalid Clerk user id in the database"))?;
        let subjects: Vec<_> = events.iter().map(|(subject, _)| subject.clone()).collect();
        let existing = clerk.existing(&subjects).await?;
        for (subject, received_at) in events {
            if existing.contains(&subject) {
                resumed.still_at_clerk += 1;
            } else if resume_one(lethe, &subject, received_at).await? {
                resumed.requested += 1;
            } else {
                resumed.obsolete += 1;
            }
        }
    }
    if waiting(lethe).await? == 0 {
        alert::clear(&mut *lethe.database.acquire().await?, Topic::ClerkEvents, REFERENCE).await?;
    }
    Ok(resumed)
}

/// Returns whether a deletion was requested.
async fn resume_one(lethe: &Lethe, subject: &ClerkUserId, received_at: OffsetDateTime) -> Result<bool> {
    let deletion = prepare_deletion(lethe, subject).await?;
    let mut transaction = lethe.database.begin().await?;
    let removed = sqlx::query!("delete from lethe.held_clerk_event where clerk_id = $1", subject.as_str())
        .execute(&mut *transaction)
        .await?;
    let is_requested = match deletion {
        Some((subject, prepared)) if removed.rows_affected() == 1 => {
            create(lethe, &mut transaction, subject, prepared.received_at(received_at)).await?;
            true
        }
        _ => false,
    };
    transaction.commit().await?;
    Ok(is_requested)
}

/// Drops the events that wait for an operator, because the users weren't to be deleted. Returns their number, which the audit
/// log records.
pub async fn discard(lethe: &Lethe) -> Result<u64> {
    let mut transaction = lethe.database.begin().await?;
    let events = sqlx::query!("delete from lethe.held_clerk_event").execute(&mut *transaction).await?.rows_affected();
    if events > 0 {
        audit::append(lethe, &mut transaction, None, AuditEvent::ClerkEventsDiscarded { events }).await?;
        alert::clear(&mut transaction, Topic::ClerkEvents, REFERENCE).await?;
    }
    transaction.commit().await?;
    Ok(events)
}

/// Deletes the ids of deliveries that Clerk no longer retries. Returns their number.
pub async fn delete_old_deliveries(lethe: &Lethe) -> Result<u64> {
    let mut transaction = TimeLimits::ERASURE.begin(&lethe.database).await?;
    let deleted = sqlx::query!(
        "delete from lethe.webhook_delivery where received_at < now() - make_interval(days => $1)",
        DELIVERY_RETENTION_DAYS,
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(deleted.rows_affected())
}
