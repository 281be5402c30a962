//! The state of the deletion dialog and how events change it. Pure: knows neither the browser nor the server.

use lethe_error_code::ErrorCode;

use crate::dto::{CONFIRMATION, DeletionPreview, DeletionStarted};
use crate::error::PublicError;

/// What the dialog shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The plan is being computed. Holds why it is requested again.
    Loading(Option<ErrorCode>),
    /// The plan, and why the last request failed.
    Ready(DeletionPreview, Option<ErrorCode>),
    /// The user has confirmed the plan, and the request is under way.
    Submitting(DeletionPreview),
    /// There is no plan to show.
    Failed(PublicError),
}

/// What happened to the dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Opened,
    Typed(String),
    /// The user pressed the button: it confirms the plan, or requests one where there is none.
    Submitted,
    PlanLoaded(DeletionPreview),
    LoadFailed(PublicError),
    Started(DeletionStarted),
    RequestFailed(ErrorCode),
}

/// What has to be done after an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    LoadPlan,
    RequestDeletion {
        plan: String,
        confirmation: String,
    },
    /// Go to a path of this site.
    Navigate(String),
    Reload,
}

/// The dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// What is typed to confirm.
    pub(super) typed: String,
}

impl State {
    pub(super) const fn new() -> Self {
        Self { phase: Phase::Loading(None), typed: String::new() }
    }

    /// Applies `event` and returns what has to be done.
    pub(super) fn reduce(&mut self, event: Event) -> Option<Command> {
        match event {
            Event::Opened => {
                self.typed.clear();
                Some(self.load(None))
            }
            Event::Typed(typed) => {
                self.typed = typed;
                None
            }
            Event::Submitted if self.has_failed() => Some(self.load(None)),
            Event::Submitted => self.submit(),
            Event::PlanLoaded(preview) => {
                let reason = if let Phase::Loading(reason) = self.phase { reason } else { None };
                let error = preview.refused.or(reason);
                self.phase = Phase::Ready(preview, error);
                None
            }
            Event::Started(started) => Some(Command::Navigate(started.receipt)),
            Event::LoadFailed(PublicError { code: ErrorCode::AccountDeleted, .. })
            | Event::RequestFailed(ErrorCode::AccountDeleted) => Some(Command::Reload),
            Event::LoadFailed(error) => {
                self.phase = Phase::Failed(error);
                None
            }
            Event::RequestFailed(ErrorCode::PlanChanged) => {
                self.typed.clear();
                Some(self.load(Some(ErrorCode::PlanChanged)))
            }
            Event::RequestFailed(code) => {
                if let Phase::Submitting(preview) = &self.phase {
                    let refused = needs_verification(code).then_some(code);
                    self.phase = Phase::Ready(DeletionPreview { refused, ..preview.clone() }, Some(code));
                }
                None
            }
        }
    }

    /// Whether there is no plan to confirm, and the button requests one.
    pub(super) const fn has_failed(&self) -> bool {
        matches!(self.phase, Phase::Failed(_))
    }

    /// Whether the button confirms the plan.
    pub(super) fn can_submit(&self) -> bool {
        matches!(&self.phase, Phase::Ready(preview, _) if preview.refused.is_none())
            && self.typed.trim().eq_ignore_ascii_case(CONFIRMATION)
    }

    fn load(&mut self, reason: Option<ErrorCode>) -> Command {
        self.phase = Phase::Loading(reason);
        Command::LoadPlan
    }

    fn submit(&mut self) -> Option<Command> {
        if !self.can_submit() {
            return None;
        }
        let Phase::Ready(preview, _) = &self.phase else { return None };
        let plan = preview.plan.clone();
        self.phase = Phase::Submitting(preview.clone());
        Some(Command::RequestDeletion { plan, confirmation: self.typed.clone() })
    }
}

/// Whether the user has to verify who they are before anything else.
pub(super) const fn needs_verification(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::ReverificationNeeded | ErrorCode::StillUnverified)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview(refused: Option<ErrorCode>) -> DeletionPreview {
        DeletionPreview { plan: "5f0ca91e".to_owned(), counted_at: String::new(), lines: Vec::new(), refused }
    }

    fn error(code: ErrorCode) -> PublicError {
        PublicError { code, incident: String::new() }
    }

    fn ready(typed: &str) -> State {
        State { phase: Phase::Ready(preview(None), None), typed: typed.to_owned() }
    }

    fn submitting() -> State {
        State { phase: Phase::Submitting(preview(None)), typed: CONFIRMATION.to_owned() }
    }

    #[test]
    fn opening_forgets_what_was_typed_and_loads_the_plan() {
        let mut state = ready("delete");
        assert_eq!(state.reduce(Event::Opened), Some(Command::LoadPlan));
        assert_eq!(state, State::new());
    }

    #[test]
    fn loaded_plan_is_shown() {
        let mut state = State::new();
        assert_eq!(state.reduce(Event::PlanLoaded(preview(None))), None);
        assert_eq!(state.phase, Phase::Ready(preview(None), None));
    }

    #[test]
    fn plan_that_cannot_be_confirmed_says_why() {
        let refused = Some(ErrorCode::ReverificationNeeded);
        let mut state = State { typed: CONFIRMATION.to_owned(), ..State::new() };
        state.reduce(Event::PlanLoaded(preview(refused)));
        assert_eq!(state.phase, Phase::Ready(preview(refused), refused));
        assert!(!state.can_submit());
        assert_eq!(state.reduce(Event::Submitted), None);
    }

    #[test]
    fn confirmation_needs_the_words() {
        for (typed, can_submit) in
            [("", false), ("delete", false), ("delete my account", true), (" Delete My Account ", true)]
        {
            let mut state = ready("");
            state.reduce(Event::Typed(typed.to_owned()));
            assert_eq!(state.can_submit(), can_submit, "{typed:?}");
        }
        assert_eq!(ready("delete").reduce(Event::Submitted), None);
    }

    #[test]
    fn confirmed_plan_is_requested_once() {
        let mut state = ready(CONFIRMATION);
        let request = Command::RequestDeletion { plan: "5f0ca91e".to_owned(), confirmation: CONFIRMATION.to_owned() };
        assert_eq!(state.reduce(Event::Submitted), Some(request));
        assert_eq!(state, submitting());
        assert_eq!(state.reduce(Event::Submitted), None);
    }

    #[test]
    fn started_deletion_leads_to_its_receipt() {
        let started = Event::Started(DeletionStarted { receipt: "/receipt/7Q2M".to_owned() });
        assert_eq!(submitting().reduce(started), Some(Command::Navigate("/receipt/7Q2M".to_owned())));
    }

    #[test]
    fn changed_plan_is_loaded_again_and_confirmed_anew() {
        let mut state = submitting();
        assert_eq!(state.reduce(Event::RequestFailed(ErrorCode::PlanChanged)), Some(Command::LoadPlan));
        assert_eq!(state.typed, "");
        state.reduce(Event::PlanLoaded(preview(None)));
        assert_eq!(state.phase, Phase::Ready(preview(None), Some(ErrorCode::PlanChanged)));
    }

    #[test]
    fn failed_request_keeps_the_plan_and_the_words() {
        let mut state = submitting();
        assert_eq!(state.reduce(Event::RequestFailed(ErrorCode::Unreachable)), None);
        assert_eq!(state.phase, Phase::Ready(preview(None), Some(ErrorCode::Unreachable)));
        assert!(state.can_submit());
    }

    #[test]
    fn request_without_recent_verification_needs_one_first() {
        for code in [ErrorCode::ReverificationNeeded, ErrorCode::StillUnverified] {
            let mut state = submitting();
            state.reduce(Event::RequestFailed(code));
            assert_eq!(state.phase, Phase::Ready(preview(Some(code)), Some(code)));
            assert!(!state.can_submit());
        }
    }

    #[test]
    fn failed_load_is_repeated_by_the_button() {
        let mut state = State::new();
        assert_eq!(state.reduce(Event::LoadFailed(error(ErrorCode::Unreachable))), None);
        assert!(state.has_failed() && !state.can_submit());
        assert_eq!(state.reduce(Event::Submitted), Some(Command::LoadPlan));
        assert_eq!(state.phase, Phase::Loading(None));
    }

    #[test]
    fn deleted_account_reloads_the_page() {
        assert_eq!(State::new().reduce(Event::LoadFailed(error(ErrorCode::AccountDeleted))), Some(Command::Reload));
        assert_eq!(submitting().reduce(Event::RequestFailed(ErrorCode::AccountDeleted)), Some(Command::Reload));
    }
}
