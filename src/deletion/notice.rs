//! The e-mails of a deletion: the receipt and, where the plan changed, the question to the user; the alert for operators.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::macros::format_description;
use uuid::Uuid;

use super::erasure::TableResult;
use super::replan::{self, Question};
use super::summary::Summary;
use super::verification::Searched;
use crate::audit::{self, AuditEvent};
use crate::mail;
use crate::platform::queue::Job;
use crate::{Error, Lethe, Result};

/// The job that mails the receipt of a deletion.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SendReceipt {
    pub(crate) request: Uuid,
}

impl Job for SendReceipt {
    const NAME: &'static str = "send_receipt";

    fn id(&self) -> Uuid {
        self.request
    }
}

/// Sends the receipt and deletes the address. Does nothing if that was done before.
pub(crate) async fn send_receipt(lethe: &Lethe, SendReceipt { request }: SendReceipt) -> Result<()> {
    let row = sqlx::query!(
        "select receipt_code, contact, finished_at, results, searched from lethe.deletion_request where id = $1",
        request,
    )
    .fetch_one(&lethe.database)
    .await?;
    let (Some(contact), Some(finished_at)) = (row.contact, row.finished_at) else { return Ok(()) };
    if !lethe.mailer.is_set() {
        tracing::info!(%request, "no mail server is set, so the receipt isn't mailed");
        return record_receipt(lethe, request, AuditEvent::ReceiptNotSent { request }).await;
    }
    let address = open_address(lethe, request, &contact)?;
    let at = finished_at
        .format(format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC"))
        .map_err(|_| Error::Internal("a time can't be formatted"))?;
    let link = receipt_url(lethe, &row.receipt_code)?;
    let email = mail::Template::DeletionReceipt {
        brand: &lethe.config.brand,
        finished_at: &at,
        link: &link,
        receipt_code: &row.receipt_code,
        summary: data_summary(row.results, row.searched)?,
    };
    let sent = match lethe.mailer.send(&address, email.render()?).await {
        Ok(()) => AuditEvent::ReceiptSent { request },
        // The server rejects the address permanently. The receipt can still be opened by its code.
        Err(mail::Error::Message | mail::Error::Transport { permanent: true }) => {
            AuditEvent::ReceiptUndeliverable { request }
        }
        Err(error) => return Err(error.into()),
    };
    record_receipt(lethe, request, sent).await
}

/// Deletes the address and records what became of the receipt.
async fn record_receipt(lethe: &Lethe, request: Uuid, outcome: AuditEvent) -> Result<()> {
    let mut transaction = lethe.database.begin().await?;
    sqlx::query!("update lethe.deletion_request set contact = null where id = $1", request)
        .execute(&mut *transaction)
        .await?;
    audit::append(lethe, &mut transaction, None, outcome).await?;
    transaction.commit().await?;
    Ok(())
}

fn data_summary(results: Option<Value>, searched: Option<Value>) -> Result<mail::DataSummary> {
    let unreadable = |_| Error::Internal("stored results can't be read");
    let results: Vec<TableResult> =
        serde_json::from_value(results.unwrap_or(Value::Array(Vec::new()))).map_err(unreadable)?;
    let searched: Option<Searched> = searched.map(serde_json::from_value).transpose().map_err(unreadable)?;
    let summary = Summary::of(results.iter().map(|result| &result.line)).with_found(searched.as_ref());
    let Summary { deleted, deleted_later, retained, .. } = summary;
    Ok(mail::DataSummary { deleted, deleted_later, retained, remainder: summary.remainder().name() })
}

/// The job that reports a deletion to the operators.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SendAlert {
    pub(crate) request: Uuid,
}

impl Job for SendAlert {
    const NAME: &'static str = "send_alert";

    fn id(&self) -> Uuid {
        self.request
    }
}

/// Alerts operators that a deletion keeps failing.
pub(crate) async fn send_alert(lethe: &Lethe, SendAlert { request }: SendAlert) -> Result<()> {
    let row = sqlx::query!(
        "select step, failure, attempts from lethe.deletion_step
        where request_id = $1 and status <> 'done' order by position limit 1",
        request,
    )
    .fetch_optional(&lethe.database)
    .await?;
    // The deletion was completed in the meantime.
    let Some(row) = row else { return Ok(()) };
    alert_operators(lethe, request, &row.step, row.failure.as_deref().unwrap_or("unknown"), row.attempts).await
}

/// Sends the alert where an address is configured, and logs it where none is. It contains nothing about the user.
async fn alert_operators(lethe: &Lethe, request: Uuid, step: &str, failure: &str, attempts: i32) -> Result<()> {
    let Some(address) = &lethe.config.alert_address else {
        tracing::error!(%request, step, failure, "a deletion needs attention, and no alert address is configured");
        return Ok(());
    };
    let (brand, request) = (&lethe.config.brand, &request.to_string());
    let email = mail::Template::OperatorAlert { brand, request, step, failure, attempts };
    lethe.mailer.send(address, email.render()?).await?;
    Ok(())
}

/// The job that reports purges and rechecks that keep failing.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SendRetentionAlert {
    pub(crate) request: Uuid,
}

impl Job for SendRetentionAlert {
    const NAME: &'static str = "send_retention_alert";

    fn id(&self) -> Uuid {
        self.request
    }
}

/// Alerts operators that rows of an erased person can't be purged, or that it can't be looked for late ones.
pub(crate) async fn send_retention_alert(
    lethe: &Lethe,
    SendRetentionAlert { request }: SendRetentionAlert,
) -> Result<()> {
    let row = sqlx::query!(
        r#"select work as "work!", failure as "failure!", attempts as "attempts!" from (
            select 'purge of ' || table_name as work, failure, attempts from lethe.retention
            where request_id = $1 and attention_since is not null and finished_at is null and failure is not null
            union all
            select 'recheck', failure, attempts from lethe.recheck
            where request_id = $1 and attention_since is not null and finished_at is null and failure is not null
        ) failing
        order by attempts desc limit 1"#,
        request,
    )
    .fetch_optional(&lethe.database)
    .await?;
    // It succeeded in the meantime.
    let Some(row) = row else { return Ok(()) };
    alert_operators(lethe, request, &row.work, &row.failure, row.attempts).await
}

/// The job that asks the person whose plan changed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AskAgain {
    pub(crate) request: Uuid,
}

impl Job for AskAgain {
    const NAME: &'static str = "ask_again";

    fn id(&self) -> Uuid {
        self.request
    }
}

/// Asks the person to confirm what would happen now, once for each plan. If Clerk no longer knows them, they can't be asked, and
/// the deletion goes on by the present plan.
pub(crate) async fn ask_again(lethe: &Lethe, AskAgain { request }: AskAgain) -> Result<()> {
    let Question::Plan { hash, subject } = replan::question(lethe, request).await? else { return Ok(()) };
    if lethe.clerk.user(&subject).await?.is_none() {
        return replan::go_on_unasked(lethe, request).await;
    }
    let row =
        sqlx::query!("select receipt_code, contact, notified_plan from lethe.deletion_request where id = $1", request,)
            .fetch_one(&lethe.database)
            .await?;
    if row.notified_plan.as_deref() == Some(hash.as_str()) {
        return Ok(());
    }
    let Some(contact) = row.contact.filter(|_| lethe.mailer.is_set()) else {
        // Operators were alerted; the page asks whoever signs in.
        tracing::warn!(%request, "a person has to confirm a changed plan, and no mail can tell them");
        return Ok(());
    };
    let address = open_address(lethe, request, &contact)?;
    let (link, receipt_link) = (public_url(lethe, "/delete")?, receipt_url(lethe, &row.receipt_code)?);
    let email = mail::Template::PlanChanged { brand: &lethe.config.brand, link: &link, receipt_link: &receipt_link };
    match lethe.mailer.send(&address, email.render()?).await {
        Ok(()) => {}
        Err(mail::Error::Message | mail::Error::Transport { permanent: true }) => {
            tracing::warn!(%request, "a person has to confirm a changed plan, and their mail server rejects the message");
        }
        Err(error) => return Err(error.into()),
    }
    sqlx::query!(
        "update lethe.deletion_request set notified_plan = $2, notified_at = $3 where id = $1",
        request,
        hash.as_str(),
        lethe.clock.now(),
    )
    .execute(&lethe.database)
    .await?;
    Ok(())
}

fn open_address(lethe: &Lethe, request: Uuid, contact: &[u8]) -> Result<String> {
    let address = lethe.keys.open_contact(request, contact);
    address.ok_or(Error::Internal("a sealed address can't be opened with the configured secrets"))
}

fn receipt_url(lethe: &Lethe, code: &str) -> Result<String> {
    public_url(lethe, &format!("/receipt/{code}"))
}

fn public_url(lethe: &Lethe, path: &str) -> Result<String> {
    let link = lethe.config.public_url.join(path);
    link.map(String::from).map_err(|_| Error::Internal("the public URL can't carry a path"))
}
