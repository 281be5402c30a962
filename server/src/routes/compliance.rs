//! `/api/compliance/…`: deletion and export for programs that act for a user.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::Method;
use lethe::export::Shape;
use lethe_app::server::context::RequestContext;
use lethe_app::server::current_user::CurrentUser;
use lethe_error_code::ErrorCode;
use serde_json::Value;

use super::{deletion, export};
use crate::error::{Problem, ProblemDocument};
use crate::state::AppState;

/// The confirmation.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the shape that `is_confirmed` reads")]
pub(super) struct Confirmation {
    /// Must be true.
    confirm: bool,
}

/// Deletes the user's account after a confirmation.
#[utoipa::path(
    post,
    path = "/api/compliance/gdpr-delete",
    request_body = Confirmation,
    responses(
        (status = 200, body = deletion::Deletion, description = "the deletion is complete"),
        (status = 202, body = deletion::Deletion, description = "the deletion continues in the background"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "`confirm` isn't true"),
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
    body: Bytes,
) -> Result<Response, Problem> {
    if !is_confirmed(&body) {
        return Err(ErrorCode::ConfirmationMissing.into());
    }
    deletion::authorize(&state, &user).await?;
    deletion::start_and_wait(&state, &context, &user).await
}

/// Streams the user's rows of the mapped tables, by table name.
#[utoipa::path(
    get,
    path = "/api/compliance/gdpr-export",
    responses(
        (status = 200, body = std::collections::HashMap<String, Vec<Value>>, description = "rows by table name, as an attachment"),
        (status = 401, body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, body = ProblemDocument, content_type = "application/problem+json",
            description = "as for `/api/privacy/export`"),
        (status = 429, body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn download(State(state): State<AppState>, method: Method, user: CurrentUser) -> Result<Response, Problem> {
    export::start_export(&state, &method, &user, Shape::TablesOnly).await
}

/// Exactly `true`; a string that says so isn't enough.
fn is_confirmed(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|body| body["confirm"] == Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::is_confirmed;

    #[rstest]
    #[case(r#"{"confirm": true}"#, true)]
    #[case("", false)]
    #[case("{}", false)]
    #[case("true", false)]
    #[case("[true]", false)]
    #[case(r#"{"confirm":"true"}"#, false)]
    #[case(r#"{"confirm":1}"#, false)]
    #[case(r#"{"confirm":false}"#, false)]
    #[case(r#"{"confirm":true"#, false)]
    fn only_the_literal_true_confirms(#[case] body: &str, #[case] confirms: bool) {
        assert_eq!(is_confirmed(body.as_bytes()), confirms);
    }
}
