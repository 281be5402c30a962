//! Periods as the map writes them: `30 days`, `6 months`, `2 years`.

use std::fmt;
use std::str::FromStr;

use time::{Date, Duration, Month, OffsetDateTime};

/// How long rows are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Period {
    amount: u16,
    unit: Unit,
}

/// The unit of a [`Period`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// 24 hours.
    Days,
    /// Calendar months.
    Months,
    /// Calendar years.
    Years,
}

impl Period {
    /// Returns the time one period after `from`: the same day of a later month, or that month's last day, as Postgres
    /// adds an interval in UTC.
    #[must_use]
    pub fn after(self, from: OffsetDateTime) -> OffsetDateTime {
        match self.unit {
            Unit::Days => from + Duration::days(i64::from(self.amount)),
            Unit::Months => months_after(from, i32::from(self.amount)),
            Unit::Years => months_after(from, 12 * i32::from(self.amount)),
        }
    }

    /// Returns the length in minutes, with months of average length, to compare periods of different units.
    pub(crate) const fn approximate_minutes(self) -> u64 {
        const DAY: u64 = 24 * 60;
        const MONTH: u64 = 43_829;
        let amount = self.amount as u64;
        match self.unit {
            Unit::Days => amount * DAY,
            Unit::Months => amount * MONTH,
            Unit::Years => amount * 12 * MONTH,
        }
    }
}

fn months_after(from: OffsetDateTime, months: i32) -> OffsetDateTime {
    let ordinal = from.year() * 12 + i32::from(u8::from(from.month())) - 1 + months;
    let number = u8::try_from(ordinal.rem_euclid(12) + 1).expect("a remainder of twelve is below twelve");
    let month = Month::try_from(number).expect("one to twelve is a month");
    let year = ordinal.div_euclid(12);
    let day = from.day().min(month.length(year));
    Date::from_calendar_date(year, month, day).map_or(from, |date| from.replace_date(date))
}

impl fmt::Display for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Days => "day",
            Unit::Months => "month",
            Unit::Years => "year",
        };
        let plural = if self.amount == 1 { "" } else { "s" };
        write!(formatter, "{} {unit}{plural}", self.amount)
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("`{text}` isn't a period; write for example \"30 days\", \"6 months\" or \"2 years\"");
        let (amount, unit) = text.trim().split_once(' ').ok_or_else(invalid)?;
        let amount = amount.parse().ok().filter(|amount| (1..=1_200).contains(amount)).ok_or_else(invalid)?;
        let unit = match unit.trim() {
            "day" | "days" => Unit::Days,
            "month" | "months" => Unit::Months,
            "year" | "years" if amount <= 100 => Unit::Years,
            _ => return Err(invalid()),
        };
        Ok(Self { amount, unit })
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn adding_months_ends_at_the_last_day_of_a_shorter_month() {
        let after = |period: &str, from| period.parse::<Period>().unwrap().after(from);
        assert_eq!(after("30 days", datetime!(2026-01-31 10:00 UTC)), datetime!(2026-03-02 10:00 UTC));
        assert_eq!(after("1 month", datetime!(2026-01-31 10:00 UTC)), datetime!(2026-02-28 10:00 UTC));
        assert_eq!(after("13 months", datetime!(2026-12-05 10:00 UTC)), datetime!(2028-01-05 10:00 UTC));
        assert_eq!(after("2 years", datetime!(2024-02-29 10:00 UTC)), datetime!(2026-02-28 10:00 UTC));
    }

    #[test]
    fn invalid_periods_are_refused() {
        for wrong in ["", "30", "days", "0 days", "-1 days", "30 weeks", "1.5 years", "99999 days", "101 years"] {
            assert!(wrong.parse::<Period>().is_err(), "{wrong}");
        }
        assert_eq!("1 years".parse::<Period>().unwrap().to_string(), "1 year");
    }

    #[test]
    fn a_year_equals_twelve_months() {
        let minutes = |period: &str| period.parse::<Period>().unwrap().approximate_minutes();
        assert_eq!(minutes("1 year"), minutes("12 months"));
        assert!(minutes("30 days") < minutes("1 month"));
    }
}
