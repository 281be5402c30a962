//! Deliberate differences from the SDK that no generated request shows, and further ones.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Json;
use http::StatusCode;
use lethe_demo::people::person;
use ring::signature::{RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RsaPublicKeyComponents};
use tokio::net::TcpListener;

use super::stand_in::{HERE, http_client, outcome, signed_in, world};
use super::tokens::{decided_by_bearer, failing, pem};
use super::*;
use crate::{Algorithm, Authenticator, HttpBackend, PublicKey, TokenError};

/// A server in place of Clerk that records the bodies of requests and refuses all of them.
async fn listener() -> (Url, Arc<Mutex<Vec<Value>>>) {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let recorded = bodies.clone();
    let router = Router::new().fallback(async move |Json(body): Json<Value>| {
        recorded.lock().unwrap().push(body);
        StatusCode::UNAUTHORIZED
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, bodies)
}

#[tokio::test]
async fn refresh_sends_no_credentials_to_clerk() {
    let world = world().await;
    let cookies = world.left_open().await;
    let (api_url, bodies) = listener().await;
    let mut config = Config::new(world.clerk.publishable_key(), Url::parse(HERE).unwrap());
    config.proxy_url = Some(Url::parse(world.clerk.url()).unwrap());
    config.jwt_key = Some(world.clerk.jwt_key());
    let backend = HttpBackend::new(http_client(), world.clerk.secret_key()).unwrap().with_api_url(&api_url);
    let authenticator = Authenticator::new(config, backend).unwrap();

    let headers = [
        ("cookie", &*cookies),
        ("authorization", "Basic c2VjcmV0"),
        ("user-agent", "A browser"),
        ("x-api-key", "secret"),
    ];
    authenticator.authenticate(&request("POST", "/", &headers)).await;

    let bodies = bodies.lock().unwrap();
    assert_eq!(bodies.len(), 1);
    assert_eq!(bodies[0]["request_headers"], json!({"user-agent": ["A browser"]}));
    assert_eq!(bodies[0]["request_origin"], HERE);
}

/// The SDK starts a handshake if the URL and the session token name different organizations.
#[tokio::test]
async fn organization_url_activates_no_organization() {
    let world = world().await;
    let token = world.clerk.sign_in(&person(0).id).await;
    for path in ["/orgs/acme", "/orgs/org_2abc/settings", "/me"] {
        assert_eq!(outcome(&world.document(path, &token.cookies).await), signed_in(), "{path}");
    }
}

/// Some of the "further differences": what Clerk doesn't issue is refused.
#[test]
fn unusual_tokens_and_headers_are_decided_as_documented() {
    let validated = validated(DEVELOPMENT);
    let decision = |changes: &Value| {
        let authorization = format!("Bearer {}", token(changes));
        summary(&decided(&request("GET", "/", &[("authorization", &authorization)]), &validated))
    };
    let id = |length: usize| format!("user_{}", "a".repeat(length - "user_".len()));
    let refused = "signed out token-verification-failed";
    for (changes, expected) in [
        (json!({"sub": id(64)}), "signed in sess_1"),
        (json!({"sub": id(65)}), refused),
        (json!({"sub": "user_a-b"}), refused),
        (json!({"sub": "alice"}), refused),
        // Beyond the range of a JavaScript `Date`.
        (json!({"nbf": 9_000_000_000_000_u64}), "signed out session-token-nbf"),
        (json!({"exp": 9_000_000_000_000_u64}), "signed in sess_1"),
    ] {
        assert_eq!(decision(&changes), expected, "{changes}");
    }
    // The first of several headers counts.
    let mut parts = document("/", "");
    parts.headers.append("sec-fetch-dest", "empty".parse().unwrap());
    assert!(summary(&decided(&parts, &validated)).starts_with("handshake "));
}

/// The session's id becomes part of a path.
#[test]
fn session_whose_id_is_no_path_segment_is_not_refreshed() {
    let validated = validated(DEVELOPMENT);
    for (sid, is_refreshed) in [("sess_1", true), ("a/b", false), ("a?b", false), ("..", false)] {
        let expired = token(&json!({"exp": NOW - 60, "sid": sid}));
        let cookies = format!("__clerk_db_jwt=b; __session={expired}; __client_uat=1; __refresh_QvfNY2dr=r");
        let decision = summary(&decided(&document("/", &cookies), &validated));
        assert_eq!(decision.starts_with("refresh "), is_refreshed, "{sid}: {decision}");
    }
}

/// What a server in place of Clerk makes of a request, if it responds to every call with this status and body.
async fn outcome_with(status: u16, body: &'static str, jwt_key: Option<String>, parts: &Parts) -> String {
    let router = Router::new().fallback(async move || (StatusCode::from_u16(status).unwrap(), body));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api_url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let backend = HttpBackend::new(http_client(), "sk_test_secret").unwrap().with_api_url(&api_url);
    let config = Config { jwt_key, ..config_for(DEVELOPMENT) };
    outcome(&Authenticator::new(config, backend).unwrap().authenticate(parts).await)
}

/// Clerk's first error code, if there is one.
#[tokio::test]
async fn failed_refresh_is_named_by_clerks_error_code() {
    let expired = token(&json!({"iat": 900, "nbf": 900, "exp": 1_000}));
    let cookies = format!("__clerk_db_jwt=b; __session={expired}; __client_uat=1; __refresh_QvfNY2dr=r");
    let parts = request("POST", "/", &[("cookie", &cookies)]);
    for (status, body, code) in [
        (400, r#"{"errors": [{"code": "refresh_token_expired"}]}"#, "refresh_token_expired"),
        (502, "<html>", "unexpected-bapi-error"),
        (200, r#"{"cookies": []}"#, "unexpected-sdk-error"),
        // `fetch-error` in the SDK
        (400, r#"{"errors": [{"code": "unexpected_error"}]}"#, "unexpected_error"),
        (200, "{", "unexpected-bapi-error"),
        // `unexpected-sdk-error` in the SDK
        (400, r#"{"errors": [{"message": "m"}, {"code": "second"}]}"#, "second"),
        (400, r#"{"errors": [{"message": "m"}]}"#, "unexpected-bapi-error"),
        // The sentence itself in the SDK
        (400, r#"{"errors": [{"code": "no code"}]}"#, "unexpected-bapi-error"),
    ] {
        let expected = format!("signed out session-token-expired-refresh-{code}");
        assert_eq!(outcome_with(status, body, Some(pem(KEY)), &parts).await, expected, "{status} {body}");
    }
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_have_one_reason() {
    let bearer = format!("Bearer {}", token(&json!({})));
    let parts = request("GET", "/", &[("authorization", &bearer)]);
    for (status, body) in [
        (500, "{}"),
        (200, r#"{"keys": []}"#),
        // `secret-key-invalid` in the SDK
        (401, r#"{"errors": [{"code": "clerk_key_invalid"}]}"#),
        // `unexpected-error` in the SDK
        (502, "<html>"),
        (200, "<html>"),
        // `token-verification-failed` in the SDK
        (200, r#"{"keys": [{"kid": "ins_1", "kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB"}]}"#),
    ] {
        let outcome = outcome_with(status, body, None, &parts).await;
        assert_eq!(outcome, "signed out jwk-remote-failed-to-load", "{status} {body}");
    }
}

/// Node's crypto compares the algorithm's hash alone, in any case, and reads base64url with padding.
#[test]
fn jwk_with_an_unsupported_algorithm_or_padding_is_left_out() {
    let key = jwk("ins_1", KEY);
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    let with_leading_zero = |name: &str| {
        let bytes = BASE64URL_NOPAD.decode(text(name).as_bytes()).unwrap();
        BASE64URL_NOPAD.encode(&[&[0], bytes.as_slice()].concat())
    };
    for (changes, is_read) in [
        (json!({}), true),
        (json!({"alg": "RS512"}), true),
        (json!({"n": with_leading_zero("n"), "e": with_leading_zero("e")}), true),
        (json!({"alg": "PS256"}), false),
        (json!({"alg": "rs256"}), false),
        (json!({"n": format!("{}==", text("n"))}), false),
        (json!({"e": format!("{}=", text("e"))}), false),
    ] {
        let jwks: Jwks = serde_json::from_value(json!({"keys": [with(key.clone(), &changes)]})).unwrap();
        assert_eq!(KeyRing::new(&jwks).get("ins_1").is_some(), is_read, "{changes}");
    }
}

#[test]
fn key_below_256_bytes_verifies_nothing() {
    // 255 bytes, and a signature of the text `signed`. Its private key wasn't saved.
    let modulus = concat!(
        "msxlxdqCXEbqkx2kmp_d1UQ-5JjPzltB7wfB4MZvkBL0EtL3SHMtsL0IqM9v_-tWa1k-dNBHu6p54S_nTLKJsR73bFe_fFWQ",
        "pdTUuNQSz8JhynqochR2KIH1Ovr_HwsZ3Quz4iHCsBSIDy-nn44NZBG_4kJ-4VnjXhAXNDRCKMCyt7Zo0rEo1N8Bc1jiTTi-",
        "IaoaBN6LT2RI-_fECGm0NjqOmOQeq6Q8urHMmDvjTIMbh5b03_2H8TLHpoCEdcuYrlW0CUAso3SyF0XfUt3nYQS1SBkLWCt3",
        "P7BrIX2t_RSissDMfNzL77Z_fSlNpNgmBXCJ_exnoIJw6P_Wg5N7",
    );
    let signature = concat!(
        "TdHh5O7UFObD-Q8KSf0AwKPQKlJLUcXx1fhS0AJdRbDQh-MWoVTbac7Qt1fc5hF6o_mZ84WdCihb_buFGcAUNH23aOhgvIpk",
        "CNxJKI4X-hzVfw45-BG_uUygqPy7HhCz0Ov0EsMso4YD1kkMPcp879xZg-81e-cKbnYSrfdNRaUofuBS5GuSstIoJdDcRzpw",
        "DzvrYH3G9F0T_3R2eCMFuLO4JiKXuJ_ts3B1RvfK2nZd3whIXeguftpBHDi9HJla7cBthq_4elpZaCIGYZ46rmVcMVJAhVY3",
        "ptGeeP2CkNwuaU_K1MptupBBHR11dPunJZHhhp55vKsT_L63tdd0",
    );
    let decoded = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
    let signature = decoded(signature);
    let components = RsaPublicKeyComponents { n: decoded(modulus), e: decoded("AQAB") };
    components.verify(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, b"signed", &signature).expect("it is right");
    let small = with(jwk("small", KEY), &json!({"n": modulus, "e": "AQAB"}));
    let key = PublicKey::from_jwk(&serde_json::from_value(small).unwrap()).unwrap();
    assert_eq!(key.verify(Algorithm::Rs256, b"signed", &signature), Err(TokenError::InvalidSignature));
}

/// In JavaScript every object has these members.
#[test]
fn key_id_that_javascript_objects_have_is_unknown() {
    for id in ["__proto__", "constructor", "toString"] {
        let token = sign(KEY, &with(header(), &json!({"kid": id})), &claims("clerk.clerk.dev"));
        assert_eq!(decided_by_bearer(&token, &validated(DEVELOPMENT)), failing(TokenError::UnknownKey), "{id}");
    }
}

/// The SDK reads these tokens and names the next fault that it finds.
#[test]
fn unreadable_token_is_invalid_whatever_else_is_wrong() {
    let validated = validated(DEVELOPMENT);
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let claims = part(&claims("clerk.clerk.dev"));
    for (head, claims) in [
        // `jwk-kid-mismatch`
        (part(&json!(5)), claims.clone()),
        (part(&with(header(), &json!({"kid": "ins_2"}))) + "=", claims.clone()),
        // `token-type-mismatch`
        (part(&with(header(), &json!({"cat": "cl_B7d4PD222AAA"}))) + "=", claims.clone()),
        // `unexpected-error`
        (part(&json!(null)), claims.clone()),
        // `token-invalid-signature`
        (part(&header()), part(&json!(null))),
        (part(&header()), claims + "="),
    ] {
        let decision = decided_by_bearer(&format!("{head}.{claims}.AAAA"), &validated);
        assert_eq!(decision, failing(TokenError::Invalid), "{head} {claims}");
    }
}

/// The SDK fails to read the first three.
#[test]
fn organization_claims_of_any_form_are_ignored() {
    for changes in [
        json!({"v": 2, "o": {"per": 5, "fpm": "1"}}),
        json!({"v": 2, "o": {"per": "read", "fpm": 5}}),
        json!({"v": 2, "o": {}, "fea": 5}),
        json!({"v": 2, "o": "org_1"}),
        json!({"org_id": 5, "org_permissions": {}}),
    ] {
        let decision = decided_by_bearer(&token(&changes), &validated(DEVELOPMENT));
        assert!(matches!(decision, Decision::SignedIn(_)), "{changes}: {decision:?}");
    }
}
