//! The messages of a deletion: the receipt to who was erased, the alert to the operators.

use serde::{Deserialize, Serialize};
use time::macros::format_description;
use uuid::Uuid;

use crate::audit::{self, AuditEvent};
use crate::mail::{self, Letter};
use crate::platform::queue::Job;
use crate::{Error, Lethe, Result, keys};

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

/// Mails the receipt and forgets the address. Does nothing when that has been done.
pub(crate) async fn send_receipt(lethe: &Lethe, SendReceipt { request }: SendReceipt) -> Result<()> {
    let row =
        sqlx::query!("select receipt_code, contact, finished_at from lethe.deletion_request where id = $1", request,)
            .fetch_one(&lethe.database)
            .await?;
    let (Some(contact), Some(finished_at)) = (row.contact, row.finished_at) else { return Ok(()) };
    let address = keys::open(lethe.keys.contact(), &contact)
        .and_then(|address| String::from_utf8(address).ok())
        .ok_or(Error::Internal("a sealed address can't be opened with this secret"))?;
    let at = finished_at
        .format(format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC"))
        .map_err(|_| Error::Internal("a time can't be written"))?;
    let link = receipt_url(lethe, &row.receipt_code)?;
    let sent = match lethe.mailer.send(&address, receipt_letter(lethe, &at, &link, &row.receipt_code)).await {
        Ok(()) => AuditEvent::ReceiptSent { request },
        // The server says that this address will never work. The receipt still opens by its code.
        Err(mail::Error::Message | mail::Error::Transport { permanent: true }) => {
            AuditEvent::ReceiptUndeliverable { request }
        }
        Err(error) => return Err(error.into()),
    };
    let mut transaction = lethe.database.begin().await?;
    sqlx::query!("update lethe.deletion_request set contact = null where id = $1", request)
        .execute(&mut *transaction)
        .await?;
    audit::append(lethe, &mut transaction, None, sent).await?;
    transaction.commit().await?;
    Ok(())
}

fn receipt_letter(lethe: &Lethe, at: &str, link: &str, code: &str) -> Letter {
    let brand = &lethe.config.brand;
    let values = [("brand", brand.as_str()), ("at", at), ("link", link), ("code", code)];
    Letter {
        subject: format!("Your {brand} account and data were erased"),
        text: format!(
            "Your {brand} account and data were erased on {at}.\n\n\
             The receipt tells what was erased and what is kept, and why. It opens without an account:\n{link}\n\n\
             Receipt {code}\n\nThis is the last message to this address; it is not kept.\n"
        ),
        html: mail::fill(include_str!("../mail/templates/deletion_receipt.html"), &values),
    }
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

/// Tells the operators that a deletion keeps failing. Names nobody.
pub(crate) async fn send_alert(lethe: &Lethe, SendAlert { request }: SendAlert) -> Result<()> {
    let Some(address) = &lethe.config.alert_address else {
        tracing::error!(%request, "a deletion needs attention, and no address for alerts is set");
        return Ok(());
    };
    let row = sqlx::query!(
        "select step, failure, attempts from lethe.deletion_step
        where request_id = $1 and status <> 'done' order by position limit 1",
        request,
    )
    .fetch_optional(&lethe.database)
    .await?;
    // It went on by itself in the meantime.
    let Some(row) = row else { return Ok(()) };
    let failure = row.failure.unwrap_or_else(|| "unknown".to_owned());
    let (id, attempts) = (request.to_string(), row.attempts.to_string());
    let values = [
        ("brand", lethe.config.brand.as_str()),
        ("request", id.as_str()),
        ("step", row.step.as_str()),
        ("failure", failure.as_str()),
        ("attempts", attempts.as_str()),
    ];
    let letter = Letter {
        subject: format!("{}: a deletion needs attention", lethe.config.brand),
        text: format!(
            "A deletion keeps failing. It is tried again for ever, but needs you.\n\n\
             Request: {request}\nStep: {}\nReason: {failure}\nAttempts: {attempts}\n\n\
             The log tells the causes under this request id.\n",
            row.step,
        ),
        html: mail::fill(include_str!("../mail/templates/operator_alert.html"), &values),
    };
    lethe.mailer.send(address, letter).await?;
    Ok(())
}

fn receipt_url(lethe: &Lethe, code: &str) -> Result<String> {
    let link = lethe.config.public_url.join(&format!("/receipt/{code}"));
    link.map(String::from).map_err(|_| Error::Internal("the public URL can't carry a path"))
}
