//! [`BackendApi`] over `reqwest`.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::{AUTHORIZATION, HeaderValue, InvalidHeaderValue};
use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use url::Url;

use crate::backend::{API_VERSION, BackendApi, BackendError, BackendErrorKind, RefreshRequest};
use crate::jwks::Jwks;

const CLERK_API_URL: &str = "https://api.clerk.com";
/// From connecting to the last byte of the response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Calls Clerk's Backend API over HTTP, each operation once and within five seconds.
#[derive(Clone, Debug)]
pub struct HttpBackend {
    http: reqwest::Client,
    /// Ends in `/v1`.
    base_url: String,
    authorization: HeaderValue,
}

impl HttpBackend {
    /// `http` decides on TLS, proxies and redirects; it should not follow redirects. `secret_key` is the instance's
    /// secret key, `sk_test_…` or `sk_live_…`.
    ///
    /// Fails if the secret key cannot be part of a header.
    pub fn new(http: reqwest::Client, secret_key: &str) -> Result<Self, InvalidHeaderValue> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {secret_key}"))?;
        authorization.set_sensitive(true);
        Ok(Self { http, base_url: format!("{CLERK_API_URL}/v1"), authorization })
    }

    /// Uses a base URL other than `https://api.clerk.com`.
    #[must_use]
    pub fn with_api_url(mut self, api_url: &Url) -> Self {
        let base_url = api_url.as_str().trim_end_matches('/').trim_end_matches("/v1");
        self.base_url = format!("{base_url}/v1");
        self
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, BackendError> {
        let request = request
            .header(AUTHORIZATION, self.authorization.clone())
            .header("Clerk-API-Version", API_VERSION)
            .timeout(REQUEST_TIMEOUT);
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let body = response.bytes().await.map_err(unreachable)?;
        if !status.is_success() {
            return Err(refused(status, &body));
        }
        // serde's message would quote the response, which contains tokens.
        serde_json::from_slice(&body).map_err(|_error| BackendError {
            kind: BackendErrorKind::Unavailable,
            code: None,
            source: "Clerk's response is not readable".into(),
        })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }
}

impl BackendApi for HttpBackend {
    fn jwks(&self) -> BoxFuture<'_, Result<Jwks, BackendError>> {
        self.send(self.http.get(self.url("/jwks"))).boxed()
    }

    fn handshake_payload<'a>(&'a self, nonce: &'a str) -> BoxFuture<'a, Result<Vec<String>, BackendError>> {
        #[derive(Deserialize)]
        struct Payload {
            #[serde(default)]
            directives: Vec<String>,
        }
        async move {
            let request = self.http.get(self.url("/clients/handshake_payload")).query(&[("nonce", nonce)]);
            Ok(self.send::<Payload>(request).await?.directives)
        }
        .boxed()
    }

    fn refresh_session<'a>(
        &'a self,
        session_id: &'a str,
        request: RefreshRequest,
    ) -> BoxFuture<'a, Result<Vec<String>, BackendError>> {
        #[derive(Deserialize)]
        struct Refreshed {
            #[serde(default)]
            cookies: Vec<String>,
        }
        async move {
            let mut call = self.http.post(self.url(&format!("/sessions/{session_id}/refresh")));
            if request.suffixed_cookies {
                call = call.query(&[("suffixed_cookies", "true")]);
            }
            let mut body = json!(request);
            body["format"] = json!("cookie");
            Ok(self.send::<Refreshed>(call.json(&body)).await?.cookies)
        }
        .boxed()
    }
}

fn unreachable(error: reqwest::Error) -> BackendError {
    // The URL contains the nonce or the session's id.
    let source = Box::new(error.without_url());
    BackendError { kind: BackendErrorKind::Unreachable, code: None, source }
}

fn refused(status: StatusCode, body: &[u8]) -> BackendError {
    #[derive(Default, Deserialize)]
    struct ErrorBody {
        #[serde(default)]
        errors: Vec<ErrorEntry>,
    }
    #[derive(Deserialize)]
    struct ErrorEntry {
        code: Option<String>,
    }
    let body: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let code = body.errors.into_iter().find_map(|error| error.code).filter(|code| is_code(code));
    let kind = match status.as_u16() {
        408 | 423 | 429 | 500.. => BackendErrorKind::Unavailable,
        _ => BackendErrorKind::Refused,
    };
    let source = match &code {
        Some(code) => format!("status {status}, code {code}"),
        None => format!("status {status}"),
    };
    BackendError { kind, code, source: source.into() }
}

/// The code becomes part of a response header and of logs: a sentence, which could quote an address, is dropped.
fn is_code(text: &str) -> bool {
    let is_code_character = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':');
    !text.is_empty() && text.len() <= 80 && text.bytes().all(is_code_character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_decides_the_kind_of_failure() {
        for (status, kind) in [
            (400, BackendErrorKind::Refused),
            (401, BackendErrorKind::Refused),
            (404, BackendErrorKind::Refused),
            (302, BackendErrorKind::Refused),
            (408, BackendErrorKind::Unavailable),
            (429, BackendErrorKind::Unavailable),
            (500, BackendErrorKind::Unavailable),
            (503, BackendErrorKind::Unavailable),
        ] {
            let error = refused(StatusCode::from_u16(status).unwrap(), br#"{"errors":[{"code":"some_code"}]}"#);
            assert_eq!((error.kind, error.code.as_deref()), (kind, Some("some_code")), "{status}");
        }
    }

    #[test]
    fn error_never_quotes_clerks_message() {
        let body = br#"{"errors":[{"code":"taken by ada@example.org","message":"ada@example.org is taken"}]}"#;
        let error = refused(StatusCode::UNPROCESSABLE_ENTITY, body);
        assert_eq!(error.code, None);
        assert!(!format!("{error} {error:?}").contains("ada"));
    }

    /// [`crate::Authenticator`] then decides by the cookies, as it does during an outage.
    #[tokio::test]
    async fn handshake_payload_with_an_entry_that_is_no_text_counts_as_an_outage() {
        let payload = async || axum::Json(json!({"directives": ["__session=a", 1]}));
        let routes = axum::Router::new().route("/v1/clients/handshake_payload", axum::routing::get(payload));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async { axum::serve(listener, routes).await });
        let http = crate::tests::stand_in::http_client();
        let backend = HttpBackend::new(http, "sk_test_secret").unwrap().with_api_url(&url);
        let error = backend.handshake_payload("nonce").await.unwrap_err();
        assert_eq!(error.kind, BackendErrorKind::Unavailable);
        assert!(!format!("{error} {error:?}").contains("__session"), "its content isn't quoted");
    }
}
