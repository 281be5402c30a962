//! Requests a deletion: what it would do, and the transaction after which it will happen.

use sqlx::PgTransaction;
use time::{Duration, OffsetDateTime};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::idempotency::{refuse_invalid, reserved_receipt};
use super::obstacle;
use super::plan::{Plan, plan};
use super::step::Step;
use super::wake::AdvanceDeletion;
use crate::audit::{self, AuditEvent};
use crate::data_map::{self, PlanHash};
use crate::ids::ClerkUserId;
use crate::platform::connection::TimeLimits;
use crate::receipt_code::ReceiptCode;
use crate::subject::{self, DataSubject, Presence};
use crate::{Error, ErrorCode, Lethe, Result};

/// GDPR 12(3): without undue delay and within one month of the request.
const RESPONSE_DEADLINE: Duration = Duration::days(30);
/// A preview counts rows in every mapped table. More at a time would leave no connections to others.
const MAX_PREVIEWS: usize = 6;
static PREVIEW_PERMITS: Semaphore = Semaphore::const_new(MAX_PREVIEWS);
/// How long a preview waits until there are fewer.
const PREVIEW_WAIT: std::time::Duration = std::time::Duration::from_secs(10);

/// Where a deletion was requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// By the user, on the page.
    Page,
    /// By the user, through the HTTP interface.
    Api,
    /// By Clerk's webhook: the user was deleted elsewhere.
    Webhook,
    /// By an operator.
    Operator,
    /// By the search for users who no longer exist at Clerk.
    Orphan,
}

impl Origin {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Api => "api",
            Self::Webhook => "webhook",
            Self::Operator => "operator",
            Self::Orphan => "orphan",
        }
    }

    /// Whether the data subject is waiting for the response.
    const fn is_data_subject(self) -> bool {
        matches!(self, Self::Page | Self::Api)
    }
}

/// A deletion to be requested.
#[derive(Clone, Copy, Debug)]
pub struct NewRequest<'a> {
    /// The user to be erased.
    pub subject: &'a ClerkUserId,
    /// Where it is requested.
    pub origin: Origin,
    /// The hash of the plan that the user confirmed; the request is refused if it isn't the current one. On the page, only a
    /// plan that can't be computed needs no confirmation.
    pub confirmed_plan: Option<&'a PlanHash>,
    /// The e-mail address for the receipt; without it, Clerk is asked.
    pub contact: Option<&'a str>,
    /// Identifies the attempt. Whoever sent a request and got no response finds out with [`reserved_receipt`] whether it
    /// arrived.
    pub idempotency_key: Option<Uuid>,
}

/// A requested deletion.
#[derive(Clone, Debug)]
pub struct Request {
    /// Identifies it for operators and in the log.
    pub id: Uuid,
    /// Opens the receipt.
    pub receipt: ReceiptCode,
}

/// What a person sees before they request their deletion.
#[derive(Clone, Debug)]
pub struct Preview {
    /// What the deletion would do.
    pub plan: Plan,
    /// Whether it would wait for an operator before its first step, as far as that can be found out at once: rows of other
    /// people reference theirs and the map forbids to touch them, or a table without a rule has their id.
    pub is_obstructed: bool,
}

/// Returns what a deletion of `subject` would do now. Fails with [`ErrorCode::TooManyRequests`] while too many others ask.
pub async fn preview(lethe: &Lethe, subject: &ClerkUserId) -> Result<Plan> {
    Ok(look_ahead(lethe, subject, false).await?.plan)
}

/// Returns what a deletion of `subject` would do now, and whether something would stop it. Fails as [`preview`] does.
pub async fn preview_with_obstacles(lethe: &Lethe, subject: &ClerkUserId) -> Result<Preview> {
    look_ahead(lethe, subject, true).await
}

async fn look_ahead(lethe: &Lethe, subject: &ClerkUserId, for_obstacles: bool) -> Result<Preview> {
    let identifiers = subject::identifiers(lethe, subject).await?;
    let permit = tokio::time::timeout(PREVIEW_WAIT, PREVIEW_PERMITS.acquire()).await;
    let Ok(Ok(_permit)) = permit else { return Err(ErrorCode::TooManyRequests.into()) };
    let mut transaction = TimeLimits::PREVIEW.begin(&lethe.database).await?;
    let resolved = data_map::resolve(&lethe.data_map, &mut transaction).await?;
    let identifiers = resolved.identify(&mut transaction, identifiers).await?;
    let plan = plan(&resolved, &mut transaction, &identifiers, lethe.clock.now()).await?;
    let is_obstructed = for_obstacles && obstacle::is_obstructed(&resolved, &mut transaction, &identifiers).await?;
    Ok(Preview { plan, is_obstructed })
}

/// A request that isn't stored yet.
pub(crate) struct PreparedRequest {
    id: Uuid,
    plan: Plan,
    receipt: ReceiptCode,
    contact: Option<Vec<u8>>,
    origin: Origin,
    /// When it was received.
    requested_at: OffsetDateTime,
    /// Whether a person confirmed the plan, so that another one needs to be confirmed anew.
    is_confirmed: bool,
}

/// Requests the deletion of a user. A user has one open deletion at most: requesting again returns it.
///
/// While the data map doesn't fit the database, nobody can say what would happen. The request is stored all the same, without a
/// plan, and goes on by the map that fits.
///
/// Refused with [`ErrorCode::PlanChanged`] if the confirmed plan isn't the one that would be executed, or if there is a plan
/// where none was confirmed on the page or the other way round, or if its key was [invalidated](super::invalidate_key), and with [`ErrorCode::AccountDeleted`] if the user was erased
/// before.
#[tracing::instrument(name = "request_deletion", skip_all, fields(origin = new.origin.name()))]
pub async fn request(lethe: &Lethe, new: NewRequest<'_>) -> Result<Request> {
    match subject::presence(lethe, new.subject).await? {
        Presence::Erased if new.origin.is_data_subject() => return Err(ErrorCode::AccountDeleted.into()),
        // Restoring a backup can bring rows back; an operator erases them again.
        Presence::Erased | Presence::Deleting(_) | Presence::Active => {}
    }
    let prepared = prepare(lethe, new).await?;
    let mut transaction = lethe.database.begin().await?;
    let request = create(lethe, &mut transaction, new.subject, prepared).await?;
    transaction.commit().await?;
    Ok(request)
}

/// Prepares a request without storing anything.
pub(crate) async fn prepare(lethe: &Lethe, new: NewRequest<'_>) -> Result<PreparedRequest> {
    let current = match preview(lethe, new.subject).await {
        // The request must not be lost: it is stored, and its step for the application's data blocks until the map is corrected.
        Err(Error::Map(data_map::Error::Mismatch(_))) => None,
        plan => Some(plan?),
    };
    let is_agreed = match (&current, new.confirmed_plan) {
        // What was confirmed can't be compared. Whoever confirms again does so without a plan.
        (None, Some(_)) => false,
        (Some(current), Some(confirmed)) => *confirmed == current.hash,
        // The page displays the plan whenever there is one.
        (Some(_), None) => new.origin != Origin::Page,
        (None, None) => true,
    };
    if !is_agreed {
        return Err(ErrorCode::PlanChanged.into());
    }
    let plan = current.unwrap_or_else(|| Plan::unknown(lethe.clock.now()));
    let id = lethe.random.uuid();
    let contact = new.contact.map(|contact| lethe.keys.seal_contact(id, contact, &lethe.random));
    let idempotency_key = new.idempotency_key.unwrap_or_else(|| lethe.random.uuid());
    let receipt = reserved_receipt(lethe, new.subject, idempotency_key);
    let is_confirmed = new.confirmed_plan.is_some();
    let requested_at = lethe.clock.now();
    Ok(PreparedRequest { id, plan, receipt, contact, origin: new.origin, requested_at, is_confirmed })
}

impl PreparedRequest {
    /// Dates a request that waited before it could be stored: the deadline counts from when it was received.
    pub(crate) fn received_at(self, requested_at: OffsetDateTime) -> Self {
        Self { requested_at, ..self }
    }
}

/// Stores the request with its steps, the audit entry and the job, within the caller's transaction.
pub(crate) async fn create(
    lethe: &Lethe,
    transaction: &mut PgTransaction<'_>,
    subject: &ClerkUserId,
    prepared: PreparedRequest,
) -> Result<Request> {
    refuse_invalid(transaction, &prepared.receipt).await?;
    let DataSubject { id: subject_id, .. } = subject::ensure(lethe, transaction, subject).await?;
    let id = prepared.id;
    let plan = serde_json::to_value(&prepared.plan).map_err(|_| Error::Internal("a plan isn't serializable"))?;
    let inserted = sqlx::query!(
        "insert into lethe.deletion_request
            (id, receipt_code, subject_id, clerk_id, contact, origin, plan, plan_hash, requested_at, due_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        on conflict (clerk_id) where clerk_id is not null do nothing",
        id,
        prepared.receipt.as_str(),
        subject_id.0,
        subject.as_str(),
        prepared.contact,
        prepared.origin.name(),
        plan,
        if prepared.is_confirmed { prepared.plan.hash.as_str() } else { "" },
        prepared.requested_at,
        prepared.requested_at + RESPONSE_DEADLINE,
    )
    .execute(&mut **transaction)
    .await?;
    if inserted.rows_affected() == 0 {
        return existing_request(transaction, subject).await;
    }
    let steps: Vec<_> = Step::ALL.iter().map(|step| step.name().to_owned()).collect();
    sqlx::query!(
        "insert into lethe.deletion_step (request_id, position, step)
        select $1, ordinality - 1, step from unnest($2::text[]) with ordinality as steps (step, ordinality)",
        id,
        &steps,
    )
    .execute(&mut **transaction)
    .await?;
    let requested = AuditEvent::DeletionRequested {
        origin: prepared.origin.name().to_owned(),
        plan: prepared.plan.hash.to_string(),
        request: id,
    };
    // Not about the person: it has the time of the request, which would lead from the receipt to their other entries.
    audit::append(lethe, transaction, None, requested).await?;
    lethe.queue().enqueue(transaction, AdvanceDeletion { request: id }).await?;
    Ok(Request { id, receipt: prepared.receipt })
}

async fn existing_request(transaction: &mut PgTransaction<'_>, subject: &ClerkUserId) -> Result<Request> {
    let found =
        sqlx::query!("select id, receipt_code from lethe.deletion_request where clerk_id = $1", subject.as_str())
            .fetch_optional(&mut **transaction)
            .await?;
    // It was completed between the two statements.
    let found = found.ok_or(ErrorCode::AccountDeleted)?;
    Ok(Request { id: found.id, receipt: ReceiptCode::from_database(found.receipt_code) })
}
