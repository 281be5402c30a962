//! The steps of a deletion in their order, and their states.

use serde::Serialize;

/// A step of a deletion. The order of the variants is the order of execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Ends the person's sessions at Clerk and stores the address for the receipt.
    EndSessions,
    /// Removes queued work about the person, so that nothing is written about them any more.
    PendingWork,
    /// Erases the application's rows according to the plan.
    ApplicationData,
    /// Searches the database for anything that was left behind.
    Verification,
    /// Deletes the user at Clerk.
    ClerkUser,
    /// Writes the tombstone and deletes the row that links the person to their audit entries.
    Audit,
    /// Completes the request; from then on the receipt is final.
    Receipt,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 7] = [
        Self::EndSessions,
        Self::PendingWork,
        Self::ApplicationData,
        Self::Verification,
        Self::ClerkUser,
        Self::Audit,
        Self::Receipt,
    ];

    /// Returns the name in the database and on the wire.
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

    /// Returns the position in the order, counted from 0.
    pub(super) fn position(self) -> i16 {
        self as i16
    }
}

/// The state of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// An earlier step isn't finished.
    Pending,
    /// A process executes it.
    Running,
    /// It failed and will be retried.
    Retrying,
    /// It fails until an operator does something; it is retried at long intervals.
    Blocked,
    /// It is finished.
    Done,
}

impl Status {
    const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Retrying, Self::Blocked, Self::Done];

    /// Returns the name in the database and on the wire.
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

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_positions_of_steps_agree() {
        for (position, step) in Step::ALL.into_iter().enumerate() {
            assert_eq!(Step::from_name(step.name()), Some(step));
            assert_eq!(usize::try_from(step.position()), Ok(position));
        }
    }

    #[test]
    fn names_of_statuses_agree_and_unknown_ones_have_no_status() {
        for status in Status::ALL {
            assert_eq!(Status::from_name(status.name()), Some(status));
        }
        assert_eq!(Status::from_name("paused"), None);
    }
}
