//! Keys: fetched once, configured, and while Clerk is down.

use super::*;

const JWKS: &str = "GET /v1/jwks";

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
