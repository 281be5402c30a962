//! Several domains with one sign-in: what a satellite asks, and what the primary domain answers.

use super::super::{SettingsError, handshake};
use super::*;

const SATELLITE: &str = "https://lab.example.net";
const SIGN_IN: &str = "https://example.org/sign-in?a=b c";

fn satellite(publishable_key: &str, change: impl FnOnce(&mut Settings)) -> Rules {
    let mut settings = Settings::new(publishable_key, Url::parse(SATELLITE).unwrap());
    settings.is_satellite = true;
    settings.domain = Some("lab.example.net".to_owned());
    settings.sign_in_url = Some(Url::parse(SIGN_IN).unwrap());
    change(&mut settings);
    Rules::new(settings).unwrap()
}

fn primary(publishable_key: &str) -> Rules {
    let mut settings = settings_for(publishable_key);
    settings.authorized_parties.push(SATELLITE.to_owned());
    Rules::new(settings).unwrap()
}

fn location(parts: &Parts, rules: &Rules) -> String {
    match decided(parts, rules) {
        Decision::Handshake(handshake) => handshake.location,
        other => panic!("no handshake: {}", told(&other)),
    }
}

fn outcome(parts: &Parts, rules: &Rules) -> String {
    told(&decided(parts, rules))
}

#[test]
fn a_satellite_asks_only_when_it_is_told_to() {
    for key in [DEVELOPMENT, PRODUCTION] {
        let rules = satellite(key, |_| {});
        let asks = "handshake satellite-needs-syncing";
        assert_eq!(outcome(&document("/", ""), &rules), "signed out session-token-and-uat-missing");
        assert_eq!(outcome(&document("/?__clerk_synced=false", ""), &rules), asks);
        assert_eq!(outcome(&document("/?__clerk_synced=false", "__client_uat=5"), &rules), asks);
        let eager = satellite(key, |settings| settings.satellite_auto_sync = true);
        assert_eq!(outcome(&document("/", ""), &eager), asks);
        assert_ne!(outcome(&document("/?__clerk_synced=true", ""), &eager), asks, "once is enough");
        let call = request("POST", "/?__clerk_synced=false", &[("sec-fetch-dest", "document")]);
        assert_ne!(outcome(&call, &eager), asks);
    }
}

#[test]
fn the_question_goes_to_clerk_in_production_and_to_the_sign_in_page_in_development() {
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
fn the_primary_domain_answers_satellites_that_it_knows() {
    let asked = |back: &str| {
        let back: String = url::form_urlencoded::byte_serialize(back.as_bytes()).collect();
        document(&format!("/?__clerk_redirect_url={back}"), "__clerk_db_jwt=browser")
    };
    let question = asked("https://lab.example.net/a?__clerk_synced=false&b=1");
    assert_eq!(
        location(&question, &primary(DEVELOPMENT)),
        "https://lab.example.net/a?__clerk_synced=true&b=1&__clerk_db_jwt=browser"
    );
    let nobody = "signed out session-token-and-uat-missing";
    for stranger in ["https://evil.example/", "https://lab.example.net.evil.example/", "javascript:alert(1)", "x"] {
        assert_eq!(outcome(&asked(stranger), &primary(DEVELOPMENT)), nobody, "{stranger}");
    }
    assert_eq!(outcome(&question, &primary(PRODUCTION)), nobody, "in production Clerk answers");
}

#[test]
fn who_comes_from_a_satellite_is_looked_up_once() {
    let rules = primary(PRODUCTION);
    let cookies = format!("__session={}; __client_uat=5", production_token(&json!({})));
    let from = |referrer: &str, cookies: &str| {
        let headers = [("sec-fetch-dest", "document"), ("cookie", cookies), ("referer", referrer)];
        outcome(&request("GET", "/", &headers), &rules)
    };
    assert_eq!(from("https://lab.example.net/a", &cookies), "handshake primary-domain-cross-origin-sync");
    let counted = format!("{cookies}; __clerk_redirect_count=1");
    for (referrer, cookies) in [
        ("https://lab.example.net/a", &counted),
        ("https://search.example/", &cookies),
        ("https://privacy.example.org/a", &cookies),
        ("https://accounts.example.org/sign-in", &cookies),
        ("no address", &cookies),
    ] {
        assert_eq!(from(referrer, cookies), "signed in sess_1", "{referrer}");
    }
}

#[test]
fn signing_in_at_the_primary_domain_makes_the_satellite_ask_afterwards() {
    let (rules, parts) = (satellite(PRODUCTION, |_| {}), document("/delete?__clerk_synced=true", ""));
    let page = handshake::sign_in(&View::new(&parts, &rules, NOW * 1_000), &rules);
    let back = page.query_pairs().find(|(name, _)| name == "redirect_url").unwrap().1;
    assert_eq!(back, "https://lab.example.net/delete?__clerk_synced=false");
}

#[test]
fn a_satellite_needs_to_know_the_primary_domain() {
    let refused = |change: &dyn Fn(&mut Settings)| {
        let mut settings = Settings::new(PRODUCTION, Url::parse(SATELLITE).unwrap());
        settings.is_satellite = true;
        settings.domain = Some("lab.example.net".to_owned());
        settings.sign_in_url = Some(Url::parse(SIGN_IN).unwrap());
        change(&mut settings);
        matches!(Rules::new(settings), Err(SettingsError::Satellite(_)))
    };
    assert!(!refused(&|_| {}));
    assert!(refused(&|settings| settings.sign_in_url = None));
    assert!(refused(&|settings| settings.sign_in_url = Some(Url::parse(SATELLITE).unwrap())));
    assert!(refused(&|settings| settings.domain = None));
}
