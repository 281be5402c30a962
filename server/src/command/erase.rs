//! `lethe erase --file`, and the deletion of many people for whoever needs it.

use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use futures::{StreamExt, stream};
use lethe::deletion::{self, NewRequest, Origin};
use lethe::{Lethe, SubjectId};
use serde_json::json;

use super::{Finding, output};

/// How long one deletion is waited for. The queue goes on with what takes longer.
const PATIENCE: Duration = Duration::from_mins(1);

/// Deletions that run side by side. What slows them down is the limit of calls to Clerk.
const AT_ONCE: usize = 8;

/// What became of many deletions.
#[derive(Clone, Copy, Default)]
pub(super) struct Outcome {
    /// Everything is done.
    pub(super) finished: usize,
    /// Recorded and not done yet: a step failed and is tried again by the queue.
    pub(super) unfinished: usize,
}

impl Display for Outcome {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} people deleted", self.finished)?;
        if self.unfinished > 0 {
            write!(formatter, ", {} not finished; `lethe serve` or `lethe work` goes on with them", self.unfinished)?;
        }
        formatter.write_str(".")
    }
}

pub(super) async fn run(lethe: &Lethe, file: &Path, as_json: bool) -> anyhow::Result<Finding> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))?;
    let subjects = ids(&text)?;
    let outcome = all(lethe, &subjects, Origin::Operator).await?;
    if as_json {
        output::json(&json!({"people": subjects.len(), "erased": outcome.finished, "unfinished": outcome.unfinished}))?;
    } else {
        println!("{outcome}");
    }
    Ok(if outcome.unfinished > 0 { Finding::Something } else { Finding::Nothing })
}

/// Deletes everybody in `subjects`. First all requests are recorded, so that nothing is forgotten whatever
/// happens to this process; then each is run. Whoever is erased already costs one look.
pub(super) async fn all(lethe: &Lethe, subjects: &[SubjectId], origin: Origin) -> anyhow::Result<Outcome> {
    let mut progress = output::Progress::new();
    let mut requests = Vec::new();
    for (index, subject) in subjects.iter().enumerate() {
        let new = NewRequest { subject, origin, confirmed_plan: None, contact: None };
        requests.push(deletion::request(lethe, new).await?.id);
        progress.show(&format!("{} of {} deletions recorded", index + 1, subjects.len()));
    }
    let mut outcome = Outcome::default();
    let running = requests.iter().map(|request| deletion::run(lethe, *request, PATIENCE));
    let mut running = stream::iter(running).buffer_unordered(AT_ONCE);
    while let Some(ended) = running.next().await {
        if ended?.finished {
            outcome.finished += 1;
        } else {
            outcome.unfinished += 1;
        }
        progress.show(&format!("{} of {} people deleted", outcome.finished, requests.len()));
    }
    progress.end();
    Ok(outcome)
}

/// One id a line. All lines are checked before anything is done.
fn ids(text: &str) -> anyhow::Result<Vec<SubjectId>> {
    let mut subjects = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let subject = SubjectId::parse(line).with_context(|| format!("line {}", index + 1))?;
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    Ok(subjects)
}

#[cfg(test)]
mod tests {
    use super::ids;

    #[test]
    fn one_id_a_line_and_each_once() {
        let subjects = ids("# left in March\nuser_a\n\n  user_b \nuser_a\n").expect("all lines are ids");
        let names: Vec<_> = subjects.iter().map(lethe::SubjectId::as_str).collect();
        assert_eq!(names, ["user_a", "user_b"]);
    }

    #[test]
    fn a_wrong_line_is_named_and_nothing_is_done() {
        let error = ids("user_a\nada@example.org\n").expect_err("an address is no id");
        assert_eq!(error.to_string(), "line 2");
    }
}
