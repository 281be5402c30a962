//! Asking for a deletion: what it would do, and the one transaction that makes it certain.

use sqlx::PgTransaction;
use time::Duration;
use uuid::Uuid;

use super::plan::{Plan, plan};
use super::runner::AdvanceDeletion;
use super::{ReceiptCode, Step};
use crate::audit::{self, AuditEvent};
use crate::ids::ClerkUserId;
use crate::subject::{self, Presence};
use crate::{Error, ErrorCode, Lethe, Result, data_map, keys};

/// GDPR 12(3): without undue delay and within one month of the request.
const RESPONSE_DEADLINE: Duration = Duration::days(30);

/// From where a deletion was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The person, on the page.
    Page,
    /// The person, by the HTTP interface.
    Api,
    /// Clerk told that the person was deleted elsewhere.
    Webhook,
    /// An operator.
    Operator,
    /// The search for people whom Clerk no longer knows.
    Orphan,
}

impl Origin {
    const fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Api => "api",
            Self::Webhook => "webhook",
            Self::Operator => "operator",
            Self::Orphan => "orphan",
        }
    }

    /// Whether the person asks and can be answered.
    const fn is_data_subject(self) -> bool {
        matches!(self, Self::Page | Self::Api)
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct NewRequest<'a> {
    /// Who is to be erased.
    pub subject: &'a ClerkUserId,
    /// From where.
    pub origin: Origin,
    /// The hash of the plan that the person saw. It must still be what would happen.
    pub confirmed_plan: Option<&'a str>,
    /// Where to send the receipt, when it is known already.
    pub contact: Option<&'a str>,
}

/// A deletion that will happen.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its id, for the operators.
    pub id: Uuid,
    /// What opens the receipt.
    pub receipt: ReceiptCode,
}

/// What a deletion of `subject` would do at this moment.
pub async fn preview(lethe: &Lethe, subject: &ClerkUserId) -> Result<Plan> {
    let mut connection = lethe.database.acquire().await?;
    let resolved = data_map::resolve(&lethe.data_map, &mut connection).await?;
    plan(&resolved, &mut connection, subject, lethe.clock.now()).await
}

/// A request that is thought through and not written yet.
pub(crate) struct PreparedRequest {
    plan: Plan,
    receipt: ReceiptCode,
    contact: Option<Vec<u8>>,
    origin: Origin,
}

/// Asks for the deletion of a person. One live deletion a person: asking again answers it.
///
/// Refused with [`ErrorCode::PlanChanged`] when the plan that was confirmed isn't the one that would
/// be executed, and with [`ErrorCode::AccountDeleted`] when the person was erased before.
pub async fn request(lethe: &Lethe, new: NewRequest<'_>) -> Result<Request> {
    match subject::presence(lethe, new.subject).await? {
        Presence::Erased if new.origin.is_data_subject() => return Err(ErrorCode::AccountDeleted.into()),
        // A restored backup can bring rows back: an operator erases again.
        Presence::Erased | Presence::Deleting(_) | Presence::Active => {}
    }
    let draft = prepare(lethe, new).await?;
    let mut transaction = lethe.database.begin().await?;
    let request = create(lethe, &mut transaction, new.subject, draft).await?;
    transaction.commit().await?;
    Ok(request)
}

/// Plans a request; nothing is written.
pub(crate) async fn prepare(lethe: &Lethe, new: NewRequest<'_>) -> Result<PreparedRequest> {
    let plan = match preview(lethe, new.subject).await {
        // Nobody is there to be told, and the request must not be lost: it is taken in, and its
        // step for the application's data blocks until the map is mended.
        Err(Error::Map(data_map::Error::Mismatch(_))) if !new.origin.is_data_subject() => {
            Plan::unknown(lethe.clock.now())
        }
        plan => plan?,
    };
    if new.confirmed_plan.is_some_and(|confirmed| confirmed != plan.hash) {
        return Err(ErrorCode::PlanChanged.into());
    }
    let contact = new.contact.map(|contact| keys::seal(lethe.keys.contact(), contact.as_bytes(), &lethe.random));
    Ok(PreparedRequest { plan, receipt: ReceiptCode::generate(&lethe.random), contact, origin: new.origin })
}

/// Writes the request, its steps, the audit entry and the job within the caller's transaction.
pub(crate) async fn create(
    lethe: &Lethe,
    transaction: &mut PgTransaction<'_>,
    subject: &ClerkUserId,
    draft: PreparedRequest,
) -> Result<Request> {
    let subject_id = subject::ensure(lethe, transaction, subject).await?;
    let (id, now) = (lethe.random.uuid(), lethe.clock.now());
    let plan = serde_json::to_value(&draft.plan).map_err(|_| Error::Internal("a plan can't be written as JSON"))?;
    let inserted = sqlx::query!(
        "insert into lethe.deletion_request
            (id, receipt_code, subject_id, clerk_id, contact, origin, plan, plan_hash, requested_at, due_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        on conflict (clerk_id) where clerk_id is not null do nothing",
        id,
        draft.receipt.as_str(),
        subject_id.0,
        subject.as_str(),
        draft.contact,
        draft.origin.name(),
        plan,
        draft.plan.hash,
        now,
        now + RESPONSE_DEADLINE,
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
    let requested =
        AuditEvent::DeletionRequested { origin: draft.origin.name().to_owned(), plan: draft.plan.hash, request: id };
    audit::append(lethe, transaction, Some(subject_id), requested).await?;
    lethe.queue().enqueue(transaction, AdvanceDeletion { request: id }).await?;
    Ok(Request { id, receipt: draft.receipt })
}

async fn existing_request(transaction: &mut PgTransaction<'_>, subject: &ClerkUserId) -> Result<Request> {
    let found =
        sqlx::query!("select id, receipt_code from lethe.deletion_request where clerk_id = $1", subject.as_str())
            .fetch_optional(&mut **transaction)
            .await?;
    // It was finished between the two statements.
    let found = found.ok_or(ErrorCode::AccountDeleted)?;
    Ok(Request { id: found.id, receipt: ReceiptCode::from_database(found.receipt_code) })
}
