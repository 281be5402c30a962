//! The authenticator with the Clerk stand-in: keys, handshakes, refreshing, and the number of calls.

use std::time::Duration;

use lethe_demo::people::person;
use lethe_demo::testing::{ClerkStandIn, Fault, SessionToken, StandInOptions};
use reqwest::redirect::Policy;

use super::*;
use crate::key_cache::{INTERVALS, Intervals};
use crate::{Authenticated, Authenticator, HttpBackend, Outcome};

/// The client's address, as these tests send it.
const CLIENT: &str = "x-client";
const JWKS: &str = "GET /v1/jwks";
const REFRESH: &str = "POST /v1/sessions/{session_id}/refresh";
const NONCE: &str = "GET /v1/clients/handshake_payload";
pub(crate) const HERE: &str = "http://127.0.0.1:3000";

pub(crate) struct World {
    pub(crate) clerk: ClerkStandIn,
    authenticator: Authenticator,
}

pub(crate) async fn world() -> World {
    let options = StandInOptions { application_origin: Some(HERE.to_owned()), ..StandInOptions::default() };
    let clerk = ClerkStandIn::start(options).await;
    let authenticator = authenticator(&clerk, |_| {});
    World { clerk, authenticator }
}

fn authenticator(clerk: &ClerkStandIn, change: impl Fn(&mut Config)) -> Authenticator {
    authenticator_with(INTERVALS, clerk, change)
}

fn authenticator_with(intervals: Intervals, clerk: &ClerkStandIn, change: impl Fn(&mut Config)) -> Authenticator {
    let url = Url::parse(clerk.url()).unwrap();
    let mut config = Config::new(clerk.publishable_key(), Url::parse(HERE).unwrap());
    config.proxy_url = Some(url.clone());
    config.client_address = std::sync::Arc::new(|parts| parts.headers.get(CLIENT)?.to_str().ok()?.parse().ok());
    change(&mut config);
    let backend = HttpBackend::new(http_client(), clerk.secret_key()).unwrap().with_api_url(&url);
    Authenticator::with_intervals(intervals, config, backend).unwrap()
}

/// Follows no redirects and speaks plain HTTP only.
pub(crate) fn http_client() -> reqwest::Client {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().redirect(Policy::none()).no_proxy().tls_backend_preconfigured(tls).build().unwrap()
}

impl World {
    async fn sign_in(&self) -> SessionToken {
        self.clerk.sign_in(&person(0).id).await
    }

    /// The cookies of a page that was left open: the token has expired, the sign-in was long before.
    pub(crate) async fn left_open(&self) -> String {
        let token = self.clerk.sign_in_expired(&person(0).id).await;
        let older = |pair: &str| match pair.split_once('=') {
            Some((name, _)) if name.starts_with("__client_uat") => format!("{name}=1"),
            _ => pair.to_owned(),
        };
        token.cookies.split("; ").map(older).collect::<Vec<_>>().join("; ")
    }

    pub(crate) async fn document(&self, path: &str, cookies: &str) -> Authenticated {
        self.authenticator.authenticate(&document(path, cookies)).await
    }

    async fn document_from(&self, client: &str, path: &str, cookies: &str) -> Authenticated {
        let mut parts = document(path, cookies);
        parts.headers.insert(CLIENT, client.parse().unwrap());
        self.authenticator.authenticate(&parts).await
    }
}

pub(crate) fn outcome(authenticated: &Authenticated) -> String {
    match &authenticated.outcome {
        Outcome::SignedIn(session) => format!("signed in {}", session.user_id),
        Outcome::SignedOut(reason) => format!("signed out {}", reason.as_str()),
        Outcome::Redirect { reason: Some(reason), .. } => format!("handshake {}", reason.as_str()),
        Outcome::Redirect { location, reason: None } => format!("clean {location}"),
    }
}

pub(crate) fn signed_in() -> String {
    format!("signed in {}", person(0).id)
}

#[tokio::test]
async fn keys_are_fetched_once_for_many_page_views() {
    let world = world().await;
    let token = world.sign_in().await;
    world.clerk.forget_requests();
    for _ in 0..20 {
        assert_eq!(outcome(&world.document("/", &token.cookies).await), signed_in());
    }
    assert_eq!((world.clerk.requests(JWKS), world.clerk.all_requests()), (1, 1));
    let bearer = format!("Bearer {}", token.jwt);
    let call = request("DELETE", "/api/privacy/delete", &[("authorization", &bearer)]);
    assert_eq!(outcome(&world.authenticator.authenticate(&call).await), signed_in());
    assert_eq!(world.clerk.all_requests(), 1);
}

#[tokio::test]
async fn configured_jwt_key_needs_no_call() {
    let world = world().await;
    let pem = world.clerk.jwt_key();
    let authenticator = authenticator(&world.clerk, |config| config.jwt_key = Some(pem.clone()));
    let token = world.sign_in().await;
    world.clerk.forget_requests();
    assert_eq!(outcome(&authenticator.authenticate(&document("/", &token.cookies)).await), signed_in());
    assert_eq!(world.clerk.all_requests(), 0);
}

#[tokio::test]
async fn thousand_requests_with_an_unknown_key_cause_one_fetch_in_an_interval() {
    let mut world = world().await;
    let intervals = Intervals { min_refresh_interval: Duration::from_secs(3), ..INTERVALS };
    world.authenticator = authenticator_with(intervals, &world.clerk, |_| {});
    let token = world.sign_in().await;
    let unknown = with(header(), &json!({"kid": "ins_unknown"}));
    let forged = sign(OTHER_KEY, &unknown, &claims("clerk.clerk.dev"));
    let bearer = format!("Bearer {forged}");
    for interval in 1..=2 {
        world.clerk.forget_requests();
        let parts: Vec<Parts> = (0..1_000).map(|_| request("GET", "/", &[("authorization", &bearer)])).collect();
        let requests = parts.iter().map(|parts| world.authenticator.authenticate(parts));
        for seen in futures::future::join_all(requests).await {
            assert_eq!(outcome(&seen), "signed out jwk-kid-mismatch");
        }
        assert_eq!((world.clerk.requests(JWKS), world.clerk.all_requests()), (1, 1), "interval {interval}");
        assert_eq!(outcome(&world.document("/", &token.cookies).await), signed_in());
        assert_eq!(world.clerk.all_requests(), 1, "known keys stay cached");
        tokio::time::sleep(intervals.min_refresh_interval).await;
    }
}

#[tokio::test]
async fn configured_jwt_key_works_without_clerk() {
    let mut world = world().await;
    let pem = world.clerk.jwt_key();
    let token = world.sign_in().await;
    world.clerk.stop().await;
    for pem in [pem.clone(), pem.replace('\n', "\\n")] {
        let authenticator = authenticator(&world.clerk, |config| config.jwt_key = Some(pem.clone()));
        authenticator.warm_up().await;
        assert_eq!(outcome(&authenticator.authenticate(&document("/", &token.cookies)).await), signed_in());
        let bearer = format!("Bearer {}", sign(OTHER_KEY, &header(), &claims("clerk.clerk.dev")));
        let forged = request("GET", "/", &[("authorization", &bearer)]);
        assert_eq!(outcome(&authenticator.authenticate(&forged).await), "signed out token-invalid-signature");
    }
}

#[tokio::test]
async fn sessions_stay_valid_while_clerk_is_down() {
    let world = world().await;
    let token = world.sign_in().await;
    world.authenticator.warm_up().await;
    world.clerk.fail(Fault { status: Some(503), ..Fault::default() });
    assert_eq!(outcome(&world.document("/", &token.cookies).await), signed_in());
    let cold = authenticator(&world.clerk, |_| {});
    let seen = cold.authenticate(&document("/", &token.cookies)).await;
    assert_eq!(outcome(&seen), "signed out jwk-remote-failed-to-load");
}

/// Follows redirects and stores cookies as a browser does. Returns the outcomes at the application.
async fn browse(world: &World, path: &str, jar: &mut Vec<(String, String)>) -> Vec<String> {
    let browser = http_client();
    let mut outcomes = Vec::new();
    let mut url = Url::parse(HERE).unwrap().join(path).unwrap();
    for _ in 0..20 {
        let cookies = jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let (set, location) = if url.origin().ascii_serialization() == HERE {
            let path = &url[url::Position::BeforePath..];
            let authenticated = world.document(path, &cookies).await;
            outcomes.push(outcome(&authenticated));
            let response = authenticated.redirect::<()>();
            let mut headers = http::HeaderMap::new();
            authenticated.apply(&mut headers);
            let location = response.map(|response| {
                assert_eq!(response.status(), 307);
                assert_eq!(response.headers()["cache-control"], "no-store");
                response.headers()["location"].clone()
            });
            (headers, location)
        } else {
            let response = browser.get(url.clone()).header("cookie", cookies).send().await.unwrap();
            (response.headers().clone(), response.headers().get("location").cloned())
        };
        for line in set.get_all("set-cookie") {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            jar.retain(|(known, _)| known != name);
            if !value.is_empty() {
                jar.push((name.to_owned(), value.to_owned()));
            }
        }
        match location {
            Some(location) => url = url.join(location.to_str().unwrap()).unwrap(),
            None => return outcomes,
        }
    }
    panic!("a loop: {outcomes:?}");
}

#[tokio::test]
async fn unknown_browser_is_signed_out_after_one_handshake() {
    let world = world().await;
    let mut jar = Vec::new();
    let outcomes = browse(&world, "/?tab=2", &mut jar).await;
    assert_eq!(
        outcomes,
        [
            "handshake dev-browser-missing",
            "clean http://127.0.0.1:3000/?tab=2",
            "signed out session-token-and-uat-missing"
        ]
    );
    jar.retain(|(name, _)| name != "__clerk_redirect_count");
    let again = browse(&world, "/", &mut jar).await;
    assert_eq!(again, ["signed out session-token-and-uat-missing"], "the second request costs no redirect");
}

/// Even in a browser that stores no cookie but the counter.
#[tokio::test]
async fn fourth_redirect_signs_out() {
    let world = world().await;
    let mut count = String::new();
    for round in 0..5 {
        let seen = world.document("/", &count).await;
        if round < 3 {
            assert_eq!(outcome(&seen), "handshake dev-browser-missing");
            count = seen.set_cookies[0].to_str().unwrap().split(';').next().unwrap().to_owned();
        } else {
            assert_eq!(outcome(&seen), "signed out dev-browser-missing");
        }
    }
}

#[tokio::test]
async fn expired_token_without_refresh_cookie_is_renewed_by_a_handshake() {
    let world = world().await;
    let cookies = world.left_open().await;
    let mut jar: Vec<(String, String)> = cookies
        .split("; ")
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| !name.starts_with("__refresh"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let outcomes = browse(&world, "/", &mut jar).await;
    assert_eq!(outcomes.first().unwrap(), "handshake session-token-expired-refresh-non-eligible-no-refresh-cookie");
    assert_eq!(outcomes.last().unwrap(), &signed_in());
}

#[tokio::test]
async fn expired_token_is_refreshed_for_reads_and_writes() {
    let world = world().await;
    for method in ["GET", "POST", "DELETE"] {
        let cookies = world.left_open().await;
        assert!(cookies.contains("__refresh_"), "the browser has a refresh cookie");
        world.clerk.forget_requests();
        let parts = request(method, "/api/_/save_preferences", &[("cookie", &cookies), ("sec-fetch-dest", "empty")]);
        let seen = world.authenticator.authenticate(&parts).await;
        assert_eq!(outcome(&seen), signed_in(), "{method}");
        assert_eq!(world.clerk.requests(REFRESH), 1);
        assert!(seen.set_cookies.iter().any(|line| line.to_str().unwrap().starts_with("__session")));
        let mut headers = http::HeaderMap::new();
        seen.apply(&mut headers);
        assert_eq!(headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn ended_session_is_not_refreshed() {
    let world = world().await;
    let cookies = world.left_open().await;
    world.clerk.delete_user(&person(0).id).await;
    let parts = request("POST", "/", &[("cookie", &cookies)]);
    let seen = world.authenticator.authenticate(&parts).await;
    assert!(outcome(&seen).starts_with("signed out session-token-expired-refresh-"), "{}", outcome(&seen));
    assert!(seen.set_cookies.is_empty());
}

/// What a browser has that was sent on a handshake: a cookie, and the same in the URL that it comes back to.
const STATE: &str = "handshake_state=AAAAAAAAAAAAAAAAAAAAAA";
const STATE_COOKIE: &str = "__handshake_state=AAAAAAAAAAAAAAAAAAAAAA";

/// The path, with query, at which a browser whose token has expired comes back from Clerk. Its cookies are left out.
async fn way_back(world: &World) -> String {
    let cookies = world.left_open().await;
    let cookies: Vec<&str> = cookies.split("; ").filter(|pair| !pair.starts_with("__refresh")).collect();
    let seen = world.document("/?tab=2", &cookies.join("; ")).await;
    let Outcome::Redirect { location, .. } = &seen.outcome else { panic!("{}", outcome(&seen)) };
    let response = http_client().get(location).header("cookie", cookies.join("; ")).send().await.unwrap();
    let back = Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
    assert_eq!(back.origin().ascii_serialization(), HERE);
    back[url::Position::BeforePath..].to_owned()
}

#[tokio::test]
async fn handshake_of_another_browser_is_not_believed() {
    let world = world().await;
    for own_cookie in ["", STATE_COOKIE] {
        let path = way_back(&world).await;
        assert!(path.contains("__clerk_handshake_nonce="), "{path}");
        world.clerk.forget_requests();
        let seen = world.document(&path, own_cookie).await;
        assert_eq!(outcome(&seen), "handshake dev-browser-missing", "it is sent on a handshake of its own");
        assert_eq!(world.clerk.requests(NONCE), 0);
        let Outcome::Redirect { location, .. } = &seen.outcome else { panic!("a redirect") };
        assert!(!location.contains("nonce%3D"), "{location}");
    }
    // Whoever is signed in stays who they are.
    let path = way_back(&world).await;
    let other = world.clerk.sign_in(&person(1).id).await;
    assert_eq!(outcome(&world.document(&path, &other.cookies).await), format!("signed in {}", person(1).id));
}

/// Clerk brings browsers back by itself, with a cookie, after signing in elsewhere on the domain.
#[tokio::test]
async fn browser_that_clerk_brings_back_is_sent_on_a_handshake() {
    let world = world().await;
    let production = authenticator(&world.clerk, |config| {
        config.publishable_key = PRODUCTION.to_owned();
        config.public_url = Url::parse("https://privacy.example.org").unwrap();
    });
    let seen = production.authenticate(&document("/", "__clerk_handshake_nonce=of_clerk")).await;
    assert_eq!(outcome(&seen), "handshake session-token-and-uat-missing");
    let lines: Vec<&str> = seen.set_cookies.iter().map(|line| line.to_str().unwrap()).collect();
    assert!(lines.iter().any(|line| line.starts_with("__clerk_handshake_nonce=; ")), "it isn't sent again: {lines:?}");
    let state = lines.iter().find(|line| line.starts_with("__Host-handshake_state=")).unwrap();
    assert!(state.ends_with("; Path=/; Max-Age=300; HttpOnly; SameSite=Lax; Secure"), "{state}");
    // What isn't a navigation can't be redirected.
    let call = request("POST", "/", &[("cookie", "__clerk_handshake_nonce=of_clerk")]);
    assert_eq!(outcome(&production.authenticate(&call).await), "signed out session-token-and-uat-missing");
}

#[tokio::test]
async fn pages_that_open_at_once_have_one_state() {
    let world = world().await;
    let state_of = |seen: &Authenticated| {
        let line = seen.set_cookies.iter().find(|line| line.to_str().unwrap().starts_with("__handshake_state"));
        line.unwrap().to_str().unwrap().split(';').next().unwrap().to_owned()
    };
    let first = state_of(&world.document("/", "").await);
    assert_eq!(state_of(&world.document("/delete", &first).await), first);
    assert_ne!(state_of(&world.document("/", "").await), first);
    assert_ne!(state_of(&world.document("/", "__handshake_state=short").await), "__handshake_state=short");
}

#[tokio::test]
async fn made_up_nonces_of_one_client_do_not_use_up_the_rate_limit() {
    let world = world().await;
    world.clerk.forget_requests();
    let start = std::time::Instant::now();
    for number in 0..80 {
        let path = format!("/?{STATE}&__clerk_handshake_nonce=made_up_{number}");
        let cookies = format!("{STATE_COOKIE}; __clerk_redirect_count=3");
        let seen = world.document_from("203.0.113.1", &path, &cookies).await;
        assert!(
            matches!(seen.outcome, Outcome::Redirect { reason: None, .. } | Outcome::SignedOut(_)),
            "{}",
            outcome(&seen)
        );
    }
    // 20 at once and two more a second, however slow this machine is.
    let allowed = 21 + u64::try_from(start.elapsed().as_millis() / 500).unwrap();
    let calls = world.clerk.requests(NONCE);
    assert!(calls <= allowed, "{calls}");
    // Who comes back from Clerk meanwhile is let in.
    let other = format!("/?{STATE}&__clerk_handshake_nonce=of_another");
    world.document_from("203.0.113.2", &other, STATE_COOKIE).await;
    assert_eq!(world.clerk.requests(NONCE), calls + 1);
    let long = format!("/?{STATE}&__clerk_handshake_nonce={}", "n".repeat(2_000));
    world.clerk.forget_requests();
    world.document(&long, STATE_COOKIE).await;
    assert_eq!(world.clerk.all_requests(), 0);
}

#[tokio::test]
async fn unresolvable_nonce_falls_back_to_the_cookies() {
    let world = world().await;
    let token = world.sign_in().await;
    world.authenticator.warm_up().await;
    world.clerk.fail(Fault { status: Some(503), ..Fault::default() });
    let path = format!("/?{STATE}&__clerk_handshake_nonce=abc");
    let seen = world.document(&path, &format!("{STATE_COOKIE}; {}", token.cookies)).await;
    assert_eq!(outcome(&seen), signed_in());
}

#[tokio::test]
async fn sign_out_leaves_no_cookie_that_signs_in() {
    let world = world().await;
    let token = world.sign_in().await;
    let cleared: Vec<String> = world
        .authenticator
        .sign_out_cookies()
        .iter()
        .map(|line| line.to_str().unwrap().split('=').next().unwrap().to_owned())
        .collect();
    let left: Vec<&str> = token
        .cookies
        .split("; ")
        .filter(|pair| !cleared.iter().any(|name| name == pair.split('=').next().unwrap()))
        .collect();
    assert_eq!(outcome(&world.document("/", &left.join("; ")).await), "signed out session-token-and-uat-missing");
}

#[tokio::test]
async fn reason_is_sent_in_headers() {
    let world = world().await;
    let seen = world.authenticator.authenticate(&request("GET", "/", &[])).await;
    let mut headers = http::HeaderMap::new();
    seen.apply(&mut headers);
    assert_eq!(headers["x-clerk-auth-status"], "signed-out");
    assert_eq!(headers["x-clerk-auth-reason"], "dev-browser-missing");
}

#[tokio::test]
async fn refused_refresh_is_not_repeated() {
    let world = world().await;
    let cookies = world.left_open().await;
    world.clerk.delete_user(&person(0).id).await;
    world.clerk.forget_requests();
    let parts = request("POST", "/", &[("cookie", &cookies)]);
    let first = outcome(&world.authenticator.authenticate(&parts).await);
    for _ in 0..3 {
        assert_eq!(outcome(&world.authenticator.authenticate(&parts).await), first);
    }
    assert_eq!(world.clerk.requests(REFRESH), 1);
}

#[tokio::test]
async fn one_former_session_does_not_use_up_the_rate_limit() {
    let world = world().await;
    let cookies = world.left_open().await;
    world.clerk.forget_requests();
    let start = std::time::Instant::now();
    for number in 0..60 {
        world.document_from(&format!("203.0.113.{number}"), "/", &cookies).await;
    }
    // Ten at once and one more a second.
    let allowed = 11 + start.elapsed().as_secs();
    let calls = world.clerk.requests(REFRESH);
    assert!((1..=allowed).contains(&calls), "{calls}");
}
