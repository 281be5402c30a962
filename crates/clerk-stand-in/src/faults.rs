//! Injected failures, rate limits, webhook modes and request counts. In memory only.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{StatusCode, header::AUTHORIZATION},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use crate::{api_error::ApiError, http_server::DropConnection, openapi::FaultInjected};

const WINDOW: Duration = Duration::from_secs(10);

/// When a fault takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultMoment {
    /// Instead of the operation, which isn't carried out.
    #[default]
    Before,
    /// After the operation was carried out: its response is lost.
    After,
}

/// A failure that is injected into the requests that match. Without [`status`](Self::status) and
/// [`drop`](Self::drop) it only delays them.
///
/// ```
/// use clerk_stand_in::Fault;
///
/// // The next two deletions fail, and Clerk asks to come back after seven seconds.
/// let fault = Fault {
///     operation: Some("DELETE /v1/users/{user_id}".to_owned()),
///     times: Some(2),
///     status: Some(503),
///     retry_after: Some(7),
///     ..Fault::default()
/// };
/// # assert!(!fault.drop);
/// ```
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// Method and route as `GET /control/requests` lists them, for example `DELETE /v1/users/{user_id}`.
    /// By default every operation.
    pub operation: Option<String>,
    /// A substring of the request's path, for example a user id.
    pub path: Option<String>,
    /// How many requests it affects; by default all.
    pub times: Option<u64>,
    /// When it takes effect.
    pub moment: FaultMoment,
    /// The response's status.
    pub status: Option<u16>,
    /// The response's error code; by default the usual one for the status.
    pub code: Option<String>,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// A delay before anything else happens, in milliseconds.
    pub latency: u64,
    /// Whether the connection is closed without a response.
    pub drop: bool,
}

/// How events are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "mode")]
pub enum WebhookMode {
    /// Once, immediately.
    #[default]
    On,
    /// Not at all.
    Off,
    /// Twice, with the same id.
    Doubled,
    /// Once, after a delay.
    Late {
        /// The delay before the first attempt, in milliseconds.
        delay: u64,
    },
    /// Every second event is sent after the one that follows it.
    Reordered {
        /// The delay of the earlier one, in milliseconds.
        delay: u64,
    },
}

/// Clerk's published rate limits, in requests per ten seconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RateLimits {
    pub(crate) enabled: bool,
    pub(crate) instance: u32,
    pub(crate) user: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { enabled: false, instance: 1000, user: 10 }
    }
}

#[derive(Default)]
pub(crate) struct Faults {
    active: Mutex<Vec<Fault>>,
    counts: Mutex<BTreeMap<String, u64>>,
    limits: Mutex<RateLimits>,
    windows: Mutex<HashMap<String, (Instant, u32)>>,
    webhook_mode: Mutex<WebhookMode>,
    alternating: AtomicBool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of the lock panics")
}

impl Faults {
    pub(crate) fn list(&self) -> Vec<Fault> {
        locked(&self.active).clone()
    }

    pub(crate) fn add(&self, fault: Fault) {
        locked(&self.active).push(fault);
    }

    pub(crate) fn clear(&self) {
        locked(&self.active).clear();
    }

    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        locked(&self.counts).clone()
    }

    pub(crate) fn clear_counts(&self) {
        locked(&self.counts).clear();
    }

    pub(crate) fn limits(&self) -> RateLimits {
        *locked(&self.limits)
    }

    pub(crate) fn set_limits(&self, limits: RateLimits) {
        *locked(&self.limits) = limits;
        locked(&self.windows).clear();
    }

    pub(crate) fn webhook_mode(&self) -> WebhookMode {
        *locked(&self.webhook_mode)
    }

    pub(crate) fn set_webhook_mode(&self, mode: WebhookMode) {
        *locked(&self.webhook_mode) = mode;
        self.alternating.store(false, Ordering::Relaxed);
    }

    /// Returns true, false, true, …
    pub(crate) fn alternate(&self) -> bool {
        !self.alternating.fetch_xor(true, Ordering::Relaxed)
    }

    /// The first fault that matches. It is removed once it has affected its number of requests.
    fn take(&self, operation: &str, path: &str) -> Option<Fault> {
        let mut active = locked(&self.active);
        let position = active.iter().position(|fault| {
            fault.operation.as_deref().is_none_or(|name| name == operation)
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

    /// Counts a request against the rate limits; returns the seconds to wait if one is exceeded.
    fn retry_after(&self, operation: &str, path: &str) -> Option<u64> {
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

/// The middleware that counts requests, enforces the rate limits and applies faults.
pub(crate) async fn apply(State(faults): State<Arc<Faults>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().map_or(path.as_str(), MatchedPath::as_str);
    let operation = format!("{} {route}", request.method());
    faults.count(&operation);
    let is_backend_api = request.headers().contains_key(AUTHORIZATION);
    if let Some(seconds) = is_backend_api.then(|| faults.retry_after(&operation, &path)).flatten() {
        return ApiError::too_many_requests(seconds).into_response();
    }
    let Some(fault) = faults.take(&operation, &path) else { return next.run(request).await };
    tokio::time::sleep(Duration::from_millis(fault.latency)).await;
    if fault.moment == FaultMoment::After {
        let response = next.run(request).await;
        return fault.response().unwrap_or(response);
    }
    match fault.response() {
        Some(response) => response,
        None => next.run(request).await,
    }
}

impl Fault {
    /// The failed response; none for a fault that only delays.
    fn response(&self) -> Option<Response> {
        if self.drop {
            let mut response = StatusCode::BAD_GATEWAY.into_response();
            response.extensions_mut().insert(DropConnection);
            return Some(response);
        }
        let status = StatusCode::from_u16(self.status?).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let code = self.code.as_deref().unwrap_or_else(|| usual_code(status));
        let reason = status.canonical_reason().unwrap_or("Error");
        let error = ApiError::new(status, code, reason, "This failure was injected.");
        let mut response = error.retry_after(self.retry_after).into_response();
        response.extensions_mut().insert(FaultInjected);
        Some(response)
    }
}

/// The error code that Clerk most often sends with a status.
fn usual_code(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_invalid",
        404 => "resource_not_found",
        409 => "resource_locked",
        413 => "request_body_too_large",
        422 => "form_param_unknown",
        429 => "too_many_requests",
        503 => "service_unavailable",
        504 => "gateway_timeout",
        _ => "internal_clerk_error",
    }
}
