//! Turns the values of `lethe` into the values that pages show.

use lethe::consent::{ConsentState, PurposeState};
use lethe::deletion::{Outcome, Plan, PlanLine, Progress, ReceiptCode, Status, StepStatus, TableResult};
use lethe::export::Completed;
use lethe_error_code::ErrorCode;

use crate::dto::{
    CompletedExport, DeletionPreview, DeletionProgress, Disposition, PlanRow, Preferences, PurposeChoice, StepProgress,
    StepState,
};
use crate::format::{self, Tense};

/// A user's consent state.
pub(crate) fn preferences(state: &ConsentState) -> Preferences {
    Preferences {
        purposes: state.purposes.iter().map(purpose_choice).collect(),
        revision: state.revision().to_string(),
        changed: state.updated_at.map(format::datetime),
    }
}

fn purpose_choice(state: &PurposeState) -> PurposeChoice {
    let PurposeState { purpose, granted, since, locked } = state;
    let on_or_off = if *granted { "on" } else { "off" };
    let status = match since {
        _ if *locked => "held off".to_owned(),
        Some(at) => format!("{on_or_off} since {}", format::date(at.date())),
        None if *granted => "on by default".to_owned(),
        None => on_or_off.to_owned(),
    };
    PurposeChoice {
        key: purpose.key.clone(),
        title: purpose.title.clone(),
        text: purpose.text.clone(),
        granted: *granted,
        status,
        locked: *locked,
    }
}

/// A deletion's plan, reduced to the tables that hold rows of the user. `refused` is why the user can't confirm it now.
pub(crate) fn preview(plan: &Plan, refused: Option<ErrorCode>) -> DeletionPreview {
    let mut lines: Vec<PlanRow> = plan.lines.iter().filter(|line| line.rows > 0).map(planned_row).collect();
    lines.push(PlanRow {
        label: "Sign-in account".to_owned(),
        rows: "1".to_owned(),
        outcome: "deleted, all sessions end".to_owned(),
        reason: None,
        disposition: Disposition::Removed,
    });
    DeletionPreview { plan: plan.hash.to_string(), counted_at: format::datetime(plan.computed_at), lines, refused }
}

fn planned_row(line: &PlanLine) -> PlanRow {
    row(&line.label, line.rows, &line.outcome, line.others, Tense::Future)
}

/// What a completed deletion did to one table.
pub(crate) fn result_row(result: &TableResult) -> PlanRow {
    let PlanLine { label, rows, outcome, others, .. } = &result.line;
    row(label, *rows, outcome, *others, Tense::Past)
}

fn row(label: &str, rows: u64, outcome: &Outcome, others: bool, tense: Tense) -> PlanRow {
    let (text, reason) = format::outcome_text(outcome, tense);
    PlanRow {
        label: if others { format!("{label} by others") } else { label.to_owned() },
        rows: format::count(rows),
        outcome: text,
        reason,
        disposition: if format::is_retained(outcome) { Disposition::Retained } else { Disposition::Removed },
    }
}

/// Parses a receipt's code. A malformed one can't exist, so it isn't found.
pub(crate) fn receipt_code(code: &str) -> Result<ReceiptCode, ErrorCode> {
    ReceiptCode::parse(code).map_err(|_| ErrorCode::NotFound)
}

/// A deletion's progress.
pub(crate) fn progress(progress: &Progress) -> DeletionProgress {
    let Progress { finished, needs_attention, steps } = progress;
    DeletionProgress { finished: *finished, attention: *needs_attention, steps: steps.iter().map(step).collect() }
}

fn step(status: &StepStatus) -> StepProgress {
    let state = match status.status {
        Status::Pending => StepState::Pending,
        Status::Running | Status::Retrying => StepState::Running,
        Status::Blocked => StepState::Blocked,
        Status::Done => StepState::Done,
    };
    let tense = if state == StepState::Done { Tense::Past } else { Tense::Future };
    StepProgress {
        title: format::step_title(status.step, tense).to_owned(),
        state,
        at: status.finished_at.filter(|_| state == StepState::Done).map(format::time_of_day),
    }
}

/// A completed export.
pub(crate) fn completed_export(completed: &Completed) -> CompletedExport {
    CompletedExport {
        id: format::rfc3339_micros(completed.at),
        at: format::datetime(completed.at),
        content: format::rows_and_size(completed.rows, completed.bytes),
    }
}
