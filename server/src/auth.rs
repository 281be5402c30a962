//! Who asks: from the session's decision to what handlers and pages know of the visitor.

use app::api::context::{Person, Visitor};
use axum::body::Body;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use clerk_session::{Outcome, Session};
use http::Method;
use http::request::Parts;
use lethe::{ClerkUserId, Presence, Refusal, subject};

use crate::lifecycle::RequestContext;
use crate::middleware::client_ip;
use crate::problem::Problem;
use crate::profile_cache::Profile;
use crate::routes::renewal;
use crate::state::AppState;

/// A token younger than this was just brought from Clerk, so the visitor is waiting for Clerk anyway.
const FRESH_TOKEN_SECONDS: i64 = 5;

/// The layer: decides who asks, for everything behind it.
pub async fn authenticate(State(server): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let authenticated = server.authenticator.authenticate(&parts).await;
    if may_redirect(&parts)
        && let Some(mut redirect) = authenticated.redirect::<Body>()
    {
        if is_frame(&parts) {
            renewal::allow_frame(redirect.headers_mut());
        }
        return redirect;
    }
    let session = match &authenticated.outcome {
        Outcome::SignedIn(session) => Some(&**session),
        Outcome::SignedOut(_) | Outcome::Redirect { .. } => None,
    };
    let mut response = match attach_user(&server, &mut parts, session).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    };
    authenticated.apply(response.headers_mut());
    response
}

/// Only what a person navigates to, and what needs to know them, may take the way by Clerk. A receipt opens
/// without an account, and so also while Clerk is down.
fn may_redirect(parts: &Parts) -> bool {
    match parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str) {
        None | Some("/receipt/{code}") => false,
        Some(route) => !route.starts_with("/api/") || route == "/api/privacy/export",
    }
}

fn is_frame(parts: &Parts) -> bool {
    parts.extensions.get::<MatchedPath>().is_some_and(|route| route.as_str() == renewal::PATH)
}

/// Tells handlers and pages who asks; refuses strangers who write too often.
async fn attach_user(server: &AppState, parts: &mut Parts, session: Option<&Session>) -> Result<(), Problem> {
    let (person, is_gone) = match session {
        Some(session) => {
            let subject = ClerkUserId::parse(&session.user_id).map_err(|_other_form| Refusal::NotSignedIn)?;
            match subject::presence(&server.lethe, &subject).await? {
                Presence::Active => (Some(load_person(server, session, subject).await), false),
                Presence::Deleting(_) | Presence::Erased => {
                    server.profiles.remove(&subject).await;
                    (None, true)
                }
            }
        }
        None => (None, false),
    };
    let is_write = !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if person.is_none() && is_write {
        let client = client_ip::client_ip(&server.trusted_proxies, parts);
        server.limits.anonymous_writes.check_ip(client)?;
    }
    let incident = parts.extensions.get::<RequestContext>().map(|scope| scope.incident.clone()).unwrap_or_default();
    let visitor = Visitor {
        person,
        gpc: parts.headers.get("sec-gpc").is_some_and(|value| value.as_bytes() == b"1"),
        incident,
        sign_in_url: server.authenticator.sign_in_url_for(parts).into(),
    };
    parts.extensions.insert(visitor);
    parts
        .extensions
        .insert(RequestSession { session_id: session.map(|session| session.id.clone()), account_deleted: is_gone });
    Ok(())
}

async fn load_person(server: &AppState, session: &Session, subject: ClerkUserId) -> Person {
    let profile = match (&session.email, &session.name) {
        (Some(_), Some(_)) => None,
        _ => load_profile(server, session, &subject).await,
    };
    let profile = profile.unwrap_or_default();
    Person {
        clerk_user_id: subject,
        session_id: session.id.clone(),
        email: session.email.clone().or(profile.email),
        name: session.name.clone().or(profile.name),
        impersonated: session.is_impersonated,
        recently_verified: session.is_verified_strictly(),
    }
}

async fn load_profile(server: &AppState, session: &Session, subject: &ClerkUserId) -> Option<Profile> {
    let now = server.lethe.clock.now().unix_timestamp();
    let is_fresh = session.issued_at.is_some_and(|issued_at| now - issued_at < FRESH_TOKEN_SECONDS);
    let profile = if is_fresh { server.profiles.get_or_wait(subject).await } else { server.profiles.get_or_prefetch(subject).await };
    profile.map(|profile| (*profile).clone())
}

/// What the session said about this request, beyond what pages need to know.
#[derive(Clone, Debug, Default)]
pub struct RequestSession {
    /// The session, also where its person is gone.
    pub session_id: Option<String>,
    /// The token is good, but its person was erased or is being erased.
    pub account_deleted: bool,
}

/// A signed-in person: what a handler of the API starts with.
#[derive(Clone, Debug)]
pub struct CurrentUser {
    /// Who.
    pub subject: ClerkUserId,
    /// The address, where it is known already.
    pub email: Option<String>,
    /// Somebody else acts in the person's name.
    pub impersonated: bool,
    /// They proved who they are within the last minutes.
    pub recently_verified: bool,
    /// The browser's opt-out signal.
    pub signal: bool,
}

impl CurrentUser {
    /// The person of this request, where there is one.
    pub fn from_parts(parts: &Parts) -> Option<Self> {
        let visitor = parts.extensions.get::<Visitor>()?;
        let person = visitor.person.as_ref()?;
        Some(Self {
            subject: person.clerk_user_id.clone(),
            email: person.email.clone(),
            impersonated: person.impersonated,
            recently_verified: person.recently_verified,
            signal: visitor.gpc,
        })
    }

    /// Refuses to delete for, or to disclose to, whoever acts for somebody else or didn't lately prove
    /// who they are.
    pub fn require_fresh_sign_in(&self) -> Result<(), Problem> {
        if self.impersonated {
            Err(Refusal::Impersonated.into())
        } else if self.recently_verified {
            Ok(())
        } else {
            Err(Problem::reverification_needed())
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CurrentUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        if let Some(person) = Self::from_parts(parts) {
            return Ok(person);
        }
        let is_gone = parts.extensions.get::<RequestSession>().is_some_and(|session| session.account_deleted);
        Err(if is_gone { Refusal::AccountDeleted } else { Refusal::NotSignedIn }.into())
    }
}
