//! The configuration's defaults and errors, and the cookies that sign out.

use super::*;
use crate::{ConfigError, PublishableKeyError, cookies};

fn test_key(host: &str) -> String {
    format!("pk_test_{}", data_encoding::BASE64.encode(format!("{host}$").as_bytes()))
}

#[test]
fn sign_in_url_defaults_to_the_account_portal() {
    let page = |host: &str| validated(&test_key(host)).sign_in_url.to_string();
    assert_eq!(page("happy-fox-1.clerk.accounts.dev"), "https://happy-fox-1.accounts.dev/sign-in");
    assert_eq!(page("clerk.example.org"), "https://accounts.example.org/sign-in");
    let mut config = config_for(&test_key("127.0.0.1:3001"));
    config.proxy_url = Some(Url::parse("http://127.0.0.1:3001").unwrap());
    assert_eq!(ValidatedConfig::new(config.clone()).unwrap().sign_in_url.as_str(), "http://127.0.0.1:3001/sign-in");
    config.sign_in_url = Some(Url::parse("https://www.example.org/login").unwrap());
    assert_eq!(ValidatedConfig::new(config).unwrap().sign_in_url.as_str(), "https://www.example.org/login");
}

#[test]
fn unusable_configurations_are_refused() {
    let mut config = config_for(DEVELOPMENT);
    config.public_url = Url::parse("file:///etc").unwrap();
    assert_eq!(ValidatedConfig::new(config).err(), Some(ConfigError::Url("the public URL")));
    let mut config = config_for(DEVELOPMENT);
    config.proxy_url = Some(Url::parse("data:x").unwrap());
    assert_eq!(ValidatedConfig::new(config).err(), Some(ConfigError::Url("the proxy URL")));
    let mut config = config_for(DEVELOPMENT);
    config.jwt_key = Some("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----".to_owned());
    assert_eq!(ValidatedConfig::new(config).err(), Some(ConfigError::JwtKey));
}

/// The SDK accepts all of these.
#[test]
fn publishable_key_that_holds_more_than_a_host_is_refused() {
    let error = |key: &str| ValidatedConfig::new(config_for(key)).err();
    for host in ["https://clerk.clerk.dev", "user@clerk.clerk.dev", "clerk.clerk.dev/path", "clerk.clerk.dev?query"] {
        let expected = ConfigError::PublishableKey(PublishableKeyError::Host);
        assert_eq!(error(&test_key(host)), Some(expected), "{host}");
    }
    // White space, and bits that no byte takes.
    for key in ["pk_test_Y2xlcmsuY2xl cmsuZGV2JA", "pk_test_Y2xlcmsuY2xlcmsuZGV2JA\n", "pk_test_Y2xlcmsuY2xlcmsuZGV2JB"]
    {
        assert_eq!(error(key), Some(ConfigError::PublishableKey(PublishableKeyError::Encoding)), "{key:?}");
    }
}

/// The SDK accepts none or the right one.
#[test]
fn padding_of_a_publishable_key_may_be_of_any_length() {
    for padding in ["", "=", "==", "====="] {
        assert!(ValidatedConfig::new(config_for(&format!("{DEVELOPMENT}{padding}"))).is_ok(), "{padding}");
    }
}

#[test]
fn sign_out_expires_every_cookie_of_the_host_and_the_domain_above() {
    let clear = |url: &str| -> Vec<String> {
        let lines = cookies::expired_cookies(&validated(DEVELOPMENT).cookie_names, &Url::parse(url).unwrap());
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
fn foreign_cookies_of_a_handshake_are_dropped() {
    let lines = ["__session=a; Path=/", "__client_uat=1", "admin=1", "nothing", "__x=\u{7f}\n"].map(str::to_owned);
    let set = cookies::clerk_cookies(&lines);
    assert_eq!(set, ["__session=a; Path=/", "__client_uat=1"]);
}
