//! The database on bad days, over HTTP: who needs it gets a 503 with the time to wait, everybody else is served.

use std::time::{Duration, Instant};

use lethe_demo::testing::Port;
use reqwest::{Method, Response, StatusCode};
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::installation::{Installation, stderr_text};
use crate::process::Process;
use crate::support::{TestApp, TestOptions, eventually, header};

const CONSENT: &str = "/api/privacy/consent";

#[track_caller]
fn assert_unavailable(response: &Response, started: Instant, limit: Duration) {
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(header(response.headers(), "retry-after"), "5");
    assert!(started.elapsed() < limit, "{:?}", started.elapsed());
}

#[tokio::test]
async fn request_that_waits_for_a_lock_is_unavailable_within_its_limit() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let limit = Duration::from_secs(8);
    let mut other = app.pool().begin().await.unwrap();
    sqlx::query("lock table posts, lethe.consent_entry in access exclusive mode").execute(&mut *other).await.unwrap();
    let started = Instant::now();
    let (preview, page, save, export) = tokio::join!(
        async { ada.navigate("/delete").send().await.unwrap() },
        async { ada.navigate("/").send().await.unwrap() },
        async { ada.post(CONSENT).json(&json!({"marketing": true})).send().await.unwrap() },
        async { ada.get("/healthz").send().await.unwrap() },
    );
    for response in [&preview, &page, &save] {
        assert_unavailable(response, started, limit);
    }
    assert_eq!(export.status(), StatusCode::OK);
    other.rollback().await.unwrap();
    assert_eq!(ada.navigate("/delete").send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(ada.post(CONSENT).json(&json!({"marketing": true})).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn full_pool_is_unavailable_and_ends_nothing() {
    let connections = ("LETHE_DATABASE_CONNECTIONS", "2".to_owned());
    let app = TestApp::with(TestOptions { settings: vec![connections], ..TestOptions::default() }).await;
    let ada = app.sign_in(0).await;
    assert_eq!(ada.get(CONSENT).send().await.unwrap().status(), StatusCode::OK);
    let (one, other) = tokio::join!(app.lethe.database.acquire(), app.lethe.database.acquire());
    let started = Instant::now();
    assert_unavailable(&ada.get(CONSENT).send().await.unwrap(), started, Duration::from_secs(14));
    drop((one.unwrap(), other.unwrap()));
    assert_eq!(ada.get(CONSENT).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn read_only_database_serves_pages_and_refuses_changes() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    assert_eq!(ada.get(CONSENT).send().await.unwrap().status(), StatusCode::OK);
    let options: PgConnectOptions = app.database.url().parse().unwrap();
    let mut administrator =
        options.clone().options([("default_transaction_read_only", "off")]).connect().await.unwrap();
    let name = options.get_database().unwrap().to_owned();
    let sessions_end = "select pg_terminate_backend(pid, 5000) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    for statement in [format!("alter database {name} set default_transaction_read_only = on"), sessions_end.to_owned()]
    {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut administrator).await.unwrap();
    }
    let save = async || ada.post(CONSENT).json(&json!({"marketing": true})).send().await.unwrap();
    eventually("pages are served again", async || ada.navigate("/").send().await.unwrap().status() == StatusCode::OK)
        .await;
    assert_unavailable(&save().await, Instant::now(), Duration::from_secs(5));
    let delete = ada.bearer(Method::DELETE, "/api/privacy/delete");
    assert_unavailable(&delete.send().await.unwrap(), Instant::now(), Duration::from_secs(5));
    assert_eq!(ada.navigate("/").send().await.unwrap().status(), StatusCode::OK);

    let reset = format!("alter database {name} reset default_transaction_read_only");
    sqlx::raw_sql(AssertSqlSafe(reset)).execute(&mut administrator).await.unwrap();
    let started = Instant::now();
    eventually("changes are taken again", async || save().await.status() == StatusCode::OK).await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn readiness_follows_the_rule_of_rolling_upgrades() {
    let app = TestApp::start().await;
    let ready = async || app.get("/readyz").send().await.unwrap().status();
    let newer = "insert into lethe.migration (version, description, success, checksum, execution_time)
        values (1000, 'of a newer version', true, '', 0)";
    sqlx::query(newer).execute(app.pool()).await.unwrap();
    assert_eq!(ready().await, StatusCode::OK);
    assert!(lethe_server::bootstrap::ensure_migrated(&app.lethe).await.is_ok(), "it can be started, too");
    let ruled_out = "update lethe.schema_requirement set minimum_migration = 1000";
    sqlx::query(ruled_out).execute(app.pool()).await.unwrap();
    assert_eq!(ready().await, StatusCode::SERVICE_UNAVAILABLE);
    let refused = lethe_server::bootstrap::ensure_migrated(&app.lethe).await.unwrap_err();
    assert!(refused.to_string().contains("a newer version"), "{refused}");
}

/// Forwards connections to the database.
async fn forward(listener: TcpListener, target: String) {
    while let Ok((mut client, _)) = listener.accept().await {
        let target = target.clone();
        tokio::spawn(async move {
            let mut server = TcpStream::connect(target).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        });
    }
}

/// After a power failure everything starts at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn server_that_starts_before_the_database_waits_for_it() {
    let mut installation = Installation::new().await;
    let mut url = Url::parse(installation.database.url()).unwrap();
    let target = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    let port = Port::hold();
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(port.number())).unwrap();
    installation.set("DATABASE_URL", url.to_string());
    let environment = installation.environment.clone();
    let (directory, own_url) = (installation.directory.path().to_owned(), installation.url.clone());
    let starting = tokio::spawn(async move { Process::serve(&environment, &directory, &own_url).await });
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!starting.is_finished(), "it isn't served yet, and the process hasn't ended");
    let forwarding = tokio::spawn(forward(port.listen(), target));
    let server = starting.await.unwrap();
    assert!(server.stop().await);
    forwarding.abort();
}

/// Waiting doesn't help.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_database_is_reported_at_once() {
    let mut installation = Installation::new().await;
    let mut url = Url::parse(installation.database.url()).unwrap();
    url.set_path("no_such_database");
    installation.set("DATABASE_URL", url.to_string());
    let started = Instant::now();
    let refused = stderr_text(&installation.run(&["work"]), 1);
    assert!(refused.contains("no connection to the database"), "{refused}");
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}
