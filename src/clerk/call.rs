//! One call: its turn, its tries, its answer.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::client::{Client, Shared};
use super::limiter::Urgency;
use super::{Error, Kind};

/// The largest answer that is read: five hundred large users take a few MiB.
const ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// One request, as often as it is sent.
pub(super) struct Call {
    pub(super) operation: &'static str,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
    /// Sending it twice has the effect of sending it once.
    pub(super) repeatable: bool,
    /// Somebody's session depends on it: it is made although Clerk seems down, since a browser on its way
    /// back from signing in can't wait until another call has found out.
    pub(super) insistent: bool,
    /// It uses up some of the rate limit.
    pub(super) counted: bool,
}

impl Call {
    pub(super) fn new(operation: &'static str, method: Method, path: String) -> Self {
        Self {
            operation,
            method,
            path,
            query: Vec::new(),
            body: None,
            repeatable: true,
            insistent: false,
            counted: true,
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
    /// The answer, read as JSON.
    pub(super) async fn json<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Error> {
        let body = self.bytes(call).await?;
        // The cause would quote the answer, and with it the person.
        serde_json::from_slice(&body).map_err(|_error| Error::new(call.operation, Kind::Unreadable))
    }

    /// The answer's body, after as many tries as are sensible while somebody waits.
    pub(super) async fn bytes(&self, call: &Call) -> Result<Vec<u8>, Error> {
        let (tries, longest_wait) = match self.urgency {
            Urgency::Person => (2, Duration::from_secs(2)),
            Urgency::Bulk => (4, Duration::from_secs(30)),
        };
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_factor(3.0)
            .with_max_delay(longest_wait)
            .with_max_times(tries)
            .with_jitter();
        (|| self.once(call))
            .retry(backoff)
            .when(|error: &Error| call.repeatable && error.retryable() && self.may_wait_for(error))
            .adjust(|error, delay| match (delay, error.retry_after()) {
                (Some(_), Some(asked)) if asked > longest_wait => None,
                (Some(delay), Some(asked)) => Some(delay.max(asked)),
                (delay, _) => delay,
            })
            .notify(|error, delay| tracing::debug!(%error, ?delay, "a call to Clerk is repeated"))
            .await
    }

    async fn once(&self, call: &Call) -> Result<Vec<u8>, Error> {
        if call.counted {
            self.shared
                .limiter
                .turn(self.urgency)
                .await
                .map_err(|wait| Error::new(call.operation, Kind::RateLimited { retry_after: Some(wait) }))?;
        }
        let pass = if call.insistent {
            self.shared.breaker.pass_anyway()
        } else {
            self.shared.breaker.pass().map_err(|_refused| Error::unasked(call.operation))?
        };
        let answer = self.ask(call).await;
        match &answer {
            Err(error) if error.means_down() => pass.failed(),
            _ => pass.answered(),
        }
        if let Err(error) = &answer
            && let Some(time) = error.retry_after()
        {
            self.shared.limiter.hold(time);
        }
        answer
    }

    async fn ask(&self, call: &Call) -> Result<Vec<u8>, Error> {
        let sent = call.request(&self.shared).send().await;
        let answer = sent.map_err(|error| Error::from_transport(call.operation, error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = read(call.operation, answer).await?;
        if status.is_success() { Ok(body) } else { Err(Error::from_answer(call.operation, status, &headers, &body)) }
    }

    /// While Clerk is known to be down, people are told at once. Work on many has all night.
    fn may_wait_for(&self, error: &Error) -> bool {
        !error.is_unasked() || self.urgency == Urgency::Bulk
    }
}

async fn read(operation: &'static str, mut answer: Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| Error::from_transport(operation, error))? {
        if body.len() + chunk.len() > ANSWER_BYTES {
            return Err(Error::new(operation, Kind::Unreadable).with_code("answer_too_large"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
