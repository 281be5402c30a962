//! `lethe deletions list`, `show` and `retry`.

use std::fmt::{self, Debug, Formatter};

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use lethe::Lethe;
use lethe::deletion::inspection::{
    self, DeletionDetails, DeletionSummary, Reference, RetentionDetails, Retry, State, StepDetails, Unfinished, Work,
};
use lethe::deletion::{Failure, Step};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::exit::Exit;
use super::output::{self, print_table};

#[derive(Debug, Subcommand)]
pub(super) enum DeletionsCommand {
    /// List deletions, the oldest first. Exits with 3 if any deletion needs attention.
    List {
        /// Which ones. `open` are all that aren't completed, and those whose purges keep failing.
        #[arg(long, value_enum, default_value_t)]
        state: StateFilter,
    },
    /// Print the steps of a deletion, why one failed and what to do about it, and what stays for a time.
    Show {
        /// A receipt code, the id in an alert or in the log, or, until the deletion is completed, a Clerk user id.
        deletion: ReferenceArgument,
    },
    /// Make the next attempt of a deletion due now, and those of its purges that failed.
    Retry {
        /// A receipt code, the id in an alert or in the log, or, until the deletion is completed, a Clerk user id.
        deletion: ReferenceArgument,
    },
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum StateFilter {
    #[default]
    Open,
    Attention,
    Completed,
}

impl StateFilter {
    const fn states(self) -> &'static [State] {
        match self {
            Self::Open => &[State::Open, State::Attention],
            Self::Attention => &[State::Attention],
            Self::Completed => &[State::Completed],
        }
    }
}

/// What the operator typed. Its `Debug` output is in a span of the log, which never has a Clerk user id.
#[derive(Clone)]
pub(super) struct ReferenceArgument(String);

impl From<String> for ReferenceArgument {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Debug for ReferenceArgument {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("ReferenceArgument(..)")
    }
}

pub(super) async fn run(command: &DeletionsCommand, lethe: &Lethe, as_json: bool) -> anyhow::Result<Exit> {
    match command {
        DeletionsCommand::List { state } => list(lethe, *state, as_json).await,
        DeletionsCommand::Show { deletion } => show(lethe, deletion, as_json).await,
        DeletionsCommand::Retry { deletion } => retry(lethe, deletion, as_json).await,
    }
}

async fn list(lethe: &Lethe, filter: StateFilter, as_json: bool) -> anyhow::Result<Exit> {
    let deletions = inspection::list(lethe, filter.states()).await?;
    // Also where the list has others only: scripts look at the status.
    let attention = inspection::list(lethe, &[State::Attention]).await?.len();
    if as_json {
        let deletions = deletions.iter().map(summary_json).collect::<anyhow::Result<Vec<_>>>()?;
        output::print_json(&json!({"deletions": deletions, "attention": attention}))?;
    } else if deletions.is_empty() {
        println!("No deletions.");
    } else {
        let rows = deletions.iter().map(summary_row).collect::<anyhow::Result<Vec<_>>>()?;
        print_table(["receipt", "requested", "due", "state", "at", "attempts", "next attempt", "cause"], &rows);
    }
    Ok(if attention > 0 { Exit::Attention } else { Exit::Success })
}

async fn show(lethe: &Lethe, deletion: &ReferenceArgument, as_json: bool) -> anyhow::Result<Exit> {
    let details = inspection::details(lethe, &parse(deletion)?).await?.context(NOT_FOUND)?;
    if as_json {
        output::print_json(&details_json(&details)?)?;
    } else {
        print_details(&details)?;
    }
    Ok(Exit::Success)
}

async fn retry(lethe: &Lethe, deletion: &ReferenceArgument, as_json: bool) -> anyhow::Result<Exit> {
    let retry = inspection::retry(lethe, &parse(deletion)?).await?.context(NOT_FOUND)?;
    if as_json {
        output::print_json(&json!({
            "request": retry.summary.request,
            "receipt": retry.summary.receipt.as_str(),
            "state": retry.summary.state.name(),
            "step": retry.step.map(Step::name),
            "purges": retry.purges,
        }))?;
    } else {
        print_retry(&retry);
    }
    Ok(Exit::Success)
}

/// It names both causes: that a completed deletion isn't found by the person is no defect.
const NOT_FOUND: &str =
    "there is no such deletion; one that is completed has no link to the person and is found by its receipt code only";

fn parse(deletion: &ReferenceArgument) -> anyhow::Result<Reference> {
    Ok(Reference::parse(&deletion.0)?)
}

fn print_retry(Retry { summary, step, purges }: &Retry) {
    if let Some(step) = step {
        println!("The step {} of {} is due now.", step.name(), summary.receipt.as_str());
    }
    if *purges > 0 {
        println!("{purges} failed purges of {} are due now.", summary.receipt.as_str());
    }
    if step.is_none() && *purges == 0 {
        println!("{} is completed, and no purge of it has failed. Nothing was changed.", summary.receipt.as_str());
    } else {
        println!("`lethe serve` or `lethe work` goes on with it.");
    }
}

fn print_details(DeletionDetails { summary, steps, retention }: &DeletionDetails) -> anyhow::Result<()> {
    println!("receipt    {}", summary.receipt.as_str());
    println!("id         {}", summary.request);
    println!("state      {}", state_text(summary.state));
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
    let mut failures: Vec<Failure> = Vec::new();
    let found = steps.iter().map(|step| step.failure).chain(retention.iter().map(|entry| entry.failure));
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

fn summary_row(deletion: &DeletionSummary) -> anyhow::Result<[String; 8]> {
    let [work, attempts, next_attempt, cause] = match &deletion.current {
        None => Default::default(),
        Some(Unfinished { work, attempts, next_attempt_at, failure }) => {
            let work = match work {
                Work::Step(step) => step.name().to_owned(),
                Work::Purge(table) => format!("purge of {table}"),
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
        cause,
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

fn summary_json(deletion: &DeletionSummary) -> anyhow::Result<Value> {
    let current = deletion.current.as_ref();
    let (step, table) = match current.map(|current| &current.work) {
        Some(Work::Step(step)) => (Some(step.name()), None),
        Some(Work::Purge(table)) => (None, Some(table)),
        None => (None, None),
    };
    Ok(json!({
        "request": deletion.request,
        "receipt": deletion.receipt.as_str(),
        "state": deletion.state.name(),
        "requested_at": time_json(Some(deletion.requested_at))?,
        "due_at": time_json(Some(deletion.due_at))?,
        "finished_at": time_json(deletion.finished_at)?,
        "step": step,
        "table": table,
        "attempts": current.map(|current| current.attempts),
        "next_attempt_at": time_json(current.and_then(|current| current.next_attempt_at))?,
        "failure": failure_json(current.and_then(|current| current.failure)),
    }))
}

fn details_json(DeletionDetails { summary, steps, retention }: &DeletionDetails) -> anyhow::Result<Value> {
    let steps = steps.iter().map(step_json).collect::<anyhow::Result<Vec<_>>>()?;
    let retention = retention.iter().map(retention_json).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(json!({
        "request": summary.request,
        "receipt": summary.receipt.as_str(),
        "state": summary.state.name(),
        "requested_at": time_json(Some(summary.requested_at))?,
        "due_at": time_json(Some(summary.due_at))?,
        "finished_at": time_json(summary.finished_at)?,
        "steps": steps,
        "retention": retention,
    }))
}

fn step_json(step: &StepDetails) -> anyhow::Result<Value> {
    Ok(json!({
        "step": step.step.name(),
        "status": step.status.name(),
        "attempts": step.attempts,
        "finished_at": time_json(step.finished_at)?,
        "next_attempt_at": time_json(step.next_attempt_at)?,
        "failure": failure_json(step.failure),
    }))
}

fn retention_json(entry: &RetentionDetails) -> anyhow::Result<Value> {
    Ok(json!({
        "table": entry.table,
        "due_at": time_json(Some(entry.due_at))?,
        "attempts": entry.attempts,
        "next_attempt_at": time_json(entry.next_attempt_at)?,
        "failure": failure_json(entry.failure),
    }))
}

fn failure_json(failure: Option<Failure>) -> Value {
    failure.map_or(
        Value::Null,
        |failure| json!({"code": failure.name(), "cause": failure.cause(), "remedy": failure.remedy()}),
    )
}

fn time_json(at: Option<OffsetDateTime>) -> anyhow::Result<Option<String>> {
    Ok(at.map(|at| at.format(&Rfc3339)).transpose()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_of_a_command_names_no_person() {
        let command = DeletionsCommand::Show { deletion: "user_2abcDEF0123456789".to_owned().into() };
        assert_eq!(format!("{command:?}"), "Show { deletion: ReferenceArgument(..) }");
    }
}
