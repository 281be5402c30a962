//! Deletion: the only module that erases rows of the application.
//!
//! A deletion is requested once and then only goes forward. Its steps run in a fixed order, each under a lease, each
//! recorded together with what it did, each idempotent. A failed step is retried until it succeeds; operators are
//! alerted when it keeps failing. What a deletion leaves behind for a time is erased by [`retention`]; users who were
//! deleted elsewhere are found by [`orphans`] and [`clerk_events`], and those whom a backup brought back by [`replay`].
//! Operators look at deletions through [`inspection`].

pub mod clerk_events;
mod confirmation;
mod erasure;
mod failure;
pub mod inspection;
mod lease;
mod notice;
pub mod orphans;
mod plan;
mod progress;
mod purge;
mod receipt;
pub mod replay;
mod request;
pub mod retention;
mod retry;
mod runner;
mod statements;
mod step;
mod step_actions;
mod summary;
mod tombstone;
mod verification;

pub use confirmation::{CONFIRMATION, confirms};
pub use erasure::{TableResult, erase};
pub use failure::Failure;
pub use plan::{Plan, PlanLine, plan};
pub use progress::{Progress, StepStatus, progress, progress_of};
pub use purge::purge;
pub use receipt::{Receipt, receipt};
pub use request::{NewRequest, Origin, Request, preview, request, reserved_receipt};
pub use runner::{Advance, advance, resume_all, run};
pub use step::{Status, Step};
pub use summary::Summary;
pub use verification::{Leftover, verify};

pub(crate) use notice::{SendAlert, SendReceipt, SendRetentionAlert, send_alert, send_receipt, send_retention_alert};
pub(crate) use runner::{AdvanceDeletion, advance_by_job};

pub use crate::data_map::{Disposition, Outcome, PlanHash};
pub use crate::receipt_code::{InvalidReceiptCode, ReceiptCode};
