//! What Clerk tells: believed when signed, counted once, in any order.

use std::time::Duration;

use data_encoding::BASE64;
use lethe_demo::people::person;
use reqwest::{Method, RequestBuilder, StatusCode};
use ring::hmac;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Browser, TestApp, TestOptions, eventually, header, json, limit, problem};

const PATH: &str = "/api/webhooks/clerk";
const CONSENT: &str = "/api/privacy/consent";

#[tokio::test]
async fn user_deleted_at_clerk_is_deleted_here() {
    let app = TestApp::with(TestOptions { run_jobs: true, ..TestOptions::default() }).await;
    app.clerk.set_webhook_url(&format!("{}{PATH}", app.url));
    let neighbour = app.rows_of(1).await;
    app.clerk.delete_user(&person(0).id).await;
    eventually("the deletion", async || app.rows_of(0).await.iter().all(|(_, rows)| rows.is_empty())).await;
    assert_eq!(app.rows_of(1).await, neighbour);
}

#[tokio::test]
async fn event_of_an_own_deletion_changes_nothing() {
    let app = TestApp::start().await;
    app.clerk.set_webhook_url(&format!("{}{PATH}", app.url));
    let ada = app.sign_in(0).await;
    json(ada.delete("/api/privacy/delete").send().await.unwrap(), StatusCode::OK).await;
    eventually("the webhook", async || {
        let deliveries = "select count(*) from lethe.webhook_delivery where kind = 'user.deleted'";
        sqlx::query_scalar::<_, i64>(deliveries).fetch_one(app.pool()).await.unwrap() == 1
    })
    .await;
    assert_eq!(requests(&app).await, 1);
}

#[tokio::test]
async fn repeated_delivery_has_no_effect() {
    let app = TestApp::start().await;
    let before = app.audit_entries().await;
    let body = deleted(&person(0).id);
    let first = signed(&app, "msg_1", 0, &body).send().await.unwrap();
    assert_eq!(json(first, StatusCode::OK).await, json!({"status": "processed"}));
    let written = app.audit_entries().await;
    assert!(written > before);
    for _ in 0..3 {
        let again = signed(&app, "msg_1", 0, &body).send().await.unwrap();
        assert_eq!(json(again, StatusCode::OK).await, json!({"status": "duplicate"}));
    }
    // The same event in another delivery: the deletion is under way already.
    json(signed(&app, "msg_2", 0, &body).send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(requests(&app).await, 1);
}

#[tokio::test]
async fn unsigned_delivery_writes_nothing() {
    let app = TestApp::start().await;
    let before = app.audit_entries().await;
    let body = deleted(&person(0).id);
    let signature = |key: &[u8]| sign(key, "msg_1", now(), &body);
    let right = signature(&key(&app));
    let forged: [(&str, i64, String, &str); 5] = [
        ("msg_1", now(), signature(b"another key"), &body),
        ("msg_2", now(), right.clone(), &body),
        ("msg_1", now() - 1_000, right.clone(), &body),
        ("msg_1", now(), right.clone(), r#"{"type":"user.deleted","data":{"id":"user_other"}}"#),
        ("msg_1", now(), "v1,nonsense v2,more".to_owned(), &body),
    ];
    for (id, timestamp, signature, body) in forged {
        let response = delivery(&app, id, timestamp, &signature, body).send().await.unwrap();
        problem(response, StatusCode::BAD_REQUEST, "webhook_rejected").await;
    }
    let response = app.request(Method::POST, PATH).body(body.clone()).send().await.unwrap();
    problem(response, StatusCode::BAD_REQUEST, "webhook_rejected").await;
    assert_eq!(app.audit_entries().await, before);
    assert_eq!(requests(&app).await, 0);
}

#[tokio::test]
async fn timestamp_outside_five_minutes_is_refused() {
    let app = TestApp::start().await;
    for (index, offset) in [-301, -3_600, 310].into_iter().enumerate() {
        let response = signed(&app, &format!("msg_{index}"), offset, &deleted(&person(0).id)).send().await.unwrap();
        problem(response, StatusCode::BAD_REQUEST, "webhook_rejected").await;
    }
    let response = signed(&app, "msg_9", -290, &deleted(&person(0).id)).send().await.unwrap();
    json(response, StatusCode::OK).await;
}

/// The body is announced and never sent: only a server that doesn't wait for it responds.
#[tokio::test]
async fn delivery_with_invalid_headers_is_refused_before_its_body_is_read() {
    let app = TestApp::start().await;
    let signature = format!("v1,{}", BASE64.encode(&[7; 32]));
    let headers = |time: i64, signature: &str| {
        format!("svix-id: msg_1\r\nsvix-timestamp: {time}\r\nsvix-signature: {signature}\r\n")
    };
    let (at, expected) = (now(), Some("HTTP/1.1 400"));
    assert_eq!(response_without_body(&app, "").await.as_deref(), expected);
    assert_eq!(response_without_body(&app, &headers(at - 301, &signature)).await.as_deref(), expected);
    assert_eq!(response_without_body(&app, &headers(at, "v1,bm8=")).await.as_deref(), expected);
    assert_eq!(response_without_body(&app, &headers(at, &signature)).await, None, "the body decides");
}

/// Sends the header of a delivery of a MiB. Returns the first words of the response, if there is one soon.
async fn response_without_body(app: &TestApp, headers: &str) -> Option<String> {
    let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
    let request = format!("POST {PATH} HTTP/1.1\r\nhost: lethe\r\ncontent-length: 1000000\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    let read = tokio::time::timeout(Duration::from_secs(2), stream.read_exact(&mut start)).await;
    read.ok().map(|read| read.map(|_| String::from_utf8_lossy(&start).into_owned()).unwrap())
}

/// The log of what Lethe did can't be shortened.
#[tokio::test]
async fn event_that_changes_nothing_is_not_recorded() {
    let app = TestApp::start().await;
    let before = app.audit_entries().await;
    for (index, kind) in ["user.updated", "session.created", "session.ended"].into_iter().enumerate() {
        let body = json!({"object": "event", "type": kind, "data": {"id": "sess_1", "user_id": person(2).id}});
        let response = signed(&app, &format!("msg_{index}"), 0, &body.to_string()).send().await.unwrap();
        json(response, StatusCode::OK).await;
    }
    assert_eq!(app.audit_entries().await, before);
}

#[tokio::test]
async fn token_of_an_ended_session_is_refused_at_once() {
    let app = TestApp::start().await;
    let (ada, grace) = (app.sign_in(0).await, app.sign_in(1).await);
    let read = async |browser: &Browser<'_>| browser.bearer(Method::GET, CONSENT).send().await.unwrap().status();
    assert_eq!(read(&ada).await, StatusCode::OK);
    // Clerk's times are in whole seconds.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let data = json!({"object": "session", "id": ada.token.session_id, "user_id": person(0).id, "status": "revoked"});
    let body = json!({"object": "event", "type": "session.revoked", "data": data}).to_string();
    json(signed(&app, "msg_1", 0, &body).send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(read(&ada).await, StatusCode::UNAUTHORIZED);
    assert_eq!(read(&grace).await, StatusCode::OK);
    // Signing out here does the same, although the cookies are only in one browser.
    let signed_out = grace.post("/sign-out").send().await.unwrap();
    assert!(signed_out.status().is_redirection(), "{}", signed_out.status());
    assert_eq!(read(&grace).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn forged_deliveries_are_rate_limited_without_blocking_real_ones() {
    let settings = vec![("LETHE_ANONYMOUS_WRITES_PER_MINUTE", limit(3))];
    let app = TestApp::with(TestOptions { settings, ..TestOptions::default() }).await;
    for _ in 0..3 {
        let response = delivery(&app, "msg_1", now(), "v1,bm8=", "{}").send().await.unwrap();
        problem(response, StatusCode::BAD_REQUEST, "webhook_rejected").await;
    }
    let response = delivery(&app, "msg_1", now(), "v1,bm8=", "{}").send().await.unwrap();
    assert!(!header(response.headers(), "retry-after").is_empty());
    problem(response, StatusCode::TOO_MANY_REQUESTS, "too_many_requests").await;
    json(signed(&app, "msg_1", 0, &deleted(&person(0).id)).send().await.unwrap(), StatusCode::OK).await;
}

#[tokio::test]
async fn other_and_unknown_events_are_accepted() {
    let app = TestApp::start().await;
    for (index, kind) in ["user.created", "user.updated", "session.ended", "something.new"].into_iter().enumerate() {
        let body = json!({"object": "event", "type": kind, "data": {"object": "x", "id": person(2).id}, "timestamp": 1, "instance_id": "ins_1"});
        let response = signed(&app, &format!("msg_{index}"), 0, &body.to_string()).send().await.unwrap();
        json(response, StatusCode::OK).await;
    }
    assert_eq!(requests(&app).await, 0);
}

#[tokio::test]
async fn webhook_body_is_limited_to_one_mebibyte() {
    let app = TestApp::start().await;
    let body = |bytes: usize| json!({"type": "user.updated", "data": {"padding": "x".repeat(bytes)}}).to_string();
    let response = signed(&app, "msg_1", 0, &body(500 * 1024)).send().await.unwrap();
    json(response, StatusCode::OK).await;
    let response = signed(&app, "msg_2", 0, &body(1024 * 1024)).send().await.unwrap();
    problem(response, StatusCode::PAYLOAD_TOO_LARGE, "too_large").await;
}

fn deleted(id: &str) -> String {
    let event = json!({
        "object": "event",
        "type": "user.deleted",
        "data": {"object": "user", "id": id, "deleted": true},
        "timestamp": 1_790_000_000_000_i64,
        "instance_id": "ins_1",
    });
    Value::to_string(&event)
}

fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

fn key(app: &TestApp) -> Vec<u8> {
    BASE64.decode(app.clerk.webhook_secret().trim_start_matches("whsec_").as_bytes()).unwrap()
}

fn sign(key: &[u8], id: &str, timestamp: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let signature = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", BASE64.encode(signature.as_ref()))
}

fn signed(app: &TestApp, id: &str, offset: i64, body: &str) -> RequestBuilder {
    let timestamp = now() + offset;
    delivery(app, id, timestamp, &sign(&key(app), id, timestamp, body), body)
}

fn delivery(app: &TestApp, id: &str, timestamp: i64, signature: &str, body: &str) -> RequestBuilder {
    app.request(Method::POST, PATH)
        .header("svix-id", id)
        .header("svix-timestamp", timestamp)
        .header("svix-signature", signature)
        .body(body.to_owned())
}

async fn requests(app: &TestApp) -> i64 {
    sqlx::query_scalar("select count(*) from lethe.deletion_request").fetch_one(app.pool()).await.unwrap()
}
