//! `lethe erase --file`, and batches of deletions for other commands.

use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use futures::{StreamExt, stream};
use lethe::deletion::{self, Failure, NewRequest, Origin, Reference, inspection};
use lethe::{ClerkUserId, Lethe, Presence, subject};
use serde_json::json;

use super::erase_report::Report;
use super::exit::Exit;
use super::output;

/// How long the command waits for one deletion. A slower one is continued by the job queue.
const DELETION_TIMEOUT: Duration = Duration::from_mins(1);

/// Deletions that run at the same time. Clerk's rate limit is what slows them down.
const MAX_CONCURRENT: usize = 8;

/// The outcome of a batch of deletions.
#[derive(Clone, Copy, Default)]
pub(super) struct BatchOutcome {
    /// Deletions that are complete.
    pub(super) completed: usize,
    /// Deletions that are recorded and not complete: a step failed, and the job queue retries it.
    pub(super) unfinished: usize,
    /// Users who were erased before. Nothing was done about them.
    pub(super) erased_before: usize,
    /// Ids of which neither the application, nor Lethe, nor Clerk knows anything. Nothing was done about them.
    pub(super) unknown: usize,
    /// Users of whom texts that no rule erases still have the id or an address.
    pub(super) with_texts: usize,
}

impl Display for BatchOutcome {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} users deleted", self.completed)?;
        if self.unfinished > 0 {
            write!(formatter, ", {} not finished; `lethe serve` or `lethe work` continues them", self.unfinished)?;
        }
        if self.erased_before > 0 {
            write!(formatter, ", {} erased before", self.erased_before)?;
        }
        if self.unknown > 0 {
            write!(formatter, ", {} unknown to the application and to Clerk", self.unknown)?;
        }
        if self.with_texts > 0 {
            write!(
                formatter,
                "; of {}, texts still have the id or an address (`lethe deletions show`)",
                self.with_texts
            )?;
        }
        formatter.write_str(".")
    }
}

pub(super) async fn run(lethe: &Lethe, file: &Path, report: Option<&Path>, as_json: bool) -> anyhow::Result<Exit> {
    let text = std::fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
    let users = parse_ids(&text)?;
    let mut report = report.map(Report::open).transpose()?;
    let outcome = delete_all(lethe, &users, Origin::Operator, report.as_mut()).await?;
    if let Some(report) = report {
        report.finish(&users)?;
    }
    if as_json {
        output::print_json(&json!({
            "people": users.len(),
            "erased": outcome.completed,
            "unfinished": outcome.unfinished,
            "erased_before": outcome.erased_before,
            "unknown": outcome.unknown,
            "with_texts": outcome.with_texts,
        }))?;
    } else {
        println!("{outcome}");
    }
    Ok(if outcome.unfinished > 0 || outcome.unknown > 0 || outcome.with_texts > 0 {
        Exit::Attention
    } else {
        Exit::Success
    })
}

/// Deletes all of `users`. All requests are recorded before the first one runs, so that none is lost when the process
/// ends. A user who is erased already costs one query.
pub(super) async fn delete_all(
    lethe: &Lethe,
    users: &[ClerkUserId],
    origin: Origin,
    mut report: Option<&mut Report>,
) -> anyhow::Result<BatchOutcome> {
    let mut progress = output::Progress::new();
    let mut outcome = BatchOutcome::default();
    let mut requests = Vec::new();
    for (index, subject) in users.iter().enumerate() {
        if subject::presence(lethe, subject).await? == Presence::Erased {
            outcome.erased_before += 1;
            if let Some(report) = &mut report {
                report.add_erased_before(subject)?;
            }
            continue;
        }
        // Orphans are unknown to Clerk, and have rows.
        if origin == Origin::Operator && !deletion::is_known(lethe, subject).await? {
            outcome.unknown += 1;
            if let Some(report) = &mut report {
                report.add_unknown(subject)?;
            }
            continue;
        }
        let new = NewRequest { subject, origin, confirmed_plan: None, contact: None, idempotency_key: None };
        let request = deletion::request(lethe, new).await?;
        if let Some(report) = &mut report {
            report.add(subject, "requested", &request.receipt, None)?;
        }
        requests.push((subject, request));
        progress.show(&format!("{} of {} deletions recorded", index + 1, users.len()));
    }
    let deletions = requests.iter().map(async |(subject, request)| {
        let ended = deletion::run(lethe, request.id, DELETION_TIMEOUT).await?;
        // The progress has no causes, which only operators are told.
        let reference = Reference::Request(request.id);
        let details = inspection::details(lethe, &reference).await?;
        anyhow::Ok((*subject, &request.receipt, ended.finished, details))
    });
    let mut deletions = stream::iter(deletions).buffer_unordered(MAX_CONCURRENT);
    while let Some(ended) = deletions.next().await {
        let (subject, receipt, is_finished, details) = ended?;
        outcome.with_texts += usize::from(details.as_ref().is_some_and(|details| !details.found.is_empty()));
        let current = details.and_then(|details| details.summary.current).filter(|_| !is_finished);
        if is_finished {
            outcome.completed += 1;
        } else {
            outcome.unfinished += 1;
        }
        if let Some(report) = &mut report {
            let cause = current.and_then(|current| current.failure).map(Failure::name);
            report.add(subject, if is_finished { "erased" } else { "unfinished" }, receipt, cause)?;
        }
        progress.show(&format!("{} of {} users deleted", outcome.completed, requests.len()));
    }
    progress.clear();
    Ok(outcome)
}

/// Reads one id per line. All lines are checked before anything is deleted.
fn parse_ids(text: &str) -> anyhow::Result<Vec<ClerkUserId>> {
    let mut users = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let user = ClerkUserId::parse(line).with_context(|| format!("line {}", index + 1))?;
        if !users.contains(&user) {
            users.push(user);
        }
    }
    Ok(users)
}

#[cfg(test)]
mod tests {
    use lethe::ClerkUserId;

    use super::parse_ids;

    #[test]
    fn repeated_id_is_read_once() {
        let users = parse_ids("# left in March\nuser_a\n\n  user_b \nuser_a\n").expect("all lines are ids");
        let ids: Vec<_> = users.iter().map(ClerkUserId::as_str).collect();
        assert_eq!(ids, ["user_a", "user_b"]);
    }

    #[test]
    fn invalid_line_is_reported_by_its_number() {
        let error = parse_ids("user_a\nada@example.org\n").expect_err("an e-mail address is not an id");
        assert_eq!(error.to_string(), "line 2");
    }
}
