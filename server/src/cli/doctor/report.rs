//! What was found, for people and for scripts.

use std::io::IsTerminal;

use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::Exit;

/// The check of the settings themselves.
pub(super) const SETTINGS: &str = "settings";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Skipped,
    Ok,
    Warning,
    Wrong,
}

/// What one check found.
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

    pub(super) fn warning(check: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, status: Status::Warning, message: message.into(), remedy: Some(remedy.into()) }
    }

    pub(super) fn wrong(check: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, status: Status::Wrong, message: message.into(), remedy: Some(remedy.into()) }
    }

    /// The same with something to do, for what isn't checked here.
    pub(super) fn with_remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

impl Status {
    /// A mark, a word and a colour; the first two tell without the third.
    const fn display(self) -> (char, &'static str, &'static str) {
        match self {
            Self::Ok => ('✓', "ok", "32"),
            Self::Warning => ('!', "warning", "33"),
            Self::Wrong => ('✗', "wrong", "31"),
            Self::Skipped => ('–', "skipped", "2"),
        }
    }
}

/// How the command ends.
pub(super) fn exit(lines: &[CheckResult]) -> Exit {
    let is_wrong = |line: &&CheckResult| line.status == Status::Wrong;
    match lines.iter().filter(is_wrong).map(|line| line.check).collect::<Vec<_>>()[..] {
        [] => Exit::Success,
        // `lethe serve` would refuse these with the same status.
        [SETTINGS, ..] => Exit::Unconfigured,
        _ => Exit::Attention,
    }
}

/// The document of `--json`.
pub(super) fn json_document(lines: &[CheckResult]) -> Value {
    json!({"status": worst(lines), "checks": lines})
}

fn worst(lines: &[CheckResult]) -> Status {
    lines.iter().map(|line| line.status).max().unwrap_or(Status::Ok).max(Status::Ok)
}

/// Aligned lines, with colours on a terminal unless `NO_COLOR` is set.
pub(super) fn print(lines: &[CheckResult]) {
    let in_colour =
        std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let width = lines.iter().map(|line| line.check.len()).max().unwrap_or_default();
    for line in lines {
        let (mark, word, colour) = line.status.display();
        let status = format!("{mark} {word:<7}");
        let status = if in_colour { format!("\x1b[{colour}m{status}\x1b[0m") } else { status };
        println!("{status}  {:<width$}  {}", line.check, line.message);
        if let Some(remedy) = &line.remedy {
            println!("{:11}{:<width$}  → {remedy}", "", "");
        }
    }
    let count = |status| lines.iter().filter(|line| line.status == status).count();
    println!("\n{} wrong, {} warnings, {} right.", count(Status::Wrong), count(Status::Warning), count(Status::Ok));
}
