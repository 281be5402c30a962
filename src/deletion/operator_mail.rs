//! Sends e-mails to operators that aren't about one deletion.

use super::due_dates::Soonest;
use super::operator_notice::{Notice, SendNotice};
use super::{clerk_events, due_dates};
use crate::mail::{self, Values, values};
use crate::{Lethe, Result};

/// An e-mail's content: what its words are chosen by and mention, and the command that displays more.
struct Content {
    values: Values,
    command: String,
}

/// Sends the e-mail where an address is configured, and logs it where none is. It contains nothing about users.
pub(crate) async fn send_notice(lethe: &Lethe, SendNotice { notice, .. }: SendNotice) -> Result<()> {
    let Some(Content { values, command }) = content(lethe, notice).await? else { return Ok(()) };
    let brand = &lethe.config.brand;
    let email = mail::Template::OperatorNotice { brand, values: &values, command: &command }.render()?;
    let Some(address) = &lethe.config.alert_address else {
        tracing::error!(notice = email.text, "operators are needed, and no alert address is configured");
        return Ok(());
    };
    lethe.mailer.send(address, email).await?;
    Ok(())
}

/// Returns `None` if what it is about is over.
async fn content(lethe: &Lethe, notice: Notice) -> Result<Option<Content>> {
    let (values, command) = match notice {
        Notice::DueDates => return Ok(due_dates::soonest(lethe).await?.map(due_dates_content)),
        Notice::ClerkEventsWaiting => match clerk_events::waiting(lethe).await? {
            0 => return Ok(None),
            users => (values! { about => "clerk_events_waiting", users }, "lethe deletions resume-clerk-events"),
        },
        Notice::OrphansFound { orphans, people } => {
            (values! { about => "orphans_found", orphans, people }, "lethe orphans")
        }
        Notice::OrphanSearchRefused { people } => {
            (values! { about => "orphan_search_refused", people }, "lethe doctor")
        }
        Notice::ScheduleFailing { name, failure, attempts } => {
            (values! { about => "schedule_failing", name, failure, attempts }, "lethe doctor")
        }
        Notice::ContentFound { column } => (values! { about => "content_found", column }, "lethe map check"),
        Notice::JobsFailing { name, jobs } => (values! { about => "jobs_failing", name, jobs }, "lethe doctor"),
    };
    Ok(Some(Content { values, command: command.to_owned() }))
}

fn due_dates_content(due: Soonest) -> Content {
    let Soonest { overdue, within_a_day, within_seven_days, earliest } = due;
    let earliest = earliest.to_string();
    let command = format!("lethe deletions show {earliest}");
    let values = values! { about => "due_dates", overdue, within_a_day, within_seven_days, earliest };
    Content { values, command }
}
