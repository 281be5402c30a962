//! Refreshing an expired token.

use super::*;

const REFRESH: &str = "POST /v1/sessions/{session_id}/refresh";

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
