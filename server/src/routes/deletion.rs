//! `DELETE /api/privacy/delete`: deletes the user's account.

use lethe_app::server::context::RequestContext;
use lethe_app::server::current_user::CurrentUser;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::StatusCode;
use lethe::deletion::{self, NewRequest, Origin, Progress, Request, Status};
use lethe_error_code::ErrorCode;
use serde::Serialize;
use serde_json::json;
use tracing::Instrument;
use utoipa::openapi::{Object, ObjectBuilder, Type};

use crate::error::{Problem, ProblemDocument};
use crate::state::AppState;

/// How long the response waits for the deletion. After that, it continues in the background.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// A receipt's code as the core makes them, for the API description.
const RECEIPT_EXAMPLE: &str = "7Q2M-9KXA-41TD-8ZRC-5V3N";

/// The progress of the deletion.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Deletion {
    /// Whether all steps are done.
    deleted: bool,
    /// All steps, in order.
    log: Vec<LogEntry>,
    /// Path of the receipt, which can be opened without an account.
    #[schema(schema_with = receipt_schema)]
    receipt: String,
}

/// One step.
#[derive(Serialize, utoipa::ToSchema)]
pub struct LogEntry {
    /// Its name.
    #[schema(example = "application_data")]
    step: &'static str,
    /// `pending`, `running`, `done`, `retrying` or `blocked`.
    #[schema(example = "done")]
    status: &'static str,
}

impl Deletion {
    fn new(request: &Request, progress: &Progress) -> Self {
        let log =
            progress.steps.iter().map(|step| LogEntry { step: step.step.name(), status: step.status.name() }).collect();
        Self { deleted: progress.finished, log, receipt: receipt_path(request.receipt.as_str()) }
    }
}

/// Deletes the account. The session is the confirmation; `/api/compliance/gdpr-delete` requires another one.
#[utoipa::path(
    delete,
    path = "/api/privacy/delete",
    responses(
        (status = 200, body = Deletion, description = "the deletion is complete"),
        (status = 202, body = Deletion, description = "the deletion continues in the background"),
        (status = 401, body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, body = ProblemDocument, content_type = "application/problem+json",
            description = "the session is impersonated, or, with `clerk_error` as Clerk's helpers read it, the last verification is too old"),
        (status = 429, body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, body = ProblemDocument, content_type = "application/problem+json",
            description = "a step failed and is retried in the background; the document also has `deleted`, `log` and `receipt`"),
    )
)]
pub async fn delete(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    user: CurrentUser,
) -> Result<Response, Problem> {
    authorize(&state, &user).await?;
    start_and_wait(&state, &context, &user).await
}

/// Refuses a user who may not request a deletion now.
pub(super) async fn authorize(state: &AppState, user: &CurrentUser) -> Result<(), Problem> {
    user.require_fresh_sign_in()?;
    Ok(state.rate_limits.deletions.check(&state.lethe, &user.clerk_user_id).await?)
}

/// Records the deletion, starts it and waits for it.
pub(super) async fn start_and_wait(
    state: &AppState,
    context: &RequestContext,
    user: &CurrentUser,
) -> Result<Response, Problem> {
    let lethe = state.lethe.with_incident(&context.incident);
    let new = NewRequest {
        subject: &user.clerk_user_id,
        origin: Origin::Api,
        confirmed_plan: None,
        contact: user.email.as_deref(),
        idempotency_key: None,
    };
    let request = deletion::request(&lethe, new).await?;
    state.profiles.remove(&user.clerk_user_id).await;
    // In a task of its own, so that a client that disconnects doesn't interrupt a step.
    let id = request.id;
    let running = async move { deletion::run(&lethe, id, RESPONSE_TIMEOUT).await };
    let running = tokio::spawn(running.in_current_span());
    let progress = match running.await.map_err(Problem::internal)? {
        Ok(progress) => progress,
        Err(error) => {
            return Err(Problem::from(error).with_member("receipt", receipt_path(request.receipt.as_str())));
        }
    };
    let deletion = Deletion::new(&request, &progress);
    let has_failed = progress.steps.iter().any(|step| matches!(step.status, Status::Retrying | Status::Blocked));
    if progress.finished {
        Ok(Json(deletion).into_response())
    } else if has_failed {
        Err(Problem::new(ErrorCode::DeletionUnfinished)
            .with_member("deleted", false)
            .with_member("log", json!(deletion.log))
            .with_member("receipt", deletion.receipt))
    } else {
        Ok((StatusCode::ACCEPTED, Json(deletion)).into_response())
    }
}

fn receipt_path(code: &str) -> String {
    format!("/receipt/{code}")
}

fn receipt_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("Path of the receipt, which can be opened without an account."))
        .examples([receipt_path(RECEIPT_EXAMPLE)])
        .build()
}
