//! A call to the Backend API: rate limit, attempts, response.

use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::client::{Client, Shared};
use super::limiter::Priority;
use super::{Error, Kind};

/// The operation that changes a user's metadata.
pub(super) const MERGE_METADATA: &str = "merge_metadata";

/// The largest response that is read: five hundred large users take a few MiB.
const MAX_RESPONSE_BYTES: usize = 32 * 1024 * 1024;

/// A request, which may be sent several times.
pub(super) struct Call {
    pub(super) operation: &'static str,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
    /// Whether sending it twice has the same effect as sending it once, so that it may be retried.
    pub(super) idempotent: bool,
    /// Whether it is sent although the breaker is open. A browser that comes back from signing in can't wait
    /// for the next probe.
    pub(super) bypass_breaker: bool,
    /// Whether Clerk counts it towards the rate limit.
    pub(super) rate_limited: bool,
}

impl Call {
    pub(super) fn new(operation: &'static str, method: Method, path: String) -> Self {
        Self {
            operation,
            method,
            path,
            query: Vec::new(),
            body: None,
            idempotent: true,
            bypass_breaker: false,
            rate_limited: true,
        }
    }

    /// What Clerk's refusal of this call concerns. Clerk counts the changes of each user's metadata by themselves.
    fn scope(&self) -> &str {
        match self.operation {
            MERGE_METADATA => &self.path,
            operation => operation,
        }
    }

    fn request(&self, shared: &Shared) -> RequestBuilder {
        let mut request = shared.http.request(self.method.clone(), format!("{}{}", shared.base, self.path));
        if !self.query.is_empty() {
            request = request.query(&self.query);
        }
        match &self.body {
            Some(body) => request.json(body),
            None => request.header(CONTENT_TYPE, "application/json"),
        }
    }
}

impl Client {
    /// Returns the response, parsed as JSON.
    pub(super) async fn json<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Error> {
        let body = self.bytes(call).await?;
        // The cause would quote the response, and with it personal data.
        serde_json::from_slice(&body).map_err(|_error| Error::new(call.operation, Kind::Unreadable))
    }

    /// Returns the response's body, after as many attempts as the priority allows.
    #[tracing::instrument(name = "clerk_call", skip_all, fields(operation = call.operation))]
    pub(super) async fn bytes(&self, call: &Call) -> Result<Vec<u8>, Error> {
        let (retries, max_delay) = match self.priority {
            Priority::Interactive => (2, Duration::from_secs(2)),
            Priority::Batch => (4, Duration::from_secs(30)),
        };
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_factor(3.0)
            .with_max_delay(max_delay)
            .with_max_times(retries)
            .with_jitter();
        (|| self.attempt(call))
            .retry(backoff)
            .when(|error: &Error| call.idempotent && error.retryable() && self.may_retry(error))
            .adjust(|error, delay| match (delay, error.retry_after()) {
                (Some(_), Some(requested)) if requested > max_delay => None,
                (Some(delay), Some(requested)) => Some(delay.max(requested)),
                (delay, _) => delay,
            })
            .notify(|error, delay| tracing::debug!(%error, ?delay, "retrying a call to Clerk"))
            .await
    }

    async fn attempt(&self, call: &Call) -> Result<Vec<u8>, Error> {
        if call.rate_limited {
            self.shared
                .limiter
                .acquire(self.priority, call.scope())
                .await
                .map_err(|wait| Error::new(call.operation, Kind::RateLimited { retry_after: Some(wait) }))?;
        }
        let permit = if call.bypass_breaker {
            self.shared.breaker.force_permit()
        } else {
            let permit = self.shared.breaker.try_acquire(Instant::now());
            permit.map_err(|_open| Error::short_circuited(call.operation))?
        };
        let result = self.send(call).await;
        match &result {
            Err(error) if error.is_outage() => permit.failed(Instant::now()),
            _ => permit.responded(),
        }
        if let Err(error) = &result
            && let Some(time) = error.retry_after()
        {
            self.shared.limiter.pause(call.scope(), time);
        }
        result
    }

    async fn send(&self, call: &Call) -> Result<Vec<u8>, Error> {
        let sent = call.request(&self.shared).send().await;
        let response = sent.map_err(|error| Error::from_transport(call.operation, error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read_body(call.operation, response).await?;
        if status.is_success() { Ok(body) } else { Err(Error::from_response(call.operation, status, &headers, &body)) }
    }

    /// While Clerk is known to be down, interactive calls fail at once. Batch work can wait.
    fn may_retry(&self, error: &Error) -> bool {
        !error.is_short_circuited() || self.priority == Priority::Batch
    }
}

async fn read_body(operation: &'static str, mut response: Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Error::from_transport(operation, error))? {
        if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
            return Err(Error::new(operation, Kind::Unreadable).with_code("response_too_large"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
