//! Deletions as texts in a terminal.

use lethe::deletion::inspection::{
    DeletionDetails, DeletionSummary, RecheckDetails, RetentionDetails, Retry, State, StepDetails, Unfinished, Work,
};
use lethe::deletion::{Failure, FoundContent};
use time::OffsetDateTime;
use time::macros::format_description;

use super::output::print_table;

/// The headings of [`summary_row`].
pub(super) const SUMMARY_HEADINGS: [&str; 8] =
    ["receipt", "requested", "due", "state", "at", "attempts", "next attempt", "cause"];

/// Prints what a retry made due.
pub(super) fn retry(Retry { summary, step, purges, rechecks }: &Retry) {
    if let Some(step) = step {
        println!("The step {} of {} is due now.", step.name(), summary.receipt.as_str());
    }
    if *purges > 0 {
        println!("{purges} failed purges of {} are due now.", summary.receipt.as_str());
    }
    if *rechecks > 0 {
        println!("{rechecks} failed rechecks of {} are due now.", summary.receipt.as_str());
    }
    if step.is_none() && summary.hold.is_some() {
        println!("{} is held. Run `lethe deletions release` first.", summary.receipt.as_str());
    } else if step.is_none() && *purges == 0 && *rechecks == 0 {
        println!(
            "{} is completed, and no purge or recheck of it has failed. Nothing was changed.",
            summary.receipt.as_str()
        );
    } else {
        println!("`lethe serve` or `lethe work` goes on with it.");
    }
}

/// Prints a deletion with all its parts, and what to do about what failed.
pub(super) fn details(
    DeletionDetails { summary, steps, retention, rechecks, found }: &DeletionDetails,
) -> anyhow::Result<()> {
    println!("receipt    {}", summary.receipt.as_str());
    println!("id         {}", summary.request);
    println!("state      {}", state_text(summary.state));
    if let Some(hold) = &summary.hold {
        println!("held       since {}: {}", time_text(hold.since)?, printable(&hold.reason));
    }
    println!("requested  {}", time_text(summary.requested_at)?);
    println!("due        {}", date_text(summary.due_at)?);
    if let Some(finished_at) = summary.finished_at {
        println!("completed  {}", time_text(finished_at)?);
    }
    println!();
    let rows = steps.iter().map(step_row).collect::<anyhow::Result<Vec<_>>>()?;
    print_table(["step", "status", "attempts", "finished", "next attempt", "cause"], &rows);
    if !retention.is_empty() {
        println!();
        println!("Rows that stay for a time:");
        let rows = retention.iter().map(retention_row).collect::<anyhow::Result<Vec<_>>>()?;
        print_table(["table", "purge due", "failed attempts", "next attempt", "cause"], &rows);
    }
    if !rechecks.is_empty() {
        println!();
        println!("Searches for rows that come late:");
        let rows = rechecks.iter().map(recheck_row).collect::<anyhow::Result<Vec<_>>>()?;
        print_table(["due", "done", "rows erased", "failed attempts", "next attempt", "cause"], &rows);
    }
    if !found.is_empty() {
        println!();
        println!("Texts that still have the user's id or address, and that no rule erases:");
        let rows: Vec<_> = found
            .iter()
            .map(|FoundContent { table, column, rows }| [table.clone(), column.clone(), rows.to_string()])
            .collect();
        print_table(["table", "column", "rows"], &rows);
    }
    let mut failures: Vec<Failure> = Vec::new();
    let found = steps.iter().map(|step| step.failure).chain(retention.iter().map(|entry| entry.failure));
    let found = found.chain(rechecks.iter().map(|recheck| recheck.failure));
    for failure in found.flatten() {
        if !failures.contains(&failure) {
            failures.push(failure);
        }
    }
    for failure in failures {
        println!();
        println!("{}: {}", failure.name(), failure.cause());
        println!("{}", failure.remedy());
    }
    Ok(())
}

/// Returns a deletion as a row of [`SUMMARY_HEADINGS`].
pub(super) fn summary_row(deletion: &DeletionSummary) -> anyhow::Result<[String; 8]> {
    let [work, attempts, next_attempt, cause] = match &deletion.current {
        None => Default::default(),
        Some(Unfinished { work, attempts, next_attempt_at, failure }) => {
            let work = match work {
                Work::Step(step) => step.name().to_owned(),
                Work::Purge(table) => format!("purge of {table}"),
                Work::Recheck => "recheck".to_owned(),
            };
            [work, attempts.to_string(), optional_time_text(*next_attempt_at)?, cause_text(*failure)]
        }
    };
    Ok([
        deletion.receipt.as_str().to_owned(),
        time_text(deletion.requested_at)?,
        date_text(deletion.due_at)?,
        state_text(deletion.state).to_owned(),
        work,
        attempts,
        next_attempt,
        deletion.hold.as_ref().map_or(cause, |hold| format!("held: {}", printable(&hold.reason))),
    ])
}

fn step_row(step: &StepDetails) -> anyhow::Result<[String; 6]> {
    Ok([
        step.step.name().to_owned(),
        step.status.name().to_owned(),
        step.attempts.to_string(),
        optional_time_text(step.finished_at)?,
        optional_time_text(step.next_attempt_at)?,
        cause_text(step.failure),
    ])
}

fn retention_row(entry: &RetentionDetails) -> anyhow::Result<[String; 5]> {
    Ok([
        entry.table.clone(),
        date_text(entry.due_at)?,
        entry.attempts.to_string(),
        optional_time_text(entry.next_attempt_at)?,
        cause_text(entry.failure),
    ])
}

fn recheck_row(recheck: &RecheckDetails) -> anyhow::Result<[String; 6]> {
    Ok([
        time_text(recheck.due_at)?,
        optional_time_text(recheck.finished_at)?,
        recheck.finished_at.map(|_| recheck.rows.to_string()).unwrap_or_default(),
        recheck.attempts.to_string(),
        optional_time_text(recheck.next_attempt_at)?,
        cause_text(recheck.failure),
    ])
}

const fn state_text(state: State) -> &'static str {
    match state {
        State::Open => "open",
        State::Attention => "needs attention",
        State::Completed => "completed",
    }
}

fn cause_text(failure: Option<Failure>) -> String {
    failure.map_or("", Failure::cause).to_owned()
}

fn time_text(at: OffsetDateTime) -> anyhow::Result<String> {
    Ok(at.format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC"))?)
}

fn optional_time_text(at: Option<OffsetDateTime>) -> anyhow::Result<String> {
    Ok(at.map(time_text).transpose()?.unwrap_or_default())
}

fn date_text(at: OffsetDateTime) -> anyhow::Result<String> {
    Ok(at.format(format_description!("[year]-[month]-[day]"))?)
}

/// An operator's text in one line of a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
