//! Reads deletions, one or many.

use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{
    DeletionDetails, DeletionSummary, OperatorHold, Page, RecheckDetails, RetentionDetails, State, StepDetails,
    Unfinished, Work,
};
use crate::deletion::content_search::FoundContent;
use crate::deletion::failure::Failure;
use crate::deletion::reference::{self, Reference};
use crate::deletion::step::{Status, Step};
use crate::deletion::verification::Searched;
use crate::receipt_code::ReceiptCode;
use crate::{Error, Lethe, Result};

/// A row of the query behind [`DeletionSummary`].
struct SummaryRow {
    id: Uuid,
    receipt_code: String,
    requested_at: OffsetDateTime,
    due_at: OffsetDateTime,
    finished_at: Option<OffsetDateTime>,
    state: String,
    held_at: Option<OffsetDateTime>,
    hold_reason: Option<String>,
    step: Option<String>,
    table_name: Option<String>,
    attempts: Option<i32>,
    next_attempt_at: Option<OffsetDateTime>,
    failure: Option<String>,
}

/// Returns deletions in these states, the oldest first: `limit` at most, after the one with the id `after`.
pub async fn list(lethe: &Lethe, states: &[State], after: Option<Uuid>, limit: u32) -> Result<Page> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut deletions = summaries(lethe, states, None, after, limit.saturating_add(1)).await?;
    let has_more = deletions.len() > limit;
    deletions.truncate(limit);
    let next = deletions.last().filter(|_| has_more).map(|last| last.request);
    Ok(Page { deletions, next })
}

/// Returns how many deletions need attention.
pub async fn count_attention(lethe: &Lethe) -> Result<u64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from lethe.deletion_request request
        where (finished_at is null and attention_since is not null) or exists (
            select from lethe.retention
            where request_id = request.id and finished_at is null and attention_since is not null
        )"#,
    )
    .fetch_one(&lethe.database)
    .await?;
    Ok(count.unsigned_abs())
}

/// Returns everything about a deletion, or `None` if there is none.
pub async fn details(lethe: &Lethe, reference: &Reference) -> Result<Option<DeletionDetails>> {
    let Some(summary) = summary(lethe, reference).await? else { return Ok(None) };
    let steps = sqlx::query!(
        "select step, status, attempts, next_attempt_at, finished_at, failure from lethe.deletion_step
        where request_id = $1 order by position",
        summary.request,
    )
    .fetch_all(&lethe.database)
    .await?;
    let steps = steps.into_iter().map(|row| -> Result<StepDetails> {
        let status = Status::from_name(&row.status).ok_or(Error::Internal("unknown step status in the database"))?;
        Ok(StepDetails {
            step: step_from_name(&row.step)?,
            status,
            attempts: row.attempts.unsigned_abs(),
            next_attempt_at: row.next_attempt_at.filter(|_| is_waiting(status)),
            finished_at: row.finished_at,
            failure: row.failure.as_deref().map(Failure::from_name),
        })
    });
    let retention = sqlx::query!(
        "select table_name, due_at, attempts, next_attempt_at, failure from lethe.retention
        where request_id = $1 and finished_at is null order by due_at, id",
        summary.request,
    )
    .fetch_all(&lethe.database)
    .await?;
    let retention = retention.into_iter().map(|row| RetentionDetails {
        table: row.table_name,
        due_at: row.due_at,
        attempts: row.attempts.unsigned_abs(),
        next_attempt_at: row.next_attempt_at,
        failure: row.failure.as_deref().map(Failure::from_name),
    });
    let rechecks = sqlx::query!(
        "select due_at, finished_at, rows_erased, attempts, next_attempt_at, failure from lethe.recheck
        where request_id = $1 order by position",
        summary.request,
    )
    .fetch_all(&lethe.database)
    .await?;
    let rechecks = rechecks.into_iter().map(|row| RecheckDetails {
        due_at: row.due_at,
        finished_at: row.finished_at,
        rows: row.rows_erased.unwrap_or_default().unsigned_abs(),
        attempts: row.attempts.unsigned_abs(),
        next_attempt_at: row.next_attempt_at.filter(|_| row.finished_at.is_none()),
        failure: row.failure.as_deref().map(Failure::from_name),
    });
    let (retention, rechecks) = (retention.collect(), rechecks.collect());
    let found = found_content(lethe, summary.request).await?;
    Ok(Some(DeletionDetails { steps: steps.collect::<Result<_>>()?, retention, rechecks, found, summary }))
}

/// Returns where the verification found the person in texts.
async fn found_content(lethe: &Lethe, request: Uuid) -> Result<Vec<FoundContent>> {
    let searched = sqlx::query_scalar!("select searched from lethe.deletion_request where id = $1", request)
        .fetch_one(&lethe.database)
        .await?;
    let searched: Option<Searched> = searched
        .map(serde_json::from_value)
        .transpose()
        .map_err(|_| Error::Internal("a stored search can't be read"))?;
    let content = searched.and_then(|searched| searched.content);
    Ok(content.map(|content| content.found().to_vec()).unwrap_or_default())
}

pub(super) async fn summary(lethe: &Lethe, reference: &Reference) -> Result<Option<DeletionSummary>> {
    let Some(request) = reference::find(lethe, reference).await? else { return Ok(None) };
    Ok(summaries(lethe, &State::ALL, Some(request), None, 1).await?.pop())
}

/// Returns the deletions in these states, or of them the one with this id, or those after the one with the id `after`.
async fn summaries(
    lethe: &Lethe,
    states: &[State],
    request: Option<Uuid>,
    after: Option<Uuid>,
    limit: usize,
) -> Result<Vec<DeletionSummary>> {
    let states: Vec<String> = states.iter().map(|state| state.name().to_owned()).collect();
    let rows = sqlx::query_as!(
        SummaryRow,
        r#"select request.id, request.receipt_code, request.requested_at, request.due_at, request.finished_at,
            state.name as "state!", request.held_at, request.hold_reason, step.step as "step?", late.table_name as "table_name?",
            coalesce(step.attempts, late.attempts) as "attempts?",
            case when step.step is null then late.next_attempt_at else step.next_attempt_at end as "next_attempt_at?",
            case when step.step is null then late.failure else step.failure end as "failure?"
        from lethe.deletion_request request
        left join lateral (
            select step, attempts, failure,
                case when status in ('retrying', 'blocked') then next_attempt_at end as next_attempt_at
            from lethe.deletion_step where request_id = request.id and status <> 'done' order by position limit 1
        ) step on true
        left join lateral (
            select * from (
                select id, table_name, attempts, failure, next_attempt_at from lethe.retention
                where request_id = request.id and finished_at is null and attention_since is not null
                union all
                select 0, null, attempts, failure, next_attempt_at from lethe.recheck
                where request_id = request.id and finished_at is null and attention_since is not null
            ) late
            order by attempts desc, id limit 1
        ) late on true
        cross join lateral (
            select case
                when request.finished_at is null and request.attention_since is not null then 'attention'
                when late.attempts is not null then 'attention'
                when request.finished_at is null then 'open'
                else 'completed'
            end as name
        ) state
        where state.name = any($1) and ($2::uuid is null or request.id = $2)
          and ($3::uuid is null or (request.requested_at, request.id)
            > (select earlier.requested_at, earlier.id from lethe.deletion_request earlier where earlier.id = $3))
        order by request.requested_at, request.id limit $4"#,
        &states,
        request,
        after,
        i64::try_from(limit).unwrap_or(i64::MAX),
    )
    .fetch_all(&lethe.database)
    .await?;
    rows.into_iter().map(DeletionSummary::from_row).collect()
}

impl DeletionSummary {
    fn from_row(row: SummaryRow) -> Result<Self> {
        let work = match (row.step, row.table_name) {
            (Some(step), _) => Some(Work::Step(step_from_name(&step)?)),
            (None, Some(table)) => Some(Work::Purge(table)),
            (None, None) => row.attempts.map(|_| Work::Recheck),
        };
        let current = work.map(|work| Unfinished {
            work,
            attempts: row.attempts.unwrap_or_default().unsigned_abs(),
            next_attempt_at: row.next_attempt_at,
            failure: row.failure.as_deref().map(Failure::from_name),
        });
        Ok(Self {
            request: row.id,
            receipt: ReceiptCode::from_database(row.receipt_code),
            requested_at: row.requested_at,
            due_at: row.due_at,
            finished_at: row.finished_at,
            state: State::from_name(&row.state).ok_or(Error::Internal("unknown state of a deletion"))?,
            hold: row.held_at.map(|since| OperatorHold { since, reason: row.hold_reason.unwrap_or_default() }),
            current,
        })
    }
}

/// Whether a step waits after a failure. In other states the stored time of an attempt is that of an earlier one.
const fn is_waiting(status: Status) -> bool {
    matches!(status, Status::Retrying | Status::Blocked)
}

fn step_from_name(name: &str) -> Result<Step> {
    Step::from_name(name).ok_or(Error::Internal("unknown step in the database"))
}
