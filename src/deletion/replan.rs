//! What happens to a deletion when the data map no longer gives what the person confirmed.
//!
//! Until the application's rows are erased, another plan can replace the confirmed one: the person confirms it, or an operator
//! accepts it, or nobody can be asked any more, since Clerk doesn't know the user. Silence is no consent: otherwise it waits.

use sqlx::{PgConnection, PgTransaction};
use uuid::Uuid;

use super::hold::is_erased;
use super::plan::{Plan, plan};
use super::plan_change::PlanChange;
use super::reference::{self, Reference};
use super::step::{Status, Step};
use super::stored_identifiers::stored_identifiers;
use super::wake::wake;
use crate::audit::{self, AuditEvent};
use crate::data_map::{self, PlanHash};
use crate::identifiers::Identifiers;
use crate::ids::ClerkUserId;
use crate::receipt_code::ReceiptCode;
use crate::{Error, ErrorCode, Lethe, Result};

/// On whose word another plan replaced the confirmed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplannedBy {
    /// The person confirmed it.
    Person,
    /// An operator accepted it.
    Operator,
    /// Nobody: Clerk no longer knew the user, so that nobody could be asked.
    Unreachable,
}

impl ReplannedBy {
    const ALL: [Self; 3] = [Self::Person, Self::Operator, Self::Unreachable];

    /// Returns the name in the database and in the audit log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Operator => "operator",
            Self::Unreachable => "unreachable",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.name() == name)
    }
}

/// What became of an operator's wish to accept the present plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replan {
    /// It replaces the confirmed one, and the deletion goes on by it.
    Accepted,
    /// Nobody confirmed a plan, or this one: the deletion goes by it anyway.
    Unnecessary,
    /// The application's rows are erased already.
    TooLate,
}

/// A deletion whose plan can still be replaced.
struct Replaceable {
    id: Uuid,
    subject: Identifiers,
    receipt: ReceiptCode,
    plan_hash: String,
    plan: Plan,
}

impl Replaceable {
    /// Returns the deletion if it is open, none of the application's rows are erased, and a person confirmed a plan.
    async fn load(lethe: &Lethe, connection: &mut PgConnection, request: Uuid) -> Result<Option<Self>> {
        let row = sqlx::query!(
            r#"select request.receipt_code, request.clerk_id as "clerk_id!", request.plan, request.plan_hash,
                request.identifiers
            from lethe.deletion_request request
            join lethe.deletion_step step on step.request_id = request.id and step.position = $2 and step.status <> $3
            where request.id = $1 and request.clerk_id is not null and request.plan_hash <> ''"#,
            request,
            Step::ApplicationData.position(),
            Status::Done.name(),
        )
        .fetch_optional(connection)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Self {
            id: request,
            subject: stored_identifiers(lethe, request, &row.clerk_id, row.identifiers.as_deref())?,
            receipt: ReceiptCode::from_database(row.receipt_code),
            plan_hash: row.plan_hash,
            plan: serde_json::from_value(row.plan).map_err(|_| Error::Internal("a stored plan can't be read"))?,
        }))
    }

    /// Returns what would happen now, if that isn't what was confirmed.
    async fn changed_plan(&self, lethe: &Lethe, connection: &mut PgConnection) -> Result<Option<Plan>> {
        let resolved = data_map::resolve(&lethe.data_map, connection).await?;
        if resolved.hash().as_str() == self.plan_hash {
            return Ok(None);
        }
        let subject = resolved.identify(connection, self.subject.clone()).await?;
        Ok(Some(plan(&resolved, connection, &subject, lethe.clock.now()).await?))
    }

    /// Puts `plan` in the place of the confirmed one and lets the deletion go on.
    async fn replace(
        &self,
        lethe: &Lethe,
        transaction: &mut PgTransaction<'_>,
        plan: &Plan,
        by: ReplannedBy,
    ) -> Result<()> {
        let json = serde_json::to_value(plan).map_err(|_| Error::Internal("a plan isn't serializable"))?;
        sqlx::query!(
            "update lethe.deletion_request
            set plan = $2, plan_hash = $3, replanned_at = $4, replanned_by = $5, attention_since = null where id = $1",
            self.id,
            json,
            plan.hash.as_str(),
            lethe.clock.now(),
            by.name(),
        )
        .execute(&mut **transaction)
        .await?;
        let replanned =
            AuditEvent::DeletionReplanned { by: by.name().to_owned(), plan: plan.hash.to_string(), request: self.id };
        audit::append(lethe, transaction, None, replanned).await?;
        wake(lethe, transaction, self.id).await?;
        Ok(())
    }
}

/// Returns what `subject` confirmed and what would happen now, if the two differ and nothing of it was done yet. While the
/// map doesn't fit the database there is nothing to confirm.
pub async fn pending_change(lethe: &Lethe, subject: &ClerkUserId) -> Result<Option<PlanChange>> {
    let mut connection = lethe.database.acquire().await?;
    let Some(request) = open_deletion(&mut connection, subject).await? else { return Ok(None) };
    let Some(deletion) = Replaceable::load(lethe, &mut connection, request).await? else { return Ok(None) };
    let current = match deletion.changed_plan(lethe, &mut connection).await {
        Err(Error::Map(data_map::Error::Mismatch(_))) => None,
        plan => plan?,
    };
    Ok(current.map(|current| PlanChange { receipt: deletion.receipt, confirmed: deletion.plan, current }))
}

/// Puts the plan that the person confirms in the place of the one they confirmed before. Returns the receipt's code.
///
/// Refused with [`ErrorCode::PlanChanged`] if `confirmed` isn't what would happen now, and with [`ErrorCode::AccountDeleted`]
/// if nothing waits for the person.
pub async fn confirm_change(lethe: &Lethe, subject: &ClerkUserId, confirmed: &PlanHash) -> Result<ReceiptCode> {
    let mut transaction = lethe.database.begin().await?;
    let request = open_deletion(&mut transaction, subject).await?.ok_or(ErrorCode::AccountDeleted)?;
    lock(&mut transaction, request).await?;
    let deletion = Replaceable::load(lethe, &mut transaction, request).await?.ok_or(ErrorCode::AccountDeleted)?;
    let current = match deletion.changed_plan(lethe, &mut transaction).await {
        Err(Error::Map(data_map::Error::Mismatch(_))) => return Err(ErrorCode::PlanChanged.into()),
        plan => plan?,
    };
    match current {
        Some(current) if current.hash == *confirmed => {
            deletion.replace(lethe, &mut transaction, &current, ReplannedBy::Person).await?;
        }
        Some(_) => return Err(ErrorCode::PlanChanged.into()),
        // It was put back, or they confirmed it in another window.
        None => {}
    }
    transaction.commit().await?;
    Ok(deletion.receipt)
}

/// Accepts the present plan in the place of the confirmed one, on an operator's word. Returns `None` if there is no such
/// deletion. Fails if the map doesn't fit the database.
pub async fn accept_change(lethe: &Lethe, reference: &Reference) -> Result<Option<Replan>> {
    let Some(request) = reference::find(lethe, reference).await? else { return Ok(None) };
    let mut transaction = lethe.database.begin().await?;
    lock(&mut transaction, request).await?;
    if is_erased(&mut transaction, request).await? {
        return Ok(Some(Replan::TooLate));
    }
    let Some(deletion) = Replaceable::load(lethe, &mut transaction, request).await? else {
        return Ok(Some(Replan::Unnecessary));
    };
    let Some(current) = deletion.changed_plan(lethe, &mut transaction).await? else {
        return Ok(Some(Replan::Unnecessary));
    };
    deletion.replace(lethe, &mut transaction, &current, ReplannedBy::Operator).await?;
    transaction.commit().await?;
    Ok(Some(Replan::Accepted))
}

/// What the map gives for a deletion whose plan a person confirmed.
pub(super) enum Question {
    /// There is none: the plan is as confirmed, the map doesn't fit, or it is too late.
    None,
    /// The plan with this hash, which this user would have to confirm.
    Plan { hash: PlanHash, subject: ClerkUserId },
}

/// Returns what the person would have to be asked.
pub(super) async fn question(lethe: &Lethe, request: Uuid) -> Result<Question> {
    let mut connection = lethe.database.acquire().await?;
    let Some(deletion) = Replaceable::load(lethe, &mut connection, request).await? else { return Ok(Question::None) };
    match data_map::resolve(&lethe.data_map, &mut connection).await {
        Ok(resolved) if resolved.hash().as_str() != deletion.plan_hash => {
            Ok(Question::Plan { hash: resolved.hash(), subject: deletion.subject.user_id().clone() })
        }
        Ok(_) | Err(data_map::Error::Mismatch(_)) => Ok(Question::None),
        Err(error) => Err(error.into()),
    }
}

/// Lets a deletion go on by the present plan, because nobody can be asked.
pub(super) async fn go_on_unasked(lethe: &Lethe, request: Uuid) -> Result<()> {
    let mut transaction = lethe.database.begin().await?;
    lock(&mut transaction, request).await?;
    let Some(deletion) = Replaceable::load(lethe, &mut transaction, request).await? else { return Ok(()) };
    let Some(current) = deletion.changed_plan(lethe, &mut transaction).await? else { return Ok(()) };
    deletion.replace(lethe, &mut transaction, &current, ReplannedBy::Unreachable).await?;
    transaction.commit().await?;
    Ok(())
}

async fn open_deletion(connection: &mut PgConnection, subject: &ClerkUserId) -> Result<Option<Uuid>> {
    Ok(sqlx::query_scalar!("select id from lethe.deletion_request where clerk_id = $1", subject.as_str())
        .fetch_optional(connection)
        .await?)
}

/// The step that erases takes the same lock, so that it never erases by a plan that is being replaced.
async fn lock(connection: &mut PgConnection, request: Uuid) -> Result<()> {
    sqlx::query!("select from lethe.deletion_request where id = $1 for no key update", request)
        .fetch_optional(connection)
        .await?;
    Ok(())
}
