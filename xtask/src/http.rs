//! A plain HTTP client for the processes of a demo.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A response. Its body is as transferred, not decompressed.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) encoding: Option<String>,
    pub(crate) body: Vec<u8>,
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(Duration::from_secs(10)))
        .build()
        .into()
}

/// Whether a GET request returns 200.
pub(crate) fn is_ok(url: &str) -> bool {
    agent().get(url).call().is_ok_and(|response| response.status() == 200)
}

/// Sends a GET request with these headers. The body is not decompressed.
pub(crate) fn get(url: &str, headers: &[(&str, &str)]) -> Result<Response> {
    let mut request = agent().get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = request.call().with_context(|| format!("GET {url}"))?;
    let encoding = response.headers().get("content-encoding").and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(Response {
        status: response.status().as_u16(),
        encoding,
        body: response.body_mut().with_config().limit(64 << 20).read_to_vec()?,
    })
}

/// The part of Clerk's Backend API that measurements need.
#[derive(Debug)]
pub(crate) struct Clerk {
    pub(crate) url: String,
    pub(crate) secret_key: String,
}

impl Clerk {
    /// Returns the IDs of at most `count` users.
    pub(crate) fn user_ids(&self, count: usize) -> Result<Vec<String>> {
        let url = format!("{}/v1/users?limit={}&order_by=created_at", self.url, count.min(500));
        let response = get(&url, &[("authorization", &self.authorization())])?;
        let users = parse(&url, response.status, &response.body)?;
        let list = users.as_array().with_context(|| format!("{url} did not return an array"))?;
        Ok(list.iter().filter_map(|user| user["id"].as_str().map(str::to_owned)).collect())
    }

    /// Creates a session for a user. Returns a session token that is valid for an hour.
    pub(crate) fn sign_in(&self, user_id: &str) -> Result<String> {
        let session = self.post("/v1/sessions", &serde_json::json!({ "user_id": user_id }))?;
        let session = session["id"].as_str().context("a session has an id")?;
        let token =
            self.post(&format!("/v1/sessions/{session}/tokens"), &serde_json::json!({ "expires_in_seconds": 3600 }))?;
        Ok(token["jwt"].as_str().context("a token has a jwt")?.to_owned())
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}{path}", self.url);
        let mut response = agent()
            .post(&url)
            .header("authorization", self.authorization())
            .header("content-type", "application/json")
            .send(body.to_string())
            .with_context(|| format!("POST {url}"))?;
        let status = response.status().as_u16();
        parse(&url, status, &response.body_mut().read_to_vec()?)
    }

    fn authorization(&self) -> String {
        format!("Bearer {}", self.secret_key)
    }
}

fn parse(url: &str, status: u16, body: &[u8]) -> Result<Value> {
    if status != 200 {
        bail!("{url} returned {status}: {}", String::from_utf8_lossy(body));
    }
    serde_json::from_slice(body).with_context(|| format!("{url} did not return JSON"))
}
