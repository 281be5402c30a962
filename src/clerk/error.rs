//! Errors of calls to Clerk. They may hold codes and trace ids, but never a message from Clerk, since messages
//! quote e-mail addresses.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;

use crate::platform::error_chain;

/// The kinds of failure that callers distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The client's settings are invalid; nothing was sent.
    Misconfigured,
    /// Clerk doesn't accept the secret key (401).
    Unauthorized,
    /// The secret key isn't allowed to do this (403).
    Forbidden,
    /// The object doesn't exist (404).
    NotFound,
    /// The user is provisioned by a directory (SCIM) and must be removed there.
    ManagedByScim,
    /// Another request is changing the object at this moment.
    Locked,
    /// Too many requests (429), or the client's own limit was reached.
    RateLimited {
        /// How long to wait at least, if that is known.
        retry_after: Option<Duration>,
    },
    /// Clerk refuses the request, or it wasn't sent because Clerk would refuse it.
    Invalid,
    /// Clerk can't be reached, or responds with 408 or 5xx.
    Unavailable,
    /// The response isn't what Clerk's specification says.
    Unreadable,
}

/// A call to Clerk that failed.
#[derive(Debug, thiserror::Error)]
#[error("clerk {}: {}", .0.operation, .0)]
pub struct Error(Box<Details>);

#[derive(Debug)]
struct Details {
    operation: &'static str,
    kind: Kind,
    status: Option<u16>,
    code: Option<String>,
    trace_id: Option<String>,
    cause: Option<String>,
    /// Nothing was sent, because the breaker was open.
    short_circuited: bool,
}

impl Error {
    pub(super) fn new(operation: &'static str, kind: Kind) -> Self {
        let (status, code, trace_id, cause) = (None, None, None, None);
        Self(Box::new(Details { operation, kind, status, code, trace_id, cause, short_circuited: false }))
    }

    /// For a call that isn't sent because the breaker is open.
    pub(super) fn short_circuited(operation: &'static str) -> Self {
        let mut error = Self::new(operation, Kind::Unavailable);
        error.0.short_circuited = true;
        error
    }

    /// Adds a code of Lethe's own.
    pub(super) fn with_code(mut self, code: &str) -> Self {
        self.0.code = Some(code.to_owned());
        self
    }

    pub(super) fn with_cause(mut self, cause: &dyn std::error::Error) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// From a response with a status other than 2xx.
    pub(super) fn from_response(operation: &'static str, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let body: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
        let code = body.errors.into_iter().find_map(|error| error.code).and_then(|code| identifier(&code));
        let trace_id = body
            .clerk_trace_id
            .as_deref()
            .or_else(|| headers.get("cf-ray").and_then(|value| value.to_str().ok()))
            .and_then(identifier);
        let kind = classify(status, code.as_deref(), headers);
        let mut error = Self::new(operation, kind);
        (error.0.status, error.0.code, error.0.trace_id) = (Some(status.as_u16()), code, trace_id);
        error
    }

    /// From a failure to connect, to send or to receive.
    pub(super) fn from_transport(operation: &'static str, error: reqwest::Error) -> Self {
        let kind = if error.is_builder() { Kind::Invalid } else { Kind::Unavailable };
        // The URL may hold a user's id.
        let cause = error_chain(&error.without_url());
        let mut made = Self::new(operation, kind);
        made.0.cause = Some(cause);
        made
    }

    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The HTTP status, if Clerk responded.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Clerk's code of the first error, for example `resource_not_found`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The id that Clerk's support asks for: `clerk_trace_id`, or else the header `cf-ray`.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.0.trace_id.as_deref()
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retryable(&self) -> bool {
        matches!(self.0.kind, Kind::Locked | Kind::RateLimited { .. } | Kind::Unavailable)
    }

    /// Whether nothing was sent because the breaker was open.
    pub(super) fn is_short_circuited(&self) -> bool {
        self.0.short_circuited
    }

    /// Whether the failure means an outage, rather than a refusal or a limit.
    pub(super) fn is_outage(&self) -> bool {
        self.0.kind == Kind::Unavailable && !self.0.short_circuited
    }

    /// How long to wait at least before the next attempt, if Clerk said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.0.kind {
            Kind::RateLimited { retry_after } => retry_after,
            _ => None,
        }
    }
}

impl std::fmt::Display for Details {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            Kind::Misconfigured => formatter.write_str("invalid settings")?,
            Kind::Unauthorized => formatter.write_str("secret key not accepted")?,
            Kind::Forbidden => formatter.write_str("forbidden")?,
            Kind::NotFound => formatter.write_str("not found")?,
            Kind::ManagedByScim => formatter.write_str("the user is managed by a directory (SCIM)")?,
            Kind::Locked => formatter.write_str("locked by another request")?,
            Kind::RateLimited { .. } => formatter.write_str("too many requests")?,
            Kind::Invalid => formatter.write_str("refused")?,
            Kind::Unavailable if self.short_circuited => {
                formatter.write_str("not called, since it is known to be down")?;
            }
            Kind::Unavailable => formatter.write_str("unavailable")?,
            Kind::Unreadable => formatter.write_str("unreadable response")?,
        }
        if let Some(status) = self.status {
            write!(formatter, ", status {status}")?;
        }
        if let Some(code) = &self.code {
            write!(formatter, ", code {code}")?;
        }
        if let Some(trace_id) = &self.trace_id {
            write!(formatter, ", trace {trace_id}")?;
        }
        if let Some(cause) = &self.cause {
            write!(formatter, ": {cause}")?;
        }
        Ok(())
    }
}

#[derive(Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    errors: Vec<ErrorEntry>,
    #[serde(default)]
    clerk_trace_id: Option<String>,
}

#[derive(Deserialize)]
struct ErrorEntry {
    #[serde(default)]
    code: Option<String>,
}

fn classify(status: StatusCode, code: Option<&str>, headers: &HeaderMap) -> Kind {
    match (status.as_u16(), code) {
        (_, Some("user_managed_by_scim")) => Kind::ManagedByScim,
        (_, Some("resource_locked")) | (423, _) => Kind::Locked,
        (401, _) => Kind::Unauthorized,
        (403, _) => Kind::Forbidden,
        (404, _) => Kind::NotFound,
        (429, _) => Kind::RateLimited { retry_after: retry_after(headers) },
        (408 | 500.., _) => Kind::Unavailable,
        (400.., _) => Kind::Invalid,
        _ => Kind::Unreadable,
    }
}

/// Reads seconds, as Clerk sends them. An hour at most, so that a mistake at Clerk doesn't stop calls for days.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(3_600)))
}

/// Returns `text` if it can be a code or an id. A sentence, which may quote an address, is dropped.
fn identifier(text: &str) -> Option<String> {
    let acceptable = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':');
    (!text.is_empty() && text.len() <= 80 && text.bytes().all(acceptable)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, headers: &[(&'static str, &str)], body: &str) -> Error {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Error::from_response("test", StatusCode::from_u16(status).unwrap(), &map, body.as_bytes())
    }

    #[test]
    fn status_and_code_give_the_kind() {
        let with = |code: &str| format!(r#"{{"errors":[{{"code":"{code}","message":"m"}}]}}"#);
        for (status, code, kind, retryable) in [
            (400, "form_param_missing", Kind::Invalid, false),
            (401, "clerk_key_invalid", Kind::Unauthorized, false),
            (403, "authorization_invalid", Kind::Forbidden, false),
            (404, "resource_not_found", Kind::NotFound, false),
            (409, "user_managed_by_scim", Kind::ManagedByScim, false),
            (409, "resource_locked", Kind::Locked, true),
            (409, "something_new", Kind::Invalid, false),
            (413, "request_body_too_large", Kind::Invalid, false),
            (422, "form_param_unknown", Kind::Invalid, false),
            (429, "too_many_requests", Kind::RateLimited { retry_after: None }, true),
            (500, "internal_clerk_error", Kind::Unavailable, true),
            (503, "service_unavailable", Kind::Unavailable, true),
            (504, "gateway_timeout", Kind::Unavailable, true),
            (302, "moved", Kind::Unreadable, false),
        ] {
            let error = response(status, &[], &with(code));
            assert_eq!(error.kind(), kind, "{status} {code}");
            assert_eq!(error.retryable(), retryable, "{status} {code}");
            assert_eq!(error.code(), Some(code));
        }
    }

    #[test]
    fn trace_id_comes_from_the_body_or_cf_ray() {
        let both = response(500, &[("cf-ray", "8f1-FRA")], r#"{"errors":[],"clerk_trace_id":"abc123"}"#);
        assert_eq!(both.trace_id(), Some("abc123"));
        let outside = response(502, &[("cf-ray", "8f1-FRA")], "<html>Bad gateway</html>");
        assert_eq!(outside.trace_id(), Some("8f1-FRA"));
        assert_eq!(outside.code(), None);
    }

    #[test]
    fn retry_after_is_seconds_and_bounded() {
        assert_eq!(response(429, &[("retry-after", "7")], "").retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(response(429, &[("retry-after", "999999")], "").retry_after(), Some(Duration::from_hours(1)));
        assert_eq!(response(429, &[("retry-after", "soon")], "").retry_after(), None);
        assert_eq!(response(503, &[("retry-after", "7")], "").retry_after(), None);
    }

    #[test]
    fn error_output_holds_no_message_of_clerk() {
        let error = response(
            422,
            &[],
            r#"{"errors":[{"code":"taken by ada@example.org","message":"ada@example.org is taken"}]}"#,
        );
        let output = format!("{error} {error:?}");
        assert!(!output.contains("ada"), "{output}");
    }
}
