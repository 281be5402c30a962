//! The order of the decision's checks, and their reasons.

use super::*;
use crate::decision::{after_handshake, after_handshake_with_clock_skew, after_refresh, decide_by_cookies};
use crate::{RefreshFailure, TokenError};

fn source(ring: &KeyRing) -> KeySource<'_> {
    KeySource { ring, on_miss: KeyMiss::Unknown }
}

/// The decision for a document, and for a call of a script.
fn both(publishable_key: &str, path: &str, cookies: &str) -> (String, String) {
    let validated = validated(publishable_key);
    let call = request("GET", path, &[("sec-fetch-dest", "empty"), ("accept", "text/html"), ("cookie", cookies)]);
    (summary(&decided(&document(path, cookies), &validated)), summary(&decided(&call, &validated)))
}

#[test]
fn reasons_follow_the_sdks_order() {
    let good = token(&json!({}));
    let old = token(&json!({"iat": NOW - 100}));
    let template = sign(KEY, &with(header(), &json!({"cat": "cl_B7d4PD222AAA"})), &claims("clerk.clerk.dev"));
    let expired = token(&json!({"iat": NOW - 100, "exp": NOW - 40}));
    let early = token(&json!({"nbf": NOW + 100}));
    let future = token(&json!({"iat": NOW + 100}));
    let uat = NOW - 50;
    for (path, cookies, reason) in [
        ("/?__clerk_db_jwt=a", String::new(), "dev-browser-sync"),
        ("/?__clerk_db_jwt=", format!("__clerk_db_jwt=b; __session={good}; __client_uat={uat}"), "dev-browser-sync"),
        ("/", String::new(), "dev-browser-missing"),
        ("/", format!("__session={good}; __client_uat={uat}"), "dev-browser-missing"),
        ("/", format!("__clerk_db_jwt=b; __session={good}"), "session-token-but-no-client-uat"),
        ("/", format!("__clerk_db_jwt=b; __session={good}; __client_uat=0"), "session-token-but-no-client-uat"),
        ("/", format!("__clerk_db_jwt=b; __client_uat={uat}"), "client-uat-but-no-session-token"),
        ("/", format!("__clerk_db_jwt=b; __session={old}; __client_uat={uat}"), "session-token-iat-before-client-uat"),
        (
            "/",
            format!("__clerk_db_jwt=b; __session={expired}; __client_uat=1"),
            "session-token-expired-refresh-non-eligible-no-refresh-cookie",
        ),
        ("/", format!("__clerk_db_jwt=b; __session={early}; __client_uat=1"), "session-token-nbf"),
        ("/", format!("__clerk_db_jwt=b; __session={future}; __client_uat=1"), "session-token-iat-in-the-future"),
    ] {
        let expected = (format!("handshake {reason}"), format!("signed out {reason}"));
        assert_eq!(both(DEVELOPMENT, path, &cookies), expected, "{path} {cookies}");
    }
    for (cookies, outcome) in [
        ("__clerk_db_jwt=b".to_owned(), "signed out session-token-and-uat-missing"),
        ("__clerk_db_jwt=b; __client_uat=0".to_owned(), "signed out session-token-and-uat-missing"),
        (format!("__clerk_db_jwt=b; __session=nonsense; __client_uat={uat}"), "signed out token-invalid"),
        (format!("__clerk_db_jwt=b; __session={template}; __client_uat={uat}"), "signed out token-type-mismatch"),
        (format!("__clerk_db_jwt=b; __session={good}; __client_uat={uat}"), "signed in sess_1"),
        (format!("__clerk_db_jwt=b; __session={good}; __client_uat={}", NOW - 10), "signed in sess_1"),
        (
            format!("__clerk_db_jwt_QvfNY2dr=b; __session_QvfNY2dr={good}; __client_uat_QvfNY2dr={uat}"),
            "signed in sess_1",
        ),
        (
            format!("__clerk_db_jwt=b; __session={good}; __client_uat={uat}; __session_QvfNY2dr={good}"),
            "signed in sess_1",
        ),
    ] {
        assert_eq!(both(DEVELOPMENT, "/", &cookies), (outcome.to_owned(), outcome.to_owned()), "{cookies}");
    }
}

#[test]
fn production_ignores_the_dev_browser_token() {
    let good = production_token(&json!({}));
    assert_eq!(both(PRODUCTION, "/?__clerk_db_jwt=a", "").0, "signed out session-token-and-uat-missing");
    assert_eq!(both(PRODUCTION, "/", &format!("__session={good}; __client_uat=5")).0, "signed in sess_1");
    assert_eq!(both(PRODUCTION, "/", "__client_uat=5").0, "handshake client-uat-but-no-session-token");
}

#[test]
fn handshake_is_for_navigations_only() {
    let validated = validated(DEVELOPMENT);
    for (method, headers, eligible) in [
        ("GET", vec![("sec-fetch-dest", "document")], true),
        ("GET", vec![("sec-fetch-dest", "iframe")], true),
        ("GET", vec![("accept", "text/html,*/*")], true),
        ("GET", vec![("accept", "*/*")], false),
        ("GET", vec![], false),
        ("GET", vec![("sec-fetch-dest", "empty"), ("accept", "text/html")], false),
        ("POST", vec![("sec-fetch-dest", "document")], false),
        ("DELETE", vec![("sec-fetch-dest", "document")], false),
        ("HEAD", vec![("sec-fetch-dest", "document")], false),
    ] {
        let decision = decided(&request(method, "/", &headers), &validated);
        assert_eq!(matches!(decision, Decision::Handshake(_)), eligible, "{method} {headers:?}");
        if !eligible {
            assert_eq!(decision, signed_out(Reason::DevBrowserMissing));
        }
    }
}

/// The SDK reads headers as Latin-1: it starts a handshake for the first and none for the second.
#[test]
fn accept_and_sec_fetch_dest_count_only_if_they_are_ascii() {
    let validated = validated(DEVELOPMENT);
    let text = |bytes: &[u8]| http::HeaderValue::from_bytes(bytes).unwrap();
    for (headers, outcome) in [
        (vec![("accept", text(b"text/html;\xe9"))], "signed out dev-browser-missing"),
        (vec![("accept", text(b"text/html")), ("sec-fetch-dest", text(b"\xe9"))], "handshake dev-browser-missing"),
        (vec![("sec-fetch-dest", text(b"document\xe9"))], "signed out dev-browser-missing"),
    ] {
        let mut parts = request("GET", "/", &[]);
        for (name, value) in &headers {
            parts.headers.insert(*name, value.clone());
        }
        assert_eq!(summary(&decided(&parts, &validated)), outcome, "{headers:?}");
    }
}

/// Before a token is verified its time is compared, whatever it is. Afterwards only a number is accepted.
#[test]
fn time_of_issue_that_is_no_number_never_signs_in() {
    for (issued_at, outcome) in [
        (json!("9"), "handshake session-token-iat-before-client-uat"),
        (json!("9999999999"), "signed out token-verification-failed"),
        // The SDK's: two handshakes, then signed out.
        (json!([9]), "signed out token-verification-failed"),
        (json!("0x10"), "signed out token-verification-failed"),
        (json!("-inf"), "handshake session-token-iat-before-client-uat"),
    ] {
        let cookies = format!("__clerk_db_jwt=b; __session={}; __client_uat=500", token(&json!({"iat": issued_at})));
        assert_eq!(both(DEVELOPMENT, "/", &cookies).0, outcome, "{issued_at}");
    }
}

#[test]
fn bearer_token_takes_precedence_over_cookies_and_handshake() {
    let validated = validated(DEVELOPMENT);
    let good = token(&json!({}));
    let with_cookies = |authorization: &str| {
        let cookies = format!("__clerk_db_jwt=b; __session={good}; __client_uat=1; __clerk_handshake_nonce=n");
        summary(&decided(&request("GET", "/", &[("authorization", authorization), ("cookie", &cookies)]), &validated))
    };
    assert_eq!(with_cookies(&format!("Bearer {good}")), "signed in sess_1");
    assert_eq!(with_cookies(&good), "signed in sess_1");
    assert_eq!(with_cookies("Bearer nonsense"), "signed out token-invalid");
    assert_eq!(with_cookies("Bearer"), "signed out token-invalid");
    assert_eq!(with_cookies(&format!("Bearer  {good}")), "signed out token-invalid");
    assert_eq!(with_cookies("Basic YTpi"), "nonce n");
    assert_eq!(with_cookies(&format!("bearer {good}")), "nonce n");
}

#[test]
fn expired_token_is_refreshed_if_there_is_a_refresh_cookie() {
    let validated = validated(DEVELOPMENT);
    let expired = token(&json!({"iat": NOW - 100, "exp": NOW - 40}));
    let anonymous = token(&json!({"iat": NOW - 100, "exp": NOW - 40, "sid": "absent"}));
    let other_path = token(&json!({"iat": NOW - 100, "exp": NOW - 40, "sid": "sess_1/../../users"}));
    let decision = |method: &str, token: &str, refresh: &str| {
        let cookies = format!("__clerk_db_jwt=b; __session={token}; __client_uat=1; {refresh}");
        summary(&decided(&request(method, "/", &[("cookie", &cookies), ("sec-fetch-dest", "empty")]), &validated))
    };
    let refresh = "__refresh_QvfNY2dr=r";
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        assert_eq!(decision(method, &expired, refresh), "refresh sess_1", "{method}");
    }
    let out = |failure: &str| format!("signed out session-token-expired-refresh-{failure}");
    assert_eq!(decision("HEAD", &expired, refresh), out("non-eligible-non-get"));
    assert_eq!(decision("POST", &expired, ""), out("non-eligible-non-get"));
    assert_eq!(decision("GET", &expired, ""), out("non-eligible-no-refresh-cookie"));
    assert_eq!(decision("GET", &anonymous, refresh), out("expired-session-token-missing-sid-claim"));
    assert_eq!(decision("GET", &other_path, refresh), out("expired-session-token-missing-sid-claim"));
    // A refresh cookie without suffix may be another application's.
    assert_eq!(decision("GET", &expired, "__refresh=r"), out("non-eligible-no-refresh-cookie"));
}

#[test]
fn refreshed_token_is_verified() {
    let (validated, ring) = (validated(DEVELOPMENT), ring());
    let expired = token(&json!({"iat": NOW - 100, "exp": NOW - 40}));
    let parts = document("/", &format!("__clerk_db_jwt=b; __session={expired}; __client_uat=1; __refresh_QvfNY2dr=r"));
    let auth_request = AuthRequest::new(&parts, &validated, NOW * 1_000);
    let after = |renewed: Result<&[String], &RefreshFailure>| {
        summary(&after_refresh(renewed, &auth_request, &validated, source(&ring), NOW * 1_000))
    };
    let line = |token: &str| vec![format!("__session={token}; Path=/"), "__client_uat=5".to_owned()];
    assert_eq!(after(Ok(&line(&token(&json!({}))))), "signed in sess_1");
    assert_eq!(after(Ok(&[])), "handshake session-token-expired-refresh-unexpected-sdk-error");
    for useless in
        [line(&expired), line(""), line("nonsense"), line(&sign(OTHER_KEY, &header(), &claims("clerk.clerk.dev")))]
    {
        assert_eq!(after(Ok(&useless)), "handshake session-token-expired-refresh-invalid-session-token");
    }
    for (failure, code) in [
        (RefreshFailure::Refused("refresh_token_expired".to_owned()), "refresh_token_expired"),
        (RefreshFailure::Unreachable, "fetch-error"),
        (RefreshFailure::RefusedWithoutCode, "unexpected-bapi-error"),
    ] {
        assert_eq!(after(Err(&failure)), format!("handshake session-token-expired-refresh-{code}"));
    }
}

#[test]
fn handshake_takes_precedence_over_cookies() {
    let good = token(&json!({}));
    let cookies = format!("__clerk_db_jwt=b; __session={good}; __client_uat=1");
    let lines = sign(KEY, &header(), &json!({"handshake": ["__session=x", "__client_uat=5", 7]}));
    assert_eq!(both(DEVELOPMENT, "/?__clerk_handshake_nonce=n", &cookies).0, "nonce n");
    assert_eq!(both(DEVELOPMENT, &format!("/?__clerk_handshake={lines}"), &cookies).0, "resolved 2");
    assert_eq!(
        both(DEVELOPMENT, &format!("/?__clerk_handshake={lines}&__clerk_handshake_nonce=n"), &cookies).0,
        "nonce n"
    );
    assert_eq!(both(PRODUCTION, "/", "__clerk_handshake_nonce=n; __client_uat=5").0, "nonce n");
    assert_eq!(both(PRODUCTION, "/", &format!("__clerk_handshake={lines}")).0, "resolved 2");
}

#[test]
fn forged_handshake_token_signs_out_in_development_and_is_ignored_in_production() {
    let claims = json!({"handshake": ["__session=x"]});
    let forged = sign(OTHER_KEY, &header(), &claims);
    let template = sign(KEY, &with(header(), &json!({"cat": "cl_B7d4PD222AAA"})), &claims);
    for (token, reason) in
        [(forged, "token-invalid-signature"), (template, "token-invalid"), ("nonsense".to_owned(), "token-invalid")]
    {
        let path = format!("/?__clerk_handshake={token}");
        assert_eq!(both(DEVELOPMENT, &path, "").0, format!("handshake rejected {reason}"));
        let production = both(PRODUCTION, "/", &format!("__clerk_handshake={token}")).0;
        assert_eq!(production, format!("handshake failed {reason}"));
    }
}

#[test]
fn session_token_of_a_handshake_is_verified() {
    let ring = ring();
    let after = |publishable_key: &str, lines: &[String]| {
        let validated = validated(publishable_key);
        let parts = document("/x?a=b&__clerk_handshake_nonce=n&__clerk_help=1", "");
        let auth_request = AuthRequest::new(&parts, &validated, NOW * 1_000);
        summary(&after_handshake(lines, &auth_request, &validated, source(&ring), NOW * 1_000))
    };
    let line = |token: &str| vec![format!("__session={token}; Path=/"), "__client_uat=5".to_owned()];
    let clean = "clean https://privacy.example.org/x?a=b";
    assert_eq!(after(DEVELOPMENT, &line(&token(&json!({})))), clean);
    assert_eq!(after(PRODUCTION, &line(&production_token(&json!({})))), "signed in sess_1");
    assert_eq!(after(DEVELOPMENT, &[]), clean);
    assert_eq!(after(PRODUCTION, &[]), "signed out session-token-missing");
    assert_eq!(after(PRODUCTION, &line("")), "signed out session-token-missing");
    assert_eq!(after(PRODUCTION, &["__session".to_owned()]), "signed out session-token-missing");
    let forged = sign(OTHER_KEY, &header(), &claims("clerk.clerk.dev"));
    let for_another = token(&json!({"azp": "https://evil.org"}));
    let another_party = production_token(&json!({"azp": "https://evil.org"}));
    for (publishable_key, token, error) in [
        (DEVELOPMENT, &forged, "token-invalid-signature"),
        (PRODUCTION, &forged, "token-invalid-signature"),
        (DEVELOPMENT, &for_another, "token-invalid-authorized-parties"),
        (PRODUCTION, &another_party, "token-invalid-authorized-parties"),
        (PRODUCTION, &"nonsense".to_owned(), "token-invalid"),
    ] {
        assert_eq!(after(publishable_key, &line(token)), format!("handshake failed {error}"));
    }
    assert_eq!(
        after(PRODUCTION, &line(&production_token(&json!({"sts": "pending"})))),
        "signed out session-token-pending"
    );
}

/// Clocks of developers' machines may differ by hours.
#[test]
fn handshake_tolerates_a_wrong_clock_in_development_only() {
    let ring = ring();
    let early = json!({"iat": NOW + 3_600, "nbf": NOW + 3_600, "exp": NOW + 3_660});
    let decisions = |publishable_key: &str, token: &str| {
        let config = validated(publishable_key);
        let parts = document("/?__clerk_handshake_nonce=n", "");
        let auth_request = AuthRequest::new(&parts, &config, NOW * 1_000);
        let lines = vec![format!("__session={token}; Path=/")];
        [after_handshake, after_handshake_with_clock_skew]
            .map(|after| summary(&after(&lines, &auth_request, &config, source(&ring), NOW * 1_000)))
    };
    let development = decisions(DEVELOPMENT, &token(&early));
    assert_eq!(development, ["clock skew token-not-active-yet", "clean https://privacy.example.org/"]);
    let production = decisions(PRODUCTION, &production_token(&early));
    assert_eq!(production[0], "handshake failed token-not-active-yet");
}

#[test]
fn cookies_count_after_a_failed_handshake() {
    let (validated, ring) = (validated(PRODUCTION), ring());
    let parts =
        document("/", &format!("__clerk_handshake=bad; __session={}; __client_uat=5", production_token(&json!({}))));
    let auth_request = AuthRequest::new(&parts, &validated, NOW * 1_000);
    assert_eq!(summary(&decide_by_cookies(&auth_request, &validated, source(&ring), NOW * 1_000)), "signed in sess_1");
}

#[test]
fn reasons_have_the_sdks_names() {
    assert_eq!(Reason::Token(TokenError::KeysUnavailable).as_str(), "jwk-remote-failed-to-load");
    assert_eq!(Reason::SessionPending.as_str(), "session-token-pending");
    assert_eq!(Reason::Unexpected.as_str(), "unexpected-error");
}
