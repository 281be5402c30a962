//! Deletion: the only room that erases.
//!
//! A deletion is requested once and then only goes forward: its steps run in a fixed order, each
//! under a lease, each recorded together with what it did, each able to run twice with one
//! effect. A step that fails is tried again for ever; a person is told when it keeps failing.

mod erasure;
mod notice;
mod plan;
mod receipt;
mod request;
mod runner;
mod step;
mod step_actions;

pub use erasure::{Leftover, TableResult, erase, purge, user_ids, verify};
pub(crate) use notice::{SendAlert, SendReceipt, send_alert, send_receipt};
pub use plan::{Outcome, Plan, PlanLine, plan};
pub use receipt::{Receipt, ReceiptCode, receipt};
pub use request::{NewRequest, Origin, Request, preview, request};
pub(crate) use request::{PreparedRequest, create, prepare};
pub use runner::{Advance, advance, progress, resume_all, run};
pub(crate) use runner::{AdvanceDeletion, advance_by_job};
pub use step::{Progress, Status, Step, StepStatus};

/// What a person types to confirm.
pub const CONFIRMATION: &str = "delete my account";

/// Whether `typed` confirms. Spaces around it and capitals don't matter.
#[must_use]
pub fn confirms(typed: &str) -> bool {
    typed.trim().eq_ignore_ascii_case(CONFIRMATION)
}
