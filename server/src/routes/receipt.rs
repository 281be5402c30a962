//! `/api/receipts/{code}`: a deletion's receipt as a document. Open to everybody who has the code, as the page is.

use axum::Json;
use axum::extract::{Path, State};
use lethe::deletion::{self, ContentSearch, Outcome, ReceiptCode, Recheck, TableResult, UnsearchedReason};
use lethe_error_code::ErrorCode;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::openapi::{Object, ObjectBuilder, Type};

use crate::error::{Problem, ProblemDocument};
use crate::state::AppState;

/// What was requested, what was done, and where was looked afterwards.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    #[serde(with = "time::serde::rfc3339")]
    requested_at: OffsetDateTime,
    /// The deadline for the deletion.
    #[serde(with = "time::serde::rfc3339")]
    due_at: OffsetDateTime,
    /// Null while steps remain.
    #[serde(with = "time::serde::rfc3339::option")]
    finished_at: Option<OffsetDateTime>,
    /// What was done, by table; empty before it is.
    results: Vec<ReceiptLine>,
    /// Where was looked for what should be gone. Nothing is known of anything else. Null before, and in receipts of older
    /// versions.
    searched: Option<ReceiptSearch>,
    /// When the data is looked for again after the deletion, or was. Empty before the deletion is complete.
    rechecks: Vec<ReceiptRecheck>,
    /// Present if another plan took the place of the one that the user confirmed.
    replanned: Option<ReceiptReplan>,
}

/// A search for rows that came late.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptRecheck {
    #[serde(with = "time::serde::rfc3339")]
    due_at: OffsetDateTime,
    /// Null before it is done.
    #[serde(with = "time::serde::rfc3339::option")]
    finished_at: Option<OffsetDateTime>,
    /// How many rows were found and erased.
    rows: u64,
}

/// A changed plan.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ReceiptReplan {
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// Who decided it: `person`, `operator`, or `unreachable` if the user couldn't be asked.
    #[schema(example = "person")]
    by: &'static str,
}

/// What was done with rows of a table.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptLine {
    #[schema(example = "public.posts")]
    table: String,
    /// What users read instead of the name.
    label: String,
    rows: u64,
    /// Whether they are other people's rows, of which only the link is removed.
    others: bool,
    /// What became of them: `kind` is `deleted`, `scrubbed`, `stamped`, `kept`, `shared` or `detached`; the other members say which
    /// columns, until when and why.
    #[schema(schema_with = outcome_schema)]
    outcome: Outcome,
    /// The column by which rows that stay still lead to the user: it holds the user id, or references a row that does.
    key: Option<String>,
}

/// Where was looked.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptSearch {
    /// Tables whose rows of the user were looked for.
    #[schema(example = json!(["public.posts"]))]
    tables: Vec<String>,
    /// Columns that were searched for the user id, as `schema.table.column`.
    #[schema(example = json!(["public.tags.created_by"]))]
    columns: Vec<String>,
    /// Tables that weren't searched, or not completely.
    unsearched: Vec<UnsearchedTable>,
    /// The search for the user id and verified addresses in every text, JSON and array. Null in receipts of older versions.
    content: Option<ReceiptContentSearch>,
}

/// A search in texts.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ReceiptContentSearch {
    /// `searched`, or `too_large` or `timed_out` if nothing is known.
    #[schema(example = "searched")]
    result: &'static str,
    /// Where the user id or an address was found.
    found: Vec<ReceiptFoundContent>,
}

/// A column in whose texts the user id or an address was found.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ReceiptFoundContent {
    #[schema(example = "public.notes.body")]
    column: String,
    rows: u64,
}

/// A table that wasn't searched, or not completely.
#[derive(Serialize, utoipa::ToSchema)]
pub struct UnsearchedTable {
    #[schema(example = "public.salaries")]
    table: String,
    /// `no_privilege`, `row_level_security`, `materialized_view`, `foreign_table` or `address_unknown`.
    #[schema(schema_with = reason_schema)]
    reason: UnsearchedReason,
}

/// Returns a receipt.
#[utoipa::path(
    get,
    path = "/api/receipts/{code}",
    params(("code" = String, Path, description = "the receipt's code")),
    responses(
        (status = 200, body = Receipt),
        (status = 404, body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn read(State(state): State<AppState>, Path(code): Path<String>) -> Result<Json<Receipt>, Problem> {
    let code = ReceiptCode::parse(&code).map_err(|_| ErrorCode::NotFound)?;
    let receipt = deletion::receipt(&state.lethe, &code).await?;
    let searched = receipt.searched.map(|searched| ReceiptSearch {
        tables: searched.tables,
        columns: searched.columns.into_iter().map(|found| format!("{}.{}", found.table, found.column)).collect(),
        unsearched: searched
            .unsearched
            .into_iter()
            .map(|found| UnsearchedTable { table: found.table, reason: found.reason })
            .collect(),
        content: searched.content.as_ref().map(content_search),
    });
    let line = |TableResult { line, .. }: TableResult| ReceiptLine {
        table: line.table,
        label: line.label,
        rows: line.rows,
        others: line.others,
        outcome: line.outcome,
        key: line.key,
    };
    let recheck = |recheck: Recheck| ReceiptRecheck {
        due_at: recheck.due_at,
        finished_at: recheck.finished_at,
        rows: recheck.rows_erased,
    };
    Ok(Json(Receipt {
        requested_at: receipt.requested_at,
        due_at: receipt.due_at,
        finished_at: receipt.finished_at,
        results: receipt.results.into_iter().filter(|result| result.line.rows > 0).map(line).collect(),
        searched,
        rechecks: receipt.rechecks.into_iter().map(recheck).collect(),
        replanned: receipt.replanned.map(|(at, by)| ReceiptReplan { at, by: by.name() }),
    }))
}

fn content_search(search: &ContentSearch) -> ReceiptContentSearch {
    let result = match search {
        ContentSearch::Searched { .. } => "searched",
        ContentSearch::TooLarge => "too_large",
        ContentSearch::TimedOut => "timed_out",
    };
    let found = search
        .found()
        .iter()
        .map(|found| ReceiptFoundContent { column: format!("{}.{}", found.table, found.column), rows: found.rows });
    ReceiptContentSearch { result, found: found.collect() }
}

fn outcome_schema() -> Object {
    ObjectBuilder::new().schema_type(Type::Object).build()
}

fn reason_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some([
            "no_privilege",
            "row_level_security",
            "materialized_view",
            "foreign_table",
            "address_unknown",
        ]))
        .build()
}
