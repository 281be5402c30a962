//! The card with the newest entries of the audit log about the user.

use leptos::either::Either;
use leptos::prelude::*;
use lethe::audit::Activity;
use lethe::consent::Purposes;

use crate::dto::CompletedExport;
use crate::format;

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
            text: describe(activity, purposes),
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

/// The latest completed export, if it is among the entries.
pub(super) fn latest_export(activity: &[Activity]) -> Option<CompletedExport> {
    let entry = activity.iter().find(|entry| entry.kind == "export.completed")?;
    Some(CompletedExport {
        id: format::rfc3339_micros(entry.at),
        at: format::datetime(entry.at),
        content: content(entry)?,
    })
}

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

/// `Session ended` for `session.ended`: for kinds without a text of their own.
fn kind_as_text(kind: &str) -> String {
    format::capitalize(&kind.replace(['.', '_'], " "))
}
