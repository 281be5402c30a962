//! Alerts operators that the data map can't be used: once for each cause, however many processes and deletions meet it.
//!
//! Knows the reasons as the data map words them. Must not know what waits for the map.

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::Duration;
use uuid::Uuid;

use crate::platform::queue::Job;
use crate::{Error, Lethe, Result, data_map, error_chain, mail};

/// A cause that no process has noticed for this long is over. If it comes back, operators are alerted again.
const OVER_AFTER: Duration = Duration::minutes(20);

/// The job that mails an alert.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SendMapAlert {
    pub(crate) alert: Uuid,
}

impl Job for SendMapAlert {
    const NAME: &'static str = "send_map_alert";

    fn id(&self) -> Uuid {
        self.alert
    }
}

/// Why the data map can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It doesn't fit the database.
    Mismatch,
    /// The file has changed, and can't be used.
    Rejected,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Mismatch => "mismatch",
            Self::Rejected => "rejected",
        }
    }
}

/// Records within the caller's transaction that the map can't be used, and enqueues the alert if the cause is new. Returns
/// whether it is. Errors that aren't about the map are ignored.
pub(crate) async fn report(lethe: &Lethe, connection: &mut PgConnection, error: &data_map::Error) -> Result<bool> {
    let (kind, problems) = match error {
        data_map::Error::Mismatch(problems) => (Kind::Mismatch, problems.iter().map(ToString::to_string).collect()),
        data_map::Error::Unreadable { .. } | data_map::Error::Invalid { .. } => {
            (Kind::Rejected, vec![error_chain(error)])
        }
        data_map::Error::Database(_) => return Ok(false),
    };
    let now = lethe.clock.now();
    let cause = cause(kind, &problems);
    // A cause that is over is a new one when it comes back, with a new id: that of the mail's job.
    sqlx::query!("delete from lethe.data_map_alert where noticed_at < $1", now - OVER_AFTER)
        .execute(&mut *connection)
        .await?;
    let id = lethe.random.uuid();
    let stored = sqlx::query_scalar!(
        "insert into lethe.data_map_alert (id, cause, kind, problems, noticed_at) values ($1, $2, $3, $4, $5)
        on conflict on constraint data_map_alert_cause_key do update set noticed_at = excluded.noticed_at
        returning id",
        id,
        &cause,
        kind.name(),
        &problems,
        now,
    )
    .fetch_one(&mut *connection)
    .await?;
    let is_new = stored == id;
    if is_new {
        lethe.queue().enqueue(connection, SendMapAlert { alert: id }).await?;
    }
    Ok(is_new)
}

/// Does what [`report`] does in a transaction of its own.
pub(crate) async fn report_now(lethe: &Lethe, error: &data_map::Error) -> Result<bool> {
    let mut transaction = lethe.database.begin().await?;
    let is_new = report(lethe, &mut transaction, error).await?;
    transaction.commit().await?;
    Ok(is_new)
}

fn cause(kind: Kind, problems: &[String]) -> Vec<u8> {
    let text = format!("{}\0{}", kind.name(), problems.join("\0"));
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}

/// Sends the alert where an address is configured, and logs it where none is.
pub(crate) async fn send(lethe: &Lethe, SendMapAlert { alert }: SendMapAlert) -> Result<()> {
    let row = sqlx::query!("select kind, problems from lethe.data_map_alert where id = $1", alert)
        .fetch_optional(&lethe.database)
        .await?;
    // It is over.
    let Some(row) = row else { return Ok(()) };
    let Some(address) = &lethe.config.alert_address else {
        tracing::error!(kind = row.kind, "the data map needs attention, and no alert address is configured");
        return Ok(());
    };
    let email = mail::Template::DataMapAlert {
        brand: &lethe.config.brand,
        is_rejected: row.kind == Kind::Rejected.name(),
        problems: &row.problems,
    };
    lethe.mailer.send(address, email.render()?).await.map_err(Error::from)
}
