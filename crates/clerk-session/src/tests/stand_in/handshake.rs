//! Handshakes, as a browser goes through them.

use super::*;

const NONCE: &str = "GET /v1/clients/handshake_payload";

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
