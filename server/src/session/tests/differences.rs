//! Deliberate differences to the SDK that no decision shows.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Json;
use demo::people::person;
use http::StatusCode;
use lethe::Clock;
use lethe::clerk::{Client, ClientSettings};
use secrecy::SecretString;
use tokio::net::TcpListener;

use super::super::Authenticator;
use super::with_clerk::{HERE, outcome, signed_in, world};
use super::*;

/// Somebody in Clerk's place who keeps what is told, and refuses.
async fn listener() -> (Url, Arc<Mutex<Vec<Value>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let kept = told.clone();
    let router = Router::new().fallback(async move |Json(body): Json<Value>| {
        kept.lock().unwrap().push(body);
        StatusCode::UNAUTHORIZED
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, told)
}

#[tokio::test]
async fn renewing_tells_clerk_nothing_that_signs_in() {
    let world = world().await;
    let cookies = world.left_open().await;
    let (api_url, told) = listener().await;
    let mut settings = Settings::new(world.clerk.publishable_key(), Url::parse(HERE).unwrap());
    settings.proxy_url = Some(Url::parse(world.clerk.url()).unwrap());
    settings.jwt_key = Some(world.clerk.jwt_key());
    let client = ClientSettings { api_url, ..ClientSettings::new(SecretString::from(world.clerk.secret_key())) };
    let authenticator = Authenticator::new(settings, Client::new(&client).unwrap(), Clock::system()).unwrap();

    let headers = [("cookie", &*cookies), ("authorization", "Basic c2VjcmV0"), ("user-agent", "A browser")];
    authenticator.authenticate(&request("POST", "/", &headers)).await;

    let told = told.lock().unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["request_headers"], json!({"user-agent": ["A browser"]}));
    assert_eq!(told[0]["request_origin"], HERE);
}

/// The SDK asks Clerk for another token where an address names another organization than the session's.
#[tokio::test]
async fn an_address_activates_no_organization() {
    let world = world().await;
    let token = world.clerk.sign_in(&person(0).id).await;
    for path in ["/orgs/acme", "/orgs/org_2abc/settings", "/me"] {
        assert_eq!(outcome(&world.document(path, &token.cookies).await), signed_in(), "{path}");
    }
}
