//! Plain HTTP to the processes of a stack.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// An answer, its body as it came over the wire.
#[derive(Debug)]
pub(crate) struct Answer {
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

/// Whether an address answers 200.
pub(crate) fn is_ok(url: &str) -> bool {
    agent().get(url).call().is_ok_and(|answer| answer.status() == 200)
}

/// Fetches an address with these headers. The body is not decompressed.
pub(crate) fn get(url: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    let mut request = agent().get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut answer = request.call().with_context(|| format!("GET {url}"))?;
    let encoding = answer.headers().get("content-encoding").and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(Answer {
        status: answer.status().as_u16(),
        encoding,
        body: answer.body_mut().with_config().limit(64 << 20).read_to_vec()?,
    })
}

/// Clerk's Backend API, as far as measuring needs it.
#[derive(Debug)]
pub(crate) struct Clerk {
    pub(crate) url: String,
    pub(crate) secret_key: String,
}

impl Clerk {
    /// The ids of at most `count` people.
    pub(crate) fn people(&self, count: usize) -> Result<Vec<String>> {
        let url = format!("{}/v1/users?limit={}&order_by=created_at", self.url, count.min(500));
        let answer = get(&url, &[("authorization", &self.authorization())])?;
        let people = parse(&url, answer.status, &answer.body)?;
        let list = people.as_array().with_context(|| format!("{url} answered no array"))?;
        Ok(list.iter().filter_map(|person| person["id"].as_str().map(str::to_owned)).collect())
    }

    /// A session token of a person that lives for an hour.
    pub(crate) fn sign_in(&self, person: &str) -> Result<String> {
        let session = self.post("/v1/sessions", &serde_json::json!({ "user_id": person }))?;
        let session = session["id"].as_str().context("a session has an id")?;
        let token =
            self.post(&format!("/v1/sessions/{session}/tokens"), &serde_json::json!({ "expires_in_seconds": 3600 }))?;
        Ok(token["jwt"].as_str().context("a token has a jwt")?.to_owned())
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}{path}", self.url);
        let mut answer = agent()
            .post(&url)
            .header("authorization", self.authorization())
            .header("content-type", "application/json")
            .send(body.to_string())
            .with_context(|| format!("POST {url}"))?;
        let status = answer.status().as_u16();
        parse(&url, status, &answer.body_mut().read_to_vec()?)
    }

    fn authorization(&self) -> String {
        format!("Bearer {}", self.secret_key)
    }
}

fn parse(url: &str, status: u16, body: &[u8]) -> Result<Value> {
    if status != 200 {
        bail!("{url} answered {status}: {}", String::from_utf8_lossy(body));
    }
    serde_json::from_slice(body).with_context(|| format!("{url} answered no JSON"))
}
