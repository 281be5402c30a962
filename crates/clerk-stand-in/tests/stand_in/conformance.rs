//! Every operation, with every class of status that Clerk describes for it. The stand-in itself validates the
//! responses, in this and in all other tests: it fails the test if one violates its description.

use std::collections::{BTreeMap, BTreeSet};

use clerk_stand_in::{ClerkStandIn, Fault, StandInOptions, people::person};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::{
    frontend::Page,
    support::{Receiver, call, client, start},
};

const BACKEND: &str = include_str!("../../openapi/backend.json");
const FRONTEND: &str = include_str!("../../openapi/frontend.json");
const WEBHOOKS: &str = include_str!("../../openapi/webhooks.json");

/// Redirects for browsers without third-party cookies, which the stand-in doesn't have.
const NEVER: [(&str, char); 5] = [
    ("PUT /v1/client", '3'),
    ("POST /v1/client", '3'),
    ("DELETE /v1/client", '3'),
    ("POST /v1/client/sign_ins", '3'),
    ("POST /v1/client/sign_ins/{sign_in_id}/attempt_first_factor", '3'),
];

/// Responses that the stand-in returns only as injected faults.
const INJECTED: [(&str, &str, u16); 6] = [
    ("GET /.well-known/jwks.json", "/.well-known/jwks.json", 500),
    ("GET /v1/environment", "/v1/environment", 401),
    ("PATCH /v1/environment", "/v1/environment", 401),
    ("POST /v1/dev_browser", "/v1/dev_browser", 400),
    ("GET /v1/client/handshake", "/v1/client/handshake", 500),
    ("DELETE /v1/me", "/v1/me", 500),
];

#[tokio::test]
async fn operations_have_responses_of_every_described_status_class() {
    let hook = Receiver::start(&[]).await;
    let options = StandInOptions { webhook_url: Some(hook.url.clone()), ..StandInOptions::default() };
    let clerk = start(options).await;
    users(&clerk).await;
    sessions(&clerk).await;
    browser(&clerk).await;
    failures(&clerk).await;

    let checked = clerk.checked_responses();
    let seen: BTreeSet<(&str, char)> = checked
        .keys()
        .filter_map(|response| response.rsplit_once(' '))
        .map(|(operation, status)| (operation, status.chars().next().unwrap()))
        .collect();
    let described = described();
    let expected: BTreeSet<(&str, char)> = described.iter().map(|(name, class)| (name.as_str(), *class)).collect();
    let missing: Vec<_> = expected.difference(&seen).filter(|response| !NEVER.contains(response)).collect();
    assert!(missing.is_empty(), "missing responses: {missing:?}");
    assert!(
        NEVER.iter().all(|response| expected.contains(response) && !seen.contains(response)),
        "NEVER lists a response that occurred or isn't described"
    );
    let events: Value = serde_json::from_str(WEBHOOKS).unwrap();
    for event in events["paths"].as_object().unwrap().keys() {
        assert!(checked.contains_key(&format!("event {event}")), "no {event} in {checked:?}");
    }
}

/// Every operation of both APIs with each class of its statuses.
fn described() -> BTreeSet<(String, char)> {
    let mut all = BTreeSet::new();
    for document in [BACKEND, FRONTEND] {
        let document: Value = serde_json::from_str(document).unwrap();
        let paths: BTreeMap<String, BTreeMap<String, Value>> =
            serde_json::from_value(document["paths"].clone()).unwrap();
        for (path, methods) in &paths {
            for (method, operation) in methods {
                let statuses = operation["responses"].as_object().unwrap().keys();
                let name = format!("{} {path}", method.to_uppercase());
                all.extend(statuses.map(|status| (name.clone(), status.chars().next().unwrap())));
            }
        }
    }
    all
}

async fn expect(clerk: &ClerkStandIn, method: Method, path: &str, body: Value, status: u16) -> Value {
    let body = Some(body).filter(|body| !body.is_null());
    let (actual, response) = call(clerk, method.clone(), path, body).await;
    assert_eq!(actual, status, "{method} {path}: {response}");
    response
}

async fn users(clerk: &ClerkStandIn) {
    let none = Value::Null;
    expect(clerk, Method::GET, "/v1/jwks", none.clone(), 200).await;
    expect(clerk, Method::GET, "/v1/users?limit=3", none.clone(), 200).await;
    expect(clerk, Method::GET, "/v1/users?banned=perhaps", none.clone(), 422).await;
    expect(clerk, Method::GET, "/v1/users/count?query=ada", none.clone(), 200).await;
    expect(clerk, Method::GET, "/v1/users/count?created_at_after=yesterday", none.clone(), 422).await;
    let full = json!({
        "email_address": ["full@example.org", "second@example.org"], "phone_number": ["+4943112345"], "username": "full",
        "first_name": "Full", "last_name": null, "locale": "de", "external_id": "crm-1", "password": "secret", "banned": false,
        "legal_accepted_at": "2026-01-02T03:04:05Z", "created_at": "2026-01-02T03:04:05Z", "create_organizations_limit": 3,
        "delete_self_enabled": null, "public_metadata": { "a": 1 }, "private_metadata": { "b": [] }, "unsafe_metadata": {},
    });
    let user = expect(clerk, Method::POST, "/v1/users", full, 200).await;
    expect(clerk, Method::POST, "/v1/users", json!({ "email_address": "not a list" }), 422).await;
    let path = format!("/v1/users/{}", user["id"].as_str().unwrap());
    let second = user["email_addresses"][1]["id"].clone();
    expect(clerk, Method::GET, &path, none.clone(), 200).await;
    let changes =
        json!({ "first_name": "", "primary_email_address_id": second, "notify_primary_email_address_changed": true });
    let renamed = expect(clerk, Method::PATCH, &path, changes, 200).await;
    assert_eq!((&renamed["first_name"], &renamed["primary_email_address_id"]), (&Value::Null, &second));
    expect(clerk, Method::PATCH, &path, json!({ "primary_email_address_id": "idn_of_another" }), 422).await;
    expect(clerk, Method::PATCH, &path, json!({ "banned": true }), 422).await;
    expect(clerk, Method::PATCH, &path, json!({ "delete_self_enabled": "no" }), 422).await;
    let metadata = format!("{path}/metadata");
    expect(clerk, Method::PATCH, &metadata, json!({ "public_metadata": { "a": null } }), 200).await;
    expect(clerk, Method::PATCH, &metadata, json!({ "public_metadata": [] }), 422).await;
    expect(clerk, Method::PUT, &metadata, json!({ "private_metadata": {} }), 200).await;
    expect(clerk, Method::PUT, &metadata, json!({ "more": {} }), 422).await;
    expect(clerk, Method::DELETE, &path, none.clone(), 200).await;
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        expect(clerk, method, &path, json!({}), 404).await;
    }
    for method in [Method::PATCH, Method::PUT] {
        expect(clerk, method, &metadata, json!({}), 404).await;
    }
}

async fn sessions(clerk: &ClerkStandIn) {
    let user_id = person(0).id;
    let session = expect(clerk, Method::POST, "/v1/sessions", json!({ "user_id": user_id }), 200).await;
    expect(clerk, Method::POST, "/v1/sessions", json!({ "user_id": "user_unknown" }), 404).await;
    expect(clerk, Method::POST, "/v1/sessions", json!({ "user_id": 7 }), 422).await;
    expect(clerk, Method::GET, &format!("/v1/sessions?user_id={user_id}"), Value::Null, 200).await;
    expect(clerk, Method::GET, &format!("/v1/sessions?user_id={user_id}&paginated=true"), Value::Null, 200).await;
    expect(clerk, Method::GET, &format!("/v1/sessions?user_id={user_id}&status=asleep"), Value::Null, 422).await;
    let path = format!("/v1/sessions/{}", session["id"].as_str().unwrap());
    let token = expect(clerk, Method::POST, &format!("{path}/tokens"), json!({ "expires_in_seconds": 60 }), 200).await;
    expect(clerk, Method::POST, &format!("{path}/tokens"), json!({ "expires_in_seconds": 1 }), 422).await;
    let refresh =
        json!({ "expired_token": token["jwt"], "refresh_token": "rt_wrong", "request_origin": "http://127.0.0.1" });
    expect(clerk, Method::POST, &format!("{path}/refresh"), refresh.clone(), 401).await;
    let mut unknown = refresh;
    unknown["format"] = "stone".into();
    expect(clerk, Method::POST, &format!("{path}/refresh"), unknown, 400).await;
    let signed_in = clerk.sign_in(&user_id).await;
    let cookie = signed_in
        .cookies
        .split("; ")
        .find_map(|cookie| cookie.split_once('=').filter(|(name, _)| name.starts_with("__refresh")));
    let renewal = json!({
        "expired_token": signed_in.jwt, "refresh_token": cookie.unwrap().1, "request_origin": "http://127.0.0.1:3000",
        "request_headers": {}, "format": "token", "request_originating_ip": "127.0.0.1",
    });
    expect(clerk, Method::POST, &format!("/v1/sessions/{}/refresh", signed_in.session_id), renewal, 200).await;
    expect(clerk, Method::GET, &path, Value::Null, 200).await;
    expect(clerk, Method::POST, &format!("{path}/revoke"), Value::Null, 200).await;
    for (method, path) in [(Method::GET, ""), (Method::POST, "/tokens"), (Method::POST, "/revoke")] {
        expect(clerk, method, &format!("/v1/sessions/sess_unknown{path}"), Value::Null, 404).await;
    }
    expect(clerk, Method::POST, "/v1/sign_in_tokens", json!({ "user_id": "user_unknown" }), 404).await;
    expect(clerk, Method::POST, "/v1/sign_in_tokens", json!({ "user_id": user_id, "expires_in_seconds": 0 }), 422)
        .await;
}

/// What a browser does from sign-in to sign-out, and the same from an unknown browser.
async fn browser(clerk: &ClerkStandIn) {
    let unknown_page = Page::unknown(clerk);
    let page = Page::open(clerk).await;
    let ok = |(status, response): (u16, Value)| {
        assert_eq!(status, 200, "{response}");
        response
    };
    ok(page.get("/.well-known/jwks.json").await);
    ok(page.get("/v1/environment").await);
    ok(page.change("PATCH", "/v1/environment", &[]).await);
    ok(page.change("PUT", "/v1/client", &[]).await);
    ok(page.post("/v1/client", &[]).await);
    let ada = person(0);
    let sign_in = ok(page.post("/v1/client/sign_ins", &[("identifier", &ada.email)]).await);
    let path = format!("/v1/client/sign_ins/{}", sign_in["response"]["id"].as_str().unwrap());
    ok(page.get(&path).await);
    assert_eq!(page.post("/v1/client/sign_ins", &[("strategy", "password")]).await.0, 422);
    ok(page.post(&format!("{path}/prepare_first_factor"), &[("strategy", "email_code")]).await);
    let wrong = [("strategy", "email_code"), ("code", "1")];
    let right = [("strategy", "email_code"), ("code", "424242")];
    assert_eq!(page.post(&format!("{path}/attempt_first_factor"), &wrong).await.0, 422);
    let signed_in = ok(page.post(&format!("{path}/attempt_first_factor"), &right).await);
    let session = format!("/v1/client/sessions/{}", signed_in["response"]["created_session_id"].as_str().unwrap());
    ok(page.get("/v1/client").await);
    ok(page.get(&session).await);
    for step in ["touch", "tokens"] {
        ok(page.post(&format!("{session}/{step}"), &[]).await);
    }
    ok(page.post(&format!("{session}/verify"), &[("level", "second_factor")]).await);
    assert_eq!(page.post(&format!("{session}/verify"), &[("level", "third_factor")]).await.0, 422);
    ok(page.post(&format!("{session}/verify/prepare_first_factor"), &[("strategy", "email_code")]).await);
    assert_eq!(page.post(&format!("{session}/verify/attempt_first_factor"), &wrong).await.0, 422);
    ok(page.post(&format!("{session}/verify/attempt_first_factor"), &right).await);
    ok(page.get("/v1/me").await);
    for unknown in [&path, &session, "/v1/me", "/v1/client"] {
        assert_eq!(unknown_page.get(unknown).await.0, 401, "{unknown}");
    }
    for step in ["prepare_first_factor", "attempt_first_factor"] {
        assert_eq!(unknown_page.post(&format!("{path}/{step}"), &right).await.0, 401, "{step}");
    }
    for step in ["touch", "tokens", "end", "remove", "verify/prepare_first_factor"] {
        assert_eq!(unknown_page.post(&format!("{session}/{step}"), &[]).await.0, 401, "{step}");
    }
    assert_eq!(unknown_page.change("DELETE", "/v1/client/sessions", &[]).await.0, 401);
    assert_eq!(unknown_page.change("DELETE", "/v1/client", &[]).await.0, 404);
    assert_eq!(unknown_page.change("DELETE", "/v1/me", &[]).await.0, 401);
    ok(page.post(&format!("{session}/end"), &[]).await);
    ok(page.post(&format!("{session}/remove"), &[]).await);
    for path in ["/v1/client/sessions", "/v1/client"] {
        page.sign_in(clerk, &ada.id).await;
        ok(page.change("DELETE", path, &[]).await);
    }
    page.sign_in(clerk, &person(3).id).await;
    ok(page.change("DELETE", "/v1/me", &[]).await);
    handshakes(clerk).await;
}

async fn handshakes(clerk: &ClerkStandIn) {
    let go = |query: &'static [(&str, &str)]| {
        client().get(format!("{}/v1/client/handshake", clerk.url())).query(query).send()
    };
    assert_eq!(go(&[("redirect_url", "http://127.0.0.1:3000/")]).await.unwrap().status(), 307);
    assert_eq!(go(&[("redirect_url", "https://evil.example/")]).await.unwrap().status(), 422);
}

async fn failures(clerk: &ClerkStandIn) {
    let browser: Client = client();
    for (operation, path, status) in INJECTED {
        clerk.fail(Fault {
            operation: Some(operation.to_owned()),
            status: Some(status),
            times: Some(1),
            ..Fault::default()
        });
        let method = Method::from_bytes(operation.split(' ').next().unwrap().as_bytes()).unwrap();
        let response = browser.request(method, format!("{}{path}", clerk.url())).send().await.unwrap();
        assert_eq!(response.status(), status, "{operation}");
    }
    // Errors that any operation may have: no key, wrong method, no such route, rate limit.
    assert_eq!(browser.get(format!("{}/v1/users", clerk.url())).send().await.unwrap().status(), 401);
    assert_eq!(call(clerk, Method::DELETE, "/v1/jwks", None).await.0, 405);
    assert_eq!(call(clerk, Method::GET, "/v1/nowhere", None).await.0, 404);
    clerk.limit_rate(true);
    let path = format!("/v1/users/{}/metadata", person(0).id);
    let mut last = 200;
    for _ in 0..11 {
        last = call(clerk, Method::PATCH, &path, Some(json!({}))).await.0;
    }
    assert_eq!(last, 429);
}
