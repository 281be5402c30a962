//! Satellites and their primary domain.

use super::*;
use crate::{ConfigError, handshake};

const SATELLITE: &str = "https://lab.example.net";
const SIGN_IN: &str = "https://example.org/sign-in?a=b c";

fn satellite(publishable_key: &str, change: impl FnOnce(&mut Config)) -> ValidatedConfig {
    let mut config = Config::new(publishable_key, Url::parse(SATELLITE).unwrap());
    config.is_satellite = true;
    config.domain = Some("lab.example.net".to_owned());
    config.sign_in_url = Some(Url::parse(SIGN_IN).unwrap());
    change(&mut config);
    ValidatedConfig::new(config).unwrap()
}

fn primary(publishable_key: &str) -> ValidatedConfig {
    let mut config = config_for(publishable_key);
    config.authorized_parties.push(SATELLITE.to_owned());
    ValidatedConfig::new(config).unwrap()
}

fn location(parts: &Parts, validated: &ValidatedConfig) -> String {
    match decided(parts, validated) {
        Decision::Handshake(handshake) => handshake.location,
        other => panic!("no handshake: {}", summary(&other)),
    }
}

fn outcome(parts: &Parts, validated: &ValidatedConfig) -> String {
    summary(&decided(parts, validated))
}

#[test]
fn satellite_syncs_only_if_configured_or_requested() {
    for key in [DEVELOPMENT, PRODUCTION] {
        let validated = satellite(key, |_| {});
        let syncs = "handshake satellite-needs-syncing";
        assert_eq!(outcome(&document("/", ""), &validated), "signed out session-token-and-uat-missing");
        assert_eq!(outcome(&document("/?__clerk_synced=false", ""), &validated), syncs);
        assert_eq!(outcome(&document("/?__clerk_synced=false", "__client_uat=5"), &validated), syncs);
        let auto_sync = satellite(key, |config| config.satellite_auto_sync = true);
        assert_eq!(outcome(&document("/", ""), &auto_sync), syncs);
        assert_ne!(outcome(&document("/?__clerk_synced=true", ""), &auto_sync), syncs, "once is enough");
        let call = request("POST", "/?__clerk_synced=false", &[("sec-fetch-dest", "document")]);
        assert_ne!(outcome(&call, &auto_sync), syncs);
    }
}

#[test]
fn satellite_syncs_with_clerk_in_production_and_with_the_sign_in_page_in_development() {
    let parts = document("/a?__clerk_synced=false&b=1", "");
    let production = location(&parts, &satellite(PRODUCTION, |_| {}));
    assert!(production.starts_with("https://clerk.lab.example.net/v1/client/handshake?redirect_url="), "{production}");
    let development = location(&parts, &satellite(DEVELOPMENT, |_| {}));
    assert_eq!(
        development,
        "https://example.org/sign-in?a=b+c&__clerk_redirect_url=https%3A%2F%2Flab.example.net%2Fa%3F__clerk_synced%3Dfalse%26b%3D1"
    );
}

#[test]
fn primary_domain_responds_to_known_satellites_only() {
    let sync_request = |back: &str| {
        let back: String = url::form_urlencoded::byte_serialize(back.as_bytes()).collect();
        document(&format!("/?__clerk_redirect_url={back}"), "__clerk_db_jwt=browser")
    };
    let known = sync_request("https://lab.example.net/a?__clerk_synced=false&b=1");
    assert_eq!(
        location(&known, &primary(DEVELOPMENT)),
        "https://lab.example.net/a?__clerk_synced=true&b=1&__clerk_db_jwt=browser"
    );
    let signed_out = "signed out session-token-and-uat-missing";
    for other in ["https://evil.example/", "https://lab.example.net.evil.example/", "javascript:alert(1)", "x"] {
        assert_eq!(outcome(&sync_request(other), &primary(DEVELOPMENT)), signed_out, "{other}");
    }
    assert_eq!(outcome(&known, &primary(PRODUCTION)), signed_out, "in production Clerk mediates");
}

#[test]
fn navigation_from_a_satellite_causes_one_handshake() {
    let validated = primary(PRODUCTION);
    let cookies = format!("__session={}; __client_uat=5", production_token(&json!({})));
    let from = |referrer: &str, cookies: &str| {
        let headers = [("sec-fetch-dest", "document"), ("cookie", cookies), ("referer", referrer)];
        outcome(&request("GET", "/", &headers), &validated)
    };
    assert_eq!(from("https://lab.example.net/a", &cookies), "handshake primary-domain-cross-origin-sync");
    let counted = format!("{cookies}; __clerk_redirect_count=1");
    for (referrer, cookies) in [
        ("https://lab.example.net/a", &counted),
        ("https://search.example/", &cookies),
        ("https://privacy.example.org/a", &cookies),
        ("https://accounts.example.org/sign-in", &cookies),
        ("not a URL", &cookies),
    ] {
        assert_eq!(from(referrer, cookies), "signed in sess_1", "{referrer}");
    }
}

/// The SDK takes it for one from a satellite.
#[test]
fn referrer_beyond_ascii_is_absent() {
    let cookies = format!("__session={}; __client_uat=5", production_token(&json!({})));
    for (referrer, outcome) in [
        ("https://lab.example.net/%C3%A9".as_bytes(), "handshake primary-domain-cross-origin-sync"),
        ("https://lab.example.net/é".as_bytes(), "signed in sess_1"),
        (b"https://lab.example.net/\xe9", "signed in sess_1"),
    ] {
        let mut parts = document("/", &cookies);
        parts.headers.insert("referer", http::HeaderValue::from_bytes(referrer).unwrap());
        assert_eq!(self::outcome(&parts, &primary(PRODUCTION)), outcome, "{referrer:?}");
    }
}

/// The SDK throws: it takes the `Origin` for the satellite's own.
#[test]
fn request_from_the_sign_in_pages_origin_is_decided() {
    let session = format!("__clerk_db_jwt=b; __session={}; __client_uat=5", token(&json!({"azp": SATELLITE})));
    for (cookies, expected) in [(&*session, "signed in sess_1"), ("", "signed out session-token-and-uat-missing")] {
        for origin in [SATELLITE, "https://example.org"] {
            let headers = [("sec-fetch-dest", "document"), ("cookie", cookies), ("origin", origin)];
            let decision = outcome(&request("GET", "/", &headers), &satellite(DEVELOPMENT, |_| {}));
            assert_eq!(decision, expected, "{origin}");
        }
    }
}

#[test]
fn satellites_sign_in_url_requests_a_sync() {
    let (validated, parts) = (satellite(PRODUCTION, |_| {}), document("/delete?__clerk_synced=true", ""));
    let page = handshake::sign_in_url(&AuthRequest::new(&parts, &validated, NOW * 1_000), &validated);
    let back = page.query_pairs().find(|(name, _)| name == "redirect_url").unwrap().1;
    assert_eq!(back, "https://lab.example.net/delete?__clerk_synced=false");
}

#[test]
fn satellite_needs_the_primary_domain() {
    let refused = |change: &dyn Fn(&mut Config)| {
        let mut config = Config::new(PRODUCTION, Url::parse(SATELLITE).unwrap());
        config.is_satellite = true;
        config.domain = Some("lab.example.net".to_owned());
        config.sign_in_url = Some(Url::parse(SIGN_IN).unwrap());
        change(&mut config);
        matches!(ValidatedConfig::new(config), Err(ConfigError::Satellite(_)))
    };
    assert!(!refused(&|_| {}));
    assert!(refused(&|config| config.sign_in_url = None));
    assert!(refused(&|config| config.sign_in_url = Some(Url::parse(SATELLITE).unwrap())));
    assert!(refused(&|config| config.domain = None));
}
