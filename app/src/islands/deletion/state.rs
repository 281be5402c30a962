//! The state of the deletion dialog and how events change it. Pure: knows neither the browser nor the server.

use lethe_error_code::ErrorCode;

use crate::dto::confirms;
use crate::error::PublicError;

/// What a deletion would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Preview {
    /// The plan's hash, which the user confirms. Empty while the server can't say what would happen.
    pub(super) plan: String,
    pub(super) idempotency_key: String,
    /// The code of the receipt that this attempt would get.
    pub(super) receipt: String,
    /// The table, as markup of the server.
    pub(super) table: String,
    /// Whether the deletion would wait for an operator before its first step.
    pub(super) is_obstructed: bool,
    /// Why the user can't start the deletion now.
    pub(super) refused: Option<ErrorCode>,
}

impl Preview {
    /// Whether the user can only confirm that they want to be deleted, and not what happens to which data.
    pub(super) const fn is_unlisted(&self) -> bool {
        self.plan.is_empty()
    }
}

/// What the dialog shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The plan is being computed. Holds why it is requested again.
    Loading(Option<ErrorCode>),
    /// The plan, and why the last request failed. Nothing has been deleted.
    Ready(Preview, Option<PublicError>),
    /// The user has confirmed the plan, and the request is under way.
    Submitting(Preview),
    /// The request failed, and it isn't known whether the deletion has started.
    Checking {
        preview: Preview,
        /// Why the request failed.
        error: PublicError,
        /// Why the last look found nothing out. `None` before it.
        obstacle: Option<Obstacle>,
    },
    /// There is no plan to show.
    Failed(PublicError),
}

/// Why it can't be found out whether the deletion has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// The server can't be reached. It is asked again and again.
    Unreachable,
    /// The session is over, or another user's. Asking again would change nothing.
    SignedOut,
}

/// What became of a request that failed in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The deletion has started.
    Started,
    /// The request hasn't arrived, and won't be accepted any more. The next one has another key.
    Nothing {
        /// The next one's key.
        idempotency_key: String,
        /// The next one's receipt.
        receipt: String,
    },
    /// Nothing was found out.
    Unknown(Obstacle),
}

/// What happened to the dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Opened,
    Typed(String),
    /// The user pressed the button: it confirms the plan, or requests one where there is none.
    Submitted,
    PlanLoaded(Preview),
    LoadFailed(PublicError),
    /// The deletion has started. Holds the path of its receipt.
    Started(String),
    RequestFailed(PublicError),
    /// The server was asked whether the deletion has started.
    Checked(Found),
}

/// What has to be done after an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    LoadPlan,
    RequestDeletion {
        preview: Preview,
        confirmation: String,
    },
    /// Ask, after a while, whether the request with this idempotency key has arrived, give it up otherwise, and report
    /// [`Event::Checked`].
    Check(String),
    /// Put the focus into the field, whose content isn't the confirmation.
    FocusField,
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
    /// Whether the user pressed the button and what is typed isn't the confirmation.
    pub(super) has_mismatch: bool,
}

impl State {
    pub(super) const fn new() -> Self {
        Self { phase: Phase::Loading(None), typed: String::new(), has_mismatch: false }
    }

    /// Applies `event` and returns what has to be done.
    pub(super) fn reduce(&mut self, event: Event) -> Option<Command> {
        match event {
            Event::Opened => {
                self.forget_typed();
                Some(self.load(None))
            }
            Event::Typed(typed) => {
                self.typed = typed;
                self.has_mismatch = false;
                None
            }
            Event::Submitted if self.has_failed() => Some(self.load(None)),
            Event::Submitted => self.submit(),
            Event::PlanLoaded(preview) => {
                let reason = if let Phase::Loading(reason) = self.phase { reason } else { None };
                let code = preview.refused.or(reason);
                self.phase = Phase::Ready(preview, code.map(without_incident));
                None
            }
            Event::Started(receipt) => Some(Command::Navigate(receipt)),
            Event::LoadFailed(error) if error.code == ErrorCode::AccountDeleted => Some(Command::Reload),
            Event::LoadFailed(error) => {
                self.phase = Phase::Failed(error);
                None
            }
            Event::RequestFailed(error) => self.after_failure(error),
            Event::Checked(found) => self.after_check(found),
        }
    }

    /// Whether there is no plan to confirm, and the button requests one.
    pub(super) const fn has_failed(&self) -> bool {
        matches!(self.phase, Phase::Failed(_))
    }

    /// Whether the user has to sign in again before anything else.
    pub(super) fn is_refused(&self) -> bool {
        matches!(&self.phase, Phase::Ready(preview, _) if preview.refused.is_some())
    }

    /// Whether something is under way that closing the dialog wouldn't stop. While it can't be found out what became of it,
    /// the dialog says so and may be closed.
    pub(super) const fn is_busy(&self) -> bool {
        matches!(self.phase, Phase::Submitting(_) | Phase::Checking { obstacle: None, .. })
    }

    /// Whether the request was sent and nothing is known of it.
    pub(super) const fn is_unknown(&self) -> bool {
        matches!(self.phase, Phase::Checking { obstacle: Some(_), .. })
    }

    /// Whether something will happen without the user.
    pub(super) const fn is_waiting(&self) -> bool {
        matches!(self.phase, Phase::Submitting(_) | Phase::Checking { .. }) && !self.is_signed_out()
    }

    /// Whether only a new sign-in lets the user find out what became of the request.
    pub(super) const fn is_signed_out(&self) -> bool {
        matches!(self.phase, Phase::Checking { obstacle: Some(Obstacle::SignedOut), .. })
    }

    /// The plan that is displayed.
    pub(super) const fn preview(&self) -> Option<&Preview> {
        match &self.phase {
            Phase::Ready(preview, _) | Phase::Submitting(preview) | Phase::Checking { preview, .. } => Some(preview),
            Phase::Loading(_) | Phase::Failed(_) => None,
        }
    }

    /// The error that is displayed.
    pub(super) const fn error(&self) -> Option<&PublicError> {
        match &self.phase {
            Phase::Ready(_, error) => error.as_ref(),
            Phase::Failed(error) => Some(error),
            Phase::Loading(_) | Phase::Submitting(_) | Phase::Checking { .. } => None,
        }
    }

    fn load(&mut self, reason: Option<ErrorCode>) -> Command {
        self.phase = Phase::Loading(reason);
        Command::LoadPlan
    }

    fn submit(&mut self) -> Option<Command> {
        let Phase::Ready(preview, _) = &self.phase else { return None };
        if preview.refused.is_some() {
            return None;
        }
        if !confirms(&self.typed) {
            self.has_mismatch = true;
            return Some(Command::FocusField);
        }
        let preview = preview.clone();
        self.phase = Phase::Submitting(preview.clone());
        Some(Command::RequestDeletion { preview, confirmation: self.typed.clone() })
    }

    fn after_failure(&mut self, error: PublicError) -> Option<Command> {
        let Phase::Submitting(preview) = &self.phase else { return None };
        let preview = preview.clone();
        match error.code {
            ErrorCode::AccountDeleted => Some(Command::Reload),
            ErrorCode::PlanChanged => {
                self.forget_typed();
                Some(self.load(Some(ErrorCode::PlanChanged)))
            }
            // The server refused it, so nothing has started.
            code if code.status() < 500 => {
                let refused = needs_verification(code).then_some(code);
                self.phase = Phase::Ready(Preview { refused, ..preview }, Some(error));
                None
            }
            // The request may have arrived.
            _ => {
                let key = preview.idempotency_key.clone();
                self.phase = Phase::Checking { preview, error, obstacle: None };
                Some(Command::Check(key))
            }
        }
    }

    fn after_check(&mut self, result: Found) -> Option<Command> {
        let Phase::Checking { preview, error, obstacle } = &mut self.phase else { return None };
        match result {
            Found::Started => Some(Command::Navigate(format!("/receipt/{}", preview.receipt))),
            Found::Nothing { idempotency_key, receipt } => {
                let preview = Preview { idempotency_key, receipt, ..preview.clone() };
                self.phase = Phase::Ready(preview, Some(error.clone()));
                None
            }
            Found::Unknown(reason) => {
                *obstacle = Some(reason);
                (reason == Obstacle::Unreachable).then(|| Command::Check(preview.idempotency_key.clone()))
            }
        }
    }

    fn forget_typed(&mut self) {
        self.typed.clear();
        self.has_mismatch = false;
    }
}

/// Whether the user has to verify who they are before anything else.
pub(super) const fn needs_verification(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::ReverificationNeeded | ErrorCode::StillUnverified)
}

const fn without_incident(code: ErrorCode) -> PublicError {
    PublicError { code, incident: String::new() }
}

#[cfg(test)]
mod tests;
