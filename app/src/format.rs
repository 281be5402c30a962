//! Formats dates, counts and outcomes. Knows the types of `lethe`, and no markup.

use lethe::deletion::{Disposition, Outcome, Remainder, Step, Summary};
use time::macros::format_description;
use time::{Date, OffsetDateTime, UtcOffset};

use crate::isolation::{is_isolated, without_start};
use crate::texts;

/// `22 November 2026, 09:58 UTC`.
pub(crate) fn datetime(at: OffsetDateTime) -> String {
    let format = format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
    at.to_offset(UtcOffset::UTC).format(format).unwrap_or_default()
}

/// `22 November 2026`.
pub(crate) fn date(date: Date) -> String {
    date.format(format_description!("[day padding:none] [month repr:long] [year]")).unwrap_or_default()
}

/// `22 November 2026`, in UTC.
pub(crate) fn date_of(at: OffsetDateTime) -> String {
    date(at.to_offset(UtcOffset::UTC).date())
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
            text.push_str(texts::THOUSANDS_SEPARATOR);
        }
        text.push(digit);
    }
    text
}

/// `1 item`, `1,204 items`.
pub(crate) fn items(number: u64) -> String {
    if number == 1 { texts::ONE_ITEM.to_owned() } else { texts::items(count(number)) }
}

/// `1,204 items, 1.2 MB`.
pub(crate) fn items_and_size(number: u64, bytes: u64) -> String {
    texts::items_and_size(items(number), size(bytes))
}

/// `812 bytes`, `1.2 MB`.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return texts::bytes(bytes);
    }
    // Tenths of the unit, rounded down: a size never looks larger than it is.
    let mut tenths = bytes / 100;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    if tenths >= 100 {
        texts::size(tenths / 10, UNITS[unit])
    } else {
        texts::size([tenths / 10, tenths % 10].map(|part| part.to_string()).join(texts::DECIMAL_SEPARATOR), UNITS[unit])
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

/// What a deletion does to rows, and what there is to say about what stays.
pub(crate) fn outcome_text(outcome: &Outcome, tense: Tense) -> (String, Option<String>) {
    match outcome {
        Outcome::Deleted => (texts::DELETED.to_owned(), None),
        Outcome::Scrubbed { columns, left, left_rest, reason, until, .. } => {
            let details = capitalize(&join_human(columns));
            let what = match (until, tense) {
                (None, _) => texts::removed(details),
                (Some(until), Tense::Future) => texts::removed_rest_deleted_on(details, date_of(*until)),
                (Some(until), Tense::Past) => texts::removed_rest_to_be_deleted_on(details, date_of(*until)),
            };
            let rest = match (left_rest, reason) {
                (false, _) => retained_columns(left, reason.as_deref()),
                (true, Some(reason)) => texts::rest_is_retained_because(reason),
                (true, None) => texts::REST_RETAINED.to_owned(),
            };
            (what, Some(rest))
        }
        Outcome::Stamped { purge_at: Some(at), .. } => {
            let text = match tense {
                Tense::Future => texts::hidden_deleted_on(date_of(*at)),
                Tense::Past => texts::hidden_to_be_deleted_on(date_of(*at)),
            };
            (text, None)
        }
        Outcome::Stamped { columns, purge_at: None } => (texts::stamped_as(capitalize(&stamp_label(columns))), None),
        Outcome::Retained { reason, until: Some(until) } => {
            (texts::retained_until(date_of(*until)), Some(capitalize(reason)))
        }
        Outcome::Retained { reason, until: None } => (texts::RETAINED.to_owned(), Some(capitalize(reason))),
        Outcome::Detached => (texts::OTHERS_RETAINED.to_owned(), None),
        Outcome::Shared { .. } => (texts::SHARED_RETAINED.to_owned(), None),
    }
}

/// The headline of a completed deletion, which promises no more than what was done.
pub(crate) const fn done_title(remainder: Remainder) -> &'static str {
    match remainder {
        Remainder::NoData => texts::DONE_WITHOUT_DATA,
        Remainder::Nothing => texts::DONE,
        Remainder::Later => texts::DONE_SOME_LATER,
        Remainder::Retained => texts::DONE_SOME_RETAINED,
        Remainder::RetainedAndLater => texts::DONE_SOME_RETAINED_SOME_LATER,
    }
}

/// One sentence for each kind of outcome, what stays first: `8 items kept. 51 items deleted.`
pub(crate) fn summary(summary: &Summary) -> String {
    let mut sentences = Vec::new();
    match (summary.retained, summary.retained_until) {
        (0, _) => {}
        (retained, Some(until)) => sentences.push(texts::summary_retained_until(items(retained), date_of(until))),
        (retained, None) => sentences.push(texts::summary_retained(items(retained))),
    }
    if let Some(at) = summary.deleted_by {
        sentences.push(texts::summary_later_by(items(summary.deleted_later), date_of(at)));
    }
    if summary.deleted > 0 {
        sentences.push(texts::summary_deleted(items(summary.deleted)));
    }
    if summary.found > 0 {
        sentences.push(texts::summary_found(items(summary.found)));
    }
    sentences.join(" ")
}

/// What stays comes first, then what is deleted later.
pub(crate) const fn order(disposition: Disposition) -> u8 {
    match disposition {
        Disposition::Retained(_) => 0,
        Disposition::DeletedLater(_) => 1,
        Disposition::Deleted => 2,
    }
}

/// What a step of a deletion does or has done.
pub(crate) const fn step_title(step: Step, tense: Tense) -> &'static str {
    match (step, tense) {
        (Step::EndSessions, Tense::Future) => texts::STEP_END_SESSIONS,
        (Step::EndSessions, Tense::Past) => texts::STEP_END_SESSIONS_DONE,
        (Step::PendingWork, Tense::Future) => texts::STEP_PENDING_WORK,
        (Step::PendingWork, Tense::Past) => texts::STEP_PENDING_WORK_DONE,
        (Step::ApplicationData, Tense::Future) => texts::STEP_APPLICATION_DATA,
        (Step::ApplicationData, Tense::Past) => texts::STEP_APPLICATION_DATA_DONE,
        (Step::Verification, Tense::Future) => texts::STEP_VERIFICATION,
        (Step::Verification, Tense::Past) => texts::STEP_VERIFICATION_DONE,
        (Step::ClerkUser, Tense::Future) => texts::STEP_CLERK_USER,
        (Step::ClerkUser, Tense::Past) => texts::STEP_CLERK_USER_DONE,
        (Step::Audit, Tense::Future) => texts::STEP_AUDIT,
        (Step::Audit, Tense::Past) => texts::STEP_AUDIT_DONE,
        (Step::Receipt, Tense::Future) => texts::STEP_RECEIPT,
        (Step::Receipt, Tense::Past) => texts::STEP_RECEIPT_DONE,
    }
}

/// `Display name is kept: it credits you as the author of published results`.
fn retained_columns(columns: &[String], reason: Option<&str>) -> String {
    let names = capitalize(&join_human(columns));
    match (columns.len(), reason) {
        (0, _) => texts::ENTRY_RETAINED.to_owned(),
        (1, Some(reason)) => texts::is_retained_because(names, reason),
        (1, None) => texts::is_retained(names),
        (_, Some(reason)) => texts::are_retained_because(names, reason),
        (_, None) => texts::are_retained(names),
    }
}

/// Makes the first letter a capital, also within what is isolated.
pub(crate) fn capitalize(text: &str) -> String {
    let start = text.len() - without_start(text).len();
    let mut letters = text[start..].chars();
    let capital = letters.next().into_iter().flat_map(char::to_uppercase);
    text[..start].chars().chain(capital).chain(letters).collect()
}

/// `email and display name` for two column names.
fn join_human(columns: &[String]) -> String {
    let names: Vec<String> = columns.iter().map(|column| column_words(column)).collect();
    if names.is_empty() { texts::PERSONAL_DETAILS.to_owned() } else { join(&names) }
}

/// `stripe customer id` for `stripeCustomerId` and `stripe_customer_id`.
fn column_words(column: &str) -> String {
    // A label is written as it is meant.
    if is_isolated(column) {
        return column.to_owned();
    }
    let mut words = String::new();
    let mut was_lower = false;
    for letter in column.chars() {
        if letter == '_' || (letter.is_uppercase() && was_lower) {
            words.push(' ');
        }
        was_lower = letter.is_lowercase();
        words.extend((letter != '_').then_some(letter).into_iter().flat_map(char::to_lowercase));
    }
    words
}

/// `a, b and c`.
pub(crate) fn join(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => texts::list(rest.join(texts::LIST_SEPARATOR), last),
    }
}

/// `revoked` for `revoked_at`: the first stamped column that says more than that the row changed.
fn stamp_label(columns: &[String]) -> String {
    let telling = columns.iter().find(|column| !column.starts_with("updated")).or(columns.first());
    telling.map_or_else(
        || texts::STAMPED.to_owned(),
        |column| match column.as_str() {
            label if is_isolated(label) => label.to_owned(),
            column => column.trim_end_matches("_at").trim_end_matches("_on").replace('_', " "),
        },
    )
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::isolation::isolate;

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
        assert_eq!(items(1), "1 item");
        assert_eq!(items(1204), "1,204 items");
    }

    #[test]
    fn sizes_are_rounded_down() {
        let sizes = [812, 1_000, 1_234_567, 12_345_678, 999_999_999, 5_000_000_000_000];
        assert_eq!(sizes.map(size), ["812 bytes", "1.0 kB", "1.2 MB", "12 MB", "999 MB", "5.0 TB"]);
    }

    #[test]
    fn names_of_columns_are_words() {
        for (column, words) in [
            ("stripe_customer_id", "stripe customer id"),
            ("stripeCustomerId", "stripe customer id"),
            ("Email", "email"),
        ] {
            assert_eq!(column_words(column), words);
        }
    }

    #[test]
    fn labels_of_columns_are_written_as_the_operator_wrote_them() {
        let labels = ["E-Mail-Adresse", "öffentlicher Name", "PostHog_ID"].map(isolate);
        assert_eq!(
            outcome_text(
                &Outcome::Scrubbed {
                    columns: labels[..1].to_vec(),
                    stamped: Vec::new(),
                    left: labels[1..].to_vec(),
                    left_rest: false,
                    reason: None,
                    until: None,
                },
                Tense::Future,
            ),
            (
                format!("{} removed", isolate("E-Mail-Adresse")),
                Some(format!("{} and {} are kept.", isolate("Öffentlicher Name"), isolate("PostHog_ID")))
            )
        );
        let stamped = Outcome::Stamped { columns: vec![isolate("widerrufen")], purge_at: None };
        assert!(outcome_text(&stamped, Tense::Past).0.starts_with(&isolate("Widerrufen")));
    }

    #[test]
    fn outcomes_say_what_happens_to_rows() {
        let columns = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let scrubbed = |left: &[&str], reason: Option<&str>| Outcome::Scrubbed {
            columns: columns(&["email", "phone_number"]),
            stamped: columns(&["deleted_at"]),
            left: columns(left),
            left_rest: false,
            reason: reason.map(str::to_owned),
            until: None,
        };
        assert_eq!(
            outcome_text(&scrubbed(&[], None), Tense::Future),
            ("Email and phone number removed".to_owned(), Some("The entry itself is kept.".to_owned()))
        );
        let reason = Some("names the author");
        assert_eq!(
            outcome_text(&scrubbed(&["display_name"], reason), Tense::Future).1.as_deref(),
            Some("Display name is kept: names the author")
        );
        assert_eq!(
            outcome_text(&scrubbed(&["id", "title"], None), Tense::Past).1.as_deref(),
            Some("Id and title are kept.")
        );
        let for_ten_years = Outcome::Scrubbed {
            columns: columns(&["email"]),
            stamped: Vec::new(),
            left: Vec::new(),
            left_rest: true,
            reason: Some("tax law".to_owned()),
            until: Some(datetime!(2036-11-22 09:00 UTC)),
        };
        assert_eq!(
            outcome_text(&for_ten_years, Tense::Past),
            (
                "Email removed, the rest will be deleted on 22 November 2036".to_owned(),
                Some("Everything else is kept: tax law".to_owned())
            )
        );
        let hidden =
            Outcome::Stamped { columns: columns(&["deleted_at"]), purge_at: Some(datetime!(2026-12-22 09:00 UTC)) };
        assert_eq!(outcome_text(&hidden, Tense::Future).0, "Hidden now, deleted on 22 December 2026");
        assert_eq!(outcome_text(&hidden, Tense::Past).0, "Hidden, will be deleted on 22 December 2026");
        let revoked = Outcome::Stamped { columns: columns(&["updated_at", "revoked_at"]), purge_at: None };
        assert_eq!(outcome_text(&revoked, Tense::Future).0, "Revoked. The entry itself is kept.");
        let retained =
            Outcome::Retained { reason: "billing disputes".to_owned(), until: Some(datetime!(2028-11-22 09:00 UTC)) };
        assert_eq!(
            outcome_text(&retained, Tense::Future),
            ("Kept until 22 November 2028".to_owned(), Some("Billing disputes".to_owned()))
        );
    }

    #[test]
    fn summary_has_a_sentence_for_each_kind_of_outcome() {
        let all = Summary {
            deleted: 51,
            deleted_later: 60,
            deleted_by: Some(datetime!(2026-12-26 09:00 UTC)),
            retained: 1,
            retained_until: Some(datetime!(2028-11-26 09:00 UTC)),
            found: 0,
        };
        assert_eq!(
            summary(&all),
            "1 item kept, the last until 26 November 2028. 60 items hidden now and deleted by 26 December 2026. 51 items \
             deleted."
        );
        assert_eq!(summary(&Summary { deleted: 3, ..Summary::default() }), "3 items deleted.");
        assert_eq!(summary(&Summary { retained: 2, ..Summary::default() }), "2 items kept.");
        let found = summary(&Summary { deleted: 1, found: 3, ..Summary::default() });
        assert!(
            found.starts_with("1 item deleted. Your user ID or an address of yours still appears in 3 items"),
            "{found}"
        );
    }
}
