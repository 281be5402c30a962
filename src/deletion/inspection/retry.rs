//! A retry without waiting, on an operator's word.

use super::model::DeletionSummary;
use super::query::summary;
use crate::audit::{self, AuditEvent};
use crate::deletion::reference::Reference;
use crate::deletion::step::Step;
use crate::deletion::waiting::{Woken, wake_purges_and_rechecks};
use crate::deletion::wake::wake;
use crate::{Lethe, Result};

/// What a retry made due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The deletion, as it was before the retry.
    pub summary: DeletionSummary,
    /// The step whose next attempt is due now. `None` if every step is done, or an operator holds the deletion.
    pub step: Option<Step>,
    /// How many failed purges are due now.
    pub purges: u64,
    /// How many failed rechecks are due now.
    pub rechecks: u64,
}

/// Makes the next attempt of a deletion due now, and those of its failed purges and rechecks, and wakes the worker. Returns what is
/// due, or `None` if there is no such deletion.
///
/// A step that is being executed is left alone: the process that has it goes on.
pub async fn retry(lethe: &Lethe, reference: &Reference) -> Result<Option<Retry>> {
    let Some(summary) = summary(lethe, reference).await? else { return Ok(None) };
    let request = summary.request;
    let mut transaction = lethe.database.begin().await?;
    let step = if summary.hold.is_none() { wake(lethe, &mut transaction, request).await? } else { None };
    let Woken { purges, rechecks, .. } = wake_purges_and_rechecks(lethe, &mut transaction, Some(request), None).await?;
    if step.is_some() || purges > 0 || rechecks > 0 {
        audit::append(lethe, &mut transaction, None, AuditEvent::DeletionRetried { request }).await?;
    }
    transaction.commit().await?;
    Ok(Some(Retry { summary, step, purges, rechecks }))
}
