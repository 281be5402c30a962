//! A client for the stand-in, and somebody who receives webhooks.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use demo::testing::ClerkStandIn;
use reqwest::{Client, Method, Response, redirect::Policy};
use serde_json::Value;
use tokio::net::TcpListener;

/// A client that follows no redirects.
pub(crate) fn client() -> Client {
    // Fails where another test was first, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder().redirect(Policy::none()).build().expect("a client needs nothing")
}

/// Asks the Backend API with the secret key; gives the status and the JSON.
pub(crate) async fn ask(clerk: &ClerkStandIn, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let answer = send(clerk, method, path, body).await;
    let status = answer.status().as_u16();
    (status, answer.json().await.expect("every answer is JSON"))
}

pub(crate) async fn send(clerk: &ClerkStandIn, method: Method, path: &str, body: Option<Value>) -> Response {
    let mut request = client().request(method, format!("{}{path}", clerk.url())).bearer_auth(clerk.secret_key());
    if let Some(body) = body {
        request = request.json(&body);
    }
    request.send().await.expect("the stand-in answers")
}

/// Receives webhooks and answers each with the next of the statuses, then with 204.
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

    /// Waits until `count` came, ten seconds at most.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<(HeaderMap, String)> {
        for _ in 0..500 {
            if self.received().len() >= count {
                return self.received();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{} of {count} webhooks came", self.received().len());
    }

    pub(crate) async fn wait_for_types(&self, count: usize) -> Vec<String> {
        let received = self.wait_for(count).await;
        received
            .iter()
            .map(|(_, body)| serde_json::from_str::<Value>(body).unwrap()["type"].as_str().unwrap().to_owned())
            .collect()
    }
}
