//! From the values of `lethe` to what travels.

use lethe::consent::{Choice, Record, Standing};
use lethe::deletion::{Outcome, Plan, PlanLine, Progress, Receipt, ReceiptCode, Status, StepStatus, TableResult};
use lethe::export::Completed;

use super::answer::Failure;
use super::{Code, DeletionProgress, Download, Line, Preferences, Preview, Purpose, StepProgress, StepState, Tone};
use crate::words;

/// A record of choices.
pub(crate) fn preferences(record: &Record) -> Preferences {
    Preferences {
        purposes: record.standings.iter().map(|standing| purpose(standing, record.signal_honoured)).collect(),
        revision: revision(record),
        changed: record.updated_at.map(words::moment),
    }
}

fn purpose(standing: &Standing, signal: bool) -> Purpose {
    let Standing { purpose, granted, since } = standing;
    let locked = locked(standing, signal);
    let state = if *granted { "on" } else { "off" };
    let standing = match since {
        _ if locked => "held off".to_owned(),
        Some(at) => format!("{state} since {}", words::day(at.date())),
        None if *granted => "on by default".to_owned(),
        None => state.to_owned(),
    };
    let (key, title, text) = (purpose.key.clone(), purpose.title.clone(), purpose.text.clone());
    Purpose { key, title, text, granted: *granted, standing, locked }
}

/// What the person decided between `shown` and `granted`: what they changed, and what they left as
/// it was without ever having decided it. Refuses unknown purposes, and a choice that was made on
/// another revision (`base`) than the record is at.
pub(crate) fn choices(
    record: &Record,
    granted: &[String],
    shown: &[String],
    base: Option<&str>,
) -> Result<Vec<Choice>, Failure> {
    let known = |key: &String| record.standings.iter().any(|standing| standing.purpose.key == *key);
    if !granted.iter().chain(shown).all(known) {
        return Err(Code::InvalidInput.into());
    }
    if base.is_some_and(|base| base != revision(record)) {
        return Err(Code::ChangedElsewhere.into());
    }
    let decided = record.standings.iter().filter_map(|standing| {
        let key = &standing.purpose.key;
        let now = granted.contains(key);
        let undecided = standing.since.is_none() && !locked(standing, record.signal_honoured);
        (undecided || now != shown.contains(key)).then(|| Choice { purpose: key.clone(), granted: now })
    });
    Ok(decided.collect())
}

fn revision(record: &Record) -> String {
    record.updated_at.map(words::stamp).unwrap_or_default()
}

const fn locked(standing: &Standing, signal: bool) -> bool {
    signal && standing.purpose.opt_out_signal
}

/// A plan, with the lines that hold something, and why it couldn't be begun now.
pub(crate) fn preview(plan: &Plan, refused: Option<Code>) -> Preview {
    let mut lines: Vec<Line> = plan.lines.iter().filter(|line| line.rows > 0).map(plan_line).collect();
    lines.push(Line {
        label: "Sign-in account".to_owned(),
        rows: "1".to_owned(),
        becomes: "deleted, all sessions end".to_owned(),
        why: None,
        tone: Tone::Goes,
    });
    Preview { plan: plan.hash.clone(), counted: words::moment(plan.computed_at), lines, refused }
}

fn plan_line(planned: &PlanLine) -> Line {
    line(&planned.label, planned.rows, words::becomes(&planned.outcome), &planned.outcome, planned.others)
}

/// One kind of data and what became of it.
pub(crate) fn result_line(result: &TableResult) -> Line {
    line(&result.label, result.rows, words::became(&result.outcome), &result.outcome, result.others)
}

fn line(label: &str, rows: u64, (becomes, why): (String, Option<String>), outcome: &Outcome, others: bool) -> Line {
    Line {
        label: if others { format!("{label} by others") } else { label.to_owned() },
        rows: words::count(rows),
        becomes,
        why,
        tone: if words::stays(outcome) { Tone::Stays } else { Tone::Goes },
    }
}

/// A receipt's code, or nothing found.
pub(crate) fn receipt_code(code: &str) -> Result<ReceiptCode, Failure> {
    ReceiptCode::parse(code).map_err(|_| Code::NotFound.into())
}

/// How far the deletion of a receipt is.
pub(crate) fn progress(receipt: &Receipt) -> DeletionProgress {
    let Progress { finished, attention, steps } = &receipt.progress;
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
        title: words::step(status.step, state == StepState::Done).to_owned(),
        state,
        at: status.at.filter(|_| state == StepState::Done).map(words::clock_time),
    }
}

/// A finished export.
pub(crate) fn download(completed: &Completed) -> Download {
    Download {
        id: words::stamp(completed.at),
        at: words::moment(completed.at),
        content: words::amount(completed.rows, completed.bytes),
    }
}
