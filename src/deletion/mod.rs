//! Deletion: the only module that erases rows of the application.
//!
//! A deletion is requested once and then only goes forward. Its steps run in a fixed order, each under a lease, each
//! recorded together with what it did, each idempotent. A failed step is retried until it succeeds; operators are
//! alerted when it keeps failing. What a deletion leaves behind for a time is erased by [`retention`]; users who were
//! deleted elsewhere are found by [`orphans`] and [`clerk_events`], and those whom a backup brought back by [`restore`] and
//! [`replay`]. Operators look at deletions through [`inspection`], and can [`hold`] one and decide when its plan changed
//! ([`accept_change`]); [`rotation`] is what a new secret needs.

mod alert;
pub mod clerk_events;
mod confirmation;
mod content_search;
pub mod due_dates;
mod erasure;
mod failure;
mod hold;
mod idempotency;
pub mod inspection;
mod known_user;
mod late_rows;
mod lease;
mod locked_rows;
mod misfit;
mod notice;
mod obstacle;
mod operator_mail;
mod operator_notice;
pub mod orphans;
mod plan;
mod plan_change;
mod progress;
mod purge;
mod receipt;
pub mod recheck;
mod reference;
mod rehearsal;
mod replan;
pub mod replay;
mod request;
pub mod restore;
pub mod retention;
mod retry;
pub mod rotation;
mod runner;
pub(crate) mod schedule;
mod side_effects;
mod statement_sql;
mod statements;
mod step;
mod step_actions;
mod stored_identifiers;
mod summary;
mod tombstone;
mod verification;
mod waiting;
mod wake;

pub use confirmation::{CONFIRMATION, confirms};
pub use content_search::{ContentSearch, FoundContent};
pub use erasure::{TableResult, erase};
pub use failure::Failure;
pub use hold::{Hold, Release, hold, release};
pub use idempotency::{invalidate_key, reserved_receipt};
pub use known_user::is_known;
pub use locked_rows::check_keys;
pub use plan::{Plan, PlanLine, plan};
pub use plan_change::{ChangedLine, PlanChange};
pub use progress::{Progress, StepStatus, Waiting, progress, progress_of};
pub use purge::purge;
pub use receipt::{Receipt, receipt};
pub use recheck::Recheck;
pub use reference::{InvalidReference, Reference};
pub use rehearsal::{Rehearsal, rehearse};
pub use replan::{Replan, ReplannedBy, accept_change, confirm_change, pending_change};
pub use request::{NewRequest, Origin, Preview, Request, preview, preview_with_obstacles, request};
pub use runner::{Advance, advance, resume_all, run};
pub use side_effects::SideEffect;
pub use step::{Status, Step};
pub use summary::{Remainder, Summary};
pub use verification::{Leftover, Searched, SearchedColumn, searched, verify};
pub use waiting::{Woken, wake_waiting};

pub(crate) use notice::{
    AskAgain, SendAlert, SendReceipt, SendRetentionAlert, ask_again, send_alert, send_receipt, send_retention_alert,
};
pub(crate) use operator_mail::send_notice;
pub(crate) use operator_notice::SendNotice;
pub(crate) use runner::{advance_by_job, make_clerk_failures_due, waits_for_clerk};
pub(crate) use wake::AdvanceDeletion;

pub use crate::data_map::{Disposition, Outcome, PlanHash, Unsearched, UnsearchedReason};
pub use crate::receipt_code::{InvalidReceiptCode, ReceiptCode};
