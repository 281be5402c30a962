//! Publishable keys, the settings' defaults, and the cookies that sign out.

use super::super::SettingsError;
use super::super::cookies;
use super::super::settings::{InstanceKind, PublishableKey};
use super::*;

fn encoded(host: &str) -> String {
    data_encoding::BASE64.encode(host.as_bytes())
}

#[test]
fn a_publishable_key_tells_kind_host_and_suffix() {
    let key = PublishableKey::parse(DEVELOPMENT).unwrap();
    assert_eq!(key.kind, InstanceKind::Development);
    assert_eq!(key.frontend_api, "clerk.clerk.dev");
    assert_eq!(key.cookie_suffix, "QvfNY2dr");
    assert_eq!(PublishableKey::parse(PRODUCTION).unwrap().kind, InstanceKind::Production);
    let local = PublishableKey::parse(&format!("pk_test_{}", encoded("127.0.0.1:3001$"))).unwrap();
    assert_eq!(local.frontend_api, "127.0.0.1:3001");
    // With and without padding.
    assert!(PublishableKey::parse(&format!("pk_test_{}", encoded("a.bc$"))).is_ok());
    assert!(PublishableKey::parse(&format!("pk_test_{}", encoded("a.bc$").trim_end_matches('='))).is_ok());
}

#[test]
fn a_wrong_publishable_key_is_told_apart() {
    let test = |host: &str| format!("pk_test_{}", encoded(host));
    for (key, error) in [
        (String::new(), SettingsError::PublishableKeyForm),
        ("sk_test_abc".to_owned(), SettingsError::PublishableKeyForm),
        ("pk_test_".to_owned(), SettingsError::PublishableKeyForm),
        (format!("{DEVELOPMENT}_more"), SettingsError::PublishableKeyForm),
        ("pk_test_???".to_owned(), SettingsError::PublishableKeyEncoding),
        (test("clerk.example.org"), SettingsError::PublishableKeyHost),
        (test("clerk.example.org$$"), SettingsError::PublishableKeyHost),
        (test("localhost$"), SettingsError::PublishableKeyHost),
        (test("a.b/path$"), SettingsError::PublishableKeyHost),
        (test("user@a.b$"), SettingsError::PublishableKeyHost),
    ] {
        assert_eq!(PublishableKey::parse(&key), Err(error), "{key}");
    }
}

#[test]
fn people_sign_in_at_the_instances_hosted_page() {
    let page = |host: &str| {
        let key = format!("pk_test_{}", encoded(&format!("{host}$")));
        rules(&key).sign_in_url.to_string()
    };
    assert_eq!(page("happy-fox-1.clerk.accounts.dev"), "https://happy-fox-1.accounts.dev/sign-in");
    assert_eq!(page("clerk.example.org"), "https://accounts.example.org/sign-in");
    let mut settings = settings_for(&format!("pk_test_{}", encoded("127.0.0.1:3001$")));
    settings.proxy_url = Some(Url::parse("http://127.0.0.1:3001").unwrap());
    assert_eq!(Rules::new(settings.clone()).unwrap().sign_in_url.as_str(), "http://127.0.0.1:3001/sign-in");
    settings.sign_in_url = Some(Url::parse("https://www.example.org/login").unwrap());
    assert_eq!(Rules::new(settings).unwrap().sign_in_url.as_str(), "https://www.example.org/login");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let mut settings = settings_for(DEVELOPMENT);
    settings.public_url = Url::parse("file:///etc").unwrap();
    assert_eq!(Rules::new(settings).err(), Some(SettingsError::Url("the public URL")));
    let mut settings = settings_for(DEVELOPMENT);
    settings.proxy_url = Some(Url::parse("data:x").unwrap());
    assert_eq!(Rules::new(settings).err(), Some(SettingsError::Url("the proxy URL")));
    let mut settings = settings_for(DEVELOPMENT);
    settings.jwt_key = Some("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----".to_owned());
    assert_eq!(Rules::new(settings).err(), Some(SettingsError::JwtKey));
}

#[test]
fn signing_out_clears_every_cookie_of_this_host_and_the_domain_above() {
    let clear = |url: &str| -> Vec<String> {
        let lines = cookies::cleared(&rules(DEVELOPMENT).names, &Url::parse(url).unwrap());
        lines.iter().map(|line| line.to_str().unwrap().to_owned()).collect()
    };
    let lines = clear("https://privacy.example.org");
    for name in
        ["__session", "__session_QvfNY2dr", "__client_uat", "__client_uat_QvfNY2dr", "__refresh", "__refresh_QvfNY2dr"]
    {
        for domain in ["", "; Domain=privacy.example.org", "; Domain=example.org"] {
            let line = format!("{name}=; Path=/; Max-Age=0; SameSite=Lax; Secure{domain}");
            assert!(lines.contains(&line), "{line}");
        }
    }
    assert!(clear("http://127.0.0.1:3000").iter().all(|line| !line.contains("Domain") && !line.contains("Secure")));
    assert!(clear("http://example.org").iter().all(|line| !line.contains("Domain=org")));
}

#[test]
fn only_clerks_cookies_are_set() {
    let lines = ["__session=a; Path=/", "__client_uat=1", "admin=1", "nothing", "__x=\u{7f}\n"].map(str::to_owned);
    let set = cookies::settable(&lines);
    assert_eq!(set, ["__session=a; Path=/", "__client_uat=1"]);
}
