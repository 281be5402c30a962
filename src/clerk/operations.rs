//! The operations of the Backend API that Lethe uses.

use std::collections::{BTreeMap, HashSet};

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::{Call, MERGE_METADATA};
use super::client::Client;
use super::{Error, Jwks, Kind, Session, User};
use crate::ids::ClerkUserId;

/// The most ids that Clerk accepts in one call.
const MAX_IDS_PER_CALL: usize = 100;
/// The largest page that Clerk returns.
const SESSIONS_PER_PAGE: usize = 500;
/// Stops an endless listing.
const MAX_SESSION_PAGES: usize = 20;
/// The most that Clerk stores as one user's public metadata.
const MAX_METADATA_BYTES: usize = 8 * 1024;

/// The result of a change of metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataOutcome {
    /// Clerk merged it.
    Merged,
    /// The user doesn't exist any more.
    UserNotFound,
}

/// The result of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteOutcome {
    /// The user existed and was deleted.
    Deleted,
    /// The user didn't exist.
    AlreadyDeleted,
}

/// The request that renews a session.
#[derive(Clone, Serialize)]
pub struct RefreshRequest {
    /// The expired session token.
    pub expired_token: String,
    /// The value of the refresh cookie.
    pub refresh_token: String,
    /// The origin that the browser's request was sent to.
    pub request_origin: String,
    /// The headers of the browser's request.
    pub request_headers: BTreeMap<String, Vec<String>>,
    /// Whether the new cookies get the instance's suffix.
    #[serde(skip)]
    pub suffixed_cookies: bool,
}

impl Client {
    /// Returns the user, or `None` if there is no such user.
    pub async fn user(&self, user_id: &ClerkUserId) -> Result<Option<User>, Error> {
        let call = Call::new("user", Method::GET, format!("/users/{}", user_id.as_str()));
        let Some(raw) = optional(self.json::<Value>(&call).await)? else { return Ok(None) };
        User::from_value(raw).map(Some).ok_or_else(|| Error::new("user", Kind::Unreadable))
    }

    /// Returns those of `user_ids` that exist, in one call.
    ///
    /// # Panics
    /// With more than a hundred ids: Clerk would silently omit some, and they would look like orphans.
    pub async fn existing(&self, user_ids: &[ClerkUserId]) -> Result<HashSet<ClerkUserId>, Error> {
        assert!(user_ids.len() <= MAX_IDS_PER_CALL, "at most {MAX_IDS_PER_CALL} ids can be looked up at once");
        if user_ids.is_empty() {
            return Ok(HashSet::new());
        }
        let mut call = Call::new("existing", Method::GET, "/users".to_owned());
        call.query = user_ids.iter().map(|user_id| ("user_id", user_id.as_str().to_owned())).collect();
        call.query.push(("limit", MAX_IDS_PER_CALL.to_string()));
        let found: Vec<Value> = self.json(&call).await?;
        // A user in the response exists even if the rest of the object is unreadable. But a response without
        // readable ids must not make every user look like an orphan.
        let ids: Option<HashSet<ClerkUserId>> =
            found.iter().map(|user| ClerkUserId::parse(user.get("id")?.as_str()?).ok()).collect();
        ids.ok_or_else(|| Error::new("existing", Kind::Unreadable))
    }

    /// Merges `public` into the user's public metadata: other keys are left alone, and `null` removes a key.
    pub async fn merge_metadata(&self, user_id: &ClerkUserId, public: Value) -> Result<MetadataOutcome, Error> {
        const OPERATION: &str = MERGE_METADATA;
        let invalid = |code| Error::new(OPERATION, Kind::Invalid).with_code(code);
        if !public.is_object() {
            return Err(invalid("metadata_not_an_object"));
        }
        if public.to_string().len() > MAX_METADATA_BYTES {
            return Err(invalid("metadata_too_large"));
        }
        let mut call = Call::new(OPERATION, Method::PATCH, format!("/users/{}/metadata", user_id.as_str()));
        call.body = Some(json!({"public_metadata": public}));
        self.shared
            .limiter
            .acquire_metadata(user_id, self.priority)
            .await
            .map_err(|wait| Error::new(OPERATION, Kind::RateLimited { retry_after: Some(wait) }))?;
        Ok(match optional(self.bytes(&call).await)? {
            Some(_user) => MetadataOutcome::Merged,
            None => MetadataOutcome::UserNotFound,
        })
    }

    /// Deletes the user. A user who doesn't exist is a success; one that a directory manages is an error
    /// ([`Kind::ManagedByScim`]).
    pub async fn delete_user(&self, user_id: &ClerkUserId) -> Result<DeleteOutcome, Error> {
        let call = Call::new("delete_user", Method::DELETE, format!("/users/{}", user_id.as_str()));
        Ok(match optional(self.bytes(&call).await)? {
            Some(_deleted) => DeleteOutcome::Deleted,
            None => DeleteOutcome::AlreadyDeleted,
        })
    }

    /// Returns all sessions of a user that Clerk still has, newest first.
    pub async fn sessions(&self, user_id: &ClerkUserId) -> Result<Vec<Session>, Error> {
        let mut sessions = Vec::new();
        for page in 0..MAX_SESSION_PAGES {
            let mut call = Call::new("sessions", Method::GET, "/sessions".to_owned());
            call.query = vec![
                ("user_id", user_id.as_str().to_owned()),
                ("limit", SESSIONS_PER_PAGE.to_string()),
                ("offset", (page * SESSIONS_PER_PAGE).to_string()),
            ];
            let Some(found) = optional(self.json::<Vec<Value>>(&call).await)? else { break };
            let is_last = found.len() < SESSIONS_PER_PAGE;
            sessions.extend(found.into_iter().filter_map(Session::from_value));
            if is_last {
                break;
            }
        }
        Ok(sessions)
    }

    /// Revokes every live session of a user. Returns how many there were.
    pub async fn end_sessions(&self, user_id: &ClerkUserId) -> Result<u32, Error> {
        let mut ended = 0;
        for session in self.sessions(user_id).await?.iter().filter(|session| session.is_live()) {
            self.revoke_session(session.id()).await?;
            ended += 1;
        }
        Ok(ended)
    }

    /// Revokes a session. One that doesn't exist is a success.
    pub async fn revoke_session(&self, session: &str) -> Result<(), Error> {
        const OPERATION: &str = "revoke_session";
        let call =
            Call::new(OPERATION, Method::POST, format!("/sessions/{}/revoke", path_segment(OPERATION, session)?));
        optional(self.bytes(&call).await).map(|_session| ())
    }

    /// Returns the instance's public keys. These calls don't count towards the rate limit.
    pub async fn jwks(&self) -> Result<Jwks, Error> {
        let mut call = Call::new("jwks", Method::GET, "/jwks".to_owned());
        call.rate_limited = false;
        call.bypass_breaker = true;
        self.json(&call).await
    }

    /// Returns the `Set-Cookie` headers for a handshake's nonce. A nonce can be used once, so the call isn't retried.
    pub async fn handshake_payload(&self, nonce: &str) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Payload {
            #[serde(default)]
            directives: Vec<String>,
        }
        let mut call = Call::new("handshake_payload", Method::GET, "/clients/handshake_payload".to_owned());
        call.query = vec![("nonce", nonce.to_owned())];
        call.idempotent = false;
        call.bypass_breaker = true;
        Ok(self.json::<Payload>(&call).await?.directives)
    }

    /// Renews a session whose token has expired and returns `Set-Cookie` headers. A refresh token may be usable only
    /// once, so the call isn't retried.
    pub async fn refresh_session(&self, session: &str, request: &RefreshRequest) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Cookies {
            #[serde(default)]
            cookies: Vec<String>,
        }
        const OPERATION: &str = "refresh_session";
        let mut call =
            Call::new(OPERATION, Method::POST, format!("/sessions/{}/refresh", path_segment(OPERATION, session)?));
        if request.suffixed_cookies {
            call.query = vec![("suffixed_cookies", "true".to_owned())];
        }
        let mut body =
            serde_json::to_value(request).map_err(|error| Error::new(OPERATION, Kind::Invalid).with_cause(&error))?;
        body["format"] = json!("cookie");
        call.body = Some(body);
        call.idempotent = false;
        call.bypass_breaker = true;
        Ok(self.json::<Cookies>(&call).await?.cookies)
    }
}

/// Turns [`Kind::NotFound`] into `None`.
fn optional<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Refuses an id that would change the path. Ids may come from cookies.
fn path_segment<'a>(operation: &'static str, id: &'a str) -> Result<&'a str, Error> {
    let valid = !id.is_empty() && id.len() <= 80 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    valid.then_some(id).ok_or_else(|| Error::new(operation, Kind::Invalid).with_code("id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_segment_refuses_ids_that_change_the_path() {
        assert!(path_segment("test", "sess_2abc").is_ok());
        for wrong in ["", "../users", "a/b", "a?b", "ä", "a b"] {
            assert!(path_segment("test", wrong).is_err(), "{wrong}");
        }
    }
}
