//! Puts entries of the audit log into words.

use lethe::audit::{Activity, AuditEvent, ConsentChange, Source};
use lethe::overview::ActivityLog;
use lethe::purposes::Purposes;

use super::{context, view_model};
use crate::dto::ActivityItem;
use crate::isolation::isolate;
use crate::{format, texts};

/// Number of entries in the card of the center.
pub(crate) const RECENT_ACTIVITY: u32 = 6;

/// The entries, newest first. The request of a download that was completed is left out: it is the same download.
pub(crate) fn activity(log: &ActivityLog, purposes: &Purposes) -> Vec<ActivityItem> {
    let is_repeated = |index: usize| {
        let newer = index.checked_sub(1).and_then(|index| log.entries.get(index));
        matches!(log.entries[index].event, AuditEvent::ExportRequested {})
            && newer.is_some_and(|newer| matches!(newer.event, AuditEvent::ExportCompleted { .. }))
    };
    let entries = log.entries.iter().enumerate().filter(|(index, _)| !is_repeated(*index));
    entries.map(|(_, entry)| item(entry, log, purposes)).collect()
}

fn item(entry: &Activity, log: &ActivityLog, purposes: &Purposes) -> ActivityItem {
    let text = match &entry.event {
        AuditEvent::ConsentChanged { changes, source } => {
            let titles = |granted: bool| -> Vec<String> {
                let changes = changes.iter().filter(|change| change.granted == granted);
                changes.map(|change: &ConsentChange| isolate(log.titles.find(purposes, change))).collect()
            };
            describe_changes(&titles(true), &titles(false), source)
        }
        AuditEvent::ExportRequested {} => texts::COPY_REQUESTED.to_owned(),
        AuditEvent::ExportCompleted { rows, .. } => texts::you_downloaded(format::items(*rows)),
        AuditEvent::DeletionRequested { .. } => texts::DELETION_REQUESTED.to_owned(),
        other => kind_as_text(&other.kind()),
    };
    let earlier_texts = match &entry.event {
        AuditEvent::ConsentChanged { changes, .. } => {
            let earlier = changes.iter().filter_map(|change| log.titles.earlier_text(change));
            earlier.map(|text| texts::text_then(isolate(text))).collect()
        }
        _ => Vec::new(),
    };
    let language = context::content_language();
    ActivityItem { id: entry.id, at: view_model::time(entry.at), text, earlier_texts, language }
}

/// `You turned on Marketing. You turned off Analytics and Sharing`.
fn describe_changes(on: &[String], off: &[String], source: &Source) -> String {
    let mut sentences = Vec::new();
    if !on.is_empty() {
        let titles = format::join(on);
        sentences.push(match source {
            Source::Page | Source::Gpc | Source::OnBehalf { .. } => texts::turned_on(titles),
            Source::Api => texts::turned_on_in_app(titles),
        });
    }
    if !off.is_empty() {
        let titles = format::join(off);
        sentences.push(match source {
            Source::Page => texts::turned_off(titles),
            Source::Gpc => texts::turned_off_by_signal(titles),
            Source::Api => texts::turned_off_in_app(titles),
            Source::OnBehalf { .. } => texts::turned_off_on_behalf(titles),
        });
    }
    sentences.join(". ")
}

/// `Session ended` for `session.ended`: for kinds without a text of their own.
fn kind_as_text(kind: &str) -> String {
    format::capitalize(&kind.replace(['.', '_'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_described_from_the_users_side() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let (on, off) = (names(&["Marketing"]), names(&["Analytics", "Sharing"]));
        assert_eq!(
            describe_changes(&on, &off, &Source::Page),
            "You turned on Marketing. You turned off Analytics and Sharing"
        );
        assert_eq!(describe_changes(&on, &[], &Source::Api), "Marketing turned on in the app");
        assert_eq!(
            describe_changes(&[], &off, &Source::Gpc),
            "Analytics and Sharing turned off by your browser’s signal"
        );
    }
}
