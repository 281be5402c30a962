//! Deletions as operators see them: which are open, why one doesn't go on, and a retry without waiting.
//!
//! Knows the tables of deletions and retention, and the queue. Knows nothing of what steps do, and returns nothing
//! about the person: a Clerk user id finds a deletion and is in no result.

mod model;
mod query;
mod retry;

pub use self::model::{
    DeletionDetails, DeletionSummary, OperatorHold, Page, RecheckDetails, RetentionDetails, State, StepDetails,
    Unfinished, Work,
};
pub use self::query::{count_attention, details, list};
pub use self::retry::{Retry, retry};
