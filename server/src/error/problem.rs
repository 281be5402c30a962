//! Problem documents (RFC 9457). What is reported about an internal error is decided here and in
//! [`lethe::Error::public`], nowhere else.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use lethe::Error;
use lethe_error_code::ErrorCode;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::openapi::{Object, ObjectBuilder, Type};

/// Media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// An incident id as requests have them, for the API description.
const INCIDENT_EXAMPLE: &str = "3T9KQ7XAB2M4C";

/// After how many seconds a client may retry when a dependency is down.
const UNAVAILABLE_RETRY_AFTER: Duration = Duration::from_secs(5);

/// The same while an operator has to act.
const MAINTENANCE_RETRY_AFTER: Duration = Duration::from_mins(1);

/// An error with what may be reported about it. As a response it has no body: the error middleware renders it as a
/// document or as a page.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: ErrorCode,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    retry_after: Option<Duration>,
    members: Map<String, Value>,
}

/// The document. Members beyond these belong to the operation that failed.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Document)]
pub struct ProblemDocument {
    /// Always `about:blank`: the status and the code say everything.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 401)]
    status: u16,
    /// A stable code for programs.
    #[schema(schema_with = code_schema)]
    code: ErrorCode,
    /// Identifies the request in the log.
    #[schema(schema_with = incident_schema)]
    incident: String,
    #[serde(flatten)]
    #[schema(ignore)]
    members: Map<String, Value>,
}

impl Problem {
    /// Returns a problem with the status of its code.
    #[must_use]
    pub fn new(code: ErrorCode) -> Self {
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = match code {
            ErrorCode::Unavailable => Some(UNAVAILABLE_RETRY_AFTER),
            ErrorCode::Maintenance => Some(MAINTENANCE_RETRY_AFTER),
            _ => None,
        };
        Self { status, code, source: None, retry_after, members: Map::new() }
    }

    /// Returns the most general problem with this status.
    #[must_use]
    pub fn from_status(status: StatusCode) -> Self {
        Self { status, ..Self::new(ErrorCode::from_status(status.as_u16())) }
    }

    /// Returns an internal error. Its source is logged and not reported.
    #[must_use]
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(ErrorCode::Internal).with_source(source)
    }

    /// Returns a refusal by a rate limit, with the time to wait.
    #[must_use]
    pub fn too_many_requests(retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(ErrorCode::TooManyRequests) }
    }

    /// Adds the cause, for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// Adds a member to the document.
    #[must_use]
    pub fn with_member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code for programs.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// Logs the problem with its causes. The span of the request adds route and incident.
    pub fn log(&self) {
        let (status, code) = (self.status.as_u16(), self.code.as_str());
        let error = self.source.as_ref().map(|source| lethe::error_chain(source.as_ref()));
        // It was logged when it began.
        let is_failure = self.status.is_server_error() && self.code != ErrorCode::Maintenance;
        match (is_failure, error) {
            (true, error) => tracing::error!(status, code, error, "request failed"),
            (false, Some(error)) => tracing::info!(status, code, error, "request refused"),
            (false, None) => tracing::debug!(status, code, "request refused"),
        }
    }

    /// Returns the document as a response.
    #[must_use]
    pub fn document(&self, incident: &str) -> Response {
        let document = ProblemDocument {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            incident: incident.to_owned(),
            members: self.members.clone(),
        };
        let mut response = Json(document).into_response();
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        self.set_headers(&mut response);
        response
    }

    /// Sets the headers that belong to the problem, whatever the body.
    pub fn set_headers(&self, response: &mut Response) {
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs().max(1);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
}

/// Clerk's hint beside the members of every problem. Clerk's helpers (`useReverification`, `isReverificationHint`) read
/// a response as JSON whatever its media type and look for that member alone, so one document serves both.
fn clerk_reverification_hint() -> Value {
    json!({
        "type": "forbidden",
        "reason": "reverification-error",
        "metadata": {"reverification": "strict"},
    })
}

impl From<ErrorCode> for Problem {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::ReverificationNeeded => Self::new(code).with_member("clerk_error", clerk_reverification_hint()),
            _ => Self::new(code),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        if let Error::RateLimited(wait) = error {
            // Rounded up, so that a request after that many seconds is accepted.
            return Self::too_many_requests(wait + Duration::from_millis(999));
        }
        let problem = Self::from(error.public());
        if matches!(error, Error::Refused(_)) { problem } else { problem.with_source(error) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.extensions_mut().insert(self);
        response
    }
}

fn code_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("A stable code for programs."))
        .enum_values(Some(ErrorCode::ALL.iter().map(|code| code.as_str())))
        .examples([ErrorCode::NotSignedIn.as_str()])
        .build()
}

fn incident_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("Identifies the request in the log."))
        .examples([INCIDENT_EXAMPLE])
        .build()
}
