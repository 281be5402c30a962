//! Limits that hold whichever process serves a request, and readers that can't hold up anybody else.

use std::time::Duration;

use futures::future::join_all;
use lethe_demo::people::person;
use lethe_demo::sample::{SeedOptions, seed};
use lethe_demo::testing::{ClerkStandIn, Database, Port, StandInOptions};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpSocket;

use crate::installation::Installation;
use crate::process::{Process, lethe, wait_until};
use crate::support::{Directory, TestApp, environment, header, json, limit, problem, site};

const EXPORT: &str = "/api/privacy/export";
const CONSENT: &str = "/api/privacy/consent";

/// Readers that take a kilobyte a second, more than there are connections to the database or places for snapshots.
const SLOW_READERS: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn slow_readers_hold_up_neither_others_nor_the_database() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let port = Port::hold();
    let url = port.url();
    let database = Database::create().await;
    let people = SLOW_READERS + 4;
    let clerk = ClerkStandIn::start(StandInOptions {
        people,
        application_origin: Some(url.clone()),
        ..StandInOptions::default()
    })
    .await;
    seed(database.pool(), &SeedOptions { people, rows_per_person: 2 }).await.unwrap();
    for index in 0..SLOW_READERS {
        sqlx::query("insert into profiles (user_id) values ($1) on conflict do nothing")
            .bind(person(index).id)
            .execute(database.pool())
            .await
            .unwrap();
        // Some six megabytes each: more than the buffers of both sockets hold.
        sqlx::query(
            "insert into usage_logs (user_id, metric, quantity)
             select $1, repeat(md5(r::text), 128), r from generate_series(1, 1500) r",
        )
        .bind(person(index).id)
        .execute(database.pool())
        .await
        .unwrap();
    }
    let directory = Directory::new();
    site(&directory.path().join("site"));
    let mut environment = environment(&url, &clerk, database.url(), directory.path());
    environment.push(("CLERK_REQUESTS_PER_TEN_SECONDS", "10000".to_owned()));
    environment.push(("LETHE_METRICS_TOKEN", "number-reader".to_owned()));
    let migrated = lethe(&environment, directory.path(), &["migrate"]).status().unwrap();
    assert!(migrated.success());
    let server = Process::serve(&environment, directory.path(), &url).await;

    let tokens = join_all((0..people).map(async |index| clerk.sign_in(&person(index).id).await.jwt)).await;
    let address = url.trim_start_matches("http://");
    let readers = join_all(tokens[..SLOW_READERS].iter().map(|token| read_slowly(address, token))).await;
    assert!(readers.iter().all(|reader| !reader.is_finished()), "they read on");
    // The second export of one of them.
    let http = reqwest::Client::new();
    let export =
        async |index: usize| http.get(format!("{url}{EXPORT}")).bearer_auth(&tokens[index]).send().await.unwrap();
    problem(export(0).await, StatusCode::CONFLICT, "export_running").await;
    // Everybody else.
    for index in SLOW_READERS..people {
        let file = json(export(index).await, StatusCode::OK).await;
        assert!(file["applicationData"].is_object());
    }
    wait_until("no snapshot is left in the database", async || {
        let snapshots = "select count(*) from pg_stat_activity where datname = current_database()
            and pid <> pg_backend_pid() and backend_type = 'client backend' and xact_start < now() - interval '1 second'";
        sqlx::query_scalar::<_, i64>(snapshots).fetch_one(database.pool()).await.unwrap() == 0
    })
    .await;
    let running: i64 =
        sqlx::query_scalar("select count(*) from lethe.running_export").fetch_one(database.pool()).await.unwrap();
    assert_eq!(running, i64::try_from(SLOW_READERS).unwrap(), "while all of them still read");
    assert!(readers.iter().all(|reader| !reader.is_finished()));
    let metrics = http.get(format!("{url}/metrics")).bearer_auth("number-reader").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains(&format!("lethe_exports_running {SLOW_READERS}")), "{metrics}");
    for reader in readers {
        reader.abort();
    }
    drop(server);
}

/// Starts an export and reads a kilobyte a second.
async fn read_slowly(address: &str, token: &str) -> tokio::task::JoinHandle<()> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let stream = socket.connect(address.parse().unwrap()).await.unwrap();
    let mut stream = BufReader::with_capacity(1024, stream);
    let request = format!("GET {EXPORT} HTTP/1.1\r\nhost: lethe\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut status = String::new();
    stream.read_line(&mut status).await.unwrap();
    assert_eq!(status, "HTTP/1.1 200 OK\r\n");
    tokio::spawn(async move {
        let mut kilobyte = [0; 1024];
        while stream.read_exact(&mut kilobyte).await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
}

/// Two servers on one database.
#[tokio::test(flavor = "multi_thread")]
async fn limits_of_people_count_across_processes() {
    let one = Installation::new().await;
    let port = Port::hold();
    let settings = [
        ("LETHE_EXPORTS_PER_HOUR", limit(2)),
        ("LETHE_CONSENT_CHANGES_PER_MINUTE", limit(3)),
        ("LETHE_PREVIEWS_PER_MINUTE", limit(2)),
        // Tokens are made for the first one's address.
        ("CLERK_AUTHORIZED_PARTIES", one.url.clone()),
    ];
    let mut first = one.environment.clone();
    first.extend(settings.clone());
    let mut second = first.clone();
    let address = port.url().trim_start_matches("http://").to_owned();
    second.retain(|(name, _)| *name != "LETHE_LISTEN");
    second.push(("LETHE_LISTEN", address));
    let _servers = (
        Process::serve(&first, one.directory.path(), &one.url).await,
        Process::serve(&second, one.directory.path(), &port.url()).await,
    );
    let urls = [one.url.clone(), port.url()];
    let (ada, grace) = (one.clerk.sign_in(&person(0).id).await, one.clerk.sign_in(&person(1).id).await);
    let http = reqwest::Client::new();
    let save = async |server: usize, token: &str, granted: bool| {
        let request = http.post(format!("{}{CONSENT}", urls[server])).json(&json!({"marketing": granted}));
        request.bearer_auth(token).send().await.unwrap()
    };
    for (server, granted) in [(0, true), (1, false), (0, true)] {
        json(save(server, &ada.jwt, granted).await, StatusCode::OK).await;
    }
    let refused = save(1, &ada.jwt, false).await;
    let wait: u64 = header(refused.headers(), "retry-after").parse().unwrap();
    assert!((1..=21).contains(&wait), "{wait}");
    problem(refused, StatusCode::TOO_MANY_REQUESTS, "too_many_requests").await;
    json(save(1, &grace.jwt, true).await, StatusCode::OK).await;

    let export =
        async |server: usize| http.get(format!("{}{EXPORT}", urls[server])).bearer_auth(&ada.jwt).send().await.unwrap();
    for server in [0, 1] {
        json(export(server).await, StatusCode::OK).await;
    }
    problem(export(0).await, StatusCode::TOO_MANY_REQUESTS, "too_many_requests").await;
    let preview = async |server: usize| {
        let request = http.get(format!("{}/api/_/preview_deletion", urls[server]));
        request.bearer_auth(&ada.jwt).send().await.unwrap().status()
    };
    assert_ne!(preview(0).await, StatusCode::TOO_MANY_REQUESTS);
    assert_ne!(preview(1).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(preview(0).await, StatusCode::TOO_MANY_REQUESTS);
}

/// What is counted leads to nobody, and is gone once it says nothing any more.
#[tokio::test]
async fn counters_name_no_user_and_are_removed() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    json(ada.post(CONSENT).json(&json!({"marketing": true})).send().await.unwrap(), StatusCode::OK).await;
    let rows = "select row::text from lethe.rate_limit row";
    let counted: Vec<String> = sqlx::query_scalar(rows).fetch_all(app.pool()).await.unwrap();
    assert_eq!(counted.len(), 1);
    assert!(!counted[0].contains(&person(0).id), "{counted:?}");
    sqlx::query("update lethe.rate_limit set used_until = now() - interval '1 second'")
        .execute(app.pool())
        .await
        .unwrap();
    lethe::rate_limit::remove_idle(&app.lethe).await.unwrap();
    assert!(sqlx::query_scalar::<_, String>(rows).fetch_all(app.pool()).await.unwrap().is_empty());
}

/// The disk is full, or the folder can't be written: there is no file, and no half of one.
#[tokio::test]
async fn export_without_room_for_its_temporary_file_is_refused() {
    let directory = Directory::new();
    let folder = directory.path().join("gone");
    let settings = vec![("LETHE_EXPORT_FOLDER", folder.display().to_string())];
    let app = TestApp::with(crate::support::TestOptions { settings, ..Default::default() }).await;
    lethe_demo::sample::fill_usage_logs(app.pool(), &person(1).id, 50_000).await.unwrap();
    let (small, large) = (app.sign_in(0).await, app.sign_in(1).await);
    problem(large.get(EXPORT).send().await.unwrap(), StatusCode::SERVICE_UNAVAILABLE, "unavailable").await;
    // It ends in the background.
    crate::support::eventually("the next one may begin", async || {
        let running = "select count(*) from lethe.running_export";
        sqlx::query_scalar::<_, i64>(running).fetch_one(app.pool()).await.unwrap() == 0
    })
    .await;
    std::fs::create_dir(&folder).unwrap();
    let file: Value = json(large.get(EXPORT).send().await.unwrap(), StatusCode::OK).await;
    assert!(file["applicationData"]["usage_logs"].as_array().unwrap().len() >= 50_000);
    json(small.get(EXPORT).send().await.unwrap(), StatusCode::OK).await;
}

/// Once: anybody can send the header.
#[tokio::test(flavor = "multi_thread")]
async fn forwarded_header_of_an_unknown_proxy_is_warned_of_once() {
    let installation = Installation::new().await;
    let server = Process::serve(&installation.environment, installation.directory.path(), &installation.url).await;
    let http = reqwest::Client::new();
    for number in 0..3 {
        let request = http.post(format!("{}/api/_/save_preferences", installation.url));
        request.header("x-forwarded-for", format!("198.51.100.{number}")).send().await.unwrap();
    }
    let log = std::fs::read_to_string(installation.directory.path().join("log")).unwrap();
    assert_eq!(log.matches("LETHE_TRUSTED_PROXIES").count(), 1, "{log}");
    assert!(!log.contains("198.51.100"), "{log}");
    drop(server);
}
