//! What is accepted, what is reported, and that the documentation in the repository is the generated one.

use rstest::rstest;

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
    read_with_file(None, environment)
}

fn read_with_file(file: Option<&str>, environment: Vec<(&'static str, String)>) -> Result<ServerConfig, ConfigError> {
    let path = file.map(|text| {
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("lethe-config-{}-{number}.toml", std::process::id()));
        std::fs::write(&path, text).expect("the temporary folder is writable");
        path
    });
    let mut values = from_sources(path.as_deref(), environment)?;
    if let Some(path) = path {
        std::fs::remove_file(path).expect("the file was written");
    }
    let config = ServerConfig::read(&mut values);
    LogConfig::read(&mut values);
    values.finish(config)
}

fn read_with(name: &'static str, value: &str) -> Result<ServerConfig, ConfigError> {
    let mut environment = complete();
    environment.retain(|(given, _)| *given != name);
    environment.push((name, value.to_owned()));
    read(environment)
}

#[test]
fn required_settings_are_enough() {
    let config = read(complete()).expect("valid");
    assert_eq!(config.http.listen, std::net::SocketAddr::from(([127, 0, 0, 1], 3000)));
    assert_eq!(config.clerk.api_url.as_str(), "https://api.clerk.com/");
    assert_eq!(config.core.brand, "Privacy center");
}

#[test]
fn exactly_the_required_settings_are_documented_as_required() {
    let required: Vec<_> = settings().filter(|doc| doc.is_required).map(|doc| doc.setting.name).collect();
    let mut expected: Vec<_> = complete().iter().map(|(name, _)| *name).collect();
    expected.sort_by_key(|name| required.iter().position(|required| required == name));
    assert_eq!(required, expected);
}

#[test]
fn missing_settings_are_reported_together() {
    let error = read(Vec::new()).expect_err("nothing is set").to_string();
    for (name, _) in complete() {
        assert!(error.contains(&format!("{name} is missing")), "{name}: {error}");
    }
}

#[rstest]
#[case("LETHE_LISTEN", "3000", "LETHE_LISTEN is `3000`")]
#[case("LETHE_URL", "ftp://example.org", "LETHE_URL is `ftp://example.org`")]
#[case("LETHE_URL", "https://example.org/privacy", "it must have no path")]
#[case("LETHE_DATABASE_TLS", "prefer", "LETHE_DATABASE_TLS is `prefer`")]
#[case("LETHE_TRUSTED_PROXIES", "10.0.0.0/99", "`10.0.0.0/99` is neither an address nor a network")]
#[case("LETHE_WORKERS", "0", "LETHE_WORKERS is `0`")]
#[case("LETHE_LOG_FORMAT", "xml", "LETHE_LOG_FORMAT is `xml`")]
#[case("CLERK_DOMAIN", "https://example.org", "CLERK_DOMAIN is `https://example.org`")]
#[case("LETHE_SECRET", "c2hvcnQ=", "LETHE_SECRET is not valid; it must be at least 32 random bytes in base64")]
#[case("DATABASE_URL", "mysql://localhost", "DATABASE_URL is not valid; it must be a Postgres URL")]
#[case("CLERK_API_URL", "http://clerk.example.org", "CLERK_API_URL must begin with https://")]
#[case("LETHE_SMTP_URL", "smtp://localhost", "LETHE_MAIL_FROM is missing")]
fn invalid_value_is_reported_with_what_is_accepted(
    #[case] name: &'static str,
    #[case] value: &str,
    #[case] expected: &str,
) {
    let error = read_with(name, value).expect_err("not valid").to_string();
    assert!(error.contains(expected), "{error}");
}

#[rstest]
#[case("LETHE_SECRET", "bm90LWxvbmctZW5vdWdo")]
#[case("DATABASE_URL", "mysql://u:pass-word@localhost")]
fn invalid_secret_is_not_repeated(#[case] name: &'static str, #[case] value: &str) {
    let error = read_with(name, value).expect_err("not valid").to_string();
    assert!(!error.contains(value) && !error.contains("pass-word"), "{error}");
}

fn secret_file(content: &str, mode: u32) -> String {
    use std::os::unix::fs::PermissionsExt as _;

    static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("lethe-secret-{}-{number}", std::process::id()));
    std::fs::write(&path, content).expect("the temporary folder is writable");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("the file is ours");
    path.display().to_string()
}

/// The complete settings with a file in the place of `LETHE_SECRET`.
fn values_with_secret_file(path: &str) -> Values {
    let mut environment: Vec<(String, String)> =
        complete().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    environment.retain(|(name, _)| name != "LETHE_SECRET");
    environment.push(("LETHE_SECRET_FILE".to_owned(), path.to_owned()));
    from_sources(None, environment).expect("text")
}

#[test]
fn every_secret_is_read_from_a_file() {
    use secrecy::ExposeSecret as _;
    let mut environment = Vec::new();
    for (name, value) in complete() {
        let setting = settings().find(|doc| doc.setting.name == name).expect("it is declared").setting;
        match setting.file_name() {
            Some(file_name) => environment.push((file_name, secret_file(&format!("{value}\n"), 0o600))),
            None => environment.push((name.to_owned(), value)),
        }
    }
    assert_eq!(environment.iter().filter(|(name, _)| name.ends_with("_FILE")).count(), 4, "{environment:?}");
    let mut values = from_sources(None, environment).expect("text");
    let config = ServerConfig::read(&mut values);
    assert_eq!(values.warnings(), [] as [String; 0]);
    let config = values.finish(config).expect("valid");
    assert_eq!(config.data.secret.0.expose_secret(), SECRET);
    assert_eq!(config.database.url.expose(), "postgres://lethe:hidden@localhost/northwind");
}

#[test]
fn secret_and_its_file_are_not_both_accepted() {
    let mut environment = complete();
    environment.push(("LETHE_SECRET_FILE", secret_file(SECRET, 0o600)));
    let error = read(environment).expect_err("both are set").to_string();
    assert!(error.contains("LETHE_SECRET and LETHE_SECRET_FILE are both set") && !error.contains(SECRET), "{error}");
}

#[rstest]
#[case::missing("/nowhere/secret")]
#[case::empty(&secret_file(" \n", 0o600))]
#[case::folder("/tmp")]
fn secret_file_that_cannot_be_used_is_one_problem(#[case] path: &str) {
    let mut values = values_with_secret_file(path);
    let config = ServerConfig::read(&mut values);
    let error = values.finish(config).expect_err("there is no secret");
    assert_eq!(error.0.len(), 1, "{error}");
    assert!(error.0[0].starts_with(&format!("LETHE_SECRET_FILE names {path}, which can't be used")), "{error}");
}

#[test]
fn secret_file_that_everybody_can_read_is_a_warning() {
    let values = values_with_secret_file(&secret_file(SECRET, 0o644));
    assert!(values.warnings()[0].contains("LETHE_SECRET_FILE") && values.warnings()[0].contains("every user"));
    assert_eq!(values_with_secret_file(&secret_file(SECRET, 0o640)).warnings().len(), 0);
}

#[test]
fn configuration_with_secrets_that_everybody_can_read_is_a_warning() {
    let warnings = |content: &str, mode| {
        let path = secret_file(content, mode);
        from_sources(Some(std::path::Path::new(&path)), Vec::<(String, String)>::new()).expect("TOML").warnings().len()
    };
    let secret = format!("secret = \"{SECRET}\"\n");
    assert_eq!(warnings(&secret, 0o644), 1);
    assert_eq!(warnings(&secret, 0o600), 0);
    assert_eq!(warnings("brand = \"Northwind\"\n", 0o644), 0);
}

#[test]
fn several_secrets_are_accepted() {
    let other = "b3RoZXItc2VjcmV0LW90aGVyLXNlY3JldC1vdGhlci1zZWM=";
    for secrets in [format!("{other},{SECRET}"), format!("{other}\n{SECRET}")] {
        assert!(read_with("LETHE_SECRET", &secrets).is_ok(), "{secrets}");
    }
    let file = format!("secret = [\"{other}\", \"{SECRET}\"]");
    let mut environment = complete();
    environment.retain(|(name, _)| *name != "LETHE_SECRET");
    assert!(read_with_file(Some(&file), environment).is_ok());
    assert!(read_with("LETHE_SECRET", &format!("{SECRET},c2hvcnQ=")).is_err());
}

#[test]
fn secrets_are_not_in_the_debug_output() {
    let mut environment = complete();
    environment.push(("LETHE_SMTP_URL", "smtps://user:hidden@mail".to_owned()));
    environment.push(("LETHE_MAIL_FROM", "privacy@example.org".to_owned()));
    environment.push(("LETHE_METRICS_TOKEN", "hidden".to_owned()));
    let printed = format!("{:?}", read(environment).expect("valid"));
    assert!(!printed.contains("hidden") && !printed.contains(SECRET) && !printed.contains("aGlkZGVu"), "{printed}");
}

#[test]
fn environment_takes_precedence_over_the_file() {
    let file = "brand = \"From the file\"\nworkers = 9\ntrusted_proxies = [\"10.0.0.1\", \"::1\"]\n";
    let mut environment = complete();
    environment.push(("LETHE_BRAND", "From the environment".to_owned()));
    let config = read_with_file(Some(file), environment).expect("valid");
    assert_eq!((config.core.brand.as_str(), config.core.workers), ("From the environment", 9));
    assert!(config.http.trusted_proxies.contains("::1".parse().expect("an address")));
}

#[rstest]
#[case("listne = \"127.0.0.1:1\"", "`listne` in the file that LETHE_CONFIG names is not a setting")]
#[case(
    "LETHE_BRAND = \"Northwind\"",
    "`LETHE_BRAND` in the file that LETHE_CONFIG names is unknown; it must be `brand`"
)]
#[case("DATABASE_URL = \"postgres://x\"", "it must be `database_url`")]
fn unknown_key_in_the_file_is_reported(#[case] line: &str, #[case] expected: &str) {
    let error = read_with_file(Some(line), complete()).expect_err("an unknown key").to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn empty_variable_counts_as_not_set() {
    let config = read_with("LETHE_BRAND", " ").expect("valid");
    assert_eq!(config.core.brand, "Privacy center");
}

#[test]
fn declared_names_and_keys_are_unique() {
    let mut keys: Vec<_> = settings().map(|doc| doc.setting.key()).collect();
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count);
}

#[test]
fn documentation_in_the_repository_is_generated() {
    for (file, command, generated) in
        [("docs/configuration.md", "docs", docs::markdown()), ("lethe.example.toml", "example", docs::example())]
    {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == generated, "{file} is out of date: run `lethe config {command} > {file}`");
    }
}

/// The lines that set something, those that are commented out too, with a valid value in place of the secret.
fn example_with_everything_set() -> String {
    docs::example()
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(set) if set.starts_with(|first: char| first.is_ascii_lowercase()) => set,
            _ => line,
        })
        .map(|line| if line.starts_with("secret =") { format!("secret = \"{SECRET}\"\n") } else { format!("{line}\n") })
        .collect()
}

#[test]
fn example_file_is_valid_with_everything_set() {
    let file = example_with_everything_set();
    let config = read_with_file(Some(&file), Vec::new()).expect("valid");
    assert_eq!(config.core.public_url.as_str(), "https://privacy.example.org/");
    assert_eq!(config.clerk.authorized_parties, ["https://app.example.org", "https://privacy.example.org"]);
    for doc in settings() {
        assert!(
            file.lines().any(|line| line.starts_with(&format!("{} = ", doc.setting.key()))),
            "{}",
            doc.setting.name
        );
    }
}

#[test]
fn example_file_as_it_is_lacks_only_a_secret() {
    let error = read_with_file(Some(&docs::example()), Vec::new()).expect_err("the secret is empty");
    assert_eq!(error.0.len(), 1, "{error}");
    assert!(error.0[0].starts_with("LETHE_SECRET is not valid"), "{error}");
}

#[rstest]
#[case::without_quotes("secret = c2VjcmV0LXRleHQ=", "TOML parse error at line 1")]
#[case::of_another_type("brand = { c2VjcmV0LXRleHQ = 1 }", "has a value of the wrong type")]
fn broken_line_of_the_file_is_not_repeated(#[case] line: &str, #[case] expected: &str) {
    let error = read_with_file(Some(line), complete()).expect_err("not valid").to_string();
    assert!(error.contains(expected) && !error.contains("c2VjcmV0LXRleHQ"), "{error}");
}

#[test]
fn production_instance_requires_https() {
    let mut environment = complete();
    environment.retain(|(name, _)| !["LETHE_URL", "CLERK_PUBLISHABLE_KEY"].contains(name));
    environment.push(("LETHE_URL", "http://privacy.example.org".to_owned()));
    environment.push(("CLERK_PUBLISHABLE_KEY", "pk_live_Y2xlcmsuY2xlcmsuZGV2JA".to_owned()));
    let error = read(environment).expect_err("not valid").to_string();
    assert!(error.contains("LETHE_URL must begin with https://"), "{error}");
}
