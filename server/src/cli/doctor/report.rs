//! The report, for people and for scripts.

use std::io::IsTerminal;

use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::exit::Exit;

/// The check of the configuration itself.
pub(super) const SETTINGS: &str = "settings";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Skipped,
    Ok,
    Warning,
    Wrong,
}

/// The result of one check.
#[derive(Clone, Debug, Serialize)]
pub(super) struct CheckResult {
    check: &'static str,
    status: Status,
    message: String,
    remedy: Option<String>,
}

impl CheckResult {
    pub(super) fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, message: message.into(), remedy: None }
    }

    pub(super) fn skipped(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, status: Status::Skipped, message: message.into(), remedy: None }
    }

    pub(super) fn not_set(check: &'static str, name: &str) -> Self {
        Self::skipped(check, format!("{name} isn't set"))
    }

    pub(super) fn warning(check: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, status: Status::Warning, message: message.into(), remedy: Some(remedy.into()) }
    }

    pub(super) fn wrong(check: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, status: Status::Wrong, message: message.into(), remedy: Some(remedy.into()) }
    }

    pub(super) fn is_ok(&self) -> bool {
        self.status == Status::Ok
    }

    /// Adds what the operator can do where nothing was checked.
    pub(super) fn with_remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

impl Status {
    /// A symbol, a word and an ANSI colour; the first two suffice without the third.
    const fn display(self) -> (char, &'static str, &'static str) {
        match self {
            Self::Ok => ('✓', "ok", "32"),
            Self::Warning => ('!', "warning", "33"),
            Self::Wrong => ('✗', "wrong", "31"),
            Self::Skipped => ('–', "skipped", "2"),
        }
    }
}

/// Returns how the command ends.
pub(super) fn exit(results: &[CheckResult]) -> Exit {
    let is_wrong = |result: &&CheckResult| result.status == Status::Wrong;
    match results.iter().filter(is_wrong).map(|result| result.check).collect::<Vec<_>>()[..] {
        [] => Exit::Success,
        // `lethe serve` would refuse to start with the same exit code.
        [SETTINGS, ..] => Exit::Unconfigured,
        _ => Exit::Attention,
    }
}

/// Returns the document of `--json`.
pub(super) fn json_document(results: &[CheckResult]) -> Value {
    json!({"status": worst(results), "checks": results})
}

fn worst(results: &[CheckResult]) -> Status {
    results.iter().map(|result| result.status).max().unwrap_or(Status::Ok).max(Status::Ok)
}

/// Prints aligned lines, in colour on a terminal unless `NO_COLOR` is set.
pub(super) fn print(results: &[CheckResult]) {
    let in_colour =
        std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let width = results.iter().map(|result| result.check.len()).max().unwrap_or_default();
    for result in results {
        let (symbol, word, colour) = result.status.display();
        let status = format!("{symbol} {word:<7}");
        let status = if in_colour { format!("\x1b[{colour}m{status}\x1b[0m") } else { status };
        println!("{status}  {:<width$}  {}", result.check, result.message);
        if let Some(remedy) = &result.remedy {
            println!("{:11}{:<width$}  → {remedy}", "", "");
        }
    }
    let count = |status| results.iter().filter(|result| result.status == status).count();
    println!("\n{} wrong, {} warnings, {} ok.", count(Status::Wrong), count(Status::Warning), count(Status::Ok));
}
