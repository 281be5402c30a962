//! A single request to one of Clerk's URLs, for checking a configuration. The limiter, the breaker and the retries of
//! [`super::Client`] would hide the problems that are looked for.

use std::time::Duration;

use reqwest::header::DATE;
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use url::Url;

use super::client::tls;
use super::{API_VERSION, Jwks};
use crate::platform::{error_chain, is_loopback};

/// The response.
#[derive(Clone, Debug)]
pub struct ProbeResponse {
    /// The HTTP status.
    pub status: u16,
    /// How far the server's clock is ahead of this machine's; negative if it is behind. The header `Date` has whole
    /// seconds and the response takes time, so a difference that these explain counts as zero.
    pub clock_ahead: Option<time::Duration>,
    /// The body, if it is a key set.
    pub keys: Option<Jwks>,
}

/// Why there was no response. Holds no URL and no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// There was no response in time.
    #[error("no response within {0} seconds")]
    TimedOut(u64),
    /// The connection failed, for example at name resolution, at the port or at the certificate.
    #[error("{0}")]
    Failed(String),
}

/// Sends one GET request.
pub async fn probe(
    url: &Url,
    key: Option<&SecretString>,
    now: impl Fn() -> OffsetDateTime,
    timeout: Duration,
) -> Result<ProbeResponse, ProbeError> {
    let failed = |error: reqwest::Error| {
        if error.is_timeout() {
            ProbeError::TimedOut(timeout.as_secs())
        } else {
            ProbeError::Failed(error_chain(&error.without_url()))
        }
    };
    let tls = tls().map_err(|error| ProbeError::Failed(error.to_string()))?;
    let mut http = reqwest::Client::builder()
        .user_agent(concat!("lethe/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(timeout);
    if url.host_str().is_some_and(is_loopback) {
        http = http.no_proxy();
    }
    let mut request = http.build().map_err(failed)?.get(url.clone()).header("Clerk-API-Version", API_VERSION);
    if let Some(key) = key {
        request = request.bearer_auth(key.expose_secret());
    }
    let sent_at = now();
    let response = request.send().await.map_err(failed)?;
    let received_at = now();
    let status = response.status().as_u16();
    let date = response.headers().get(DATE).and_then(|value| value.to_str().ok());
    let clock_ahead = date
        .and_then(|text| OffsetDateTime::parse(text, &Rfc2822).ok())
        .map(|date| clock_difference(date, sent_at, received_at));
    let body = response.bytes().await.map_err(failed)?;
    Ok(ProbeResponse { status, clock_ahead, keys: serde_json::from_slice(&body).ok() })
}

/// `date` stands for the second that begins with it.
fn clock_difference(date: OffsetDateTime, sent_at: OffsetDateTime, received_at: OffsetDateTime) -> time::Duration {
    if date > received_at {
        date - received_at
    } else if date + time::Duration::SECOND < sent_at {
        date + time::Duration::SECOND - sent_at
    } else {
        time::Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_and_latency_count_as_no_clock_difference() {
        let at = |milliseconds: i64| OffsetDateTime::UNIX_EPOCH + time::Duration::milliseconds(milliseconds);
        assert_eq!(clock_difference(at(7_000), at(7_100), at(7_900)), time::Duration::ZERO);
        assert_eq!(clock_difference(at(7_000), at(6_100), at(8_900)), time::Duration::ZERO);
        assert_eq!(clock_difference(at(12_000), at(6_000), at(7_000)), time::Duration::seconds(5));
        assert_eq!(clock_difference(at(1_000), at(7_000), at(7_100)), time::Duration::seconds(-5));
    }
}
