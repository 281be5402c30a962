//! The errors of Clerk's APIs: a status and a document with codes.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::ids;

/// An error response.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: String,
    message: String,
    long_message: String,
    parameter: Option<String>,
    retry_after: Option<u64>,
}

/// What the handlers of both APIs return.
pub(crate) type ApiResult<T = Json<Value>> = Result<T, ApiError>;

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &str, message: &str, long_message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
            long_message: long_message.into(),
            parameter: None,
            retry_after: None,
        }
    }

    /// The same error with another status, for operations that document that one.
    pub(crate) fn status(self, status: u16) -> Self {
        Self { status: StatusCode::from_u16(status).expect("the OpenAPI descriptions name HTTP statuses"), ..self }
    }

    pub(crate) fn retry_after(self, seconds: Option<u64>) -> Self {
        Self { retry_after: seconds, ..self }
    }

    pub(crate) fn not_found(kind: &str, id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "resource_not_found", "not found", format!("No {kind} was found with id {id}"))
    }

    pub(crate) fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "resource_not_found", "Resource not found", "There is no such route.")
    }

    pub(crate) fn no_method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "Method not allowed",
            "This route has no such method.",
        )
    }

    pub(crate) fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "authentication_invalid",
            "Invalid authentication",
            "Unable to authenticate the request, you need to supply an active session or secret key",
        )
    }

    /// An unknown `__clerk_db_jwt`. Clerk's browser SDK requests a new one after this error.
    pub(crate) fn unknown_dev_browser() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "dev_browser_unauthenticated",
            "Unable to authenticate this browser for your development instance.",
            "Check your Clerk cookies and try again.",
        )
    }

    pub(crate) fn session_exists() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "session_exists",
            "Session already exists",
            "You're currently in single session mode. You can only be signed into one account at a time.",
        )
    }

    /// A ticket or code that doesn't verify the user.
    pub(crate) fn verification_failed(code: &str, message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message, message)
    }

    pub(crate) fn self_deletion_forbidden() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "user_delete_self_not_enabled",
            "Deletion not allowed",
            "This person may not delete themselves.",
        )
    }

    pub(crate) fn wrong_key() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "clerk_key_invalid",
            "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.",
            "Invalid secret key",
        )
    }

    /// An error of the refresh route, after which the SDKs start a handshake.
    pub(crate) fn refresh_refused(code: &str) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            code,
            "Session can't be refreshed",
            "The session token can't be refreshed with what was sent.",
        )
    }

    pub(crate) fn bad_body() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "request_body_invalid",
            "Request body invalid",
            "The request body is invalid. Please consult the API documentation for more information.",
        )
    }

    pub(crate) fn body_too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "request_body_too_large",
            "Request body too large",
            "The request body is larger than what is accepted.",
        )
    }

    pub(crate) fn unprocessable(code: &str, parameter: &str, message: &str, long_message: impl Into<String>) -> Self {
        let parameter = Some(parameter.to_owned());
        Self { parameter, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message, long_message) }
    }

    pub(crate) fn unknown_parameter(name: &str) -> Self {
        Self::unprocessable(
            "form_param_unknown",
            name,
            "is unknown",
            format!("{name} is not a valid parameter for this request."),
        )
    }

    pub(crate) fn missing_parameter(name: &str) -> Self {
        Self::unprocessable("form_param_missing", name, "is missing", format!("{name} must be included."))
    }

    pub(crate) fn invalid_parameter(name: &str, long_message: &str) -> Self {
        Self::unprocessable("form_param_value_invalid", name, "is invalid", long_message)
    }

    pub(crate) fn wrong_type(name: &str) -> Self {
        Self::unprocessable("form_param_type_invalid", name, "is invalid", format!("{name} has the wrong type."))
    }

    pub(crate) fn wrong_format(name: &str) -> Self {
        Self::unprocessable("form_param_format_invalid", name, "is invalid", format!("{name} has the wrong format."))
    }

    pub(crate) fn taken(name: &str) -> Self {
        Self::unprocessable(
            "form_identifier_exists",
            name,
            "is taken",
            format!("That {name} is taken. Please try another."),
        )
    }

    pub(crate) fn too_large(name: &str) -> Self {
        Self::unprocessable(
            "form_param_exceeds_allowed_size",
            name,
            "exceeds maximum size",
            format!("{name} exceeds the maximum allowed size of 8 KB."),
        )
    }

    pub(crate) fn too_many_requests(seconds: u64) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            "Too many requests. Please try again in a bit.",
            "Too many requests. Please try again in a bit.",
        )
        .retry_after(Some(seconds))
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(%error, "database query failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_clerk_error",
            "Oops, an unexpected error occurred",
            "There was an internal error on our servers.",
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut error = json!({ "code": self.code, "message": self.message, "long_message": self.long_message });
        if let Some(name) = self.parameter {
            error["meta"] = json!({ "param_name": name });
        }
        let mut response =
            (self.status, Json(json!({ "errors": [error], "clerk_trace_id": ids::trace() }))).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
