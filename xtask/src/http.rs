//! A plain HTTP client for the processes of a demo.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

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

/// The time, for session tokens.
#[expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "Lethe's clock isn't that of its tools")]
fn unix_seconds() -> Result<u64> {
    use std::time::{SystemTime, UNIX_EPOCH};
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

/// Sends a GET request with these headers. The body is not decompressed.
pub(crate) fn get(url: &str, headers: &[(&str, &str)]) -> Result<Response> {
    let mut request = agent().get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    read(request.call().with_context(|| format!("GET {url}"))?)
}

/// The methods that [`Client`] sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Delete,
}

/// A client that reuses its connections.
#[derive(Debug)]
pub(crate) struct Client {
    agent: ureq::Agent,
}

impl Client {
    /// Creates a client whose requests fail after `timeout`, body included.
    pub(crate) fn new(timeout: Duration) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(timeout))
            .build();
        Self { agent: config.into() }
    }

    /// Sends a request and reads the whole response.
    pub(crate) fn send(
        &self,
        method: Method,
        url: &str,
        bearer: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Response> {
        let method = match method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        };
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        if let Some(bearer) = bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        let content = body.map(Value::to_string).unwrap_or_default();
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let response = self.agent.run(request.body(content)?);
        read(response.with_context(|| format!("{method} {url}"))?)
    }
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Result<Response> {
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

/// The most users on one page of Clerk's list.
const USERS_PER_PAGE: usize = 500;

impl Clerk {
    /// Returns the IDs of at most `count` users, the oldest first.
    pub(crate) fn user_ids(&self, count: usize) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        loop {
            let limit = USERS_PER_PAGE.min(count - ids.len());
            let path = format!("/v1/users?limit={limit}&offset={}&order_by=created_at", ids.len());
            let users = self.send(Method::Get, &path, &Value::Null)?;
            let users = users.as_array().with_context(|| format!("{path} did not return an array"))?;
            ids.extend(users.iter().filter_map(|user| user["id"].as_str().map(str::to_owned)));
            if users.len() < USERS_PER_PAGE || ids.len() == count {
                return Ok(ids);
            }
        }
    }

    /// Returns a user.
    pub(crate) fn user(&self, id: &str) -> Result<Value> {
        self.send(Method::Get, &format!("/v1/users/{id}"), &Value::Null)
    }

    /// Creates a session for a user. Returns a session token that is valid for an hour.
    pub(crate) fn sign_in(&self, user_id: &str) -> Result<String> {
        let session = self.send(Method::Post, "/v1/sessions", &json!({ "user_id": user_id }))?;
        let session = session["id"].as_str().context("a session has an id")?;
        let path = format!("/v1/sessions/{session}/tokens");
        let token = self.send(Method::Post, &path, &json!({ "expires_in_seconds": 3600 }))?;
        Ok(token["jwt"].as_str().context("a token has a jwt")?.to_owned())
    }

    /// Returns a session token for each user, valid for a day, as if all of them had just signed in to the application
    /// at `origin`. The stand-in has no such sessions.
    pub(crate) fn tokens(&self, user_ids: &[String], origin: &str) -> Result<Vec<String>> {
        let now = unix_seconds()?;
        let token = |(number, id): (usize, &String)| {
            json!({"claims": {
                "sub": id, "sid": format!("sess_{number}"), "azp": origin, "iss": self.url, "sts": "active", "v": 2,
                "iat": now, "nbf": now - 10, "exp": now + 86_400, "fva": [0, -1],
            }})
        };
        let mut signed = Vec::new();
        for part in user_ids.iter().enumerate().map(token).collect::<Vec<_>>().chunks(USERS_PER_PAGE) {
            let tokens = self.send(Method::Post, "/control/tokens", &part.into())?;
            signed
                .extend(tokens.as_array().into_iter().flatten().filter_map(|token| token.as_str().map(str::to_owned)));
        }
        if signed.len() == user_ids.len() { Ok(signed) } else { bail!("{} tokens were signed", signed.len()) }
    }

    /// Sends a request to the Backend API or, under `/control`, to the stand-in itself. Returns the response's JSON;
    /// `null` for none.
    pub(crate) fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}{path}", self.url);
        let body = (!body.is_null()).then_some(body);
        let response = Client::new(Duration::from_mins(1)).send(method, &url, Some(&self.secret_key), body)?;
        match response.status {
            200 => serde_json::from_slice(&response.body).with_context(|| format!("{url} did not return JSON")),
            204 => Ok(Value::Null),
            status => bail!("{url} returned {status}: {}", String::from_utf8_lossy(&response.body)),
        }
    }
}
