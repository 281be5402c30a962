//! Starting stand-ins, a client for them, and a receiver for webhooks.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use clerk_stand_in::{
    ClerkStandIn, StandInOptions,
    people::{Person, person},
};
use reqwest::{Client, Method, Response, redirect::Policy};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Starts a stand-in on the Postgres server that this repository's tests share.
#[expect(clippy::disallowed_methods, reason = "tests have no other settings")]
pub(crate) async fn start(options: StandInOptions) -> ClerkStandIn {
    let server_url = std::env::var("LETHE_TEST_DATABASE_URL")
        .expect("LETHE_TEST_DATABASE_URL is the URL of a database whose role may create databases");
    ClerkStandIn::start(&server_url, StandInOptions { person: member, ..options }).await
}

/// A made-up user with metadata of the application.
fn member(index: usize) -> Person {
    let mut person = person(index);
    person.public_metadata.insert("roles".to_owned(), json!(["member"]));
    person
}

/// A client that follows no redirects.
pub(crate) fn client() -> Client {
    // Fails if another test has installed it already, which is fine.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder().redirect(Policy::none()).build().expect("the client's options are valid")
}

/// Calls the Backend API with the secret key; returns the status and the JSON body.
pub(crate) async fn call(clerk: &ClerkStandIn, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let response = send(clerk, method, path, body).await;
    let status = response.status().as_u16();
    (status, response.json().await.expect("every response is JSON"))
}

pub(crate) async fn send(clerk: &ClerkStandIn, method: Method, path: &str, body: Option<Value>) -> Response {
    let mut request = client().request(method, format!("{}{path}", clerk.url())).bearer_auth(clerk.secret_key());
    if let Some(body) = body {
        request = request.json(&body);
    }
    request.send().await.expect("the stand-in responds")
}

/// Receives webhooks and responds with one status after the other, then with 204.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    received: Arc<Mutex<Vec<(HeaderMap, String)>>>,
}

impl Receiver {
    pub(crate) async fn start(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let received: Arc<Mutex<Vec<(HeaderMap, String)>>> = Arc::default();
        let (store, mut statuses) = (Arc::clone(&received), statuses.to_vec());
        statuses.reverse();
        let statuses = Arc::new(Mutex::new(statuses));
        let hook = move |headers: HeaderMap, body: String| async move {
            store.lock().unwrap().push((headers, body));
            let status = statuses.lock().unwrap().pop().unwrap_or(204);
            StatusCode::from_u16(status).unwrap()
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/hook", post(hook))).await });
        Self { url, received }
    }

    pub(crate) fn received(&self) -> Vec<(HeaderMap, String)> {
        self.received.lock().unwrap().clone()
    }

    /// Waits until `count` webhooks arrived, for ten seconds at most.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<(HeaderMap, String)> {
        for _ in 0..500 {
            if self.received().len() >= count {
                return self.received();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{} of {count} webhooks arrived", self.received().len());
    }

    pub(crate) async fn wait_for_types(&self, count: usize) -> Vec<String> {
        let received = self.wait_for(count).await;
        received
            .iter()
            .map(|(_, body)| serde_json::from_str::<Value>(body).unwrap()["type"].as_str().unwrap().to_owned())
            .collect()
    }
}
