use super::*;
use crate::dto::CONFIRMATION;

fn preview(refused: Option<ErrorCode>) -> Preview {
    Preview {
        plan: "5f0ca91e".to_owned(),
        idempotency_key: "key".to_owned(),
        receipt: "7Q2M".to_owned(),
        table: "<table></table>".to_owned(),
        is_obstructed: false,
        refused,
    }
}

fn error(code: ErrorCode) -> PublicError {
    PublicError { code, incident: "a1".to_owned() }
}

fn state(phase: Phase, typed: &str) -> State {
    State { phase, typed: typed.to_owned(), has_mismatch: false }
}

const UNREACHABLE: Found = Found::Unknown(Obstacle::Unreachable);

fn submitting() -> State {
    state(Phase::Submitting(preview(None)), CONFIRMATION)
}

#[test]
fn opened_dialog_forgets_what_was_typed_and_loads_the_plan() {
    let mut state = state(Phase::Failed(error(ErrorCode::Unavailable)), "delete");
    assert_eq!(state.reduce(Event::Opened), Some(Command::LoadPlan));
    assert_eq!(state, State::new());
    state.reduce(Event::PlanLoaded(preview(None)));
    assert_eq!(state.phase, Phase::Ready(preview(None), None));
}

#[test]
fn only_the_confirmation_submits() {
    let ready = Phase::Ready(preview(None), None);
    for typed in ["", "delete", "delete my accounts"] {
        let mut state = state(ready.clone(), typed);
        assert_eq!(state.reduce(Event::Submitted), Some(Command::FocusField), "{typed}");
        assert!(state.has_mismatch);
        state.reduce(Event::Typed("delete my".to_owned()));
        assert!(!state.has_mismatch, "typing takes the complaint back");
    }
    for typed in [CONFIRMATION, " Delete  my Account ", "“delete my account”", "'delete my account.'"] {
        let mut state = state(ready.clone(), typed);
        let command = state.reduce(Event::Submitted);
        let expected = Command::RequestDeletion { preview: preview(None), confirmation: typed.to_owned() };
        assert_eq!(command, Some(expected), "{typed}");
        assert!(state.is_busy());
    }
}

#[test]
fn confirmed_deletion_is_requested_once() {
    let mut state = submitting();
    assert_eq!(state.reduce(Event::Submitted), None);
    let receipt = "/receipt/7Q2M".to_owned();
    assert_eq!(state.reduce(Event::Started(receipt.clone())), Some(Command::Navigate(receipt)));
}

#[test]
fn changed_plan_is_loaded_again_and_confirmed_anew() {
    let mut state = submitting();
    assert_eq!(state.reduce(Event::RequestFailed(error(ErrorCode::PlanChanged))), Some(Command::LoadPlan));
    assert_eq!(state.typed, "");
    state.reduce(Event::PlanLoaded(preview(None)));
    assert_eq!(state.phase, Phase::Ready(preview(None), Some(without_incident(ErrorCode::PlanChanged))));
}

#[test]
fn deletion_is_requested_without_a_plan_where_there_is_none() {
    let unlisted = Preview { plan: String::new(), table: String::new(), ..preview(None) };
    assert!(unlisted.is_unlisted() && !preview(None).is_unlisted());
    let mut state = state(Phase::Ready(unlisted.clone(), None), CONFIRMATION);
    let expected = Command::RequestDeletion { preview: unlisted, confirmation: CONFIRMATION.to_owned() };
    assert_eq!(state.reduce(Event::Submitted), Some(expected));
}

#[test]
fn refused_request_keeps_the_plan_and_the_words() {
    let mut state = submitting();
    assert_eq!(state.reduce(Event::RequestFailed(error(ErrorCode::TooManyRequests))), None);
    assert_eq!(state.phase, Phase::Ready(preview(None), Some(error(ErrorCode::TooManyRequests))));
    assert_eq!(state.typed, CONFIRMATION);
}

#[test]
fn request_without_recent_verification_needs_one_first() {
    for code in [ErrorCode::ReverificationNeeded, ErrorCode::StillUnverified] {
        let mut state = submitting();
        state.reduce(Event::RequestFailed(error(code)));
        assert!(state.is_refused());
        assert_eq!(state.reduce(Event::Submitted), None);
    }
}

/// The request was given up; the next one has this key.
fn nothing() -> Found {
    Found::Nothing { idempotency_key: "next key".to_owned(), receipt: "9KXA".to_owned() }
}

fn next_preview() -> Preview {
    Preview { idempotency_key: "next key".to_owned(), receipt: "9KXA".to_owned(), ..preview(None) }
}

#[test]
fn failed_request_is_given_up_before_anything_is_said() {
    for code in [ErrorCode::Unreachable, ErrorCode::Internal, ErrorCode::Unavailable] {
        let mut state = submitting();
        assert_eq!(state.reduce(Event::RequestFailed(error(code))), Some(Command::Check("key".to_owned())));
        assert!(state.is_busy());
        assert_eq!(state.reduce(Event::Checked(nothing())), None);
        assert_eq!(state.phase, Phase::Ready(next_preview(), Some(error(code))), "the old key is refused");
    }
}

#[test]
fn failed_request_that_arrived_leads_to_the_receipt() {
    let mut state = submitting();
    state.reduce(Event::RequestFailed(error(ErrorCode::Unreachable)));
    state.reduce(Event::Checked(UNREACHABLE));
    let receipt = Command::Navigate("/receipt/7Q2M".to_owned());
    assert_eq!(state.reduce(Event::Checked(Found::Started)), Some(receipt));
}

#[test]
fn dialog_can_be_closed_while_the_server_cannot_be_reached() {
    let mut state = submitting();
    state.reduce(Event::RequestFailed(error(ErrorCode::Unreachable)));
    for _ in 0..2 {
        assert_eq!(state.reduce(Event::Checked(UNREACHABLE)), Some(Command::Check("key".to_owned())));
        assert!(state.is_unknown() && !state.is_busy());
    }
    state.reduce(Event::Checked(nothing()));
    assert_eq!(state.phase, Phase::Ready(next_preview(), Some(error(ErrorCode::Unreachable))));
}

#[test]
fn session_that_is_over_ends_the_search_and_asks_for_a_sign_in() {
    let mut state = submitting();
    state.reduce(Event::RequestFailed(error(ErrorCode::Unreachable)));
    state.reduce(Event::Checked(UNREACHABLE));
    assert!(!state.is_signed_out() && state.is_waiting());
    assert_eq!(state.reduce(Event::Checked(Found::Unknown(Obstacle::SignedOut))), None, "it isn't asked again");
    assert!(state.is_signed_out() && state.is_unknown() && !state.is_busy());
    assert!(!state.is_waiting(), "nothing will happen without the user");
    assert_eq!(state.reduce(Event::Submitted), None);
}

#[test]
fn failed_load_is_repeated_by_the_button() {
    let mut state = State::new();
    assert_eq!(state.reduce(Event::LoadFailed(error(ErrorCode::Unreachable))), None);
    assert!(state.has_failed());
    assert_eq!(state.reduce(Event::Submitted), Some(Command::LoadPlan));
    assert_eq!(state.phase, Phase::Loading(None));
}

#[test]
fn deleted_account_reloads_the_page() {
    assert_eq!(State::new().reduce(Event::LoadFailed(error(ErrorCode::AccountDeleted))), Some(Command::Reload));
    assert_eq!(submitting().reduce(Event::RequestFailed(error(ErrorCode::AccountDeleted))), Some(Command::Reload));
}
