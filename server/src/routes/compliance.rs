//! `/api/compliance/…`: the same two rights for programs that act for a person.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::Method;
use lethe::ErrorCode;
use lethe::export::Shape;
use serde_json::Value;

use super::{deletion, export};
use crate::auth::CurrentUser;
use crate::lifecycle::RequestContext;
use crate::problem::{Document, Problem};
use crate::state::AppState;

/// The confirmation.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the shape that `is_confirmed` reads")]
pub(super) struct Confirmation {
    /// Must be true.
    confirm: bool,
}

/// Deletes the account of the person who asks and confirms.
#[utoipa::path(
    post,
    path = "/api/compliance/gdpr-delete",
    request_body = Confirmation,
    responses(
        (status = 200, body = deletion::Deletion, description = "everything is done"),
        (status = 202, body = deletion::Deletion, description = "it takes longer, and goes on by itself"),
        (status = 400, body = Document, content_type = "application/problem+json", description = "`confirm` isn't true"),
        (status = 401, body = Document, content_type = "application/problem+json"),
        (status = 403, body = Document, content_type = "application/problem+json",
            description = "somebody else acts for the person, or, with `clerk_error` as Clerk's helpers read it, the sign-in is too old"),
        (status = 429, body = Document, content_type = "application/problem+json"),
        (status = 500, body = Document, content_type = "application/problem+json",
            description = "a step failed; `deleted`, `log` and `receipt` are beside the problem's members, and it goes on by itself"),
    )
)]
pub async fn delete(State(server): State<AppState>, person: CurrentUser, body: Bytes) -> Result<Response, Problem> {
    if !is_confirmed(&body) {
        return Err(ErrorCode::ConfirmationMissing.into());
    }
    deletion::authorize(&server, &person)?;
    deletion::start_and_wait(&server, &person).await
}

/// Streams the mapped tables of the person who asks, by table name.
#[utoipa::path(
    get,
    path = "/api/compliance/gdpr-export",
    responses(
        (status = 200, body = std::collections::HashMap<String, Vec<Value>>, description = "rows by table name, an attachment"),
        (status = 401, body = Document, content_type = "application/problem+json"),
        (status = 403, body = Document, content_type = "application/problem+json",
            description = "as for `/api/privacy/export`"),
        (status = 429, body = Document, content_type = "application/problem+json"),
    )
)]
pub async fn download(
    State(server): State<AppState>,
    axum::Extension(scope): axum::Extension<RequestContext>,
    method: Method,
    person: CurrentUser,
) -> Result<Response, Problem> {
    export::start_export(&server, scope, &method, &person, Shape::TablesOnly).await
}

/// Exactly `true`; a word that means it is not enough.
fn is_confirmed(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|body| body["confirm"] == Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::is_confirmed;

    #[test]
    fn only_true_confirms() {
        assert!(is_confirmed(br#"{"confirm": true}"#));
        for body in [
            "",
            "{}",
            "true",
            "[true]",
            r#"{"confirm":"true"}"#,
            r#"{"confirm":1}"#,
            r#"{"confirm":false}"#,
            r#"{"confirm":true"#,
        ] {
            assert!(!is_confirmed(body.as_bytes()), "{body}");
        }
    }
}
