//! Errors on their way out: closed for the one who asked, whole for the log.
//! Knows statuses and codes; what is told about an error from inside is decided here and nowhere else.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use lethe::{Error, ErrorCode};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Media type of a problem document (RFC 9457).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// An error as the one who asked may see it.
/// As a response it is empty until the boundary turns it into a document or a page.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    retry_after: Option<Duration>,
    members: Map<String, Value>,
}

/// The document. Members beyond these belong to the operation that failed.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Document {
    /// Always `about:blank`: the status and the code say everything.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The same as the status, in words.
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 401)]
    status: u16,
    /// A stable word for programs.
    #[schema(example = "not_signed_in")]
    code: &'static str,
    /// Under this id the log tells more.
    #[schema(example = "3T9KQ7XAB2")]
    incident: String,
    #[serde(flatten)]
    #[schema(ignore)]
    members: Map<String, Value>,
}

impl Problem {
    /// A problem with a status and a code of its own.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str) -> Self {
        Self { status, code, source: None, retry_after: None, members: Map::new() }
    }

    /// A problem that is told by its status alone.
    #[must_use]
    pub fn from_status(status: StatusCode) -> Self {
        let code = match status {
            StatusCode::BAD_REQUEST => "invalid_input",
            StatusCode::UNAUTHORIZED => "not_signed_in",
            StatusCode::FORBIDDEN => "forbidden",
            StatusCode::NOT_FOUND => "not_found",
            StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
            StatusCode::PAYLOAD_TOO_LARGE => "too_large",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_media_type",
            StatusCode::TOO_MANY_REQUESTS => "too_many_requests",
            StatusCode::SERVICE_UNAVAILABLE => "unavailable",
            status if status.is_client_error() => "invalid_input",
            _ => "internal",
        };
        Self::new(status, code)
    }

    /// Something failed inside. The source is logged, never told.
    #[must_use]
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::from_status(StatusCode::INTERNAL_SERVER_ERROR).with_source(source)
    }

    /// Too many requests; told after what time another one is welcome.
    #[must_use]
    pub fn too_many_requests(retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Self::from(ErrorCode::TooManyRequests) }
    }

    /// The person must confirm anew who they are.
    ///
    /// Beside the members of every problem stands Clerk's own hint, `clerk_error`. Clerk's helpers
    /// (`useReverification`, `isReverificationHint`) read an answer as JSON whatever its media type and
    /// look for that member alone, so one document serves both.
    #[must_use]
    pub fn reverification_needed() -> Self {
        let hint = json!({
            "type": "forbidden",
            "reason": "reverification-error",
            "metadata": {"reverification": "strict"},
        });
        Self::new(StatusCode::FORBIDDEN, "reverification_needed").with_member("clerk_error", hint)
    }

    /// Keeps the source for the log.
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

    /// The stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// Writes the whole chain of causes to the log, once, where this is the server's failure.
    pub fn log(&self, incident: &str) {
        if let Some(source) = &self.source {
            let causes = error_chain(source.as_ref());
            if self.status.is_server_error() {
                tracing::error!(incident, code = self.code, causes, "a request failed");
            } else {
                tracing::info!(incident, code = self.code, causes, "a request was refused");
            }
        } else if self.status.is_server_error() {
            tracing::error!(incident, code = self.code, "a request failed");
        } else {
            tracing::debug!(incident, code = self.code, "a request was refused");
        }
    }

    /// The document as a response.
    ///
    /// # Panics
    /// Never: the document is plain JSON.
    #[must_use]
    pub fn document(&self, incident: &str) -> Response {
        let document = Document {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            incident: incident.to_owned(),
            members: self.members.clone(),
        };
        let body = serde_json::to_vec(&document).expect("a problem document is plain JSON");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        self.set_headers(&mut response);
        response
    }

    /// Sets what the headers of an answer tell about this problem.
    pub fn set_headers(&self, response: &mut Response) {
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs().max(1);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
}

impl From<ErrorCode> for Problem {
    fn from(code: ErrorCode) -> Self {
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let problem = Self::new(status, code.as_str());
        match code {
            ErrorCode::Unavailable => Self { retry_after: Some(Duration::from_secs(5)), ..problem },
            _ => problem,
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(code) => Self::from(code),
            error => Self::from(error.public()).with_source(error),
        }
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

/// An error and its causes in one line.
#[must_use]
pub fn error_chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Wrappers that show their source as themselves add nothing.
        let next = error.to_string();
        if !text.ends_with(&next) {
            let _ = write!(text, ": {next}");
        }
        cause = error.source();
    }
    text
}
