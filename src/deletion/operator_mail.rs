//! Sends e-mails to operators that aren't about one deletion.

use super::operator_notice::{Notice, SendNotice};
use super::{clerk_events, due_dates};
use crate::{Lethe, Result, mail};

/// An e-mail's content: what is the matter, and the command that displays more.
struct Content {
    title: &'static str,
    message: String,
    command: String,
}

/// Sends the e-mail where an address is configured, and logs it where none is. It contains nothing about users.
pub(crate) async fn send_notice(lethe: &Lethe, SendNotice { notice, .. }: SendNotice) -> Result<()> {
    let Some(Content { title, message, command }) = content(lethe, notice).await? else { return Ok(()) };
    let Some(address) = &lethe.config.alert_address else {
        tracing::error!(message, command, "operators are needed, and no alert address is configured");
        return Ok(());
    };
    let brand = &lethe.config.brand;
    let email = mail::Template::OperatorNotice { brand, title, message: &message, command: &command };
    lethe.mailer.send(address, email.render()?).await?;
    Ok(())
}

/// Returns `None` if what it is about is over.
async fn content(lethe: &Lethe, notice: Notice) -> Result<Option<Content>> {
    Ok(match notice {
        Notice::DueDates => due_dates::soonest(lethe).await?.map(|due| Content {
            title: "Deletions must be completed soon",
            message: format!(
                "Deletions that aren’t completed: {} overdue, {} due within a day, {} due within seven days. The earliest is \
                 {}.",
                due.overdue, due.within_a_day, due.within_seven_days, due.earliest
            ),
            command: format!("lethe deletions show {}", due.earliest),
        }),
        Notice::ClerkEventsWaiting => match clerk_events::waiting(lethe).await? {
            0 => None,
            waiting => Some(Content {
                title: "Users deleted at Clerk wait for you",
                message: format!(
                    "Clerk reports more deleted users than usual. The data of {waiting} users isn’t deleted until you \
                     confirm it. If they weren’t to be deleted, run the command with --discard."
                ),
                command: "lethe deletions resume-clerk-events".to_owned(),
            }),
        },
        Notice::OrphansFound { orphans, people } => Some(Content {
            title: "Users without an account at Clerk",
            message: format!("Clerk doesn’t know {orphans} of {people} users in the database. Nothing was changed."),
            command: "lethe orphans".to_owned(),
        }),
        Notice::OrphanSearchRefused { people } => Some(Content {
            title: "The search for orphans stopped",
            message: format!(
                "Clerk knows none of the first {people} users of the database. CLERK_SECRET_KEY is probably that of another \
                 instance. Nothing was changed."
            ),
            command: "lethe doctor".to_owned(),
        }),
        Notice::ScheduleFailing { name, failure, attempts } => Some(Content {
            title: "A scheduled job keeps failing",
            message: format!(
                "The scheduled job {name} has failed {attempts} times in a row: {failure}. It is retried. The log has the cause."
            ),
            command: "lethe doctor".to_owned(),
        }),
        Notice::JobsFailing { name, jobs } => Some(Content {
            title: "Background jobs keep failing",
            message: format!(
                "{jobs} jobs of the kind {name} have failed again and again for more than an hour. They are retried. The log has \
                 the cause."
            ),
            command: "lethe doctor".to_owned(),
        }),
    })
}
