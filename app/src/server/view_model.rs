//! Turns the values of `lethe` into the values that pages show.

use ::time::OffsetDateTime;
use lethe::Lethe;
use lethe::consent::{ConsentState, PurposeState};
use lethe::deletion::{
    self, ChangedLine, Outcome, Plan, PlanChange, PlanLine, Preview, Progress, ReceiptCode, ReplannedBy, Status,
    StepStatus, TableResult, Waiting,
};
use lethe::export::Completed;
use lethe_error_code::ErrorCode;

use crate::dto::{
    CompletedExport, DeletionAttempt, DeletionPreview, DeletionProgress, Disposition, PlanChangeRow, PlanRow,
    Preferences, PurposeChoice, StepProgress, StepState, Time,
};
use crate::format::{self, Tense};
use crate::isolation::isolate;
use crate::server::context;
use crate::server::current_user::CurrentUser;
use crate::server::markup;
use crate::texts;

/// A user's consent state.
pub(crate) fn preferences(state: &ConsentState) -> Preferences {
    Preferences {
        purposes: state.purposes.iter().map(purpose_choice).collect(),
        revision: state.revision().to_string(),
        changed: state.updated_at.map(time),
    }
}

/// A time in both of its forms.
pub(crate) fn time(at: OffsetDateTime) -> Time {
    Time { timestamp: format::rfc3339_micros(at), text: format::datetime(at) }
}

fn purpose_choice(state: &PurposeState) -> PurposeChoice {
    let PurposeState { purpose, granted, since, agreed_to_earlier_text, locked, .. } = state;
    let status = match (since.map(format::date_of), *granted) {
        _ if *locked => texts::OFF_BY_SIGNAL.to_owned(),
        (Some(date), true) => texts::on_since(date),
        (Some(date), false) => texts::off_since(date),
        (None, true) => texts::ON_BY_DEFAULT.to_owned(),
        (None, false) => texts::OFF.to_owned(),
    };
    let note = agreed_to_earlier_text.filter(|_| !granted).map(|at| texts::changed_since(format::date_of(at)));
    PurposeChoice {
        key: purpose.key.clone(),
        title: purpose.title.clone(),
        text: purpose.text.clone(),
        text_id: purpose.text_id().to_string(),
        granted: *granted,
        since: since.map(format::rfc3339_micros).unwrap_or_default(),
        status,
        note,
        group: purpose.group.clone(),
        locked: *locked,
    }
}

/// Returns `None` for a preview that can't be computed because the data map doesn't fit the database. An operator is told of that.
pub(crate) fn available(preview: lethe::Result<Preview>) -> lethe::Result<Option<Preview>> {
    match preview {
        Err(lethe::Error::Map(lethe::data_map::Error::Mismatch(_))) => Ok(None),
        preview => preview.map(Some),
    }
}

/// A deletion's plan for this user, with the idempotency key of a new attempt. Without a plan if nobody can say what would
/// happen. `refused` is why the user can't confirm it now.
pub(crate) fn preview(
    lethe: &Lethe,
    user: &CurrentUser,
    preview: Option<&Preview>,
    refused: Option<ErrorCode>,
) -> DeletionPreview {
    let DeletionAttempt { idempotency_key, receipt } = new_attempt(lethe, user);
    let plan = preview.map(|preview| &preview.plan);
    DeletionPreview {
        plan: plan.map(|plan| plan.hash.to_string()).unwrap_or_default(),
        idempotency_key,
        receipt,
        table: plan.map(|plan| markup::plan_table(planned_rows(plan), texts::COLUMN_PLANNED)).unwrap_or_default(),
        is_obstructed: preview.is_some_and(|preview| preview.is_obstructed),
        refused,
    }
}

/// A new attempt of this user to delete their account.
pub(crate) fn new_attempt(lethe: &Lethe, user: &CurrentUser) -> DeletionAttempt {
    let idempotency_key = lethe.random.uuid();
    let receipt = deletion::reserved_receipt(lethe, &user.clerk_user_id, idempotency_key);
    DeletionAttempt { idempotency_key: idempotency_key.to_string(), receipt: receipt.as_str().to_owned() }
}

/// The tables that hold rows of the user, what stays first. The account at Clerk comes last.
pub(crate) fn planned_rows(plan: &Plan) -> Vec<PlanRow> {
    let mut rows = sorted_rows(plan.lines.iter(), Tense::Future);
    rows.push(PlanRow {
        label: texts::SIGN_IN_ACCOUNT.to_owned(),
        language: None,
        rows: "1".to_owned(),
        since: None,
        outcome: texts::SIGN_IN_DELETED.to_owned(),
        reason: None,
        keeps_user_id: false,
        disposition: Disposition::Deleted,
    });
    rows
}

/// What a completed deletion did, what stays first.
pub(crate) fn result_rows(results: &[TableResult]) -> Vec<PlanRow> {
    sorted_rows(results.iter().map(|result| &result.line), Tense::Past)
}

fn sorted_rows<'a>(lines: impl Iterator<Item = &'a PlanLine>, tense: Tense) -> Vec<PlanRow> {
    let mut lines: Vec<_> = lines.filter(|line| line.rows > 0).collect();
    lines.sort_by_key(|line| format::order(line.disposition()));
    lines.into_iter().map(|line| row(line, tense)).collect()
}

/// The operator's label of a kind of data, isolated.
fn label(label: &str, others: bool) -> String {
    let label = isolate(label);
    if others { texts::by_others(label) } else { label }
}

/// The operator's reasons begin sentences only where nothing is changed.
fn with_isolated_reason(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Retained { reason, until } => {
            Outcome::Retained { reason: isolate(&format::capitalize(&reason)), until }
        }
        Outcome::Scrubbed { columns, stamped, left, left_rest, reason, until } => {
            let reason = reason.map(|reason| isolate(&reason));
            Outcome::Scrubbed { columns, stamped, left, left_rest, reason, until }
        }
        outcome => outcome,
    }
}

fn row(line: &PlanLine, tense: Tense) -> PlanRow {
    let column_labels = line.column_labels.iter().map(|(column, label)| (column.clone(), isolate(label)));
    let outcome = with_isolated_reason(line.outcome.with_column_labels(&column_labels.collect()));
    let (outcome, reason) = format::outcome_text(&outcome, tense);
    PlanRow {
        label: label(&line.label, line.others),
        language: context::content_language(),
        rows: format::count(line.rows),
        since: line.since.map(format::date),
        outcome,
        reason,
        keeps_user_id: line.key.is_some(),
        disposition: match line.disposition() {
            deletion::Disposition::Deleted => Disposition::Deleted,
            deletion::Disposition::DeletedLater(_) => Disposition::DeletedLater,
            deletion::Disposition::Retained(_) => Disposition::Retained,
        },
    }
}

/// What would happen otherwise than the user confirmed.
pub(crate) fn plan_changes(change: &PlanChange) -> Vec<PlanChangeRow> {
    let text = |outcome: Option<&Outcome>| {
        outcome.map_or_else(|| texts::NOT_LISTED.to_owned(), |outcome| format::outcome_text(outcome, Tense::Future).0)
    };
    let row = |line: &ChangedLine| PlanChangeRow {
        label: label(&line.label, line.others),
        confirmed: text(line.confirmed.as_ref()),
        current: text(line.current.as_ref()),
    };
    change.lines().iter().map(row).collect()
}

/// What a receipt says about a plan that the user didn't see, or not at first.
pub(crate) fn replanned_text(receipt: &deletion::Receipt) -> Option<String> {
    match receipt.replanned {
        Some((at, by)) => {
            let date = format::date_of(at);
            Some(match by {
                ReplannedBy::Person => texts::replanned_person(date),
                ReplannedBy::Operator => texts::replanned_operator(date),
                ReplannedBy::Unreachable => texts::replanned_unreachable(date),
            })
        }
        None => receipt.was_unlisted.then(|| texts::REPLANNED_UNLISTED.to_owned()),
    }
}

/// Parses a receipt's code. A malformed one can't exist, so it isn't found.
pub(crate) fn receipt_code(code: &str) -> Result<ReceiptCode, ErrorCode> {
    ReceiptCode::parse(code).map_err(|_| ErrorCode::NotFound)
}

/// A deletion's progress.
pub(crate) fn progress(progress: &Progress) -> DeletionProgress {
    DeletionProgress {
        finished: progress.finished,
        is_overdue: progress.needs_attention && progress.waiting.is_none(),
        status: progress_text(progress),
        steps: markup::steps(steps(progress)),
    }
}

fn progress_text(progress: &Progress) -> String {
    let due = format::date_of(progress.due_at);
    match progress.waiting {
        Some(Waiting::Hold) => return texts::waiting_hold(due),
        Some(Waiting::DataMap) => return texts::waiting_data_map(due),
        Some(Waiting::Confirmation) => return texts::waiting_confirmation(due),
        None => {}
    }
    if progress.needs_attention {
        return texts::taking_longer(due);
    }
    let done = progress.steps.iter().filter(|step| step.status == Status::Done).count();
    texts::steps_done(done, progress.steps.len())
}

/// The steps of a deletion, in order.
pub(crate) fn steps(progress: &Progress) -> Vec<StepProgress> {
    let current = progress.steps.iter().position(|step| step.status != Status::Done);
    let waiting = |index| progress.waiting.filter(|_| current == Some(index));
    progress.steps.iter().enumerate().map(|(index, status)| step(status, waiting(index))).collect()
}

fn step(status: &StepStatus, waiting: Option<Waiting>) -> StepProgress {
    let state = match (waiting, status.status) {
        (Some(Waiting::Hold), _) => StepState::Held,
        (Some(Waiting::Confirmation), _) => StepState::Unconfirmed,
        (Some(Waiting::DataMap), _) | (None, Status::Pending) => StepState::Pending,
        (None, Status::Running | Status::Retrying) => StepState::Running,
        (None, Status::Blocked) => StepState::Blocked,
        (None, Status::Done) => StepState::Done,
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
    CompletedExport { at: time(completed.at), content: format::items_and_size(completed.rows, completed.bytes) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ::time::macros::datetime;
    use lethe::purposes::{LegalBasis, Purpose};

    use super::*;

    const DECIDED: OffsetDateTime = datetime!(2026-11-20 09:57 UTC);

    fn state(granted: bool, since: Option<OffsetDateTime>) -> PurposeState {
        let purpose = Purpose {
            key: "marketing".to_owned(),
            title: "Marketing".to_owned(),
            text: "News about the product.".to_owned(),
            version: "1".to_owned(),
            group: None,
            legal_basis: LegalBasis::Consent,
            default_granted: false,
            opt_out_signal: true,
        };
        PurposeState {
            purpose: Arc::new(purpose),
            granted,
            since,
            agreed_to_earlier_text: None,
            locked: false,
            is_refused: false,
        }
    }

    fn described(state: &PurposeState) -> (String, Option<String>) {
        let choice = purpose_choice(state);
        (choice.status, choice.note)
    }

    #[test]
    fn purpose_says_since_when_it_is_on_or_off() {
        assert_eq!(described(&state(true, Some(DECIDED))), ("On since 20 November 2026".to_owned(), None));
        assert_eq!(described(&state(false, Some(DECIDED))), ("Off since 20 November 2026".to_owned(), None));
        assert_eq!(described(&state(true, None)), (texts::ON_BY_DEFAULT.to_owned(), None));
        assert_eq!(described(&state(false, None)), (texts::OFF.to_owned(), None));
    }

    #[test]
    fn purpose_whose_text_changed_says_when_the_earlier_one_was_agreed_to() {
        let changed = PurposeState { agreed_to_earlier_text: Some(DECIDED), ..state(false, None) };
        let note = "This has changed since you agreed on 20 November 2026, so it’s off until you choose.";
        assert_eq!(described(&changed), (texts::OFF.to_owned(), Some(note.to_owned())));
        // A decision on the present text makes the note obsolete.
        let renewed = PurposeState { agreed_to_earlier_text: Some(DECIDED), ..state(true, Some(DECIDED)) };
        assert_eq!(described(&renewed).1, None);
    }

    #[test]
    fn purpose_that_a_signal_keeps_off_says_so_whatever_was_decided() {
        let locked = PurposeState { locked: true, ..state(false, Some(DECIDED)) };
        assert_eq!(described(&locked), (texts::OFF_BY_SIGNAL.to_owned(), None));
        assert!(purpose_choice(&locked).locked);
    }
}
