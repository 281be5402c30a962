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
