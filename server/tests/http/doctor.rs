//! `lethe doctor` on a set-up that is right, and on each that isn't for a real reason.

use lethe_demo::testing::{ClerkStandIn, Inbox, Port, StandInOptions};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::installation::{Installation, run, text};
use crate::support::Directory;

/// A installation where nothing is wrong.
struct Healthy {
    installation: Installation,
    _inbox: Inbox,
}

impl Healthy {
    async fn new() -> Self {
        let mut installation = Installation::new().await;
        let inbox = Inbox::start().await;
        installation.environment.extend([
            ("LETHE_SMTP_URL", inbox.smtp_url().to_owned()),
            ("LETHE_MAIL_FROM", "privacy@northwind.example".to_owned()),
            ("LETHE_ALERT_TO", "operators@northwind.example".to_owned()),
        ]);
        Self { installation, _inbox: inbox }
    }

    /// What is found when settings are other ones; the document and the exit status.
    fn with(&self, changes: &[(&'static str, &str)]) -> (Value, Option<i32>) {
        let mut environment = self.installation.environment.clone();
        environment.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        environment.extend(changes.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let output = run(&environment, self.installation.directory.path(), &["doctor", "--json"]);
        let document = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}{}", text(&output.stdout), text(&output.stderr)));
        (document, output.status.code())
    }

    /// Exactly these checks are wrong, each with a remedy.
    fn assert_wrong(&self, changes: &[(&'static str, &str)], wrong: &[&str]) -> Value {
        let (document, code) = self.with(changes);
        assert_eq!(checks_with_status(&document, "wrong"), wrong, "{document:#}");
        let expected = if wrong.contains(&"settings") { 2 } else { 3 };
        assert_eq!(code, Some(expected), "{document:#}");
        document
    }
}

/// The checks of this status, each once. Whatever isn't right has a remedy.
fn checks_with_status(document: &Value, status: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in document["checks"].as_array().unwrap() {
        if matches!(line["status"].as_str().unwrap(), "wrong" | "warning") {
            assert!(line["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{line}");
        }
        let check = line["check"].as_str().unwrap().to_owned();
        if line["status"] == status && !found.contains(&check) {
            found.push(check);
        }
    }
    found
}

fn check<'a>(document: &'a Value, check: &str) -> &'a Value {
    document["checks"].as_array().unwrap().iter().find(|line| line["check"] == check).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn healthy_installation_passes_all_checks() {
    let healthy = Healthy::new().await;
    let (mut document, code) = healthy.with(&[]);
    assert_eq!(code, Some(0), "{document:#}");
    for line in document["checks"].as_array_mut().unwrap() {
        // Ports and folders are others each time.
        line["message"] = json!(line["message"].as_str().map(|_| "[message]"));
    }
    insta::assert_json_snapshot!(document);

    let mut printed = healthy.installation.run(&["doctor"]).stdout;
    printed.extend(healthy.installation.run(&["doctor"]).stderr);
    let printed = text(&printed);
    assert!(printed.contains("✓ ok ") && printed.contains("keys_belong_together"), "{printed}");
    assert!(!printed.contains('\u{1b}'), "no colour where there is no terminal: {printed}");
    for secret in ["sk_test_", "whsec_", crate::support::SECRET, "operators@", "privacy@"] {
        assert!(!printed.contains(secret) && !document.to_string().contains(secret), "{secret}: {printed}");
    }
    let entries: i64 = sqlx::query_scalar("select count(*) from lethe.audit_entry")
        .fetch_one(healthy.installation.database.pool())
        .await
        .unwrap();
    assert_eq!(entries, 0, "looking leaves no trace");
    let storage = healthy.installation.directory.path().join("storage/doctor");
    assert!(!storage.exists() || std::fs::read_dir(storage).unwrap().next().is_none(), "the small file is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn data_map_without_purposes_is_a_warning() {
    let healthy = Healthy::new().await;
    let map = healthy.installation.directory.path().join("data-map.toml");
    let sample = include_str!("../../../demo/data-map.toml");
    std::fs::write(&map, sample.split_once("[[purpose]]").unwrap().0).unwrap();
    let (document, code) = healthy.with(&[("LETHE_DATA_MAP", map.to_str().unwrap())]);
    assert_eq!(
        (code, checks_with_status(&document, "warning")),
        (Some(0), vec!["purposes".to_owned()]),
        "{document:#}"
    );
    assert!(check(&document, "purposes")["message"].as_str().unwrap().contains("no [[purpose]]"));
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_settings_are_one_line_each() {
    let directory = Directory::new();
    let output = run(&[], directory.path(), &["doctor", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    for name in
        ["DATABASE_URL", "CLERK_SECRET_KEY", "CLERK_PUBLISHABLE_KEY", "LETHE_URL", "LETHE_SECRET", "LETHE_DATA_MAP"]
    {
        let is_reported = |line: &&Value| line["message"].as_str().unwrap() == format!("{name} is missing");
        assert_eq!(
            document["checks"].as_array().unwrap().iter().filter(is_reported).count(),
            1,
            "{name}: {document:#}"
        );
    }
    checks_with_status(&document, "wrong");
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_setting_hides_no_other_check() {
    let healthy = Healthy::new().await;
    let document =
        healthy.assert_wrong(&[("LETHE_LISTEN", "3000"), ("LETHE_SECRET", "c2hvcnQ=")], &["settings", "secret"]);
    assert!(!document.to_string().contains("c2hvcnQ="));
    assert_eq!(check(&document, "data_map")["status"], "ok");
    assert_eq!(check(&document, "keys_belong_together")["status"], "ok");
    let document = healthy.assert_wrong(&[("LETHE_CONFIG", "/nowhere/lethe.toml")], &["settings"]);
    assert!(document.to_string().contains("LETHE_CONFIG"));
}

#[tokio::test(flavor = "multi_thread")]
async fn mismatching_clerk_keys_are_reported() {
    let healthy = Healthy::new().await;
    let other = ClerkStandIn::start(StandInOptions::default()).await;
    // Stand-ins are copies of one template: only with a new key is this one another instance.
    let rotated = reqwest::Client::new().post(format!("{}/control/keys", other.url())).json(&json!({"forget": true}));
    assert!(rotated.send().await.unwrap().status().is_success());
    let publishable = [("CLERK_PUBLISHABLE_KEY", other.publishable_key()), ("CLERK_PROXY_URL", other.url())];
    healthy.assert_wrong(&publishable, &["keys_belong_together"]);
    healthy.assert_wrong(&[("CLERK_JWT_KEY", &other.jwt_key())], &["jwt_key"]);
    let (document, code) = healthy.with(&[("CLERK_JWT_KEY", &healthy.installation.clerk.jwt_key())]);
    assert_eq!((code, &check(&document, "jwt_key")["status"]), (Some(0), &json!("ok")), "{document:#}");

    let live = healthy.installation.clerk.secret_key().replace("sk_test_", "sk_live_");
    healthy.assert_wrong(&[("CLERK_SECRET_KEY", &live)], &["key_kinds", "backend_api"]);
    healthy.assert_wrong(&[("CLERK_SECRET_KEY", "sk_test_ of another")], &["secret_key", "backend_api"]);
    let document = healthy.assert_wrong(&[("CLERK_PUBLISHABLE_KEY", "pk_test_x")], &["publishable_key"]);
    assert_eq!(check(&document, "frontend_api")["status"], "skipped");
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_services_are_reported_within_the_timeout() {
    let healthy = Healthy::new().await;
    let port = Port::hold();
    let unreachable = port.url();
    healthy.assert_wrong(&[("CLERK_API_URL", &unreachable)], &["backend_api"]);
    healthy.assert_wrong(&[("CLERK_PROXY_URL", &unreachable)], &["frontend_api"]);
    healthy.assert_wrong(
        &[("CLERK_SIGN_IN_URL", &format!("{}/nowhere", healthy.installation.clerk.url()))],
        &["sign_in_url"],
    );

    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let url = format!("http://{address}");
    let started = std::time::Instant::now();
    let document = healthy.assert_wrong(
        &[
            ("CLERK_API_URL", &url),
            ("CLERK_PROXY_URL", &url),
            ("CLERK_SIGN_IN_URL", &url),
            ("LETHE_SMTP_URL", &format!("smtp://{address}")),
            ("DATABASE_URL", &format!("postgres://lethe:hidden@{address}/northwind")),
        ],
        &["backend_api", "frontend_api", "sign_in_url", "database", "mail"],
    );
    assert!(started.elapsed().as_secs() < 9, "side by side: {:?}", started.elapsed());
    assert!(!document.to_string().contains("hidden"), "{document:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_skew_is_reported() {
    let healthy = Healthy::new().await;
    let control = format!("{}/control/clock", healthy.installation.clerk.url());
    for (ahead, status, code) in
        [(3_500, "warning", 0), (-3_500, "warning", 0), (30_000, "wrong", 3), (-30_000, "wrong", 3)]
    {
        let set = reqwest::Client::new().put(&control).json(&json!({"ahead": ahead})).send().await.unwrap();
        assert!(set.status().is_success());
        let (document, given) = healthy.with(&[]);
        assert_eq!(
            (&check(&document, "clock")["status"], given),
            (&json!(status), Some(code)),
            "{ahead}: {document:#}"
        );
        checks_with_status(&document, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn inconsistent_settings_are_reported() {
    let healthy = Healthy::new().await;
    healthy.assert_wrong(&[("CLERK_AUTHORIZED_PARTIES", "https://elsewhere.example")], &["authorized_parties"]);
    let with_slash = format!("{}/", healthy.installation.url);
    healthy.assert_wrong(&[("CLERK_AUTHORIZED_PARTIES", &with_slash)], &["authorized_parties"]);
    healthy.assert_wrong(&[("CLERK_WEBHOOK_SIGNING_SECRET", "whsec_!")], &["webhook_secret"]);
    for (name, value, checks) in [
        ("CLERK_WEBHOOK_SIGNING_SECRET", "whsec_AAAAAAAAAAAAAAAAAAAAAA==", vec!["webhook_secret"]),
        ("CLERK_REQUESTS_PER_TEN_SECONDS", "1000", vec!["rate"]),
        // The sign-in page sends nobody to an origin that it doesn't know.
        ("LETHE_URL", "http://privacy.example.org", vec!["https", "sign_in_url"]),
        ("LETHE_ALERT_TO", "", vec!["mail"]),
        ("LETHE_URL", "https://privacy.example.org", vec!["trusted_proxies", "sign_in_url"]),
    ] {
        let (document, code) = healthy.with(&[(name, value)]);
        assert_eq!(checks_with_status(&document, "warning"), checks, "{document:#}");
        assert_eq!(code, Some(0), "{document:#}");
    }
    let live = "pk_live_Y2xlcmsuZXhhbXBsZS5vcmck";
    healthy.assert_wrong(&[("CLERK_PUBLISHABLE_KEY", live)], &["settings", "key_kinds", "https"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn store_that_depends_on_the_working_folder_is_a_warning() {
    let healthy = Healthy::new().await;
    let (document, code) = healthy.with(&[("LETHE_STORAGE", "storage")]);
    assert_eq!(checks_with_status(&document, "warning"), ["store"], "{document:#}");
    assert_eq!(check(&document, "store")["remedy"], "set LETHE_STORAGE to an absolute path");
    assert_eq!(code, Some(0), "{document:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_folders_are_reported() {
    let healthy = Healthy::new().await;
    let file = healthy.installation.directory.path().join("a-file");
    std::fs::write(&file, "no folder").unwrap();
    healthy.assert_wrong(&[("LETHE_STORAGE", file.join("storage").to_str().unwrap())], &["store"]);
    healthy.assert_wrong(&[("LETHE_EXPORT_FOLDER", file.to_str().unwrap())], &["export_folder"]);
    healthy.assert_wrong(&[("LETHE_SITE", file.to_str().unwrap())], &["site"]);
    std::fs::remove_file(healthy.installation.directory.path().join("site/pkg/lethe-1.css")).unwrap();
    healthy.assert_wrong(&[], &["site"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn database_problems_are_reported() {
    let healthy = Healthy::new().await;
    let pool = healthy.installation.database.pool();
    let unmigrated = Installation::unmigrated().await;
    healthy.assert_wrong(&[("DATABASE_URL", unmigrated.database.url())], &["database_migrated"]);

    // A role of its own, without what it needs on one table.
    let role = format!("lethe_doctor_{}", uuid::Uuid::new_v4().simple());
    let statement = format!(
        "create role {role} login password 'hidden';
         grant usage on schema public, lethe, lethe_jobs to {role};
         grant select, update, delete on all tables in schema public to {role};
         grant select on all tables in schema lethe, lethe_jobs to {role};
         revoke delete on public.posts from {role}"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(pool).await.unwrap();
    let mut url: url::Url = healthy.installation.database.url().parse().unwrap();
    url.set_username(&role).unwrap();
    url.set_password(Some("hidden")).unwrap();
    let document = healthy.assert_wrong(&[("DATABASE_URL", url.as_str())], &["data_map"]);
    let message = check(&document, "data_map")["message"].as_str().unwrap().to_owned();
    assert_eq!(message, "public.posts: Lethe's role has no DELETE privilege on the table");
    assert!(!document.to_string().contains("hidden"));
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("drop owned by {role}; drop role {role}"))).execute(pool).await.unwrap();

    sqlx::query(
        "create table public.surprise (id bigint primary key, user_id text references public.users (clerk_id))",
    )
    .execute(pool)
    .await
    .unwrap();
    let document = healthy.assert_wrong(&[], &["data_map"]);
    assert!(check(&document, "data_map")["message"].as_str().unwrap().starts_with("public.surprise"));
    healthy.assert_wrong(&[("LETHE_DATA_MAP", "/nowhere/data-map.toml")], &["data_map"]);
}
