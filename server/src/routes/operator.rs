//! `GET /api/operator/deletions`: the list of deletions for dashboards, with a token. Nothing can be changed here.
//!
//! Has neither receipt codes, which open receipts, nor anything else about a person.

use axum::extract::{Query, State};
use axum::{Extension, Json};
use http::HeaderMap;
use lethe::deletion::inspection::{self, DeletionSummary, Work};
use lethe_app::server::context::RequestContext;
use lethe_error_code::ErrorCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::bearer_token;
use crate::error::{Problem, ProblemDocument};
use crate::state::AppState;

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1000;

/// Which deletions.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// `open` are all that aren't completed, and those whose purges keep failing. By default `open`.
    #[serde(default)]
    state: StateFilter,
    /// How many at most: by default 100, up to 1000.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Those after the one with this id: the `next` of the page before.
    after: Option<Uuid>,
}

/// Which deletions are listed.
#[derive(Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StateFilter {
    /// Not completed, or with purges that keep failing.
    #[default]
    Open,
    /// Operators were alerted.
    Attention,
    /// Every step is done.
    Completed,
}

/// A page of the list.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeletionList {
    /// The oldest first.
    deletions: Vec<ListedDeletion>,
    /// How many deletions need attention, listed or not.
    attention: u64,
    /// For `after`, if there are more.
    next: Option<Uuid>,
}

/// A deletion.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ListedDeletion {
    /// The id in alerts and in the log, which `lethe deletions show` accepts.
    request: Uuid,
    /// `open`, `attention` or `completed`.
    #[schema(example = "attention")]
    state: &'static str,
    /// When it was requested.
    #[serde(with = "time::serde::rfc3339")]
    requested_at: OffsetDateTime,
    /// The deadline.
    #[serde(with = "time::serde::rfc3339")]
    due_at: OffsetDateTime,
    /// When it was completed.
    #[serde(with = "time::serde::rfc3339::option")]
    finished_at: Option<OffsetDateTime>,
    /// Since when an operator holds it.
    #[serde(with = "time::serde::rfc3339::option")]
    held_at: Option<OffsetDateTime>,
    /// The first step that isn't done.
    #[schema(example = "application_data")]
    step: Option<&'static str>,
    /// The table whose purge keeps failing.
    #[schema(example = "public.projects")]
    table: Option<String>,
    /// How many times the step or the purge was tried.
    attempts: Option<u32>,
    /// When it is tried again after a failure.
    #[serde(with = "time::serde::rfc3339::option")]
    next_attempt_at: Option<OffsetDateTime>,
    /// Why it failed, one of a closed list of words.
    #[schema(example = "plan_changed")]
    failure: Option<&'static str>,
}

/// Lists deletions. Requires the token of `LETHE_OPERATOR_TOKEN`; without that setting there is no such route.
#[utoipa::path(
    get,
    path = "/api/operator/deletions",
    params(ListQuery),
    responses(
        (status = 200, body = DeletionList, description = "deletions, the oldest first"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "the query isn't valid"),
        (status = 404, body = ProblemDocument, content_type = "application/problem+json",
            description = "the token is missing or wrong, or none is configured"),
    )
)]
pub async fn list_deletions(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    headers: HeaderMap,
    query: Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<DeletionList>, Problem> {
    if !state.operator_token.as_ref().is_some_and(|expected| bearer_token::is_sent(expected, &headers)) {
        return Err(ErrorCode::NotFound.into());
    }
    let Ok(Query(ListQuery { state: filter, limit, after })) = query else {
        return Err(ErrorCode::InvalidInput.into());
    };
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(ErrorCode::InvalidInput.into());
    }
    let lethe = state.lethe.with_incident(&context.incident);
    let page = inspection::list(&lethe, filter.states(), after, limit).await?;
    let attention = inspection::count_attention(&lethe).await?;
    let deletions = page.deletions.into_iter().map(ListedDeletion::from).collect();
    Ok(Json(DeletionList { deletions, attention, next: page.next }))
}

impl StateFilter {
    const fn states(self) -> &'static [inspection::State] {
        match self {
            Self::Open => inspection::State::UNFINISHED,
            Self::Attention => &[inspection::State::Attention],
            Self::Completed => &[inspection::State::Completed],
        }
    }
}

impl From<DeletionSummary> for ListedDeletion {
    fn from(deletion: DeletionSummary) -> Self {
        let (work, attempts, next_attempt_at, failure) = match deletion.current {
            Some(current) => (Some(current.work), Some(current.attempts), current.next_attempt_at, current.failure),
            None => (None, None, None, None),
        };
        let (step, table) = match work {
            Some(Work::Step(step)) => (Some(step.name()), None),
            Some(Work::Purge(table)) => (None, Some(table)),
            Some(Work::Recheck) => (Some("recheck"), None),
            None => (None, None),
        };
        Self {
            request: deletion.request,
            state: deletion.state.name(),
            requested_at: deletion.requested_at,
            due_at: deletion.due_at,
            finished_at: deletion.finished_at,
            held_at: deletion.hold.map(|hold| hold.since),
            step,
            table,
            attempts,
            next_attempt_at,
            failure: failure.map(lethe::deletion::Failure::name),
        }
    }
}
