//! The Backend API, operation by operation.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::{Host, Url};

use super::limiter::{Limiter, Urgency};
use super::{API_VERSION, Error, Jwks, Kind, Session, User};
use crate::subject::SubjectId;

static CLERK: LazyLock<Url> = LazyLock::new(|| Url::parse("https://api.clerk.com").expect("a constant URL"));
const VERSION: HeaderName = HeaderName::from_static("clerk-api-version");
/// Ids that one look-up may ask for.
const IDS_AT_ONCE: usize = 100;
/// Sessions in one page.
const SESSIONS_AT_ONCE: usize = 500;
/// Pages of sessions after which a person has had enough of them.
const SESSION_PAGES: usize = 20;
/// What Clerk accepts as one user's metadata.
const METADATA_BYTES: usize = 8 * 1024;
/// The largest answer that is read: five hundred large users take a few MiB.
const ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// How to reach Clerk.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// Base of the Backend API, without `/v1`.
    pub api_url: Url,
    /// `sk_live_…` or `sk_test_…`.
    pub secret_key: SecretString,
    /// For one try, from connecting to the last byte.
    pub timeout: Duration,
    /// Requests in ten seconds. Without it the kind of the key decides: 1000 for production, 100 for
    /// development, as Clerk publishes them.
    pub budget: Option<NonZeroU32>,
}

impl ClientSettings {
    /// Clerk itself, with a timeout of five seconds.
    #[must_use]
    pub fn new(secret_key: SecretString) -> Self {
        Self { api_url: CLERK.clone(), secret_key, timeout: Duration::from_secs(5), budget: None }
    }

    fn budget(&self) -> NonZeroU32 {
        const PRODUCTION: NonZeroU32 = NonZeroU32::new(1_000).expect("not zero");
        const DEVELOPMENT: NonZeroU32 = NonZeroU32::new(100).expect("not zero");
        let by_key = if self.secret_key.expose_secret().starts_with("sk_live_") { PRODUCTION } else { DEVELOPMENT };
        self.budget.unwrap_or(by_key)
    }
}

/// Clerk's Backend API. Cheap to clone; clones share connections and the rate limit.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    urgency: Urgency,
}

struct Shared {
    http: reqwest::Client,
    base: String,
    limiter: Limiter,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Client")
            .field("base", &self.shared.base)
            .field("urgency", &self.urgency)
            .finish_non_exhaustive()
    }
}

/// What became of a change to metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataOutcome {
    /// It is merged.
    Merged,
    /// There is no such user any more.
    UserGone,
}

/// What became of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteOutcome {
    /// The user is deleted now.
    Deleted,
    /// There was no such user.
    AlreadyGone,
}

/// What a session is renewed with.
#[derive(Clone, Serialize)]
pub struct RefreshRequest {
    /// The token that is over.
    pub expired_token: String,
    /// The content of the refresh cookie.
    pub refresh_token: String,
    /// Where the browser's request went to.
    pub request_origin: String,
    /// The browser's headers.
    pub request_headers: BTreeMap<String, Vec<String>>,
    /// Whether the new cookies are to carry the instance's suffix.
    #[serde(skip)]
    pub suffixed_cookies: bool,
}

impl Client {
    /// Prepares the client; connects to nothing.
    pub fn new(settings: &ClientSettings) -> Result<Self, Error> {
        let misconfigured = || Error::new("setup", Kind::Misconfigured);
        let mut key = HeaderValue::try_from(format!("Bearer {}", settings.secret_key.expose_secret()))
            .map_err(|_invalid| misconfigured().with_code("secret_key"))?;
        key.set_sensitive(true);
        let headers = HeaderMap::from_iter([(AUTHORIZATION, key), (VERSION, HeaderValue::from_static(API_VERSION))]);
        if settings.api_url.host().is_none() || !matches!(settings.api_url.scheme(), "http" | "https") {
            return Err(misconfigured().with_code("api_url"));
        }
        let mut http = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(concat!("lethe/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls().map_err(|error| misconfigured().because(&error))?)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(settings.timeout.min(Duration::from_secs(3)))
            .timeout(settings.timeout)
            .pool_idle_timeout(Duration::from_mins(1))
            .tcp_keepalive(Duration::from_secs(30));
        if is_this_machine(&settings.api_url) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| misconfigured().because(&error))?;
        let base = settings.api_url.as_str().trim_end_matches('/').trim_end_matches("/v1").to_owned();
        let limiter = Limiter::new(settings.budget());
        Ok(Self { shared: Arc::new(Shared { http, base: format!("{base}/v1"), limiter }), urgency: Urgency::Person })
    }

    /// The same client for work on many people: it leaves room for those who are waiting for a
    /// page, and is patient itself.
    #[must_use]
    pub fn bulk(&self) -> Self {
        Self { shared: self.shared.clone(), urgency: Urgency::Bulk }
    }

    /// The user, or `None` when there is no such user.
    pub async fn user(&self, subject: &SubjectId) -> Result<Option<User>, Error> {
        let call = Call::new("user", Method::GET, format!("/users/{}", subject.as_str()));
        let Some(raw) = absent(self.json::<Value>(&call).await)? else { return Ok(None) };
        User::from_value(raw).map(Some).ok_or_else(|| Error::new("user", Kind::Unreadable))
    }

    /// Those of `subjects` who exist, in one call. At most a hundred can be asked for.
    ///
    /// # Panics
    /// When asked for more: Clerk would silently leave some out, and they would look like orphans.
    pub async fn existing(&self, subjects: &[SubjectId]) -> Result<HashSet<SubjectId>, Error> {
        assert!(subjects.len() <= IDS_AT_ONCE, "at most {IDS_AT_ONCE} ids can be looked up at once");
        if subjects.is_empty() {
            return Ok(HashSet::new());
        }
        let mut call = Call::new("existing", Method::GET, "/users".to_owned());
        call.query = subjects.iter().map(|subject| ("user_id", subject.as_str().to_owned())).collect();
        call.query.push(("limit", IDS_AT_ONCE.to_string()));
        let found: Vec<Value> = self.json(&call).await?;
        // Whoever is in the answer exists, even where the rest of the object is unreadable; but an
        // answer without ids must not turn everybody into an orphan.
        let ids: Option<HashSet<SubjectId>> =
            found.iter().map(|user| SubjectId::parse(user.get("id")?.as_str()?).ok()).collect();
        ids.ok_or_else(|| Error::new("existing", Kind::Unreadable))
    }

    /// Merges `public` into the user's public metadata: keys of others stay, `null` removes a key.
    pub async fn merge_metadata(&self, subject: &SubjectId, public: Value) -> Result<MetadataOutcome, Error> {
        const OPERATION: &str = "merge_metadata";
        let invalid = |code| Error::new(OPERATION, Kind::Invalid).with_code(code);
        if !public.is_object() {
            return Err(invalid("metadata_not_an_object"));
        }
        if public.to_string().len() > METADATA_BYTES {
            return Err(invalid("metadata_too_large"));
        }
        let mut call = Call::new(OPERATION, Method::PATCH, format!("/users/{}/metadata", subject.as_str()));
        call.body = Some(json!({"public_metadata": public}));
        self.shared
            .limiter
            .metadata_turn(subject, self.urgency)
            .await
            .map_err(|wait| Error::new(OPERATION, Kind::RateLimited { retry_after: Some(wait) }))?;
        Ok(match absent(self.bytes(&call).await)? {
            Some(_user) => MetadataOutcome::Merged,
            None => MetadataOutcome::UserGone,
        })
    }

    /// Deletes the user. Who is gone already is as good as deleted; a user that a directory manages
    /// ([`Kind::ManagedByScim`]) is not.
    pub async fn delete_user(&self, subject: &SubjectId) -> Result<DeleteOutcome, Error> {
        let call = Call::new("delete_user", Method::DELETE, format!("/users/{}", subject.as_str()));
        Ok(match absent(self.bytes(&call).await)? {
            Some(_deleted) => DeleteOutcome::Deleted,
            None => DeleteOutcome::AlreadyGone,
        })
    }

    /// All sessions that Clerk still remembers of a user, the newest first.
    pub async fn sessions(&self, subject: &SubjectId) -> Result<Vec<Session>, Error> {
        let mut sessions = Vec::new();
        for page in 0..SESSION_PAGES {
            let mut call = Call::new("sessions", Method::GET, "/sessions".to_owned());
            call.query = vec![
                ("user_id", subject.as_str().to_owned()),
                ("limit", SESSIONS_AT_ONCE.to_string()),
                ("offset", (page * SESSIONS_AT_ONCE).to_string()),
            ];
            let Some(found) = absent(self.json::<Vec<Value>>(&call).await)? else { break };
            let complete = found.len() < SESSIONS_AT_ONCE;
            sessions.extend(found.into_iter().filter_map(Session::from_value));
            if complete {
                break;
            }
        }
        Ok(sessions)
    }

    /// Ends every session of a user that isn't over; tells how many were.
    pub async fn end_sessions(&self, subject: &SubjectId) -> Result<u32, Error> {
        let mut ended = 0;
        for session in self.sessions(subject).await?.iter().filter(|session| session.is_live()) {
            self.revoke_session(session.id()).await?;
            ended += 1;
        }
        Ok(ended)
    }

    /// Ends a session. One that isn't there any more is over.
    pub async fn revoke_session(&self, session: &str) -> Result<(), Error> {
        const OPERATION: &str = "revoke_session";
        let call = Call::new(OPERATION, Method::POST, format!("/sessions/{}/revoke", path_part(OPERATION, session)?));
        absent(self.bytes(&call).await).map(|_session| ())
    }

    /// The instance's public keys. Clerk doesn't count these calls.
    pub async fn jwks(&self) -> Result<Jwks, Error> {
        let mut call = Call::new("jwks", Method::GET, "/jwks".to_owned());
        call.counted = false;
        self.json(&call).await
    }

    /// The `Set-Cookie` lines that belong to a handshake's nonce. A nonce is good for one use, so
    /// this isn't repeated.
    pub async fn handshake_payload(&self, nonce: &str) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Payload {
            #[serde(default)]
            directives: Vec<String>,
        }
        let mut call = Call::new("handshake_payload", Method::GET, "/clients/handshake_payload".to_owned());
        call.query = vec![("nonce", nonce.to_owned())];
        call.repeatable = false;
        Ok(self.json::<Payload>(&call).await?.directives)
    }

    /// Renews a session whose token is over; the answer is `Set-Cookie` lines. A refresh token may
    /// be good for one use, so this isn't repeated.
    pub async fn refresh_session(&self, session: &str, request: &RefreshRequest) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Cookies {
            #[serde(default)]
            cookies: Vec<String>,
        }
        const OPERATION: &str = "refresh_session";
        let mut call =
            Call::new(OPERATION, Method::POST, format!("/sessions/{}/refresh", path_part(OPERATION, session)?));
        if request.suffixed_cookies {
            call.query = vec![("suffixed_cookies", "true".to_owned())];
        }
        let mut body =
            serde_json::to_value(request).map_err(|error| Error::new(OPERATION, Kind::Invalid).because(&error))?;
        body["format"] = json!("cookie");
        call.body = Some(body);
        call.repeatable = false;
        Ok(self.json::<Cookies>(&call).await?.cookies)
    }

    async fn json<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Error> {
        let body = self.bytes(call).await?;
        // The cause would quote the answer, and with it the person.
        serde_json::from_slice(&body).map_err(|_error| Error::new(call.operation, Kind::Unreadable))
    }

    /// The answer's body, after as many tries as are sensible while somebody waits.
    async fn bytes(&self, call: &Call) -> Result<Vec<u8>, Error> {
        let (tries, longest_wait) = match self.urgency {
            Urgency::Person => (2, Duration::from_secs(2)),
            Urgency::Bulk => (4, Duration::from_secs(30)),
        };
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_factor(3.0)
            .with_max_delay(longest_wait)
            .with_max_times(tries)
            .with_jitter();
        (|| self.once(call))
            .retry(backoff)
            .when(|error: &Error| call.repeatable && error.retryable())
            .adjust(|error, delay| match (delay, error.retry_after()) {
                (Some(_), Some(asked)) if asked > longest_wait => None,
                (Some(delay), Some(asked)) => Some(delay.max(asked)),
                (delay, _) => delay,
            })
            .notify(|error, delay| tracing::debug!(%error, ?delay, "a call to Clerk is repeated"))
            .await
    }

    async fn once(&self, call: &Call) -> Result<Vec<u8>, Error> {
        if call.counted {
            self.shared
                .limiter
                .turn(self.urgency)
                .await
                .map_err(|wait| Error::new(call.operation, Kind::RateLimited { retry_after: Some(wait) }))?;
        }
        let sent = call.request(&self.shared).send().await;
        let answer = sent.map_err(|error| Error::from_transport(call.operation, error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = read(call.operation, answer).await?;
        if status.is_success() {
            return Ok(body);
        }
        let error = Error::from_answer(call.operation, status, &headers, &body);
        if let Some(time) = error.retry_after() {
            self.shared.limiter.hold(time);
        }
        Err(error)
    }
}

/// One request, as often as it is sent.
struct Call {
    operation: &'static str,
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    /// Sending it twice has the effect of sending it once.
    repeatable: bool,
    /// It uses up some of the rate limit.
    counted: bool,
}

impl Call {
    fn new(operation: &'static str, method: Method, path: String) -> Self {
        Self { operation, method, path, query: Vec::new(), body: None, repeatable: true, counted: true }
    }

    fn request(&self, shared: &Shared) -> RequestBuilder {
        let mut request = shared.http.request(self.method.clone(), format!("{}{}", shared.base, self.path));
        if !self.query.is_empty() {
            request = request.query(&self.query);
        }
        match &self.body {
            Some(body) => request.json(body),
            None => request.header(CONTENT_TYPE, "application/json"),
        }
    }
}

/// `None` for what isn't there, which is no failure.
fn absent<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

async fn read(operation: &'static str, mut answer: Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| Error::from_transport(operation, error))? {
        if body.len() + chunk.len() > ANSWER_BYTES {
            return Err(Error::new(operation, Kind::Unreadable).with_code("answer_too_large"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An id that came from outside must not lead to another path.
fn path_part<'a>(operation: &'static str, id: &'a str) -> Result<&'a str, Error> {
    let valid = !id.is_empty() && id.len() <= 80 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    valid.then_some(id).ok_or_else(|| Error::new(operation, Kind::Invalid).with_code("id"))
}

/// TLS by ring with Mozilla's roots compiled in, so that a container without certificates works.
fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// A proxy from the environment is for the world outside.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(key: &str) -> ClientSettings {
        ClientSettings::new(SecretString::from(key))
    }

    #[test]
    fn the_kind_of_the_key_gives_the_budget_unless_it_is_set() {
        assert_eq!(settings("sk_live_a").budget().get(), 1_000);
        assert_eq!(settings("sk_test_a").budget().get(), 100);
        let set = ClientSettings { budget: NonZeroU32::new(7), ..settings("sk_live_a") };
        assert_eq!(set.budget().get(), 7);
    }

    #[test]
    fn debug_shows_no_key() {
        let settings = settings("sk_test_POISON");
        let client = Client::new(&settings).unwrap();
        assert!(!format!("{settings:?} {client:?} {:?}", client.shared.http).contains("POISON"));
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        assert_eq!(Client::new(&settings("sk_test_\n")).unwrap_err().code(), Some("secret_key"));
        let elsewhere = ClientSettings { api_url: Url::parse("file:///etc").unwrap(), ..settings("sk_test_a") };
        assert_eq!(Client::new(&elsewhere).unwrap_err().code(), Some("api_url"));
    }

    #[test]
    fn the_version_is_part_of_every_path_once() {
        for url in ["https://api.clerk.com", "https://api.clerk.com/", "https://api.clerk.com/v1/"] {
            let client =
                Client::new(&ClientSettings { api_url: Url::parse(url).unwrap(), ..settings("sk_test_a") }).unwrap();
            assert_eq!(client.shared.base, "https://api.clerk.com/v1");
        }
    }

    #[test]
    fn ids_that_lead_elsewhere_are_refused() {
        assert!(path_part("test", "sess_2abc").is_ok());
        for wrong in ["", "../users", "a/b", "a?b", "ä", "a b"] {
            assert!(path_part("test", wrong).is_err(), "{wrong}");
        }
    }
}
