//! What happened lately, in words.

use leptos::either::Either;
use leptos::prelude::*;
use lethe::audit::{Activity, AuditEvent, ConsentChange, Source};
use lethe::consent::Purposes;
use lethe::export::Completed;

use crate::api::{CompletedExport, view_model};
use crate::format;

/// One line of the history.
pub(super) struct ActivityItem {
    /// For machines.
    pub(super) timestamp: String,
    /// For people.
    pub(super) datetime: String,
    /// What happened.
    pub(super) text: String,
}

impl ActivityItem {
    /// An entry of the log in words.
    pub(super) fn of(activity: &Activity, purposes: &Purposes) -> Self {
        Self {
            timestamp: format::rfc3339_micros(activity.at),
            datetime: format::datetime(activity.at),
            text: describe(&activity.event, purposes),
        }
    }
}

/// The newest entries about the person.
#[component]
pub(super) fn ActivityCard(entries: Vec<ActivityItem>) -> impl IntoView {
    let lines = entries.into_iter().map(|entry| {
        view! { <li><time datetime=entry.timestamp>{entry.datetime}</time><span>{entry.text}</span></li> }
    });
    let lines: Vec<_> = lines.collect();
    view! {
        <section class="card" id="activity" aria-labelledby="activity-title">
            <div class="card-head">
                <h2 id="activity-title">"Activity"</h2>
            </div>
            <div class="card-body">
                {if lines.is_empty() {
                    Either::Left(view! { <p class="text-soft">"Nothing yet."</p> })
                } else {
                    Either::Right(view! { <ol class="events">{lines}</ol> })
                }}
            </div>
        </section>
    }
}

/// The last finished export, where it is among the entries.
pub(super) fn latest_export(activity: &[Activity]) -> Option<CompletedExport> {
    let completed = activity.iter().find_map(Completed::from_activity)?;
    Some(view_model::completed_export(&completed))
}

/// An entry in words.
fn describe(event: &AuditEvent, purposes: &Purposes) -> String {
    match event {
        AuditEvent::ConsentChanged { changes, source } => describe_changes(changes, *source, purposes),
        AuditEvent::ExportRequested {} => "Copy of your data requested".to_owned(),
        AuditEvent::ExportCompleted { bytes, rows } => {
            format!("Copy downloaded: {}", format::rows_and_size(*rows, *bytes))
        }
        AuditEvent::DeletionRequested { .. } => "Deletion requested".to_owned(),
        other => kind_as_text(&other.kind()),
    }
}

/// `Marketing turned on, Analytics turned off, on this page`.
fn describe_changes(changes: &[ConsentChange], source: Source, purposes: &Purposes) -> String {
    let change = |change: &ConsentChange| {
        let title = purposes.find(&change.purpose).map_or(&change.purpose, |purpose| &purpose.title);
        format!("{title} turned {}", if change.granted { "on" } else { "off" })
    };
    let mut parts: Vec<String> = changes.iter().map(change).collect();
    parts.push(match source {
        Source::Page => "on this page".to_owned(),
        Source::Gpc => "by your browser's signal".to_owned(),
        Source::Api => "by an application".to_owned(),
    });
    parts.join(", ")
}

/// `Session ended`, of `session.ended`: for kinds that have no words of their own.
fn kind_as_text(kind: &str) -> String {
    format::capitalize(&kind.replace(['.', '_'], " "))
}
