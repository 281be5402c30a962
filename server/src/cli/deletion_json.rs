//! Deletions as JSON, for scripts. Has nothing about the person.

use lethe::deletion::Failure;
use lethe::deletion::inspection::{
    DeletionDetails, DeletionSummary, RecheckDetails, RetentionDetails, StepDetails, Work,
};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A deletion in one line, as `list` prints it.
pub(crate) fn summary(deletion: &DeletionSummary) -> anyhow::Result<Value> {
    let current = deletion.current.as_ref();
    let (step, table) = match current.map(|current| &current.work) {
        Some(Work::Step(step)) => (Some(step.name()), None),
        Some(Work::Purge(table)) => (None, Some(table)),
        Some(Work::Recheck) => (Some("recheck"), None),
        None => (None, None),
    };
    Ok(json!({
        "request": deletion.request,
        "receipt": deletion.receipt.as_str(),
        "state": deletion.state.name(),
        "requested_at": time(Some(deletion.requested_at))?,
        "due_at": time(Some(deletion.due_at))?,
        "finished_at": time(deletion.finished_at)?,
        "held_at": time(deletion.hold.as_ref().map(|hold| hold.since))?,
        "hold_reason": deletion.hold.as_ref().map(|hold| &hold.reason),
        "step": step,
        "table": table,
        "attempts": current.map(|current| current.attempts),
        "next_attempt_at": time(current.and_then(|current| current.next_attempt_at))?,
        "failure": failure(current.and_then(|current| current.failure)),
    }))
}

/// Everything about a deletion, as `show` prints it.
pub(crate) fn details(
    DeletionDetails { summary, steps, retention, rechecks, found }: &DeletionDetails,
) -> anyhow::Result<Value> {
    let steps = steps.iter().map(step).collect::<anyhow::Result<Vec<_>>>()?;
    let retention = retention.iter().map(retention_entry).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(json!({
        "request": summary.request,
        "receipt": summary.receipt.as_str(),
        "state": summary.state.name(),
        "requested_at": time(Some(summary.requested_at))?,
        "due_at": time(Some(summary.due_at))?,
        "finished_at": time(summary.finished_at)?,
        "held_at": time(summary.hold.as_ref().map(|hold| hold.since))?,
        "hold_reason": summary.hold.as_ref().map(|hold| &hold.reason),
        "steps": steps,
        "retention": retention,
        "rechecks": rechecks.iter().map(recheck).collect::<anyhow::Result<Vec<_>>>()?,
        "found": found,
    }))
}

fn recheck(recheck: &RecheckDetails) -> anyhow::Result<Value> {
    Ok(json!({
        "due_at": time(Some(recheck.due_at))?,
        "finished_at": time(recheck.finished_at)?,
        "rows": recheck.rows,
        "attempts": recheck.attempts,
        "next_attempt_at": time(recheck.next_attempt_at)?,
        "failure": failure(recheck.failure),
    }))
}

fn step(step: &StepDetails) -> anyhow::Result<Value> {
    Ok(json!({
        "step": step.step.name(),
        "status": step.status.name(),
        "attempts": step.attempts,
        "finished_at": time(step.finished_at)?,
        "next_attempt_at": time(step.next_attempt_at)?,
        "failure": failure(step.failure),
    }))
}

fn retention_entry(entry: &RetentionDetails) -> anyhow::Result<Value> {
    Ok(json!({
        "table": entry.table,
        "due_at": time(Some(entry.due_at))?,
        "attempts": entry.attempts,
        "next_attempt_at": time(entry.next_attempt_at)?,
        "failure": failure(entry.failure),
    }))
}

fn failure(failure: Option<Failure>) -> Value {
    failure.map_or(
        Value::Null,
        |failure| json!({"code": failure.name(), "cause": failure.cause(), "remedy": failure.remedy()}),
    )
}

fn time(at: Option<OffsetDateTime>) -> anyhow::Result<Option<String>> {
    Ok(at.map(|at| at.format(&Rfc3339)).transpose()?)
}
