//! Where redirects lead, and what ends them.

use super::*;
use crate::handshake;

fn handshake_of(parts: &Parts, validated: &ValidatedConfig) -> crate::decision::Handshake {
    match decided(parts, validated) {
        Decision::Handshake(handshake) => *handshake,
        other => panic!("no handshake: {}", summary(&other)),
    }
}

/// A request extension that marks requests from a trusted proxy.
#[derive(Clone)]
struct IsTrusted;

fn parameters(location: &str) -> Vec<(String, String)> {
    Url::parse(location).unwrap().query_pairs().map(|(name, value)| (name.into(), value.into())).collect()
}

#[test]
fn handshake_parameters_have_the_sdks_order() {
    let expired = token(&json!({"iat": NOW - 100, "exp": NOW - 40}));
    let parts = document(
        "/receipt/7Q2M?a=1+2%20~&__dev_session=x&é=ö",
        &format!("__clerk_db_jwt=browser; __session={expired}; __client_uat=1"),
    );
    let handshake = handshake_of(&parts, &validated(DEVELOPMENT));
    assert!(handshake.location.starts_with("https://clerk.clerk.dev/v1/client/handshake?redirect_url=https%3A%2F%2Fprivacy.example.org%2Freceipt%2F7Q2M%3Fa%3D1%2B2%2B%257E%26%25C3%25A9%3D%25C3%25B6&__clerk_api_version=2026-05-12&"), "{}", handshake.location);
    let expected: Vec<(String, String)> = [
        ("redirect_url", "https://privacy.example.org/receipt/7Q2M?a=1+2+%7E&%C3%A9=%C3%B6"),
        ("__clerk_api_version", "2026-05-12"),
        ("suffixed_cookies", "false"),
        ("__clerk_hs_reason", "session-token-expired-refresh-non-eligible-no-refresh-cookie"),
        ("format", "nonce"),
        ("__session", &expired),
        ("__clerk_db_jwt", "browser"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    assert_eq!(parameters(&handshake.location), expected);
    assert_eq!(handshake.counter, "__clerk_redirect_count=1; SameSite=Lax; HttpOnly; Max-Age=2");
}

#[test]
fn handshake_omits_missing_parameters() {
    let names = |publishable_key: &str, path: &str, cookies: &str| -> Vec<String> {
        let location = handshake_of(&document(path, cookies), &validated(publishable_key)).location;
        parameters(&location).into_iter().map(|(name, _)| name).collect()
    };
    let always = ["redirect_url", "__clerk_api_version", "suffixed_cookies", "__clerk_hs_reason", "format"];
    assert_eq!(names(DEVELOPMENT, "/", ""), always);
    assert_eq!(names(PRODUCTION, "/", "__client_uat=5; __clerk_db_jwt=b"), always);
    assert_eq!(names(DEVELOPMENT, "/?__clerk_db_jwt=b", "").last().unwrap(), "__clerk_db_jwt");
}

#[test]
fn handshake_keeps_the_proxys_path_and_names_suffixed_cookies() {
    let mut config = config_for(PRODUCTION);
    config.proxy_url = Some(Url::parse("https://example.org/__clerk/").unwrap());
    let validated = ValidatedConfig::new(config).unwrap();
    let cookies = format!("__client_uat_{}=5", validated.key.cookie_suffix);
    let location = handshake_of(&document("/", &cookies), &validated).location;
    assert!(location.starts_with("https://example.org/__clerk/v1/client/handshake?"), "{location}");
    assert!(location.contains("&suffixed_cookies=true&"), "{location}");
}

#[test]
fn fourth_redirect_is_a_loop() {
    let validated = validated(DEVELOPMENT);
    for (count, next) in [
        ("", Some(1)),
        ("1", Some(2)),
        ("2", Some(3)),
        ("3", None),
        ("4", None),
        ("-1", Some(1)),
        ("many", Some(1)),
        ("99999999999", Some(1)),
    ] {
        let parts = document("/", &format!("__clerk_redirect_count={count}"));
        match (decided(&parts, &validated), next) {
            (Decision::Handshake(handshake), Some(next)) => {
                assert!(handshake.counter.to_str().unwrap().starts_with(&format!("__clerk_redirect_count={next};")));
            }
            (decision, None) => assert_eq!(decision, Decision::RedirectLoop(Reason::DevBrowserMissing)),
            (decision, Some(_)) => panic!("{count}: {}", summary(&decision)),
        }
    }
}

/// `Host` never counts, and forwarded headers count only if the configuration trusts the request.
#[test]
fn forwarded_origin_counts_from_trusted_proxies_only() {
    let mut config = config_for(DEVELOPMENT);
    config.trust_forwarded = std::sync::Arc::new(|parts| parts.extensions.get::<IsTrusted>().is_some());
    let validated = ValidatedConfig::new(config).unwrap();
    let redirect_url = |is_trusted: bool, headers: &[(&str, &str)]| {
        let mut parts = request("GET", "/a", headers);
        parts.headers.insert("sec-fetch-dest", "document".parse().unwrap());
        parts.headers.insert("host", "evil.example.org".parse().unwrap());
        if is_trusted {
            parts.extensions.insert(IsTrusted);
        }
        parameters(&handshake_of(&parts, &validated).location).swap_remove(0).1
    };
    let forwarded = [("x-forwarded-host", "other.example.org, inner"), ("x-forwarded-proto", "http")];
    assert_eq!(redirect_url(false, &forwarded), "https://privacy.example.org/a");
    assert_eq!(redirect_url(true, &forwarded), "http://other.example.org/a");
    assert_eq!(redirect_url(true, &[]), "https://privacy.example.org/a");
    assert_eq!(
        redirect_url(true, &[("x-forwarded-host", "other.example.org:8443")]),
        "https://other.example.org:8443/a"
    );
    for odd in ["a/b", "user@host", "a?b", "a b", "#"] {
        assert_eq!(redirect_url(true, &[("x-forwarded-host", odd)]), "https://privacy.example.org/a", "{odd}");
    }
    assert_eq!(redirect_url(true, &[("x-forwarded-proto", "javascript")]), "https://privacy.example.org/a");
}

#[test]
fn removing_handshake_params_keeps_the_applications_own() {
    let clean = |path: &str| {
        let (validated, parts) = (validated(DEVELOPMENT), document(path, ""));
        handshake::without_handshake_params(&AuthRequest::new(&parts, &validated, NOW * 1_000)).unwrap()
    };
    assert_eq!(
        clean("/?__clerk_handshake=a&__clerk_db_jwt=b&__clerk_handshake_nonce=c&__clerk_help=d"),
        "https://privacy.example.org/"
    );
    assert_eq!(clean("//evil.org/?a=b&__clerk_db_jwt=b"), "https://privacy.example.org//evil.org/?a=b");
    assert_eq!(clean("/a%20b?x"), "https://privacy.example.org/a%20b?x=");
}

#[test]
fn sign_in_url_leads_back_to_the_request() {
    let page = |cookies: &str| {
        let (validated, parts) = (validated(DEVELOPMENT), document("/delete?a=b&__clerk_db_jwt=x", cookies));
        handshake::sign_in_url(&AuthRequest::new(&parts, &validated, NOW * 1_000), &validated).to_string()
    };
    let back = "redirect_url=https%3A%2F%2Fprivacy.example.org%2Fdelete%3Fa%3Db";
    assert_eq!(page(""), format!("https://accounts.clerk.dev/sign-in?{back}&__clerk_db_jwt=x"));
    let (validated, parts) = (validated(PRODUCTION), document("/delete?a=b", ""));
    let page = handshake::sign_in_url(&AuthRequest::new(&parts, &validated, NOW * 1_000), &validated);
    assert_eq!(page.as_str(), format!("https://accounts.example.org/sign-in?{back}"));
}
