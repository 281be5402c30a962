//! What a deletion means for the person, in numbers.

use time::OffsetDateTime;

use super::plan::PlanLine;
use super::verification::Searched;
use crate::data_map::Disposition;

/// How many of the person's rows are deleted at once, later, and not at all. Other people's rows that stay aren't counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows that are deleted at once.
    pub deleted: u64,
    /// Rows that are hidden at once and deleted later.
    pub deleted_later: u64,
    /// When the last of these is deleted.
    pub deleted_by: Option<OffsetDateTime>,
    /// Rows of which something stays.
    pub retained: u64,
    /// When the last of these is deleted. `None` where there are none, or where some stay for good.
    pub retained_until: Option<OffsetDateTime>,
    /// Rows of which nothing is deleted, and in which the verification found the person's id or an address.
    pub found: u64,
}

/// What is left of the person's data when the deletion is completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remainder {
    /// There was no data to begin with.
    NoData,
    /// Everything was deleted.
    Nothing,
    /// Some of it is hidden, and deleted later.
    Later,
    /// Something stays, for a time or for good.
    Retained,
    /// Something stays, and other data is deleted later.
    RetainedAndLater,
}

impl Remainder {
    /// Returns the word by which the e-mails' templates know it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoData => "no_data",
            Self::Nothing => "nothing",
            Self::Later => "later",
            Self::Retained => "retained",
            Self::RetainedAndLater => "retained_and_later",
        }
    }
}

impl Summary {
    /// Returns what is left. Pages and e-mails choose their headlines by it.
    #[must_use]
    pub const fn remainder(&self) -> Remainder {
        match (self.retained > 0 || self.found > 0, self.deleted_later > 0) {
            (true, true) => Remainder::RetainedAndLater,
            (true, false) => Remainder::Retained,
            (false, true) => Remainder::Later,
            (false, false) if self.deleted > 0 => Remainder::Nothing,
            (false, false) => Remainder::NoData,
        }
    }

    /// Returns the same with what the verification found.
    #[must_use]
    pub fn with_found(self, searched: Option<&Searched>) -> Self {
        Self { found: searched.map_or(0, Searched::rows_found), ..self }
    }

    /// Adds up the lines of a plan or of its results.
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a PlanLine>) -> Self {
        let mut summary = Self::default();
        let mut some_stay_for_good = false;
        for line in lines.into_iter().filter(|line| line.rows > 0) {
            match line.disposition() {
                Disposition::Deleted => summary.deleted += line.rows,
                Disposition::DeletedLater(at) => {
                    summary.deleted_later += line.rows;
                    summary.deleted_by = summary.deleted_by.max(Some(at));
                }
                Disposition::Retained(_) if line.others => {}
                Disposition::Retained(until) => {
                    summary.retained += line.rows;
                    some_stay_for_good |= until.is_none();
                    summary.retained_until = summary.retained_until.max(until);
                }
            }
        }
        if some_stay_for_good {
            summary.retained_until = None;
        }
        summary
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::data_map::Outcome;

    fn line(rows: u64, outcome: Outcome, others: bool) -> PlanLine {
        PlanLine {
            table: "t".to_owned(),
            label: "T".to_owned(),
            column_labels: std::collections::BTreeMap::new(),
            rows,
            outcome,
            others,
            since: None,
            key: None,
        }
    }

    fn retained(until: Option<OffsetDateTime>) -> Outcome {
        Outcome::Retained { reason: "tax law".to_owned(), until }
    }

    #[test]
    fn rows_are_added_up_by_what_happens_to_them() {
        let (december, later) = (datetime!(2026-12-26 09:00 UTC), datetime!(2028-11-26 09:00 UTC));
        let hidden = Outcome::Stamped { columns: vec!["deleted_at".to_owned()], purge_at: Some(december) };
        let mut lines = vec![
            line(40, Outcome::Deleted, false),
            line(11, Outcome::Deleted, true),
            line(60, hidden, false),
            line(20, retained(Some(december)), false),
            line(4, retained(Some(later)), false),
            line(7, Outcome::Detached, true),
            line(0, retained(None), false),
        ];
        let summary = Summary::of(&lines);
        assert_eq!(
            summary,
            Summary {
                deleted: 51,
                deleted_later: 60,
                deleted_by: Some(december),
                retained: 24,
                retained_until: Some(later),
                found: 0,
            }
        );
        lines.push(line(1, retained(None), false));
        assert_eq!(Summary::of(&lines).retained_until, None, "one stays for good");
    }

    #[test]
    fn remainder_is_what_stays_and_what_is_deleted_later() {
        let later = Outcome::Stamped {
            columns: vec!["deleted_at".to_owned()],
            purge_at: Some(datetime!(2026-12-26 09:00 UTC)),
        };
        let (deleted, later) = (line(40, Outcome::Deleted, false), line(60, later, false));
        let (for_good, absent) = (line(1, retained(None), false), line(0, retained(None), false));
        let by_others = line(7, Outcome::Detached, true);
        for (lines, remainder) in [
            (vec![], Remainder::NoData),
            (vec![&absent, &by_others], Remainder::NoData),
            (vec![&deleted, &absent, &by_others], Remainder::Nothing),
            (vec![&deleted, &later], Remainder::Later),
            (vec![&deleted, &for_good], Remainder::Retained),
            (vec![&for_good, &later], Remainder::RetainedAndLater),
        ] {
            assert_eq!(Summary::of(lines.iter().copied()).remainder(), remainder, "{lines:?}");
        }
        let found = Summary { found: 1, ..Summary::of([&deleted]) };
        assert_eq!(found.remainder(), Remainder::Retained, "a text still names them");
    }
}
