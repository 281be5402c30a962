//! Deliberate differences from the SDK that no decision shows.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Json;
use http::StatusCode;
use lethe_demo::people::person;
use tokio::net::TcpListener;

use super::stand_in::{HERE, http_client, outcome, signed_in, world};
use super::*;
use crate::{Authenticator, HttpBackend};

/// A server in place of Clerk that records the bodies of requests and refuses all of them.
async fn listener() -> (Url, Arc<Mutex<Vec<Value>>>) {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let recorded = bodies.clone();
    let router = Router::new().fallback(async move |Json(body): Json<Value>| {
        recorded.lock().unwrap().push(body);
        StatusCode::UNAUTHORIZED
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, bodies)
}

#[tokio::test]
async fn refresh_sends_no_credentials_to_clerk() {
    let world = world().await;
    let cookies = world.left_open().await;
    let (api_url, bodies) = listener().await;
    let mut config = Config::new(world.clerk.publishable_key(), Url::parse(HERE).unwrap());
    config.proxy_url = Some(Url::parse(world.clerk.url()).unwrap());
    config.jwt_key = Some(world.clerk.jwt_key());
    let backend = HttpBackend::new(http_client(), world.clerk.secret_key()).unwrap().with_api_url(&api_url);
    let authenticator = Authenticator::new(config, backend).unwrap();

    let headers = [
        ("cookie", &*cookies),
        ("authorization", "Basic c2VjcmV0"),
        ("user-agent", "A browser"),
        ("x-api-key", "secret"),
    ];
    authenticator.authenticate(&request("POST", "/", &headers)).await;

    let bodies = bodies.lock().unwrap();
    assert_eq!(bodies.len(), 1);
    assert_eq!(bodies[0]["request_headers"], json!({"user-agent": ["A browser"]}));
    assert_eq!(bodies[0]["request_origin"], HERE);
}

/// The SDK starts a handshake if the URL and the session token name different organizations.
#[tokio::test]
async fn organization_url_activates_no_organization() {
    let world = world().await;
    let token = world.clerk.sign_in(&person(0).id).await;
    for path in ["/orgs/acme", "/orgs/org_2abc/settings", "/me"] {
        assert_eq!(outcome(&world.document(path, &token.cookies).await), signed_in(), "{path}");
    }
}

/// Some of the "further differences": what Clerk doesn't issue is refused.
#[test]
fn unusual_tokens_and_headers_are_decided_as_documented() {
    let validated = validated(DEVELOPMENT);
    let decision = |changes: &Value| {
        let authorization = format!("Bearer {}", token(changes));
        summary(&decided(&request("GET", "/", &[("authorization", &authorization)]), &validated))
    };
    let id = |length: usize| format!("user_{}", "a".repeat(length - "user_".len()));
    let refused = "signed out token-verification-failed";
    for (changes, expected) in [
        (json!({"sub": id(64)}), "signed in sess_1"),
        (json!({"sub": id(65)}), refused),
        (json!({"sub": "user_a-b"}), refused),
        (json!({"sub": "alice"}), refused),
        // Beyond the range of a JavaScript `Date`.
        (json!({"nbf": 9_000_000_000_000_u64}), "signed out session-token-nbf"),
        (json!({"exp": 9_000_000_000_000_u64}), "signed in sess_1"),
    ] {
        assert_eq!(decision(&changes), expected, "{changes}");
    }
    // The first of several headers counts.
    let mut parts = document("/", "");
    parts.headers.append("sec-fetch-dest", "empty".parse().unwrap());
    assert!(summary(&decided(&parts, &validated)).starts_with("handshake "));
}

/// The session's id becomes part of a path.
#[test]
fn session_whose_id_is_no_path_segment_is_not_refreshed() {
    let validated = validated(DEVELOPMENT);
    for (sid, is_refreshed) in [("sess_1", true), ("a/b", false), ("a?b", false), ("..", false)] {
        let expired = token(&json!({"exp": NOW - 60, "sid": sid}));
        let cookies = format!("__clerk_db_jwt=b; __session={expired}; __client_uat=1; __refresh_QvfNY2dr=r");
        let decision = summary(&decided(&document("/", &cookies), &validated));
        assert_eq!(decision.starts_with("refresh "), is_refreshed, "{sid}: {decision}");
    }
}
