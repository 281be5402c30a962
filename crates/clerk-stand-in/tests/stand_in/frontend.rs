//! The Frontend API as Clerk's browser SDK uses it.

use clerk_stand_in::{ClerkStandIn, StandInOptions, people::person};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{call, client, start};

const ORIGIN: &str = "http://127.0.0.1:3000";

/// A page of the application in a browser.
pub(crate) struct Page {
    url: String,
    browser: String,
}

impl Page {
    /// Opens a page in a new browser.
    pub(crate) async fn open(clerk: &ClerkStandIn) -> Self {
        let url = clerk.url().to_owned();
        let response = client().post(format!("{url}/v1/dev_browser")).send().await.unwrap();
        let browser = response.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
        Self { url, browser }
    }

    pub(crate) fn unknown(clerk: &ClerkStandIn) -> Self {
        Self { url: clerk.url().to_owned(), browser: "dvb_unknown".to_owned() }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.send(client().get(format!("{}{path}", self.url))).await
    }

    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = client().post(format!("{}{path}", self.url)).body(body);
        self.send(request.header("content-type", "application/x-www-form-urlencoded")).await
    }

    /// A change with another method, which Clerk's browser SDK sends as POST.
    pub(crate) async fn change(&self, method: &str, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        self.post(&format!("{path}?_method={method}"), form).await
    }

    /// Signs in with a ticket; returns the session's path.
    pub(crate) async fn sign_in(&self, clerk: &ClerkStandIn, user_id: &str) -> String {
        let body = Some(json!({ "user_id": user_id }));
        let (_, ticket) = call(clerk, Method::POST, "/v1/sign_in_tokens", body).await;
        let form = [("strategy", "ticket"), ("ticket", ticket["token"].as_str().unwrap())];
        let (status, response) = self.post("/v1/client/sign_ins", &form).await;
        assert_eq!((status, &response["response"]["status"]), (200, &json!("complete")), "{response}");
        format!("/v1/client/sessions/{}", response["response"]["created_session_id"].as_str().unwrap())
    }

    async fn send(&self, request: RequestBuilder) -> (u16, Value) {
        let query =
            [("__clerk_api_version", "2026-05-12"), ("_clerk_js_version", "6.40.0"), ("__clerk_db_jwt", &self.browser)];
        let response = request.query(&query).header("origin", ORIGIN).send().await.unwrap();
        let status = response.status().as_u16();
        assert_eq!(response.headers()["access-control-allow-origin"], ORIGIN);
        assert_eq!(response.headers()["access-control-allow-credentials"], "true");
        (status, response.json().await.expect("every response is JSON"))
    }
}

fn code(response: &Value) -> &str {
    response["errors"][0]["code"].as_str().expect("errors have a code")
}

fn claims(token: &Value) -> Value {
    let part = token["jwt"].as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&data_encoding::BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

async fn clerk() -> ClerkStandIn {
    start(StandInOptions::default()).await
}

#[tokio::test]
async fn ticket_signs_in_once() {
    let clerk = clerk().await;
    let page = Page::open(&clerk).await;
    let (_, ticket) = call(&clerk, Method::POST, "/v1/sign_in_tokens", Some(json!({ "user_id": person(0).id }))).await;
    let form = [("strategy", "ticket"), ("ticket", ticket["token"].as_str().unwrap())];
    let (_, response) = page.post("/v1/client/sign_ins", &form).await;
    let session = &response["client"]["sessions"][0];
    assert_eq!(response["response"]["created_session_id"], session["id"]);
    assert_eq!(session["user"]["id"], json!(person(0).id));
    assert!(session["user"].get("private_metadata").is_none(), "private metadata is for the server only");
    assert_eq!(claims(&session["last_active_token"])["azp"], ORIGIN);
    let (status, response) = page.post("/v1/client/sign_ins", &form).await;
    assert_eq!((status, code(&response)), (400, "session_exists"));
    let (status, response) = Page::open(&clerk).await.post("/v1/client/sign_ins", &form).await;
    assert_eq!((status, code(&response)), (400, "sign_in_token_already_used_code"));
}

#[tokio::test]
async fn ticket_expires() {
    let clerk = clerk().await;
    let body = json!({ "user_id": person(0).id, "expires_in_seconds": 60 });
    let (_, ticket) = call(&clerk, Method::POST, "/v1/sign_in_tokens", Some(body)).await;
    let ahead = json!({ "ahead": 61_000 });
    client().put(format!("{}/control/clock", clerk.url())).json(&ahead).send().await.unwrap();
    let page = Page::open(&clerk).await;
    let (_, response) = page.post("/v1/client/sign_ins", &[("ticket", ticket["token"].as_str().unwrap())]).await;
    assert_eq!(code(&response), "ticket_expired_code");
    assert_eq!(code(&page.post("/v1/client/sign_ins", &[("ticket", "none")]).await.1), "ticket_invalid_code");
}

#[tokio::test]
async fn code_signs_in_and_three_wrong_ones_end_the_sign_in() {
    let clerk = clerk().await;
    let page = Page::open(&clerk).await;
    let (status, response) = page.post("/v1/client/sign_ins", &[("identifier", "nobody@example.org")]).await;
    assert_eq!((status, code(&response)), (422, "form_identifier_not_found"));
    let (_, response) = page.post("/v1/client/sign_ins", &[("identifier", "ADA@example.org")]).await;
    assert_eq!(response["response"]["supported_first_factors"][0]["safe_identifier"], "ada@example.org");
    assert_eq!(response["client"]["sign_in"]["id"], response["response"]["id"]);
    let path = format!("/v1/client/sign_ins/{}", response["response"]["id"].as_str().unwrap());
    let attempt = |code: &'static str| {
        let (page, path) = (&page, format!("{path}/attempt_first_factor"));
        async move { page.post(&path, &[("strategy", "email_code"), ("code", code)]).await }
    };
    assert_eq!(code(&attempt("424242").await.1), "verification_missing");
    page.post(&format!("{path}/prepare_first_factor"), &[("strategy", "email_code")]).await;
    for _ in 0..3 {
        assert_eq!(code(&attempt("000000").await.1), "form_code_incorrect");
    }
    assert_eq!(code(&attempt("424242").await.1), "verification_failed");
    page.post(&format!("{path}/prepare_first_factor"), &[("strategy", "email_code")]).await;
    let (_, response) = attempt("424242").await;
    assert_eq!(response["response"]["status"], "complete");
    assert_eq!(response["client"]["sign_in"], Value::Null);
}

#[tokio::test]
async fn reverification_resets_fva_of_the_next_token() {
    let clerk = clerk().await;
    let page = Page::open(&clerk).await;
    let session = page.sign_in(&clerk, &person(0).id).await;
    let ahead = json!({ "ahead": 15 * 60_000 });
    client().put(format!("{}/control/clock", clerk.url())).json(&ahead).send().await.unwrap();
    let tokens = format!("{session}/tokens");
    assert_eq!(claims(&page.post(&tokens, &[]).await.1)["fva"], json!([15, -1]));
    let right = [("strategy", "email_code"), ("code", "424242")];
    let attempt = format!("{session}/verify/attempt_first_factor");
    assert_eq!(code(&page.post(&attempt, &right).await.1), "verification_missing");
    page.post(&format!("{session}/verify"), &[("level", "first_factor")]).await;
    page.post(&format!("{session}/verify/prepare_first_factor"), &[("strategy", "email_code")]).await;
    assert_eq!(claims(&page.post(&tokens, &[]).await.1)["fva"], json!([15, -1]), "preparing verifies nothing");
    let (_, response) = page.post(&attempt, &right).await;
    assert_eq!(response["response"]["status"], "complete");
    assert_eq!(claims(&page.post(&tokens, &[]).await.1)["fva"], json!([0, -1]));
    assert_eq!(response["client"]["sessions"][0]["factor_verification_age"], json!([0, -1]));
}

#[tokio::test]
async fn user_can_delete_their_account_if_enabled() {
    let clerk = clerk().await;
    let page = Page::open(&clerk).await;
    page.sign_in(&clerk, &person(0).id).await;
    let forbid = |may: bool| {
        let body = Some(json!({ "delete_self_enabled": may }));
        let path = format!("/v1/users/{}", person(0).id);
        let clerk = &clerk;
        async move { call(clerk, Method::PATCH, &path, body).await }
    };
    forbid(false).await;
    assert_eq!(page.change("DELETE", "/v1/me", &[]).await.0, 403);
    forbid(true).await;
    let (_, response) = page.change("DELETE", "/v1/me", &[]).await;
    assert_eq!(response["response"]["deleted"], true);
    assert_eq!(response["client"]["sessions"], json!([]));
    assert_eq!(clerk.user(&person(0).id).await, None);
    assert_eq!(page.get("/v1/me").await.0, 401);
}

#[tokio::test]
async fn cors_allows_only_the_application() {
    let clerk = clerk().await;
    let request = client().get(format!("{}/v1/client", clerk.url())).header("origin", "https://evil.example");
    assert!(!request.send().await.unwrap().headers().contains_key("access-control-allow-origin"));
    let preflight = client()
        .request(Method::OPTIONS, format!("{}/v1/client", clerk.url()))
        .header("origin", ORIGIN)
        .header("access-control-request-method", "DELETE")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (preflight.status().as_u16(), &preflight.headers()["access-control-allow-methods"]),
        (200, &"DELETE".parse().unwrap())
    );
}

#[tokio::test]
async fn unknown_browser_gets_an_error() {
    let clerk = clerk().await;
    let (status, response) = Page::unknown(&clerk).get("/v1/me").await;
    assert_eq!((status, code(&response)), (401, "dev_browser_unauthenticated"));
    assert_eq!(Page::unknown(&clerk).get("/v1/client").await.0, 401);
    let none = client().get(format!("{}/v1/client", clerk.url())).send().await.unwrap();
    assert_eq!(none.json::<Value>().await.unwrap(), json!({ "response": null, "client": null }));
}
