//! `lethe erase --file`, and the deletion of many people for whoever needs it.

use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use futures::{StreamExt, stream};
use lethe::deletion::{self, NewRequest, Origin};
use lethe::{ClerkUserId, Lethe};
use serde_json::json;

use super::{Exit, output};

/// How long one deletion is waited for. The queue goes on with what takes longer.
const DELETION_TIMEOUT: Duration = Duration::from_mins(1);

/// Deletions that run side by side. What slows them down is the limit of calls to Clerk.
const MAX_CONCURRENT: usize = 8;

/// What became of many deletions.
#[derive(Clone, Copy, Default)]
pub(super) struct BatchOutcome {
    /// Everything is done.
    pub(super) completed: usize,
    /// Recorded and not done yet: a step failed and is tried again by the queue.
    pub(super) unfinished: usize,
}

impl Display for BatchOutcome {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} people deleted", self.completed)?;
        if self.unfinished > 0 {
            write!(formatter, ", {} not finished; `lethe serve` or `lethe work` goes on with them", self.unfinished)?;
        }
        formatter.write_str(".")
    }
}

pub(super) async fn run(lethe: &Lethe, file: &Path, as_json: bool) -> anyhow::Result<Exit> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))?;
    let subjects = parse_ids(&text)?;
    let outcome = delete_all(lethe, &subjects, Origin::Operator).await?;
    if as_json {
        output::print_json(
            &json!({"people": subjects.len(), "erased": outcome.completed, "unfinished": outcome.unfinished}),
        )?;
    } else {
        println!("{outcome}");
    }
    Ok(if outcome.unfinished > 0 { Exit::Attention } else { Exit::Success })
}

/// Deletes everybody in `subjects`. First all requests are recorded, so that nothing is forgotten whatever
/// happens to this process; then each is run. Whoever is erased already costs one look.
pub(super) async fn delete_all(
    lethe: &Lethe,
    subjects: &[ClerkUserId],
    origin: Origin,
) -> anyhow::Result<BatchOutcome> {
    let mut progress = output::Progress::new();
    let mut requests = Vec::new();
    for (index, subject) in subjects.iter().enumerate() {
        let new = NewRequest { subject, origin, confirmed_plan: None, contact: None };
        requests.push(deletion::request(lethe, new).await?.id);
        progress.show(&format!("{} of {} deletions recorded", index + 1, subjects.len()));
    }
    let mut outcome = BatchOutcome::default();
    let running = requests.iter().map(|request| deletion::run(lethe, *request, DELETION_TIMEOUT));
    let mut running = stream::iter(running).buffer_unordered(MAX_CONCURRENT);
    while let Some(ended) = running.next().await {
        if ended?.finished {
            outcome.completed += 1;
        } else {
            outcome.unfinished += 1;
        }
        progress.show(&format!("{} of {} people deleted", outcome.completed, requests.len()));
    }
    progress.clear();
    Ok(outcome)
}

/// One id a line. All lines are checked before anything is done.
fn parse_ids(text: &str) -> anyhow::Result<Vec<ClerkUserId>> {
    let mut subjects = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let subject = ClerkUserId::parse(line).with_context(|| format!("line {}", index + 1))?;
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    Ok(subjects)
}

#[cfg(test)]
mod tests {
    use super::parse_ids;

    #[test]
    fn one_id_a_line_and_each_once() {
        let subjects = parse_ids("# left in March\nuser_a\n\n  user_b \nuser_a\n").expect("all lines are ids");
        let names: Vec<_> = subjects.iter().map(lethe::ClerkUserId::as_str).collect();
        assert_eq!(names, ["user_a", "user_b"]);
    }

    #[test]
    fn a_wrong_line_is_named_and_nothing_is_done() {
        let error = parse_ids("user_a\nada@example.org\n").expect_err("an address is no id");
        assert_eq!(error.to_string(), "line 2");
    }
}
