//! The result of authenticating a request, and what to add to the response.

use http::header::{CACHE_CONTROL, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::reason::Reason;
use crate::session::Session;

const STATUS: HeaderName = HeaderName::from_static("x-clerk-auth-status");
const REASON: HeaderName = HeaderName::from_static("x-clerk-auth-reason");

/// The result of authenticating a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The request is signed in.
    SignedIn(Box<Session>),
    /// The request is signed out.
    SignedOut(Reason),
    /// Not known yet: respond with [`Authenticated::redirect`].
    Redirect {
        /// The URL to redirect to.
        location: String,
        /// Why a handshake is needed; `None` for the redirect that ends one.
        reason: Option<Reason>,
    },
}

/// The outcome, and what must be added to the response.
#[derive(Clone, Debug, PartialEq)]
pub struct Authenticated {
    /// The outcome.
    pub outcome: Outcome,
    /// `Set-Cookie` lines for the response.
    pub set_cookies: Vec<HeaderValue>,
}

impl Authenticated {
    /// The session, if the request is signed in.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        match &self.outcome {
            Outcome::SignedIn(session) => Some(session),
            _ => None,
        }
    }

    /// Adds the cookies to a response's headers, and `x-clerk-auth-status` and `x-clerk-auth-reason` unless the request
    /// is signed in. A response that sets cookies gets `Cache-Control: no-store`.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for cookie in &self.set_cookies {
            headers.append(SET_COOKIE, cookie.clone());
        }
        if !self.set_cookies.is_empty() {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        let (status, reason) = match &self.outcome {
            Outcome::SignedIn(_) | Outcome::Redirect { reason: None, .. } => return,
            Outcome::SignedOut(reason) => ("signed-out", reason),
            Outcome::Redirect { reason: Some(reason), .. } => ("handshake", reason),
        };
        headers.insert(STATUS, HeaderValue::from_static(status));
        if let Ok(reason) = HeaderValue::from_str(&reason.as_str()) {
            headers.insert(REASON, reason);
        }
    }

    /// The whole response, if it must be a redirect.
    #[must_use]
    pub fn redirect<B: Default>(&self) -> Option<http::Response<B>> {
        let Outcome::Redirect { location, .. } = &self.outcome else { return None };
        let mut response = http::Response::new(B::default());
        *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
        let headers = response.headers_mut();
        headers.insert(LOCATION, HeaderValue::from_str(location).ok()?);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self.apply(headers);
        Some(response)
    }
}
