//! The receipt: what was requested, what was done, and where the audit log records it. It opens without an account, by
//! a code that can't be guessed, and contains no name.

use serde_json::Value;
use time::OffsetDateTime;

use super::erasure::TableResult;
use super::plan::{Plan, PlanLine};
use super::progress::{Progress, progress};
use super::recheck::{Recheck, rechecks_of};
use super::replan::ReplannedBy;
use super::request::Origin;
use super::summary::Summary;
use super::verification::Searched;
use crate::receipt_code::ReceiptCode;
use crate::{Error, ErrorCode, Lethe, Result};

/// What was requested and what was done.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Opens it.
    pub code: ReceiptCode,
    /// When the deletion was requested.
    pub requested_at: OffsetDateTime,
    /// The deadline for the deletion (GDPR 12(3)).
    pub due_at: OffsetDateTime,
    /// When it was completed.
    pub finished_at: Option<OffsetDateTime>,
    /// The steps and their states.
    pub progress: Progress,
    /// What was planned. Without a hash if the data map didn't fit the database at the time of the request.
    pub plan: Plan,
    /// Whether the person asked on the page while it couldn't show what would happen.
    pub was_unlisted: bool,
    /// When another plan replaced the confirmed one, and on whose word.
    pub replanned: Option<(OffsetDateTime, ReplannedBy)>,
    /// What was done, in the order of the plan; empty before the step for the application's data.
    pub results: Vec<TableResult>,
    /// Where the verification looked. `None` before it, and in receipts of older versions.
    pub searched: Option<Searched>,
    /// When its data is looked for again, and what was found then. Empty before the deletion is completed.
    pub rechecks: Vec<Recheck>,
    /// The position of the last entry about it in the audit log, and the length of the log; `None` before it is sealed.
    pub log_position: Option<(u64, u64)>,
}

impl Receipt {
    /// Returns what was done, in numbers.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary::of(self.results.iter().map(|result| &result.line)).with_found(self.searched.as_ref())
    }
}

/// Returns the receipt with this code. Refused with [`ErrorCode::NotFound`] if there is none.
pub async fn receipt(lethe: &Lethe, code: &ReceiptCode) -> Result<Receipt> {
    let row = sqlx::query!(
        r#"select request.id, request.requested_at, request.due_at, request.finished_at, request.plan, request.results,
            request.origin, request.replanned_at, request.replanned_by, request.searched,
            link.position as "position?", (select max(position) from lethe.audit_link) as "length"
        from lethe.deletion_request request
        left join lethe.audit_link link on link.entry_id = request.audit_entry_id
        where request.receipt_code = $1"#,
        code.as_str(),
    )
    .fetch_optional(&lethe.database)
    .await?
    .ok_or(ErrorCode::NotFound)?;
    let unreadable = |_| Error::Internal("a stored plan can't be read");
    let plan: Plan = serde_json::from_value(row.plan).map_err(unreadable)?;
    let mut results: Vec<TableResult> =
        serde_json::from_value(row.results.unwrap_or(Value::Array(Vec::new()))).map_err(unreadable)?;
    sort_by_plan(&plan, &mut results);
    let replanned_by = row.replanned_by.as_deref().and_then(ReplannedBy::from_name);
    let searched = row.searched.map(serde_json::from_value).transpose().map_err(unreadable)?;
    Ok(Receipt {
        code: code.clone(),
        requested_at: row.requested_at,
        due_at: row.due_at,
        finished_at: row.finished_at,
        progress: progress(lethe, row.id).await?,
        was_unlisted: row.origin == Origin::Page.name() && plan.hash.as_str().is_empty(),
        replanned: row.replanned_at.zip(replanned_by),
        plan,
        results,
        searched,
        rechecks: rechecks_of(lethe, row.id).await?,
        log_position: row
            .position
            .zip(row.length)
            .map(|(position, length)| (position.unsigned_abs(), length.unsigned_abs())),
    })
}

/// Sorts results, which are stored in the order of execution, like the plan, with which users compare them.
fn sort_by_plan(plan: &Plan, results: &mut [TableResult]) {
    let position = |TableResult { line: result, .. }: &TableResult| {
        let is_same = |line: &PlanLine| line.table == result.table && line.others == result.others;
        plan.lines.iter().position(is_same).unwrap_or(usize::MAX)
    };
    results.sort_by_key(position);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_map::Outcome;

    #[test]
    fn results_are_sorted_like_the_plan() {
        let line = |table: &str, others| PlanLine {
            table: table.to_owned(),
            label: table.to_owned(),
            column_labels: std::collections::BTreeMap::new(),
            rows: 1,
            outcome: Outcome::Deleted,
            others,
            since: None,
            key: None,
        };
        let result = |table: &str, others| TableResult { line: line(table, others), purge_due: None };
        let lines = vec![line("users", false), line("posts", false), line("comments", false), line("comments", true)];
        let plan = Plan { lines, ..Plan::unknown(OffsetDateTime::UNIX_EPOCH) };
        let mut results = [("new", false), ("comments", true), ("comments", false), ("posts", false), ("users", false)]
            .map(|(table, others)| result(table, others));
        sort_by_plan(&plan, &mut results);
        let order = results.each_ref().map(|result| (result.line.table.as_str(), result.line.others));
        assert_eq!(
            order,
            [("users", false), ("posts", false), ("comments", false), ("comments", true), ("new", false)]
        );
    }
}
