//! Failures of Clerk beyond a single failed call: it is down, slow, or responds in unexpected ways.
//!
//! `tests/core` shows that consent and deletions are completed after an outage
//! (`failed_mirror_is_retried_and_writes_the_newest_state`, `failing_clerk_step_is_retried_after_the_data_was_erased`).
//! `server/tests/http/outage.rs` shows that sessions stay valid and pages show a notice.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A server that returns the same body for every request and records what it receives.
struct Recorder {
    url: Url,
    connections: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    async fn start(body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let received = connections.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let index = {
                    let mut received = received.lock().unwrap();
                    received.push(String::new());
                    received.len() - 1
                };
                let received = received.clone();
                tokio::spawn(async move {
                    let mut buffer = [0; 8 * 1024];
                    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                        received.lock().unwrap()[index].push_str(&String::from_utf8_lossy(&buffer[..length]));
                        let head = format!(
                            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                            body.len()
                        );
                        if stream.write_all(head.as_bytes()).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Self { url, connections }
    }

    fn client(&self) -> Client {
        let key = SecretString::from("sk_test_a");
        Client::new(&ClientSettings { api_url: self.url.clone(), ..ClientSettings::new(key) }).unwrap()
    }
}

#[tokio::test]
async fn connections_are_reused_and_requests_carry_the_api_version() {
    let recorder = Recorder::start("[]").await;
    let client = recorder.client();
    for _ in 0..10 {
        assert!(client.existing(&[subject(0)]).await.unwrap().is_empty());
    }
    let connections = recorder.connections.lock().unwrap();
    assert_eq!(connections.len(), 1);
    let sent = connections[0].to_lowercase();
    assert_eq!(sent.matches("get /v1/users?user_id=").count(), 10);
    assert_eq!(sent.matches("clerk-api-version: 2026-05-12\r\n").count(), 10);
    assert_eq!(sent.matches("authorization: bearer sk_test_a\r\n").count(), 10);
}

#[tokio::test]
async fn unknown_fields_and_values_are_tolerated() {
    let user = r#"{"id":"user_2abcDEF0123456789","object":"user","new_field":{"deep":[1]},"banned":"perhaps",
        "email_addresses":[{"id":"idn_1","email_address":"ada@example.org","verification":{"status":"quantum","strategy":"telepathy"}}],
        "primary_email_address_id":"idn_1","public_metadata":{"a":1}}"#;
    let recorder = Recorder::start(user).await;
    let read = recorder.client().user(&subject(0)).await.unwrap().unwrap();
    assert_eq!(read.id().as_str(), "user_2abcDEF0123456789");
    assert_eq!(read.primary_email(), Some("ada@example.org"));
    let sessions = r#"[{"id":"sess_2abc","status":"levitating","object":"session","user_id":"user_2abc","x":null}]"#;
    let recorder = Recorder::start(sessions).await;
    assert_eq!(recorder.client().sessions(&subject(0)).await.unwrap()[0].id(), "sess_2abc");
}

#[tokio::test]
async fn open_breaker_fails_calls_at_once_and_one_probe_closes_it() {
    let World { clerk, client } = world().await;
    let bulk = client.batch();
    assert!(client.is_reachable());
    clerk.fail(Fault { status: Some(503), ..Fault::default() });
    for _ in 0..2 {
        assert_eq!(client.user(&subject(0)).await.unwrap_err().kind(), Kind::Unavailable);
    }
    assert!(!client.is_reachable() && !bulk.is_reachable(), "clones share the circuit breaker");

    clerk.forget_requests();
    let began = Instant::now();
    for _ in 0..100 {
        let error = client.delete_user(&subject(1)).await.unwrap_err();
        assert!(error.kind() == Kind::Unavailable && error.retryable(), "{error}");
    }
    assert_eq!(clerk.all_requests(), 0, "nothing was sent");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());

    clerk.recover();
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert!(client.user(&subject(0)).await.unwrap().is_some());
    assert!(client.is_reachable());
    assert_eq!(clerk.all_requests(), 1);
}

/// A user who returns from signing in right after an outage isn't rejected.
#[tokio::test]
async fn session_calls_bypass_the_breaker() {
    let World { clerk, client } = world().await;
    clerk.fail(Fault { status: Some(503), ..Fault::default() });
    for _ in 0..2 {
        assert_eq!(client.user(&subject(0)).await.unwrap_err().kind(), Kind::Unavailable);
    }
    clerk.recover();
    assert!(!client.is_reachable());
    assert_eq!(client.handshake_payload("unknown").await.unwrap_err().kind(), Kind::NotFound);
    assert!(client.is_reachable(), "any response closes the circuit breaker");
}

#[tokio::test]
async fn client_errors_do_not_open_the_breaker() {
    let World { clerk, client } = world().await;
    for status in [401, 403, 404, 409, 422] {
        clerk.fail(Fault { status: Some(status), ..fault(USER) });
        for _ in 0..6 {
            let _ = client.user(&subject(0)).await;
        }
        clerk.recover();
        assert!(client.is_reachable(), "{status}");
    }
}

#[tokio::test]
async fn batch_calls_outlast_a_short_outage() {
    let World { clerk, client } = world().await;
    clerk.fail(Fault { status: Some(503), times: Some(5), ..Fault::default() });
    let bulk = client.batch();
    assert!(bulk.existing(&[subject(0)]).await.is_err() || bulk.is_reachable());
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert_eq!(bulk.existing(&[subject(0)]).await.unwrap().len(), 1);
}

/// Clerk accepts ten changes per user in ten seconds. Further changes wait, and none is refused.
#[tokio::test]
async fn metadata_changes_of_one_user_stay_within_their_limit() {
    let World { clerk, client } = world().await;
    clerk.limit_rate(true);
    let bulk = client.batch();
    let changes: Vec<_> = (0..15)
        .map(|turn| {
            let bulk = bulk.clone();
            tokio::spawn(async move { bulk.merge_metadata(&subject(0), json!({"turn": turn})).await })
        })
        .collect();
    // Other users don't have to wait.
    let began = Instant::now();
    client.merge_metadata(&subject(1), json!({"turn": 0})).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    for change in changes {
        assert_eq!(change.await.unwrap().unwrap(), MetadataOutcome::Merged);
    }
    assert_eq!(clerk.requests(METADATA), 16, "no change was refused and retried");
}
