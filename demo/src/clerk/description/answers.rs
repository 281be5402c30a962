//! Holds every answer and every event against its description. What doesn't fit is not sent: a 500 with the place of
//! the violation is, so that nobody builds on a mistake of the stand-in.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use axum::{
    body::{Body, to_bytes},
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, Method, StatusCode, header::CONTENT_TYPE},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::DESCRIPTIONS;
use crate::{
    clerk::{StandIn, errors::ApiError},
    serve::DropConnection,
};

/// Statuses that stand before or beside every operation: a body that can't be read, a missing key, a wrong method, a
/// body that is too large, a limit, a failure. The descriptions name them only here and there.
const BESIDE: [u16; 6] = [400, 401, 405, 413, 429, 500];

/// An answer that the description lacks: it forbids lifetimes out of range and names no refusal.
const FURTHER: [(&str, u16); 1] = [("POST /v1/sessions/{session_id}/tokens", 422)];

/// Put into a response's extensions: a fault ordered this answer, so its status may be any.
#[derive(Clone, Copy)]
pub(in crate::clerk) struct Ordered;

/// What was held against the descriptions so far.
#[derive(Default)]
pub(in crate::clerk) struct Conformance {
    checked: Mutex<BTreeMap<String, u64>>,
    violations: Mutex<Vec<String>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of the lock panics")
}

impl Conformance {
    /// How often each operation's answer with each status was checked, and each type of event.
    pub(in crate::clerk) fn checked(&self) -> BTreeMap<String, u64> {
        locked(&self.checked).clone()
    }

    /// What didn't fit: operation, status and place.
    pub(in crate::clerk) fn violations(&self) -> Vec<String> {
        locked(&self.violations).clone()
    }

    pub(in crate::clerk) fn forget(&self) {
        locked(&self.checked).clear();
        locked(&self.violations).clear();
    }

    /// Checks an event before it is sent.
    pub(in crate::clerk) fn check_event(&self, kind: &str, payload: &Value) {
        let verdict = match DESCRIPTIONS.events.get(kind) {
            Some(schema) => judge(format!("event {kind}"), schema, payload),
            None => Err("no such event is described".to_owned()),
        };
        self.note(format!("event {kind}"), verdict.err());
    }

    fn note(&self, what: String, complaint: Option<String>) {
        if let Some(complaint) = complaint {
            tracing::error!(%what, %complaint, "this is not what Clerk would send");
            locked(&self.violations).push(format!("{what}: {complaint}"));
        } else {
            *locked(&self.checked).entry(what).or_default() += 1;
        }
    }
}

/// The middleware around all routes.
pub(in crate::clerk) async fn check(State(stand_in): State<StandIn>, request: Request, next: Next) -> Response {
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
    let bytes = to_bytes(body, usize::MAX).await.expect("the stand-in's answers are in memory");
    let is_ordered = parts.extensions.get::<Ordered>().is_some();
    let verdict = match expected(route.as_deref(), parts.status, is_ordered, is_paginated) {
        Ok(Some((key, schema))) => judge_body(key, &schema, &parts.headers, &bytes),
        Ok(None) => Ok(()),
        Err(complaint) => Err(complaint),
    };
    let what = format!("{} {}", route.as_deref().unwrap_or("no route"), parts.status.as_u16());
    if let Err(complaint) = &verdict {
        let error = ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "stand_in_violates_description",
            "The stand-in's answer is not one of Clerk's",
            format!("{what}: {complaint}"),
        );
        stand_in.conformance().note(what, verdict.err());
        return error.into_response();
    }
    stand_in.conformance().note(what, None);
    Response::from_parts(parts, Body::from(bytes))
}

/// The schema of an answer, with the key of its validator; nothing where the answer holds no JSON.
fn expected(
    route: Option<&str>,
    status: StatusCode,
    is_ordered: bool,
    is_paginated: bool,
) -> Result<Option<(String, Value)>, String> {
    let status = status.as_u16();
    let errors = || Ok(Some(("errors".to_owned(), reference("ClerkErrors"))));
    let Some(route) = route else { return errors() };
    if is_ordered {
        return errors();
    }
    let key = format!("{route} {status}");
    match (route, status) {
        // The SDKs ask for pages and get them; the description has the plain list only.
        ("GET /v1/sessions", 200) if is_paginated => return Ok(Some((format!("{key} paginated"), sessions_page()))),
        // Not described, though every SDK of a back end uses it.
        ("GET /v1/clients/handshake_payload", 200) => return Ok(Some((key, handshake_payload()))),
        ("GET /v1/clients/handshake_payload", 404 | 422) => return errors(),
        _ => {}
    }
    let operation = DESCRIPTIONS.operation(route);
    if let Some(described) = operation.and_then(|operation| operation.answers.get(&status)) {
        return Ok(described.clone().map(|schema| (key, schema)));
    }
    let is_further = FURTHER.contains(&(route, status));
    match operation {
        _ if is_further || BESIDE.contains(&status) => errors(),
        Some(_) => Err("the description has no answer with this status".to_owned()),
        None => Err("no such operation is described".to_owned()),
    }
}

fn judge_body(key: String, schema: &Value, headers: &HeaderMap, bytes: &[u8]) -> Result<(), String> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("none");
    if kind != "application/json" {
        return Err(format!("the content type is {kind}"));
    }
    let body = serde_json::from_slice(bytes).map_err(|error| format!("the body isn't JSON: {error}"))?;
    judge(key, schema, &body)
}

fn judge(key: String, schema: &Value, value: &Value) -> Result<(), String> {
    let validator = DESCRIPTIONS.validator(key, schema);
    let complaints: Vec<String> =
        validator.iter_errors(value).map(|error| format!("at {}: {error}", error.instance_path())).collect();
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("; ")) }
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

    fn verdict(route: &str, status: u16, body: &Value) -> Result<(), String> {
        let status = StatusCode::from_u16(status).expect("tests name statuses of HTTP");
        let (key, schema) = expected(Some(route), status, false, false)?.expect("tests ask for answers with JSON");
        judge(key, &schema, body)
    }

    #[test]
    fn what_clerk_does_not_answer_is_found() {
        let session = json!({
            "object": "session", "id": "sess_1", "user_id": "user_1", "client_id": "client_1", "status": "active", "actor": null,
            "last_active_at": 1, "expire_at": 1, "abandon_at": 1, "updated_at": 1, "created_at": 1,
        });
        let with = |name: &str, value: Value| {
            let mut session = session.clone();
            session[name] = value;
            verdict("GET /v1/sessions/{session_id}", 200, &session)
        };
        assert_eq!(with("status", "active".into()), Ok(()));
        for (name, value, place) in [
            ("status", json!("asleep"), "at /status: "),
            ("expire_at", json!("soon"), "at /expire_at: "),
            ("user_id", Value::Null, "at /user_id: "),
            ("mood", json!("good"), "'mood'"),
        ] {
            let complaint = with(name, value).expect_err(name);
            assert!(complaint.contains(place), "{complaint}");
        }
        let complaint = verdict("GET /v1/sessions/{session_id}", 200, &json!({})).expect_err("all is missing");
        assert!(complaint.contains("\"abandon_at\" is a required property"), "{complaint}");
        assert!(
            verdict("GET /v1/users/{user_id}", 404, &json!({ "errors": [{ "code": "resource_not_found" }] })).is_err()
        );
        assert!(verdict("GET /v1/users/{user_id}", 409, &json!({ "errors": [] })).is_err(), "no such status");
        assert!(verdict("GET /v1/shoes", 200, &json!({})).is_err(), "no such operation");
    }

    #[test]
    fn an_event_is_a_session_with_its_user_and_nothing_else() {
        let conformance = Conformance::default();
        conformance.check_event("session.created", &json!({ "data": {} }));
        conformance.check_event("shoe.tied", &json!({}));
        assert_eq!(conformance.violations().len(), 2);
        assert!(conformance.checked().is_empty());
    }
}
