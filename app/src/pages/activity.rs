//! The card with the newest entries of the audit log about the user.

use leptos::either::Either;
use leptos::prelude::*;
use lethe::audit::{Activity, AuditEvent, ConsentChange, Source};
use lethe::export::Completed;
use lethe::purposes::Purposes;

use crate::dto::CompletedExport;
use crate::format;
use crate::server::view_model;

/// One entry of the card.
pub(super) struct ActivityItem {
    /// When it happened, in RFC 3339.
    pub(super) timestamp: String,
    /// When it happened, as people write it.
    pub(super) datetime: String,
    /// What happened.
    pub(super) text: String,
}

impl ActivityItem {
    /// Puts an entry of the audit log into words.
    pub(super) fn new(activity: &Activity, purposes: &Purposes) -> Self {
        Self {
            timestamp: format::rfc3339_micros(activity.at),
            datetime: format::datetime(activity.at),
            text: describe(&activity.event, purposes),
        }
    }
}

/// The entries, newest first.
#[component]
pub(super) fn ActivityCard(items: Vec<ActivityItem>) -> impl IntoView {
    let items = items.into_iter().map(|item| {
        view! { <li><time datetime=item.timestamp>{item.datetime}</time><span>{item.text}</span></li> }
    });
    let items: Vec<_> = items.collect();
    view! {
        <section class="card" id="activity" aria-labelledby="activity-title">
            <div class="card-head">
                <h2 id="activity-title">"Activity"</h2>
            </div>
            <div class="card-body">
                {if items.is_empty() {
                    Either::Left(view! { <p class="text-soft">"Nothing yet."</p> })
                } else {
                    Either::Right(view! { <ol class="events">{items}</ol> })
                }}
            </div>
        </section>
    }
}

/// Returns the latest completed export, if it is among the entries.
pub(super) fn latest_export(activity: &[Activity]) -> Option<CompletedExport> {
    let completed = activity.iter().find_map(Completed::from_activity)?;
    Some(view_model::completed_export(&completed))
}

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

/// `Session ended` for `session.ended`: for kinds without a text of their own.
fn kind_as_text(kind: &str) -> String {
    format::capitalize(&kind.replace(['.', '_'], " "))
}
