//! The steps of a deletion, in their order, and how far they are.

use serde::Serialize;
use time::OffsetDateTime;

/// One step. The order of the variants is the order of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Ends the person's sessions at Clerk and notes where the receipt is to be sent.
    EndSessions,
    /// Drops what is queued for the person, so that nothing writes about them any more.
    PendingWork,
    /// Erases the application's rows by the plan.
    ApplicationData,
    /// Searches the database for what should be gone.
    Verification,
    /// Deletes the person at Clerk.
    ClerkUser,
    /// Sets the tombstone, destroys the person's key and writes down what was done.
    Audit,
    /// Closes the request: from here on the receipt stands.
    Receipt,
}

impl Step {
    /// Every step, in its order.
    pub const ALL: [Self; 7] = [
        Self::EndSessions,
        Self::PendingWork,
        Self::ApplicationData,
        Self::Verification,
        Self::ClerkUser,
        Self::Audit,
        Self::Receipt,
    ];

    /// Its name in the database and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EndSessions => "end_sessions",
            Self::PendingWork => "pending_work",
            Self::ApplicationData => "application_data",
            Self::Verification => "verification",
            Self::ClerkUser => "clerk_user",
            Self::Audit => "audit",
            Self::Receipt => "receipt",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }

    /// Its place, from 0.
    pub(super) fn position(self) -> i16 {
        self as i16
    }
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Its turn has not come.
    Pending,
    /// Somebody works on it.
    Running,
    /// It failed and will be tried again.
    Retrying,
    /// It can't go on until a person has done something; it is still tried now and then.
    Blocked,
    /// It is finished.
    Done,
}

impl Status {
    /// Its name in the database and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Blocked => "blocked",
            Self::Done => "done",
        }
    }

    pub(super) fn from_name(name: &str) -> Self {
        match name {
            "running" => Self::Running,
            "retrying" => Self::Retrying,
            "blocked" => Self::Blocked,
            "done" => Self::Done,
            _ => Self::Pending,
        }
    }
}

/// One step and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepStatus {
    /// Which.
    pub step: Step,
    /// How it stands.
    pub status: Status,
    /// When it was finished.
    pub finished_at: Option<OffsetDateTime>,
    /// How often it was begun.
    pub attempts: u32,
}

/// How far a deletion is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Whether everything is done.
    pub finished: bool,
    /// Every step, in order.
    pub steps: Vec<StepStatus>,
    /// Whether it was handed to a person, because a step keeps failing.
    pub needs_attention: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_positions_agree() {
        for (index, step) in Step::ALL.into_iter().enumerate() {
            assert_eq!(Step::from_name(step.name()), Some(step));
            assert_eq!(usize::try_from(step.position()), Ok(index));
        }
        for status in [Status::Pending, Status::Running, Status::Retrying, Status::Blocked, Status::Done] {
            assert_eq!(Status::from_name(status.name()), status);
        }
    }
}
