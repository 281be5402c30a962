//! Formats dates, counts and outcomes in English. Knows the types of `lethe`, and no markup.

use lethe::deletion::{Outcome, Step};
use time::macros::format_description;
use time::{Date, OffsetDateTime, UtcOffset};

/// `22 November 2026, 09:58 UTC`.
pub(crate) fn datetime(at: OffsetDateTime) -> String {
    let format = format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
    at.to_offset(UtcOffset::UTC).format(format).unwrap_or_default()
}

/// `22 November 2026`.
pub(crate) fn date(date: Date) -> String {
    date.format(format_description!("[day padding:none] [month repr:long] [year]")).unwrap_or_default()
}

/// `09:57:58`.
pub(crate) fn time_of_day(at: OffsetDateTime) -> String {
    at.to_offset(UtcOffset::UTC).format(format_description!("[hour]:[minute]:[second]")).unwrap_or_default()
}

/// RFC 3339 with microseconds, in UTC. Later times are greater strings.
pub(crate) fn rfc3339_micros(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
    at.to_offset(UtcOffset::UTC).format(format).unwrap_or_default()
}

/// `1,270,118`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 row`, `1,204 rows`.
fn rows(number: u64) -> String {
    if number == 1 { "1 row".to_owned() } else { format!("{} rows", count(number)) }
}

/// `1,204 rows, 1.2 MB`.
pub(crate) fn rows_and_size(number: u64, bytes: u64) -> String {
    format!("{}, {}", rows(number), size(bytes))
}

/// `812 bytes`, `1.2 MB`.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    // Tenths of the unit, rounded down: a size never looks larger than it is.
    let mut tenths = bytes / 100;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    if tenths >= 100 {
        format!("{} {}", tenths / 10, UNITS[unit])
    } else {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

/// Whether something is about to happen or has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tense {
    /// It will happen.
    Future,
    /// It has happened.
    Past,
}

/// What a deletion does to rows, and the reason if something stays.
pub(crate) fn outcome_text(outcome: &Outcome, tense: Tense) -> (String, Option<String>) {
    match (outcome, tense) {
        (Outcome::Deleted, _) => ("deleted".to_owned(), None),
        (Outcome::Scrubbed { columns, left, reason, .. }, _) => {
            (format!("{} removed", join_human(columns)), retained_columns(left, reason.as_deref()))
        }
        (Outcome::Stamped { purge_at: Some(at), .. }, tense) => {
            let hidden = match tense {
                Tense::Past => "hidden, goes for good on",
                Tense::Future => "hidden at once, deleted on",
            };
            (format!("{hidden} {}", date_of(*at)), None)
        }
        (Outcome::Stamped { columns, purge_at: None }, _) => (format!("marked as {}", stamp_label(columns)), None),
        (Outcome::Retained { reason, until: Some(until) }, _) => {
            (format!("kept until {}", date_of(*until)), Some(reason.clone()))
        }
        (Outcome::Retained { reason, until: None }, _) => ("kept".to_owned(), Some(reason.clone())),
        (Outcome::Detached, Tense::Past) => (
            "stayed with their authors".to_owned(),
            Some("Written by others. Only the link to what was yours went.".to_owned()),
        ),
        (Outcome::Detached, Tense::Future) => (
            "stay with their authors".to_owned(),
            Some("Written by others. Only the link to what is yours goes.".to_owned()),
        ),
    }
}

/// Whether a deletion retains rows with this outcome.
pub(crate) const fn is_retained(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Retained { .. } | Outcome::Detached)
}

/// What a step of a deletion does or has done.
pub(crate) const fn step_title(step: Step, tense: Tense) -> &'static str {
    match (step, tense) {
        (Step::EndSessions, Tense::Future) => "End all sessions",
        (Step::EndSessions, Tense::Past) => "All sessions ended",
        (Step::PendingWork, Tense::Future) => "Drop what was still queued for you",
        (Step::PendingWork, Tense::Past) => "Dropped what was still queued for you",
        (Step::ApplicationData, Tense::Future) => "Erase your data",
        (Step::ApplicationData, Tense::Past) => "Your data erased",
        (Step::Verification, Tense::Future) => "Search the database for anything left",
        (Step::Verification, Tense::Past) => "Searched the database: nothing left but what is kept",
        (Step::ClerkUser, Tense::Future) => "Delete the sign-in account at Clerk",
        (Step::ClerkUser, Tense::Past) => "Sign-in account deleted at Clerk",
        (Step::Audit, Tense::Future) => "Write the log entry",
        (Step::Audit, Tense::Past) => "Log entry written",
        (Step::Receipt, Tense::Future) => "Issue the receipt",
        (Step::Receipt, Tense::Past) => "Receipt issued",
    }
}

/// `Display name stays: names the author of published results`.
fn retained_columns(columns: &[String], reason: Option<&str>) -> Option<String> {
    if columns.is_empty() {
        return None;
    }
    let stays = if columns.len() == 1 { "stays" } else { "stay" };
    let text = format!("{} {stays}", capitalize(&join_human(columns)));
    Some(match reason {
        Some(reason) => format!("{text}: {reason}"),
        None => text,
    })
}

fn date_of(at: OffsetDateTime) -> String {
    date(at.to_offset(UtcOffset::UTC).date())
}

/// Makes the first letter a capital.
pub(crate) fn capitalize(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// `email and display name` for two column names.
fn join_human(columns: &[String]) -> String {
    let names: Vec<String> = columns.iter().map(|column| column.replace('_', " ")).collect();
    match names.as_slice() {
        [] => "personal details".to_owned(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// `revoked` for `revoked_at`: the first stamped column that says more than that the row changed.
fn stamp_label(columns: &[String]) -> String {
    let telling = columns.iter().find(|column| !column.starts_with("updated")).or(columns.first());
    telling.map_or_else(
        || "deleted".to_owned(),
        |column| column.trim_end_matches("_at").trim_end_matches("_on").replace('_', " "),
    )
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn dates_and_times_are_in_utc() {
        let at = datetime!(2026-11-22 10:58:07 +1);
        assert_eq!(datetime(at), "22 November 2026, 09:58 UTC");
        assert_eq!(time_of_day(at), "09:58:07");
        assert_eq!(date(at.date()), "22 November 2026");
        assert_eq!(rfc3339_micros(at), "2026-11-22T09:58:07.000000Z");
    }

    #[test]
    fn counts_have_separators() {
        assert_eq!(
            ["0", "999", "1,000", "1,270,118"],
            [0, 999, 1000, 1_270_118].map(count).each_ref().map(String::as_str)
        );
        assert_eq!(rows(1), "1 row");
        assert_eq!(rows(1204), "1,204 rows");
    }

    #[test]
    fn sizes_are_rounded_down() {
        let sizes = [812, 1_000, 1_234_567, 12_345_678, 999_999_999, 5_000_000_000_000];
        assert_eq!(sizes.map(size), ["812 bytes", "1.0 kB", "1.2 MB", "12 MB", "999 MB", "5.0 TB"]);
    }

    #[test]
    fn outcomes_say_what_happens_to_rows() {
        let columns = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let scrubbed = |left: &[&str], reason: Option<&str>| Outcome::Scrubbed {
            columns: columns(&["email", "phone_number"]),
            stamped: columns(&["deleted_at"]),
            left: columns(left),
            reason: reason.map(str::to_owned),
        };
        assert_eq!(
            outcome_text(&scrubbed(&[], None), Tense::Future),
            ("email and phone number removed".to_owned(), None)
        );
        let reason = Some("names the author");
        assert_eq!(
            outcome_text(&scrubbed(&["display_name"], reason), Tense::Future).1.as_deref(),
            Some("Display name stays: names the author")
        );
        assert_eq!(
            outcome_text(&scrubbed(&["id", "title"], None), Tense::Past).1.as_deref(),
            Some("Id and title stay")
        );
        let hidden =
            Outcome::Stamped { columns: columns(&["deleted_at"]), purge_at: Some(datetime!(2026-12-22 09:00 UTC)) };
        assert_eq!(outcome_text(&hidden, Tense::Future).0, "hidden at once, deleted on 22 December 2026");
        assert_eq!(outcome_text(&hidden, Tense::Past).0, "hidden, goes for good on 22 December 2026");
        assert_eq!(outcome_text(&Outcome::Detached, Tense::Future).0, "stay with their authors");
        assert_eq!(outcome_text(&Outcome::Detached, Tense::Past).0, "stayed with their authors");
        let revoked = Outcome::Stamped { columns: columns(&["updated_at", "revoked_at"]), purge_at: None };
        assert_eq!(outcome_text(&revoked, Tense::Future).0, "marked as revoked");
        let retained =
            Outcome::Retained { reason: "billing disputes".to_owned(), until: Some(datetime!(2028-11-22 09:00 UTC)) };
        assert_eq!(
            outcome_text(&retained, Tense::Future),
            ("kept until 22 November 2028".to_owned(), Some("billing disputes".to_owned()))
        );
    }
}
