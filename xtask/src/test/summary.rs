//! Counts of passed and failed tests, read from the output of test runners.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::interrupt;

/// How many tests of a stage passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Count {
    /// A single check that passed.
    pub(crate) fn passed() -> Self {
        Self { passed: 1, failed: 0 }
    }

    /// A single check that failed.
    pub(crate) fn failed() -> Self {
        Self { passed: 0, failed: 1 }
    }

    /// A single check that passed or failed.
    pub(crate) fn of_check(good: bool) -> Self {
        if good { Self::passed() } else { Self::failed() }
    }

    /// Adds another count.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// Adds the numbers in a line of `cargo test`, such as `test result: ok. 5 passed; 0 failed; 1 ignored`.
    pub(crate) fn add_line(&mut self, line: &str) {
        let Some((_, numbers)) = line.split_once("test result: ") else {
            return;
        };
        let number = |name: &str| {
            numbers
                .split([';', '.'])
                .find_map(|part| part.trim().strip_suffix(name)?.trim().parse::<u64>().ok())
                .unwrap_or_default()
        };
        self.passed += number("passed");
        self.failed += number("failed");
    }

    /// Returns the count of a run, given whether its program succeeded. A failure without a failed test, such as a
    /// compiler error, counts as one failed test.
    pub(crate) fn with_status(mut self, good: bool) -> Self {
        if !good && self.failed == 0 {
            self.failed = 1;
        }
        self
    }

    /// Returns the numbers in Playwright's JSON report. A test that passed only on a retry counts as failed.
    pub(crate) fn of_playwright(report: &str) -> Result<Self> {
        let report: Value = serde_json::from_str(report).context("Playwright's report is no JSON")?;
        let number = |name: &str| {
            report["stats"][name].as_u64().with_context(|| format!("Playwright's report has no stats.{name}"))
        };
        let errors = report["errors"].as_array().map_or(0, Vec::len);
        Ok(Self {
            passed: number("expected")?,
            failed: number("unexpected")? + number("flaky")? + u64::try_from(errors)?,
        })
    }
}

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The results of all stages.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    stages: Vec<(String, Count, Duration)>,
}

impl Summary {
    /// Runs a part, prints its result and adds it. An error is a failed check, unless this program is being stopped.
    pub(crate) fn run(&mut self, name: String, part: impl FnOnce() -> Result<Count>) -> Result<()> {
        println!("\n=== {name}");
        let start = Instant::now();
        let count = part().unwrap_or_else(|error| {
            println!("{error:#}");
            Count::failed()
        });
        interrupt::check()?;
        println!("=== {name}: {count}, {:.1} s", start.elapsed().as_secs_f64());
        self.add(name, count, start.elapsed());
        Ok(())
    }

    fn add(&mut self, name: String, count: Count, time: Duration) {
        self.stages.push((name, count, time));
    }

    /// Whether at least one test passed and none failed.
    pub(crate) fn is_good(&self) -> bool {
        let total = self.total();
        total.failed == 0 && total.passed > 0
    }

    /// Returns a table; its last line is `N passed, N failed`.
    pub(crate) fn text(&self, time: Duration) -> String {
        use fmt::Write;
        let mut text = String::from("\nSummary\n");
        for (name, count, time) in &self.stages {
            writeln!(text, "  {name:<16} {:>7.1} s  {count}", time.as_secs_f64())
                .expect("writing to a string does not fail");
        }
        write!(text, "  {:<16} {:>7.1} s\n\n{}", "total", time.as_secs_f64(), self.total())
            .expect("writing to a string does not fail");
        text
    }

    fn total(&self) -> Count {
        let mut total = Count::default();
        self.stages.iter().for_each(|(_, count, _)| total.add(*count));
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_cargo_test_add_up() {
        let mut count = Count::default();
        for line in [
            "running 3 tests",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s",
            "test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s",
        ] {
            count.add_line(line);
        }
        assert_eq!(count, Count { passed: 14, failed: 3 });
    }

    #[test]
    fn failure_without_a_failed_test_counts_once() {
        assert_eq!(Count { passed: 2, failed: 0 }.with_status(false), Count { passed: 2, failed: 1 });
        assert_eq!(Count { passed: 2, failed: 3 }.with_status(false), Count { passed: 2, failed: 3 });
        assert_eq!(Count { passed: 2, failed: 0 }.with_status(true), Count { passed: 2, failed: 0 });
    }

    #[test]
    fn playwright_reports_are_parsed() {
        let report = r#"{"stats":{"expected":7,"unexpected":1,"flaky":1,"skipped":2},"errors":[{"message":"x"}]}"#;
        assert_eq!(Count::of_playwright(report).expect("it is a report"), Count { passed: 7, failed: 3 });
        assert!(Count::of_playwright("{}").is_err());
    }

    #[test]
    fn last_line_is_the_total() {
        let mut summary = Summary::default();
        assert!(!summary.is_good());
        summary.add("format".into(), Count::passed(), Duration::from_secs(1));
        assert!(summary.is_good());
        summary.add("tests".into(), Count { passed: 4, failed: 2 }, Duration::from_secs(1));
        assert!(!summary.is_good());
        assert_eq!(summary.text(Duration::from_secs(2)).lines().last(), Some("5 passed, 2 failed"));
    }
}
