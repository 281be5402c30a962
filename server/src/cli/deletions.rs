//! `lethe deletions`: what operators see of deletions, and what they decide about one.

use std::fmt::{self, Debug, Formatter};

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use lethe::Lethe;
use lethe::deletion::clerk_events::{self, Resumed};
use lethe::deletion::inspection::{self, Page, State};
use lethe::deletion::{self, Hold, Reference, Release, Replan, Step};
use serde_json::json;
use uuid::Uuid;

use super::exit::Exit;
use super::output::{self, print_table};
use super::{deletion_json, deletion_text};

#[derive(Debug, Subcommand)]
pub(super) enum DeletionsCommand {
    /// List deletions, the oldest first. Exits with 3 if any deletion needs attention.
    List {
        /// Which ones. `open` are all that aren't completed, and those whose purges keep failing.
        #[arg(long, value_enum, default_value_t)]
        state: StateFilter,
        /// How many at most.
        #[arg(long, value_name = "N", default_value_t = PAGE_LENGTH, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        /// Those after the one with this id, which the output names if there are more.
        #[arg(long, value_name = "ID")]
        after: Option<Uuid>,
    },
    /// Print the steps of a deletion, why one failed and what to do about it, and what stays for a time.
    Show {
        /// A receipt code, the id in an alert or in the log, or, until the deletion is completed, a Clerk user id.
        deletion: ReferenceArgument,
    },
    /// Request the deletions of users who were deleted at Clerk in unusual number, and which wait for you.
    ///
    /// They are dated from the events. Users whom Clerk still has go on waiting; the command then exits with 3.
    ResumeClerkEvents {
        /// Drop the events instead: no data is deleted. `lethe orphans` finds the users later.
        #[arg(long)]
        discard: bool,
    },
    /// Make the next attempt of a deletion due now, and those of its purges and rechecks that failed.
    Retry {
        /// A receipt code, the id in an alert or in the log, or, until the deletion is completed, a Clerk user id.
        deletion: ReferenceArgument,
    },
    /// Let a deletion go on by the data map as it is, though the user confirmed something else. The receipt says so.
    Replan {
        /// A receipt code, the id in an alert or in the log, or a Clerk user id.
        deletion: ReferenceArgument,
    },
    /// Stop a deletion before anything is erased. Its due date goes on.
    Hold {
        /// A receipt code, the id in an alert or in the log, or a Clerk user id.
        deletion: ReferenceArgument,
        /// Why. `list` and `show` print it; name no user in it.
        #[arg(long)]
        reason: String,
    },
    /// Let a held deletion go on.
    Release {
        /// A receipt code, the id in an alert or in the log, or a Clerk user id.
        deletion: ReferenceArgument,
    },
}

/// How many deletions `list` prints unless told otherwise.
const PAGE_LENGTH: u32 = 100;

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
            Self::Open => State::UNFINISHED,
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
        DeletionsCommand::List { state, limit, after } => list(lethe, *state, *after, *limit, as_json).await,
        DeletionsCommand::Show { deletion } => show(lethe, deletion, as_json).await,
        DeletionsCommand::Retry { deletion } => retry(lethe, deletion, as_json).await,
        DeletionsCommand::Replan { deletion } => replan(lethe, deletion, as_json).await,
        DeletionsCommand::Hold { deletion, reason } => hold(lethe, deletion, reason, as_json).await,
        DeletionsCommand::Release { deletion } => release(lethe, deletion, as_json).await,
        DeletionsCommand::ResumeClerkEvents { discard: false } => resume_clerk_events(lethe, as_json).await,
        DeletionsCommand::ResumeClerkEvents { discard: true } => discard_clerk_events(lethe, as_json).await,
    }
}

async fn list(
    lethe: &Lethe,
    filter: StateFilter,
    after: Option<Uuid>,
    limit: u32,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let Page { deletions, next } = inspection::list(lethe, filter.states(), after, limit).await?;
    // Also where the list has others only: scripts look at the status.
    let attention = inspection::count_attention(lethe).await?;
    let waiting = clerk_events::waiting(lethe).await?;
    if as_json {
        let deletions = deletions.iter().map(deletion_json::summary).collect::<anyhow::Result<Vec<_>>>()?;
        output::print_json(&json!({
            "deletions": deletions, "attention": attention, "next": next, "waiting_clerk_events": waiting
        }))?;
    } else if deletions.is_empty() {
        println!("No deletions.");
    } else {
        let rows = deletions.iter().map(deletion_text::summary_row).collect::<anyhow::Result<Vec<_>>>()?;
        print_table(deletion_text::SUMMARY_HEADINGS, &rows);
        if let Some(next) = next {
            println!("There are more: add --after {next}");
        }
    }
    if waiting > 0 && !as_json {
        println!();
        println!(
            "{waiting} users were deleted at Clerk, more than usual in an hour. `lethe deletions resume-clerk-events`"
        );
        println!("deletes their data, and with --discard doesn't.");
    }
    Ok(if attention > 0 || waiting > 0 { Exit::Attention } else { Exit::Success })
}

async fn resume_clerk_events(lethe: &Lethe, as_json: bool) -> anyhow::Result<Exit> {
    let Resumed { requested, obsolete, still_at_clerk } = clerk_events::resume(lethe).await?;
    if as_json {
        output::print_json(&json!({"requested": requested, "obsolete": obsolete, "still_at_clerk": still_at_clerk}))?;
    } else {
        println!("{requested} deletions were requested. `lethe serve` or `lethe work` executes them.");
        if obsolete > 0 {
            println!("{obsolete} users have been erased already, or are being erased.");
        }
        if still_at_clerk > 0 {
            println!(
                "{still_at_clerk} users still exist at Clerk, so their events go on waiting. `--discard` drops them."
            );
        }
    }
    Ok(if still_at_clerk > 0 { Exit::Attention } else { Exit::Success })
}

async fn discard_clerk_events(lethe: &Lethe, as_json: bool) -> anyhow::Result<Exit> {
    let discarded = clerk_events::discard(lethe).await?;
    if as_json {
        output::print_json(&json!({"discarded": discarded}))?;
    } else {
        println!("{discarded} events were dropped. No data was deleted.");
    }
    Ok(Exit::Success)
}

async fn show(lethe: &Lethe, deletion: &ReferenceArgument, as_json: bool) -> anyhow::Result<Exit> {
    let details = inspection::details(lethe, &parse(deletion)?).await?.context(NOT_FOUND)?;
    if as_json {
        output::print_json(&deletion_json::details(&details)?)?;
    } else {
        deletion_text::details(&details)?;
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
            "rechecks": retry.rechecks,
        }))?;
    } else {
        deletion_text::retry(&retry);
    }
    Ok(Exit::Success)
}

async fn replan(lethe: &Lethe, deletion: &ReferenceArgument, as_json: bool) -> anyhow::Result<Exit> {
    let (outcome, text) = match deletion::accept_change(lethe, &parse(deletion)?).await?.context(NOT_FOUND)? {
        Replan::Accepted => ("accepted", "It goes on by the data map as it is."),
        Replan::Unnecessary => ("unnecessary", "It goes by the data map as it is anyway. Nothing was changed."),
        Replan::TooLate => ("too_late", "Its rows are erased already. Nothing was changed."),
    };
    print_decision(outcome, text, as_json)
}

async fn hold(lethe: &Lethe, deletion: &ReferenceArgument, reason: &str, as_json: bool) -> anyhow::Result<Exit> {
    anyhow::ensure!(!reason.trim().is_empty(), "the reason is empty");
    let (outcome, text) = match deletion::hold(lethe, &parse(deletion)?, reason.trim()).await?.context(NOT_FOUND)? {
        Hold::Held => ("held", "Nothing is erased until `lethe deletions release`. Its due date goes on."),
        Hold::HeldBefore => ("held_before", "It was held before. The reason was replaced."),
        Hold::TooLate => ("too_late", "Its rows are erased already, so there is nothing to stop. Nothing was changed."),
    };
    print_decision(outcome, text, as_json)
}

async fn release(lethe: &Lethe, deletion: &ReferenceArgument, as_json: bool) -> anyhow::Result<Exit> {
    let (outcome, text) = match deletion::release(lethe, &parse(deletion)?).await?.context(NOT_FOUND)? {
        Release::Released => ("released", "It goes on."),
        Release::NotHeld => ("not_held", "It isn't held. Nothing was changed."),
    };
    print_decision(outcome, text, as_json)
}

/// Prints what became of an operator's decision. One that came too late needs attention.
fn print_decision(outcome: &str, text: &str, as_json: bool) -> anyhow::Result<Exit> {
    if as_json {
        output::print_json(&json!({"outcome": outcome}))?;
    } else {
        println!("{text}");
    }
    Ok(if outcome == "too_late" { Exit::Attention } else { Exit::Success })
}

/// It names both causes: that a completed deletion isn't found by the person is no defect.
const NOT_FOUND: &str =
    "there is no such deletion; one that is completed has no link to the person and is found by its receipt code only";

fn parse(deletion: &ReferenceArgument) -> anyhow::Result<Reference> {
    Ok(Reference::parse(&deletion.0)?)
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
