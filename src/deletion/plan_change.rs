//! How two plans of one deletion differ.

use time::{Duration, OffsetDateTime};

use super::plan::{Plan, PlanLine};
use crate::data_map::Outcome;
use crate::receipt_code::ReceiptCode;

/// Plans have dates, which change from day to day, and months have 28 to 31 days. What differs by less is the same period.
const SAME_PERIOD: Duration = Duration::days(4);

/// What a person confirmed, and what would happen now.
#[derive(Clone, Debug)]
pub struct PlanChange {
    /// Opens the receipt.
    pub receipt: ReceiptCode,
    /// What was confirmed last.
    pub confirmed: Plan,
    /// What would happen now.
    pub current: Plan,
}

/// A line on which two plans differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedLine {
    /// What users read instead of the table's name.
    pub label: String,
    /// Whether it is about other people's rows.
    pub others: bool,
    /// What was confirmed; `None` if it wasn't on the list.
    pub confirmed: Option<Outcome>,
    /// What would happen now; `None` if it isn't on the list any more.
    pub current: Option<Outcome>,
}

impl PlanChange {
    /// Returns the lines of which the person has rows and whose outcomes differ. Labels, reasons and numbers don't matter.
    #[must_use]
    pub fn lines(&self) -> Vec<ChangedLine> {
        let Self { confirmed, current, .. } = self;
        let has_rows = |line: &&PlanLine| line.rows > 0;
        let mut changed: Vec<ChangedLine> = Vec::new();
        for line in current.lines.iter().filter(has_rows) {
            // A table has several lines where its rows are others' too, or name somebody in several columns.
            let is_same = lines_of(confirmed, line)
                .any(|before| is_same(&before.outcome, confirmed.computed_at, &line.outcome, current.computed_at));
            if !is_same {
                changed.push(ChangedLine {
                    label: line.label.clone(),
                    others: line.others,
                    confirmed: lines_of(confirmed, line).next().map(|before| before.outcome.clone()),
                    current: Some(line.outcome.clone()),
                });
            }
        }
        let gone = confirmed.lines.iter().filter(has_rows).filter(|line| lines_of(current, line).next().is_none());
        changed.extend(gone.map(|line| ChangedLine {
            label: line.label.clone(),
            others: line.others,
            confirmed: Some(line.outcome.clone()),
            current: None,
        }));
        changed
    }
}

/// Returns the lines of a plan that are about the same rows as `line`, of another plan.
fn lines_of<'a>(plan: &'a Plan, line: &'a PlanLine) -> impl Iterator<Item = &'a PlanLine> {
    plan.lines.iter().filter(|other| other.table == line.table && other.others == line.others)
}

/// Whether two outcomes say the same, apart from reasons. Each date counts from the time of its plan.
fn is_same(one: &Outcome, of: OffsetDateTime, other: &Outcome, of_other: OffsetDateTime) -> bool {
    let is_same_period = |one: &Option<OffsetDateTime>, other: &Option<OffsetDateTime>| match (one, other) {
        (Some(one), Some(other)) => ((*one - of) - (*other - of_other)).abs() < SAME_PERIOD,
        (None, None) => true,
        _ => false,
    };
    match (one, other) {
        (Outcome::Retained { until: one, .. }, Outcome::Retained { until: other, .. }) => is_same_period(one, other),
        (
            Outcome::Stamped { columns: one, purge_at: one_at },
            Outcome::Stamped { columns: other, purge_at: other_at },
        ) => one == other && is_same_period(one_at, other_at),
        (
            Outcome::Scrubbed {
                columns: one,
                stamped: one_stamped,
                left: one_left,
                left_rest: one_rest,
                until: one_until,
                ..
            },
            Outcome::Scrubbed {
                columns: other,
                stamped: other_stamped,
                left: other_left,
                left_rest: other_rest,
                until: other_until,
                ..
            },
        ) => {
            (one, one_stamped, one_left, one_rest) == (other, other_stamped, other_left, other_rest)
                && is_same_period(one_until, other_until)
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::data_map::PlanHash;

    fn line(table: &str, rows: u64, outcome: Outcome) -> PlanLine {
        PlanLine {
            table: table.to_owned(),
            label: table.to_owned(),
            column_labels: std::collections::BTreeMap::new(),
            rows,
            outcome,
            others: false,
            since: None,
            key: None,
        }
    }

    fn retained(reason: &str, until: Option<OffsetDateTime>) -> Outcome {
        Outcome::Retained { reason: reason.to_owned(), until }
    }

    fn change(confirmed: Vec<PlanLine>, current: Vec<PlanLine>) -> Vec<ChangedLine> {
        let plan = |lines, computed_at| Plan { lines, hash: PlanHash::from_text(String::new()), computed_at };
        PlanChange {
            receipt: ReceiptCode::from_database(ReceiptCode::EXAMPLE.to_owned()),
            confirmed: plan(confirmed, datetime!(2026-11-01 09:00 UTC)),
            current: plan(current, datetime!(2026-11-27 09:00 UTC)),
        }
        .lines()
    }

    #[test]
    fn several_lines_of_a_table_are_compared_with_each_other() {
        let others = |outcome| PlanLine { others: true, ..line("issues", 1, outcome) };
        let lines = || vec![others(Outcome::Detached), others(Outcome::Deleted)];
        assert!(change(lines(), lines()).is_empty());
        let changed = change(lines(), vec![others(Outcome::Detached), others(retained("law", None))]);
        assert_eq!(changed.len(), 1);
    }

    #[test]
    fn only_changed_outcomes_are_listed() {
        let two_years = (Some(datetime!(2028-11-01 09:00 UTC)), Some(datetime!(2028-11-27 09:00 UTC)));
        let changed = change(
            vec![
                line("posts", 3, Outcome::Deleted),
                line("usage", 5, retained("tax law", two_years.0)),
                line("files", 2, Outcome::Deleted),
                line("old", 1, Outcome::Deleted),
                line("empty", 0, Outcome::Deleted),
            ],
            vec![
                line("posts", 4, Outcome::Deleted),
                line("usage", 5, retained("§ 147 AO", two_years.1)),
                line("files", 2, retained("dispute", None)),
                line("new", 1, Outcome::Deleted),
                line("empty", 0, retained("dispute", None)),
            ],
        );
        let found: Vec<_> =
            changed.iter().map(|line| (&*line.label, line.confirmed.is_some(), line.current.is_some())).collect();
        assert_eq!(found, [("files", true, true), ("new", false, true), ("old", true, false)]);
    }

    #[test]
    fn another_period_is_another_outcome() {
        let at = |at| vec![line("usage", 1, retained("tax law", at))];
        let changed = change(at(Some(datetime!(2028-11-01 09:00 UTC))), at(Some(datetime!(2029-11-27 09:00 UTC))));
        assert_eq!(changed.len(), 1);
        assert_eq!(change(at(Some(datetime!(2028-11-01 09:00 UTC))), at(None)).len(), 1);
    }
}
