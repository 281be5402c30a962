//! What happened lately, in words.

use leptos::either::Either;
use leptos::prelude::*;
use lethe::audit::Activity;
use lethe::consent::Purposes;

use crate::api::CompletedExport;
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
            text: describe(activity, purposes),
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
    let entry = activity.iter().find(|entry| entry.kind == "export.completed")?;
    Some(CompletedExport {
        id: format::rfc3339_micros(entry.at),
        at: format::datetime(entry.at),
        content: content(entry)?,
    })
}

/// An entry in words.
fn describe(entry: &Activity, purposes: &Purposes) -> String {
    match entry.kind.as_str() {
        "consent.changed" => changes(entry, purposes),
        "export.requested" => "Copy of your data requested".to_owned(),
        "export.completed" => match content(entry) {
            Some(content) => format!("Copy downloaded: {content}"),
            None => "Copy downloaded".to_owned(),
        },
        "deletion.requested" => "Deletion requested".to_owned(),
        other => kind_as_text(other),
    }
}

/// `1,204 rows, 1.2 MB`.
fn content(entry: &Activity) -> Option<String> {
    let number = |name: &str| entry.detail.get(name)?.as_u64();
    Some(format::rows_and_size(number("rows")?, number("bytes")?))
}

/// `Marketing turned on, Analytics turned off, on this page`.
fn changes(entry: &Activity, purposes: &Purposes) -> String {
    let changes = entry.detail.get("changes").and_then(|changes| changes.as_array());
    let mut parts: Vec<String> = changes
        .into_iter()
        .flatten()
        .filter_map(|change| {
            let key = change.get("purpose")?.as_str()?;
            let title = purposes.find(key).map_or(key, |purpose| &purpose.title);
            let turned = if change.get("granted")?.as_bool()? { "on" } else { "off" };
            Some(format!("{title} turned {turned}"))
        })
        .collect();
    parts.push(match entry.detail.get("source").and_then(|source| source.as_str()) {
        Some("page") => "on this page".to_owned(),
        Some("signal") => "by your browser's signal".to_owned(),
        _ => "by an application".to_owned(),
    });
    parts.join(", ")
}

/// `Session ended`, of `session.ended`: for kinds that have no words of their own.
fn kind_as_text(kind: &str) -> String {
    format::capitalize(&kind.replace(['.', '_'], " "))
}
