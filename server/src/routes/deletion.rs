//! `/api/privacy/delete`: deletes the account of the one who asks, for good.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use lethe::deletion::{self, NewRequest, Origin, Progress, Request, Status};
use serde::Serialize;
use serde_json::json;

use crate::auth::CurrentUser;
use crate::problem::{Document, Problem};
use crate::state::AppState;

/// How long the answer waits for the deletion to finish. It goes on without it.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How far the deletion is.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Deletion {
    /// Whether everything is done.
    deleted: bool,
    /// Every step, in order.
    log: Vec<LogEntry>,
    /// Where the receipt is; it opens without an account.
    #[schema(example = "/receipt/7Q2M-9KXA-41TD-8ZRC")]
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
        Self { deleted: progress.finished, log, receipt: receipt_path(request) }
    }
}

/// Deletes the account. The session is the confirmation; `/api/compliance/gdpr-delete` wants one more.
#[utoipa::path(
    delete,
    path = "/api/privacy/delete",
    responses(
        (status = 200, body = Deletion, description = "everything is done"),
        (status = 202, body = Deletion, description = "it takes longer, and goes on by itself"),
        (status = 401, body = Document, content_type = "application/problem+json"),
        (status = 403, body = Document, content_type = "application/problem+json",
            description = "somebody else acts for the person, or, with `clerk_error` as Clerk's helpers read it, the sign-in is too old"),
        (status = 429, body = Document, content_type = "application/problem+json"),
        (status = 500, body = Document, content_type = "application/problem+json",
            description = "a step failed; `deleted`, `log` and `receipt` are beside the problem's members, and it goes on by itself"),
    )
)]
pub async fn delete(State(server): State<AppState>, person: CurrentUser) -> Result<Response, Problem> {
    authorize(&server, &person)?;
    start_and_wait(&server, &person).await
}

/// Whether this person may ask for a deletion now.
pub(super) fn authorize(server: &AppState, person: &CurrentUser) -> Result<(), Problem> {
    person.require_fresh_sign_in()?;
    server.limits.deletions.check(&person.subject)
}

/// Asks for the deletion and stays with it for a while.
pub(super) async fn start_and_wait(server: &AppState, person: &CurrentUser) -> Result<Response, Problem> {
    let new = NewRequest {
        subject: &person.subject,
        origin: Origin::Api,
        confirmed_plan: None,
        contact: person.email.as_deref(),
    };
    let request = deletion::request(&server.lethe, new).await?;
    server.profiles.remove(&person.subject).await;
    // A task of its own: who hangs up doesn't interrupt a step.
    let (lethe, id) = (server.lethe.clone(), request.id);
    let running = tokio::spawn(async move { deletion::run(&lethe, id, RESPONSE_TIMEOUT).await });
    let progress = match running.await.map_err(Problem::internal)? {
        Ok(progress) => progress,
        Err(error) => return Err(Problem::from(error).with_member("receipt", receipt_path(&request))),
    };
    let deletion = Deletion::new(&request, &progress);
    let has_failed = progress.steps.iter().any(|step| matches!(step.status, Status::Retrying | Status::Blocked));
    if progress.finished {
        Ok(Json(deletion).into_response())
    } else if has_failed {
        Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "deletion_unfinished")
            .with_member("deleted", false)
            .with_member("log", json!(deletion.log))
            .with_member("receipt", deletion.receipt))
    } else {
        Ok((StatusCode::ACCEPTED, Json(deletion)).into_response())
    }
}

fn receipt_path(request: &Request) -> String {
    format!("/receipt/{}", request.receipt.as_str())
}
