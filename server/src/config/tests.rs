use super::*;

const SECRET: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldCE=";

fn complete() -> Vec<(&'static str, String)> {
    [
        ("DATABASE_URL", "postgres://lethe:hidden@localhost/northwind"),
        ("CLERK_SECRET_KEY", "sk_test_hidden"),
        ("CLERK_PUBLISHABLE_KEY", "pk_test_Y2xlcmsuY2xlcmsuZGV2JA"),
        ("CLERK_WEBHOOK_SIGNING_SECRET", "whsec_aGlkZGVu"),
        ("LETHE_URL", "https://privacy.example.org/"),
        ("LETHE_DATA_MAP", "data-map.toml"),
        ("LETHE_SECRET", SECRET),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

fn read(environment: Vec<(&'static str, String)>) -> Result<ServerConfig, ConfigError> {
    let mut values = Values::from_sources(None, environment)?;
    let settings = ServerConfig::read(&mut values);
    values.finish(settings)
}

fn with(name: &'static str, value: &str) -> Result<ServerConfig, ConfigError> {
    let mut environment = complete();
    environment.retain(|(given, _)| *given != name);
    environment.push((name, value.to_owned()));
    read(environment)
}

#[test]
fn what_must_be_set_is_enough() {
    let settings = read(complete()).expect("complete");
    assert_eq!(settings.listen, SocketAddr::from(([127, 0, 0, 1], 3000)));
    assert_eq!(settings.clerk.authorized_parties, ["https://privacy.example.org"]);
    assert_eq!(settings.clerk.api_url.as_str(), "https://api.clerk.com/");
}

#[test]
fn everything_that_is_missing_is_told_at_once() {
    let error = read(Vec::new()).expect_err("nothing is set").to_string();
    for (name, _) in complete() {
        assert!(error.contains(&format!("{name} is missing")), "{name}: {error}");
    }
}

#[test]
fn a_wrong_value_is_named_with_what_is_accepted() {
    for (name, value, expected) in [
        ("LETHE_LISTEN", "3000", "LETHE_LISTEN is `3000`"),
        ("LETHE_URL", "ftp://example.org", "LETHE_URL is `ftp://example.org/`"),
        ("LETHE_TRUSTED_PROXIES", "10.0.0.0/99", "LETHE_TRUSTED_PROXIES holds `10.0.0.0/99`"),
        ("LETHE_WORKERS", "0", "LETHE_WORKERS is `0`"),
        ("LETHE_SECRET", "c2hvcnQ=", "LETHE_SECRET must be at least 32 random bytes in base64"),
        ("DATABASE_URL", "mysql://localhost", "DATABASE_URL must be a Postgres address"),
    ] {
        let error = with(name, value).expect_err(name).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_wrong_secret_is_not_repeated() {
    for (name, value) in [("LETHE_SECRET", "bm90LWxvbmctZW5vdWdo"), ("DATABASE_URL", "mysql://u:pass-word@localhost")] {
        let error = with(name, value).expect_err(name).to_string();
        assert!(!error.contains(value) && !error.contains("pass-word"), "{error}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let mut environment = complete();
    environment.push(("LETHE_SMTP_URL", "smtps://user:hidden@mail".to_owned()));
    environment.push(("LETHE_MAIL_FROM", "privacy@example.org".to_owned()));
    environment.push(("LETHE_METRICS_TOKEN", "hidden".to_owned()));
    let shown = format!("{:?}", read(environment).expect("complete"));
    assert!(!shown.contains("hidden") && !shown.contains(SECRET) && !shown.contains("aGlkZGVu"), "{shown}");
}

#[test]
fn the_environment_goes_before_the_file() {
    let file = std::env::temp_dir().join(format!("lethe-settings-{}.toml", std::process::id()));
    std::fs::write(&file, "brand = \"From the file\"\nworkers = 9\ntrusted_proxies = [\"10.0.0.1\", \"::1\"]\n")
        .expect("the temporary directory can be written");
    let mut environment = complete();
    environment.push(("LETHE_BRAND", "From the environment".to_owned()));
    let mut values = Values::from_sources(Some(&file), environment).expect("both can be read");
    let settings = ServerConfig::read(&mut values);
    let settings = values.finish(settings).expect("complete");
    std::fs::remove_file(&file).expect("it was written");
    assert_eq!((settings.brand.as_str(), settings.workers), ("From the environment", 9));
    assert!(settings.trusted_proxies.trusts("::1".parse().expect("an address")));
}

#[test]
fn an_unknown_name_in_the_file_is_a_mistake() {
    let file = std::env::temp_dir().join(format!("lethe-settings-unknown-{}.toml", std::process::id()));
    std::fs::write(&file, "listne = \"127.0.0.1:1\"\n").expect("the temporary directory can be written");
    let values = Values::from_sources(Some(&file), complete()).expect("it is TOML");
    let error = values.finish(Some(())).expect_err("a typo").to_string();
    std::fs::remove_file(&file).expect("it was written");
    assert!(error.contains("`listne`"), "{error}");
}

#[test]
fn an_empty_variable_is_not_set() {
    let settings = with("LETHE_BRAND", " ").expect("complete");
    assert_eq!(settings.brand, "Privacy center");
}
