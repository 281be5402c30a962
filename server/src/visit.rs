//! Who asks: from the session's decision to what handlers and pages know of the visitor.

use app::api::context::{Person, Visitor};
use axum::body::Body;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use clerk_session::{Outcome, Session};
use http::Method;
use http::request::Parts;
use lethe::{Presence, Refusal, SubjectId, subject};

use crate::boundary::Scope;
use crate::guards::address;
use crate::people::Profile;
use crate::problem::Problem;
use crate::routes::renewal;
use crate::state::Server;

/// A token younger than this was just brought from Clerk, so the visitor is waiting for Clerk anyway.
const FRESH_SECONDS: i64 = 5;

/// The layer: decides who asks, for everything behind it.
pub async fn visit(State(server): State<Server>, request: Request, next: Next) -> Response {
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
    let mut response = match admit(&server, &mut parts, session).await {
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
async fn admit(server: &Server, parts: &mut Parts, session: Option<&Session>) -> Result<(), Problem> {
    let (person, is_gone) = match session {
        Some(session) => {
            let subject = SubjectId::parse(&session.user_id).map_err(|_other_form| Refusal::NotSignedIn)?;
            match subject::presence(&server.lethe, &subject).await? {
                Presence::Active => (Some(person(server, session, subject).await), false),
                Presence::Deleting(_) | Presence::Erased => {
                    server.people.forget(&subject).await;
                    (None, true)
                }
            }
        }
        None => (None, false),
    };
    let is_write = !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if person.is_none() && is_write {
        let client = address::client(&server.trusted_proxies, parts);
        server.limits.anonymous_writes.check_address(client)?;
    }
    let incident = parts.extensions.get::<Scope>().map(|scope| scope.incident.clone()).unwrap_or_default();
    let visitor = Visitor {
        person,
        signal: parts.headers.get("sec-gpc").is_some_and(|value| value.as_bytes() == b"1"),
        incident,
        sign_in_url: server.authenticator.sign_in_url_for(parts).into(),
    };
    parts.extensions.insert(visitor);
    parts.extensions.insert(Visit { session: session.map(|session| session.id.clone()), is_gone });
    Ok(())
}

async fn person(server: &Server, session: &Session, subject: SubjectId) -> Person {
    let profile = match (&session.email, &session.name) {
        (Some(_), Some(_)) => None,
        _ => profile(server, session, &subject).await,
    };
    let profile = profile.unwrap_or_default();
    Person {
        subject,
        session: session.id.clone(),
        email: session.email.clone().or(profile.email),
        name: session.name.clone().or(profile.name),
        impersonated: session.is_impersonated,
        recently_verified: session.is_verified_strictly(),
    }
}

async fn profile(server: &Server, session: &Session, subject: &SubjectId) -> Option<Profile> {
    let now = server.lethe.clock.now().unix_timestamp();
    let is_fresh = session.issued_at.is_some_and(|issued_at| now - issued_at < FRESH_SECONDS);
    let profile = if is_fresh { server.people.introduce(subject).await } else { server.people.known(subject).await };
    profile.map(|profile| (*profile).clone())
}

/// What the session said about this request, beyond what pages need to know.
#[derive(Clone, Debug, Default)]
pub struct Visit {
    /// The session, also where its person is gone.
    pub session: Option<String>,
    /// The token is good, but its person was erased or is being erased.
    pub is_gone: bool,
}

/// A signed-in person: what a handler of the API starts with.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who.
    pub subject: SubjectId,
    /// The address, where it is known already.
    pub email: Option<String>,
    /// Somebody else acts in the person's name.
    pub impersonated: bool,
    /// They proved who they are within the last minutes.
    pub recently_verified: bool,
    /// The browser's opt-out signal.
    pub signal: bool,
}

impl SignedIn {
    /// The person of this request, where there is one.
    pub fn of(parts: &Parts) -> Option<Self> {
        let visitor = parts.extensions.get::<Visitor>()?;
        let person = visitor.person.as_ref()?;
        Some(Self {
            subject: person.subject.clone(),
            email: person.email.clone(),
            impersonated: person.impersonated,
            recently_verified: person.recently_verified,
            signal: visitor.signal,
        })
    }

    /// Refuses to delete for, or to disclose to, whoever acts for somebody else or didn't lately prove
    /// who they are.
    pub fn may_act(&self) -> Result<(), Problem> {
        if self.impersonated {
            Err(Refusal::Impersonated.into())
        } else if self.recently_verified {
            Ok(())
        } else {
            Err(Problem::reverification())
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        if let Some(person) = Self::of(parts) {
            return Ok(person);
        }
        let is_gone = parts.extensions.get::<Visit>().is_some_and(|visit| visit.is_gone);
        Err(if is_gone { Refusal::Gone } else { Refusal::NotSignedIn }.into())
    }
}
