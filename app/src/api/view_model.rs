//! From the values of `lethe` to what travels.

use lethe::consent::{Choice, ConsentState, PurposeState};
use lethe::deletion::{Outcome, Plan, PlanLine, Progress, Receipt, ReceiptCode, Status, StepStatus, TableResult};
use lethe::export::Completed;

use super::respond::Failure;
use super::{
    CompletedExport, DeletionPreview, DeletionProgress, Disposition, ErrorCode, PlanRow, Preferences, PurposeChoice,
    StepProgress, StepState,
};
use crate::format;

/// A record of choices.
pub(crate) fn preferences(record: &ConsentState) -> Preferences {
    Preferences {
        purposes: record.purposes.iter().map(|standing| purpose(standing, record.gpc_applied)).collect(),
        revision: revision(record),
        changed: record.updated_at.map(format::datetime),
    }
}

fn purpose(standing: &PurposeState, signal: bool) -> PurposeChoice {
    let PurposeState { purpose, granted, since, .. } = standing;
    let locked = locked(standing, signal);
    let state = if *granted { "on" } else { "off" };
    let status = match since {
        _ if locked => "held off".to_owned(),
        Some(at) => format!("{state} since {}", format::date(at.date())),
        None if *granted => "on by default".to_owned(),
        None => state.to_owned(),
    };
    let (key, title, text) = (purpose.key.clone(), purpose.title.clone(), purpose.text.clone());
    PurposeChoice { key, title, text, granted: *granted, status, locked }
}

/// What the person decided between `shown` and `granted`: what they changed, and what they left as
/// it was without ever having decided it. Refuses unknown purposes, and a choice that was made on
/// another revision (`base`) than the record is at.
pub(crate) fn choices(
    record: &ConsentState,
    granted: &[String],
    shown: &[String],
    base: Option<&str>,
) -> Result<Vec<Choice>, Failure> {
    let known = |key: &String| record.purposes.iter().any(|standing| standing.purpose.key == *key);
    if !granted.iter().chain(shown).all(known) {
        return Err(ErrorCode::InvalidInput.into());
    }
    if base.is_some_and(|base| base != revision(record)) {
        return Err(ErrorCode::ChangedElsewhere.into());
    }
    let decided = record.purposes.iter().filter_map(|standing| {
        let key = &standing.purpose.key;
        let now = granted.contains(key);
        let undecided = standing.since.is_none() && !locked(standing, record.gpc_applied);
        (undecided || now != shown.contains(key)).then(|| Choice { purpose: key.clone(), granted: now })
    });
    Ok(decided.collect())
}

fn revision(record: &ConsentState) -> String {
    record.updated_at.map(format::rfc3339_micros).unwrap_or_default()
}

fn locked(standing: &PurposeState, signal: bool) -> bool {
    signal && standing.purpose.opt_out_signal
}

/// A plan, with the lines that hold something, and why it couldn't be begun now.
pub(crate) fn preview(plan: &Plan, refused: Option<ErrorCode>) -> DeletionPreview {
    let mut lines: Vec<PlanRow> = plan.lines.iter().filter(|line| line.rows > 0).map(plan_row).collect();
    lines.push(PlanRow {
        label: "Sign-in account".to_owned(),
        rows: "1".to_owned(),
        outcome: "deleted, all sessions end".to_owned(),
        reason: None,
        disposition: Disposition::Removed,
    });
    DeletionPreview { plan: plan.hash.clone(), counted_at: format::datetime(plan.computed_at), lines, refused }
}

fn plan_row(planned: &PlanLine) -> PlanRow {
    row(&planned.label, planned.rows, format::planned_outcome(&planned.outcome), &planned.outcome, planned.others)
}

/// One kind of data and what became of it.
pub(crate) fn result_row(result: &TableResult) -> PlanRow {
    row(&result.label, result.rows, format::completed_outcome(&result.outcome), &result.outcome, result.others)
}

fn row(
    label: &str,
    rows: u64,
    (outcome_text, reason): (String, Option<String>),
    outcome: &Outcome,
    others: bool,
) -> PlanRow {
    PlanRow {
        label: if others { format!("{label} by others") } else { label.to_owned() },
        rows: format::count(rows),
        outcome: outcome_text,
        reason,
        disposition: if format::is_retained(outcome) { Disposition::Retained } else { Disposition::Removed },
    }
}

/// A receipt's code, or nothing found.
pub(crate) fn receipt_code(code: &str) -> Result<ReceiptCode, Failure> {
    ReceiptCode::parse(code).map_err(|_| ErrorCode::NotFound.into())
}

/// How far the deletion of a receipt is.
pub(crate) fn progress(receipt: &Receipt) -> DeletionProgress {
    let Progress { finished, needs_attention: attention, steps } = &receipt.progress;
    DeletionProgress { finished: *finished, attention: *attention, steps: steps.iter().map(step).collect() }
}

fn step(status: &StepStatus) -> StepProgress {
    let state = match status.status {
        Status::Pending => StepState::Pending,
        Status::Running | Status::Retrying => StepState::Running,
        Status::Blocked => StepState::Blocked,
        Status::Done => StepState::Done,
    };
    StepProgress {
        title: format::step_title(status.step, state == StepState::Done).to_owned(),
        state,
        at: status.finished_at.filter(|_| state == StepState::Done).map(format::time_of_day),
    }
}

/// A finished export.
pub(crate) fn completed_export(completed: &Completed) -> CompletedExport {
    CompletedExport {
        id: format::rfc3339_micros(completed.at),
        at: format::datetime(completed.at),
        content: format::rows_and_size(completed.rows, completed.bytes),
    }
}
