//! Calls of the server functions: a form goes there, a JSON object comes back. The browser parses it, so that the bundle
//! needs no parser of its own.

use gloo_net::http::Request;
use leptos::prelude::{document, window};
use leptos::server_fn::ServerFn;
use lethe_error_code::ErrorCode;
use wasm_bindgen_futures::JsFuture;
use web_sys::js_sys::{Array, JSON, Promise, Reflect};
use web_sys::wasm_bindgen::JsValue;
use web_sys::{RequestCredentials, UrlSearchParams};

use super::browser::hidden_frame;
use crate::error::PublicError;
use crate::server_fns::DeletionProgressOf;

/// How long the renewal of the session may take.
const RENEWAL_TIMEOUT_MS: i32 = 10_000;

/// An object that the server returned.
#[derive(Clone)]
pub(super) struct Reply(JsValue);

impl Reply {
    /// The text with this name; empty if there is none.
    pub(super) fn text(&self, name: &str) -> String {
        self.get(name).as_string().unwrap_or_default()
    }

    /// Whether the value with this name is true.
    pub(super) fn is(&self, name: &str) -> bool {
        self.get(name).is_truthy()
    }

    /// The object with this name.
    pub(super) fn object(&self, name: &str) -> Option<Self> {
        Some(Self(self.get(name))).filter(|reply| reply.0.is_object())
    }

    /// The objects in the list with this name.
    pub(super) fn list(&self, name: &str) -> Vec<Self> {
        Array::from(&self.get(name)).iter().map(Self).collect()
    }

    fn get(&self, name: &str) -> JsValue {
        Reflect::get(&self.0, &name.into()).unwrap_or(JsValue::NULL)
    }
}

/// How a server function is called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// It changes nothing.
    Get,
    Post,
    /// It changes nothing, and what it returns depends on no session. The request carries no cookies, so the server
    /// doesn't look up a session whose user is being deleted.
    GetWithoutSession,
}

/// A call of a server function.
#[derive(Clone)]
pub(super) struct Call {
    method: Method,
    path: &'static str,
    fields: String,
}

impl Call {
    pub(super) fn new(method: Method, path: &'static str, fields: &[(&str, &str)]) -> Self {
        let mut text = String::new();
        if let Ok(parameters) = UrlSearchParams::new() {
            for (name, value) in fields {
                parameters.append(name, value);
            }
            text = parameters.to_string().into();
        }
        Self { method, path, fields: text }
    }

    /// Calls the server. If the session has ended, renews it and calls once more, without leaving the page.
    pub(super) async fn send(self) -> Result<Reply, PublicError> {
        match self.send_once().await {
            Err(error) if error.code == ErrorCode::NotSignedIn && self.method != Method::GetWithoutSession => {
                renew_session().await;
                self.send_once().await
            }
            result => result,
        }
    }

    /// Calls the server, and leaves a session that has ended as it is.
    pub(super) async fn send_once(&self) -> Result<Reply, PublicError> {
        let unreachable = || PublicError { code: ErrorCode::Unreachable, incident: String::new() };
        let request = match self.method {
            Method::Post => Request::post(self.path)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(self.fields.as_str()),
            method => {
                let credentials = match method {
                    Method::GetWithoutSession => RequestCredentials::Omit,
                    _ => RequestCredentials::SameOrigin,
                };
                Request::get(&[self.path, "?", &self.fields].concat()).credentials(credentials).build()
            }
        };
        let response = request.map_err(|_| unreachable())?.send().await.map_err(|_| unreachable())?;
        let text = response.text().await.map_err(|_| unreachable())?;
        let reply = JSON::parse(&text).map(Reply);
        if response.ok() {
            return reply.map_err(|_| unreachable());
        }
        // A problem document has the same two members.
        let code = reply.as_ref().map_or(ErrorCode::Internal, |reply| ErrorCode::parse(&reply.text("code")));
        Err(PublicError { code, incident: reply.map(|reply| reply.text("incident")).unwrap_or_default() })
    }
}

/// Requests a deletion's progress. The code alone authorizes it.
pub(super) async fn deletion_progress(code: &str) -> Result<Reply, ErrorCode> {
    let call = Call::new(Method::GetWithoutSession, DeletionProgressOf::PATH, &[("code", code)]);
    call.send_once().await.map_err(|error| error.code)
}

/// Loads the page that redirects by way of Clerk into a hidden frame, as Clerk's handshake only works for documents.
/// Returns when the frame has loaded or the time is up. The next call shows whether it helped.
async fn renew_session() {
    let Some((frame, body)) = hidden_frame("/session").zip(document().body()) else { return };
    let loaded = Promise::new(&mut |done, _| {
        frame.set_onload(Some(&done));
        let _ = window().set_timeout_with_callback_and_timeout_and_arguments_0(&done, RENEWAL_TIMEOUT_MS);
        let _ = body.append_child(&frame);
    });
    let _ = JsFuture::from(loaded).await;
    frame.remove();
}
