//! A server for a test, and what a browser or a program sends to it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use lethe::Lethe;
use lethe_demo::people::person;
use lethe_demo::sample::{SeedOptions, seed};
use lethe_demo::testing::{ClerkStandIn, Database, SessionToken, StandInOptions, TokenOptions};
use lethe_server::config::{self, ServerConfig};
use lethe_server::state::AppState;
use lethe_server::{bootstrap, serve};
use reqwest::header::{ACCEPT, AUTHORIZATION, COOKIE, HeaderMap, ORIGIN};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use lethe_demo::testing::{eventually, rows_of};

pub(crate) const SECRET: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldCE=";

/// How a test's server differs from the usual one.
pub(crate) struct TestOptions {
    pub(crate) people: usize,
    pub(crate) rows_per_person: usize,
    /// Whether background jobs run.
    pub(crate) run_jobs: bool,
    /// Further settings.
    pub(crate) settings: Vec<(&'static str, String)>,
}

impl Default for TestOptions {
    fn default() -> Self {
        Self { people: 8, rows_per_person: 2, run_jobs: false, settings: Vec::new() }
    }
}

/// A running server with its database and a stand-in for Clerk. Dropping it stops all of it.
pub(crate) struct TestApp {
    pub(crate) url: String,
    pub(crate) lethe: Lethe,
    pub(crate) state: AppState,
    pub(crate) clerk: ClerkStandIn,
    pub(crate) database: Database,
    pub(crate) http: reqwest::Client,
    _directory: Directory,
    shutdown: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

/// A folder that is removed when its value is dropped.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("lethe-test-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(&path).expect("the temporary directory can be written");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::with(TestOptions::default()).await
    }

    pub(crate) async fn with(options: TestOptions) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound socket has an address"));
        let database = Database::create().await;
        let clerk = ClerkStandIn::start(StandInOptions {
            people: options.people,
            application_origin: Some(url.clone()),
            ..StandInOptions::default()
        })
        .await;
        let sample = SeedOptions { people: options.people, rows_per_person: options.rows_per_person };
        seed(database.pool(), &sample).await.expect("the sample fits its schema");
        lethe::database::migrate(database.pool()).await.expect("the migrations run");

        let directory = Directory::new();
        site(&directory.path().join("site"));
        let mut environment = environment(&url, &clerk, database.url(), directory.path());
        environment.extend(options.settings);
        let mut values = config::from_sources(None, environment).expect("text");
        let read = ServerConfig::read(&mut values);
        let config = values.finish(read).expect("complete");
        let lethe = bootstrap::build(&config).await.expect("everything is there");
        bootstrap::ensure_ready(&lethe).await.expect("the sample's data map fits");

        let shutdown = CancellationToken::new();
        let state = serve::build_state(&config, lethe.clone()).expect("the configuration is valid");
        let serving = serve::run(listener, state.clone(), shutdown.clone());
        let mut tasks = vec![tokio::spawn(async move { serving.await.expect("it serves") })];
        if options.run_jobs {
            let working = lethe::jobs::run_worker(lethe.clone(), shutdown.clone().cancelled_owned());
            tasks.push(tokio::spawn(working));
        }
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client without TLS");
        Self { url, lethe, state, clerk, database, http, _directory: directory, shutdown, tasks }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        self.database.pool()
    }

    /// Asks the server to stop as a signal does.
    pub(crate) fn stop_gracefully(&self) {
        self.shutdown.cancel();
    }

    /// A request without a session.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// A navigation as a browser makes it.
    pub(crate) fn navigate(&self, path: &str) -> RequestBuilder {
        self.get(path).header(ACCEPT, "text/html,application/xhtml+xml").header("sec-fetch-dest", "document")
    }

    /// Signs one of the demo's users in.
    pub(crate) async fn sign_in(&self, index: usize) -> Browser<'_> {
        self.sign_in_with(index, TokenOptions::default()).await
    }

    pub(crate) async fn sign_in_with(&self, index: usize, options: TokenOptions) -> Browser<'_> {
        let token = self.clerk.token_for(&person(index).id, options).await;
        Browser { app: self, token }
    }

    /// Everything that the sample application has about a person, by table.
    pub(crate) async fn rows_of(&self, index: usize) -> BTreeMap<&'static str, Vec<String>> {
        rows_of(self.pool(), &person(index).id).await
    }

    /// How many audit entries there are.
    pub(crate) async fn audit_entries(&self) -> i64 {
        sqlx::query_scalar("select count(*) from lethe.audit_entry")
            .fetch_one(self.pool())
            .await
            .expect("there is a log")
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.shutdown.cancel();
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// A signed-in person's browser.
pub(crate) struct Browser<'a> {
    app: &'a TestApp,
    pub(crate) token: SessionToken,
}

impl Browser<'_> {
    /// A request with the session's cookies, as a script of the page sends it.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let is_read = method == Method::GET;
        let request = self.app.request(method, path).header(COOKIE, &self.token.cookies);
        if is_read { request } else { request.header(ORIGIN, &self.app.url).header("sec-fetch-site", "same-origin") }
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    pub(crate) fn delete(&self, path: &str) -> RequestBuilder {
        self.request(Method::DELETE, path)
    }

    /// A navigation.
    pub(crate) fn navigate(&self, path: &str) -> RequestBuilder {
        self.app.navigate(path).header(COOKIE, &self.token.cookies)
    }

    /// A request of a program that brings the token itself.
    pub(crate) fn bearer(&self, method: Method, path: &str) -> RequestBuilder {
        self.app.request(method, path).header(AUTHORIZATION, format!("Bearer {}", self.token.jwt))
    }
}

/// Everything a server needs, as its environment.
pub(crate) fn environment(
    url: &str,
    clerk: &ClerkStandIn,
    database_url: &str,
    directory: &Path,
) -> Vec<(&'static str, String)> {
    let address: SocketAddr = url.trim_start_matches("http://").parse().expect("a test's address");
    let map = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/data-map.toml");
    vec![
        ("DATABASE_URL", database_url.to_owned()),
        ("CLERK_SECRET_KEY", clerk.secret_key().to_owned()),
        ("CLERK_PUBLISHABLE_KEY", clerk.publishable_key().to_owned()),
        ("CLERK_WEBHOOK_SIGNING_SECRET", clerk.webhook_secret().to_owned()),
        ("CLERK_API_URL", clerk.url().to_owned()),
        ("CLERK_PROXY_URL", clerk.url().to_owned()),
        ("CLERK_SIGN_IN_URL", format!("{}/sign-in", clerk.url())),
        ("LETHE_URL", url.to_owned()),
        ("LETHE_LISTEN", address.to_string()),
        ("LETHE_DATA_MAP", map.display().to_string()),
        ("LETHE_SECRET", SECRET.to_owned()),
        ("LETHE_SITE", directory.join("site").display().to_string()),
        ("LETHE_STORAGE", directory.join("storage").display().to_string()),
        ("LETHE_BRAND", "Northwind Journal".to_owned()),
    ]
}

/// Writes the files of a built site that the server reads.
pub(crate) fn site(directory: &Path) {
    let pkg = directory.join("pkg");
    std::fs::create_dir_all(&pkg).expect("the temporary directory can be written");
    let files = [
        ("assets.json", r#"{"output_name":"lethe-1","style":"/pkg/lethe-1.css","font":"/pkg/inter-1.woff2"}"#),
        ("robots.txt", "User-agent: *\nDisallow: /\n"),
        ("pkg/lethe-1.css", "body{}"),
        ("pkg/lethe-1.css.br", "compressed"),
    ];
    for (name, text) in files {
        std::fs::write(directory.join(name), text).expect("the temporary directory can be written");
    }
}

/// Every row of Lethe's own tables as text, by table.
pub(crate) async fn lethe_rows(pool: &PgPool) -> BTreeMap<String, Vec<String>> {
    let tables = "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = 'lethe'";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(pool).await.expect("a catalog");
    assert!(tables.len() > 5, "{tables:?}");
    let mut all = BTreeMap::new();
    for table in tables {
        let query = format!("select row::text from {table} row order by 1");
        let rows = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_all(pool).await.expect("a table");
        all.insert(table, rows);
    }
    all
}

/// Returns the body as JSON after checking the status.
pub(crate) async fn json(response: Response, status: StatusCode) -> Value {
    let given = response.status();
    let text = response.text().await.expect("a body");
    assert_eq!(given, status, "{text}");
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("JSON is expected: {text}"))
}

/// Asserts that the response is a problem document with this code, whose incident is in the header too.
pub(crate) async fn problem(response: Response, status: StatusCode, code: &str) -> Value {
    let headers = response.headers().clone();
    let document = json(response, status).await;
    assert_eq!(header(&headers, "content-type"), "application/problem+json", "{document}");
    assert_eq!(document["code"], code, "{document}");
    assert_eq!(document["status"], status.as_u16());
    assert_eq!(document["incident"], header(&headers, "x-incident-id"));
    document
}

/// Returns the document with a random member masked.
pub(crate) fn masked(document: &Value, member: &str) -> Value {
    assert!(document[member].is_string(), "{document}");
    let mut document = document.clone();
    document[member] = format!("[{member}]").into();
    document
}

pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The part of a form that says which texts it showed.
pub(crate) fn displayed_texts(lethe: &Lethe) -> String {
    let texts = lethe.purposes.iter().enumerate();
    let texts: Vec<String> =
        texts.map(|(index, purpose)| format!("&texts[{index}]={}:{}", purpose.key, purpose.text_id())).collect();
    texts.concat()
}

/// A limit as a setting.
pub(crate) fn limit(count: u32) -> String {
    NonZeroU32::new(count).expect("above zero").to_string()
}
