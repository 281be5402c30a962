//! Validates every response and every event. One that violates its description is replaced with a 500 that names the
//! violation, so that no test relies on a mistake of the stand-in.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    body::{Body, to_bytes},
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, Method, StatusCode, header::CONTENT_TYPE},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::descriptions::DESCRIPTIONS;
use crate::{api_error::ApiError, http_server::DropConnection};

/// Statuses that every operation may have: malformed body, missing key, wrong method, body too large, rate limit,
/// failure. The descriptions list them for some operations only.
const ALWAYS_ALLOWED: [u16; 6] = [400, 401, 405, 413, 429, 500];

/// Responses that the descriptions lack: they restrict a token's lifetime without naming the error.
const UNDOCUMENTED: [(&str, u16); 1] = [("POST /v1/sessions/{session_id}/tokens", 422)];

/// A response extension: the response is an injected fault, so it may have any status.
#[derive(Clone, Copy)]
pub(crate) struct FaultInjected;

/// What has been validated against the descriptions so far.
#[derive(Default)]
pub(crate) struct Conformance {
    checked: Mutex<BTreeMap<String, u64>>,
    violations: Mutex<Vec<String>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of the lock panics")
}

impl Conformance {
    /// How many valid responses there were by operation and status, as `GET /v1/users 200`, and valid events by type,
    /// as `event user.created`.
    pub(crate) fn checked(&self) -> BTreeMap<String, u64> {
        locked(&self.checked).clone()
    }

    /// The violations, each with operation, status and location.
    pub(crate) fn violations(&self) -> Vec<String> {
        locked(&self.violations).clone()
    }

    pub(crate) fn clear(&self) {
        locked(&self.checked).clear();
        locked(&self.violations).clear();
    }

    /// Validates an event before it is sent.
    pub(crate) fn check_event(&self, event_type: &str, payload: &Value) {
        let result = match DESCRIPTIONS.events.get(event_type) {
            Some(schema) => validate(format!("event {event_type}"), schema, payload),
            None => Err("no such event is described".to_owned()),
        };
        self.record(format!("event {event_type}"), result.err());
    }

    fn record(&self, subject: String, violation: Option<String>) {
        if let Some(violation) = violation {
            tracing::error!(%subject, %violation, "Clerk's OpenAPI description is violated");
            locked(&self.violations).push(format!("{subject}: {violation}"));
        } else {
            *locked(&self.checked).entry(subject).or_default() += 1;
        }
    }
}

/// Validates responses: the middleware around all routes.
pub(crate) async fn check_response(
    State(conformance): State<Arc<Conformance>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let is_api = path.starts_with("/v1/") || path.starts_with("/.well-known/");
    if !is_api || matches!(*request.method(), Method::HEAD | Method::OPTIONS) {
        return next.run(request).await;
    }
    let route =
        request.extensions().get::<MatchedPath>().map(|route| format!("{} {}", request.method(), route.as_str()));
    let is_paginated = request.uri().query().is_some_and(|query| query.contains("paginated=true"));
    let response = next.run(request).await;
    if response.extensions().get::<DropConnection>().is_some() {
        return response;
    }
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.expect("responses are in memory");
    let is_injected = parts.extensions.get::<FaultInjected>().is_some();
    let result = match expected(route.as_deref(), parts.status, is_injected, is_paginated) {
        Ok(Some((key, schema))) => validate_body(key, &schema, &parts.headers, &bytes),
        Ok(None) => Ok(()),
        Err(violation) => Err(violation),
    };
    let subject = format!("{} {}", route.as_deref().unwrap_or("no route"), parts.status.as_u16());
    if let Err(violation) = &result {
        let error = ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "stand_in_violates_description",
            "The stand-in's response is not one of Clerk's",
            format!("{subject}: {violation}"),
        );
        conformance.record(subject, result.err());
        return error.into_response();
    }
    conformance.record(subject, None);
    Response::from_parts(parts, Body::from(bytes))
}

/// The schema of a response, with the key of its validator; none if the response has no JSON body.
fn expected(
    route: Option<&str>,
    status: StatusCode,
    is_injected: bool,
    is_paginated: bool,
) -> Result<Option<(String, Value)>, String> {
    let status = status.as_u16();
    let errors = || Ok(Some(("errors".to_owned(), reference("ClerkErrors"))));
    let Some(route) = route else { return errors() };
    if is_injected {
        return errors();
    }
    let key = format!("{route} {status}");
    match (route, status) {
        // The SDKs use pages; the description has the plain list only.
        ("GET /v1/sessions", 200) if is_paginated => return Ok(Some((format!("{key} paginated"), sessions_page()))),
        // Not described, though every server-side SDK uses it.
        ("GET /v1/clients/handshake_payload", 200) => return Ok(Some((key, handshake_payload()))),
        ("GET /v1/clients/handshake_payload", 404 | 422) => return errors(),
        _ => {}
    }
    let operation = DESCRIPTIONS.operation(route);
    if let Some(described) = operation.and_then(|operation| operation.responses.get(&status)) {
        return Ok(described.clone().map(|schema| (key, schema)));
    }
    let is_undocumented = UNDOCUMENTED.contains(&(route, status));
    match operation {
        _ if is_undocumented || ALWAYS_ALLOWED.contains(&status) => errors(),
        Some(_) => Err("the description has no response with this status".to_owned()),
        None => Err("no such operation is described".to_owned()),
    }
}

fn validate_body(key: String, schema: &Value, headers: &HeaderMap, bytes: &[u8]) -> Result<(), String> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("none");
    if content_type != "application/json" {
        return Err(format!("the content type is {content_type}"));
    }
    let body = serde_json::from_slice(bytes).map_err(|error| format!("the body isn't JSON: {error}"))?;
    validate(key, schema, &body)
}

fn validate(key: String, schema: &Value, value: &Value) -> Result<(), String> {
    let validator = DESCRIPTIONS.validator(key, schema);
    let violations: Vec<String> =
        validator.iter_errors(value).map(|error| format!("at {}: {error}", error.instance_path())).collect();
    if violations.is_empty() { Ok(()) } else { Err(violations.join("; ")) }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("https://clerk.invalid/backend#/components/schemas/{name}") })
}

fn sessions_page() -> Value {
    json!({
        "type": "object",
        "properties": {
            "data": { "type": "array", "items": reference("Session") },
            "total_count": { "type": "integer" },
        },
        "required": ["data", "total_count"],
        "additionalProperties": false,
    })
}

fn handshake_payload() -> Value {
    json!({
        "type": "object",
        "properties": { "directives": { "type": "array", "items": { "type": "string" } } },
        "required": ["directives"],
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(route: &str, status: u16, body: &Value) -> Result<(), String> {
        let status = StatusCode::from_u16(status).expect("an HTTP status");
        let (key, schema) = expected(Some(route), status, false, false)?.expect("a response with JSON");
        validate(key, &schema, body)
    }

    fn session_with(name: &str, value: Value) -> Value {
        let mut session = json!({
            "object": "session", "id": "sess_1", "user_id": "user_1", "client_id": "client_1", "status": "active",
            "actor": null, "last_active_at": 1, "expire_at": 1, "abandon_at": 1, "updated_at": 1, "created_at": 1,
        });
        session[name] = value;
        session
    }

    #[test]
    fn described_session_is_valid() {
        assert_eq!(check("GET /v1/sessions/{session_id}", 200, &session_with("status", "active".into())), Ok(()));
    }

    #[test]
    fn violations_are_located() {
        for (name, value, location) in [
            ("status", json!("asleep"), "at /status: "),
            ("expire_at", json!("soon"), "at /expire_at: "),
            ("user_id", Value::Null, "at /user_id: "),
            ("mood", json!("good"), "'mood'"),
        ] {
            let violation = check("GET /v1/sessions/{session_id}", 200, &session_with(name, value)).expect_err(name);
            assert!(violation.contains(location), "{violation}");
        }
        let violation = check("GET /v1/sessions/{session_id}", 200, &json!({})).expect_err("everything is missing");
        assert!(violation.contains("\"abandon_at\" is a required property"), "{violation}");
    }

    #[test]
    fn incomplete_errors_and_undescribed_statuses_and_operations_are_violations() {
        let incomplete = json!({ "errors": [{ "code": "resource_not_found" }] });
        assert!(check("GET /v1/users/{user_id}", 404, &incomplete).is_err());
        assert!(check("GET /v1/users/{user_id}", 409, &json!({ "errors": [] })).is_err(), "no such status");
        assert!(check("GET /v1/shoes", 200, &json!({})).is_err(), "no such operation");
    }

    #[test]
    fn incomplete_and_unknown_events_are_violations() {
        let conformance = Conformance::default();
        conformance.check_event("session.created", &json!({ "data": {} }));
        conformance.check_event("shoe.tied", &json!({}));
        assert_eq!(conformance.violations().len(), 2);
        assert!(conformance.checked().is_empty());
    }
}
