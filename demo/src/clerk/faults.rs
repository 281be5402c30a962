//! What can go wrong with Clerk, on demand, and a count of what was asked. In memory only.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{StandIn, description::Ordered, errors::ApiError, webhooks::WebhookMode};
use crate::serve::DropConnection;

const WINDOW: Duration = Duration::from_secs(10);

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultMoment {
    /// Instead of the operation, which doesn't happen.
    #[default]
    Before,
    /// After the operation, whose answer is lost.
    After,
}

/// Something that goes wrong with the requests that match. Without status and drop it only delays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// Method and route as `GET /control/requests` lists them, for example `DELETE /v1/users/{user_id}`.
    /// Every operation, if absent.
    pub operation: Option<String>,
    /// A part of the request's path, for example a user id.
    pub path: Option<String>,
    /// How many requests it strikes; all, if absent.
    pub times: Option<u64>,
    /// When it strikes.
    pub moment: FaultMoment,
    /// The status that is answered.
    pub status: Option<u16>,
    /// The error code in the answer; the usual one for the status, if absent.
    pub code: Option<String>,
    /// Seconds in `Retry-After`.
    pub retry_after: Option<u64>,
    /// Milliseconds before anything else happens.
    pub latency: u64,
    /// Whether the connection closes without an answer.
    pub drop: bool,
}

/// The published limits: requests in ten seconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RateLimits {
    pub(super) enabled: bool,
    pub(super) instance: u32,
    pub(super) user: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { enabled: false, instance: 1000, user: 10 }
    }
}

#[derive(Default)]
pub(super) struct Faults {
    active: Mutex<Vec<Fault>>,
    counts: Mutex<BTreeMap<String, u64>>,
    limits: Mutex<RateLimits>,
    windows: Mutex<HashMap<String, (Instant, u32)>>,
    webhooks: Mutex<WebhookMode>,
    other: AtomicBool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of the lock panics")
}

impl Faults {
    pub(super) fn list(&self) -> Vec<Fault> {
        locked(&self.active).clone()
    }

    pub(super) fn add(&self, fault: Fault) {
        locked(&self.active).push(fault);
    }

    pub(super) fn clear(&self) {
        locked(&self.active).clear();
    }

    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        locked(&self.counts).clone()
    }

    pub(super) fn clear_counts(&self) {
        locked(&self.counts).clear();
    }

    pub(super) fn limits(&self) -> RateLimits {
        *locked(&self.limits)
    }

    pub(super) fn set_limits(&self, limits: RateLimits) {
        *locked(&self.limits) = limits;
        locked(&self.windows).clear();
    }

    pub(super) fn webhook_mode(&self) -> WebhookMode {
        *locked(&self.webhooks)
    }

    pub(super) fn set_webhook_mode(&self, mode: WebhookMode) {
        *locked(&self.webhooks) = mode;
        self.other.store(false, Ordering::Relaxed);
    }

    /// True, false, true, …
    pub(super) fn every_other(&self) -> bool {
        !self.other.fetch_xor(true, Ordering::Relaxed)
    }

    /// The first fault that matches; one that has struck often enough is taken away.
    fn take(&self, operation: &str, path: &str) -> Option<Fault> {
        let mut active = locked(&self.active);
        let position = active.iter().position(|fault| {
            fault.operation.as_deref().is_none_or(|wanted| wanted == operation)
                && fault.path.as_deref().is_none_or(|part| path.contains(part))
        })?;
        let fault = active[position].clone();
        match &mut active[position].times {
            Some(0 | 1) => drop(active.remove(position)),
            Some(times) => *times -= 1,
            None => {}
        }
        Some(fault)
    }

    fn count(&self, operation: &str) {
        *locked(&self.counts).entry(operation.to_owned()).or_default() += 1;
    }

    /// Seconds to wait, where a limit is used up.
    fn limit(&self, operation: &str, path: &str) -> Option<u64> {
        let limits = self.limits();
        if !limits.enabled || operation.ends_with(" /v1/jwks") {
            return None;
        }
        let mut windows = locked(&self.windows);
        let instance = exhausted(&mut windows, String::new(), limits.instance);
        let changes_user = ["PATCH /v1/users/", "PUT /v1/users/"].iter().any(|prefix| operation.starts_with(prefix));
        instance.or_else(|| {
            changes_user
                .then(|| exhausted(&mut windows, path.trim_end_matches("/metadata").to_owned(), limits.user))
                .flatten()
        })
    }
}

fn exhausted(windows: &mut HashMap<String, (Instant, u32)>, key: String, limit: u32) -> Option<u64> {
    let now = Instant::now();
    let (start, used) = windows.entry(key).or_insert((now, 0));
    if now.duration_since(*start) >= WINDOW {
        (*start, *used) = (now, 0);
    }
    *used += 1;
    (*used > limit).then(|| WINDOW.saturating_sub(now.duration_since(*start)).as_secs().max(1))
}

/// Counts a request and lets the faults strike it.
pub(super) async fn apply(State(stand_in): State<StandIn>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().map_or(path.as_str(), MatchedPath::as_str);
    let operation = format!("{} {route}", request.method());
    let faults = stand_in.faults();
    faults.count(&operation);
    let backend = request.headers().contains_key(axum::http::header::AUTHORIZATION);
    if let Some(seconds) = backend.then(|| faults.limit(&operation, &path)).flatten() {
        return ApiError::too_many_requests(seconds).into_response();
    }
    let Some(fault) = faults.take(&operation, &path) else { return next.run(request).await };
    tokio::time::sleep(Duration::from_millis(fault.latency)).await;
    if fault.moment == FaultMoment::After {
        let answer = next.run(request).await;
        return fault.answer().unwrap_or(answer);
    }
    match fault.answer() {
        Some(answer) => answer,
        None => next.run(request).await,
    }
}

impl Fault {
    fn answer(&self) -> Option<Response> {
        if self.drop {
            let mut response = StatusCode::BAD_GATEWAY.into_response();
            response.extensions_mut().insert(DropConnection);
            return Some(response);
        }
        let status = StatusCode::from_u16(self.status?).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let usual = match status.as_u16() {
            401 => "authentication_invalid",
            404 => "resource_not_found",
            409 => "resource_locked",
            413 => "request_body_too_large",
            422 => "form_param_unknown",
            429 => "too_many_requests",
            503 => "service_unavailable",
            504 => "gateway_timeout",
            _ => "internal_clerk_error",
        };
        let code = self.code.as_deref().unwrap_or(usual);
        let error =
            ApiError::new(status, code, status.canonical_reason().unwrap_or("Error"), "This failure was ordered.");
        let mut response = error.retry_after(self.retry_after).into_response();
        response.extensions_mut().insert(Ordered);
        Some(response)
    }
}
