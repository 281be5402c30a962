//! What belongs to one request: its ids, its user and its browser's signals.

use std::sync::LazyLock;

use app::api::context::{Person, Visitor};
use axum::extract::FromRequestParts;
use data_encoding::{BASE64URL_NOPAD, Encoding, Specification};
use http::HeaderMap;
use http::header::ACCEPT;
use http::request::Parts;
use lethe::{ClerkUserId, Random, UserHandle};
use lethe_error_code::ErrorCode;

use crate::error::Problem;

/// The ids and signals of a request. An extension of every request.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// Identifies the request in the log, in the response and on error pages.
    pub incident: String,
    /// The nonce of the content security policy.
    pub nonce: String,
    /// Whether the request carries `Sec-GPC: 1` (Global Privacy Control).
    pub gpc: bool,
}

impl RequestContext {
    /// Draws the ids of a request with these headers.
    #[must_use]
    pub fn new(random: &Random, headers: &HeaderMap) -> Self {
        Self {
            incident: incident_encoding().encode(&random.bytes::<8>()),
            nonce: BASE64URL_NOPAD.encode(&random.bytes::<16>()),
            gpc: headers.get("sec-gpc").is_some_and(|value| value.as_bytes() == b"1"),
        }
    }
}

/// A signed-in user.
#[derive(Clone, Debug)]
pub struct CurrentUser {
    /// The id at Clerk.
    pub clerk_user_id: ClerkUserId,
    /// Identifies the user to their own browser.
    pub user_handle: UserHandle,
    /// The session at Clerk.
    pub session_id: String,
    /// The primary e-mail address, where it is known.
    pub email: Option<String>,
    /// The name, where it is known.
    pub name: Option<String>,
    /// Whether somebody acts for the user.
    pub impersonated: bool,
    /// Whether the user verified their identity within the last minutes.
    pub recently_verified: bool,
}

/// The user, or why there is none. An extension of every request behind the authentication.
pub type Authentication = Result<CurrentUser, ErrorCode>;

impl CurrentUser {
    /// Refuses a deletion or a disclosure to somebody who acts for the user, and to a user whose last verification is
    /// too old.
    pub const fn require_fresh_sign_in(&self) -> Result<(), ErrorCode> {
        if self.impersonated {
            Err(ErrorCode::Impersonated)
        } else if self.recently_verified {
            Ok(())
        } else {
            Err(ErrorCode::ReverificationNeeded)
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CurrentUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let authentication = parts.extensions.get::<Authentication>().cloned();
        Ok(authentication.unwrap_or(Err(ErrorCode::NotSignedIn))?)
    }
}

/// Returns whether the client can show a page.
#[must_use]
pub fn accepts_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

/// What the pages see of the request.
#[must_use]
pub fn visitor(context: &RequestContext, authentication: &Authentication, sign_in_url: String) -> Visitor {
    Visitor {
        person: authentication.clone().ok().map(|user| Person {
            clerk_user_id: user.clerk_user_id,
            session_id: user.session_id,
            email: user.email,
            name: user.name,
            impersonated: user.impersonated,
            recently_verified: user.recently_verified,
        }),
        gpc: context.gpc,
        incident: context.incident.clone(),
        sign_in_url,
    }
}

/// Crockford's alphabet: no character is misread on the telephone.
fn incident_encoding() -> &'static Encoding {
    static ENCODING: LazyLock<Encoding> = LazyLock::new(|| {
        let mut specification = Specification::new();
        specification.symbols.push_str("0123456789ABCDEFGHJKMNPQRSTVWXYZ");
        specification.encoding().expect("a constant alphabet is valid")
    });
    &ENCODING
}
