//! What connections may take up: bytes that never come, connections that do nothing, readers that don't read.

use std::time::{Duration, Instant};

use lethe_demo::people::person;
use lethe_demo::sample::fill_usage_logs;
use reqwest::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{TestApp, TestOptions, eventually};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: lethe\r\n\r\n";
/// Longer than any limit of these tests, on a machine that does other things too.
const TIMEOUT: Duration = Duration::from_secs(30);

async fn app(settings: &[(&'static str, &str)]) -> TestApp {
    let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    TestApp::with(TestOptions { settings, ..TestOptions::default() }).await
}

async fn connect(app: &TestApp) -> TcpStream {
    TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap()
}

/// Reads until the server closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let read = tokio::time::timeout(TIMEOUT, stream.read_to_end(&mut text)).await.expect("the server closes it");
    // A reset is an end, too.
    let _ = read;
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn header_that_is_not_sent_to_its_end_closes_the_connection() {
    let app = app(&[("LETHE_IDLE_SECONDS", "2")]).await;
    let mut stream = connect(&app).await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: lethe\r\nx-slow: ").await.unwrap();
    let started = Instant::now();
    let text = rest(&mut stream).await;
    assert!(!text.contains("200 OK"), "{text}");
    assert!(started.elapsed() > Duration::from_secs(1));
}

/// A byte now and then doesn't keep it open.
#[tokio::test]
async fn header_that_trickles_in_closes_the_connection() {
    let app = app(&[("LETHE_IDLE_SECONDS", "2")]).await;
    let (mut read, mut write) = connect(&app).await.into_split();
    let trickling = tokio::spawn(async move {
        while write.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    let mut text = Vec::new();
    let _ = tokio::time::timeout(TIMEOUT, read.read_to_end(&mut text)).await.expect("the server closes it");
    trickling.abort();
}

#[tokio::test]
async fn idle_connection_is_closed_after_its_request() {
    let app = app(&[("LETHE_IDLE_SECONDS", "2")]).await;
    let mut stream = connect(&app).await;
    for _ in 0..2 {
        stream.write_all(HEALTH.as_bytes()).await.unwrap();
        let mut start = [0; 15];
        stream.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 200 OK");
        // Read what the response has left, so that the next one begins afresh.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut left = [0; 8 * 1024];
        let _ = stream.try_read(&mut left);
    }
    rest(&mut stream).await;
}

#[tokio::test]
async fn client_that_takes_nothing_of_a_response_is_cut_off() {
    let app = app(&[("LETHE_WRITE_SECONDS", "2")]).await;
    // More than the buffers of both sockets hold.
    fill_usage_logs(app.pool(), &person(1).id, 200_000).await.unwrap();
    let ada = app.sign_in(1).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let mut stream = socket.connect(app.url.trim_start_matches("http://").parse().unwrap()).await.unwrap();
    let request =
        format!("GET /api/privacy/export HTTP/1.1\r\nhost: lethe\r\nauthorization: Bearer {}\r\n\r\n", ada.token.jwt);
    stream.write_all(request.as_bytes()).await.unwrap();
    let running = async || {
        let running = "select count(*) from lethe.running_export";
        sqlx::query_scalar::<_, i64>(running).fetch_one(app.pool()).await.unwrap()
    };
    eventually("it runs", async || running().await == 1).await;
    eventually("it is ended", async || running().await == 0).await;
    let text = rest(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{}", &text[..text.len().min(100)]);
    assert!(!text.ends_with("0\r\n\r\n"), "a file that was cut off never looks complete");
}

/// Whoever holds all connections holds them for the idle time.
#[tokio::test]
async fn requests_beyond_the_maximum_wait_and_are_served() {
    let app = app(&[("LETHE_CONNECTIONS", "4"), ("LETHE_IDLE_SECONDS", "3")]).await;
    let mut idle = Vec::new();
    for _ in 0..4 {
        let mut stream = connect(&app).await;
        // So that it was accepted.
        stream.write_all(HEALTH.as_bytes()).await.unwrap();
        stream.read_exact(&mut [0; 15]).await.unwrap();
        idle.push(stream);
    }
    let started = Instant::now();
    let response = app.get("/healthz").timeout(TIMEOUT).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(started.elapsed() > Duration::from_secs(1), "it waited for a connection to be closed");
}

#[tokio::test]
async fn http_2_is_not_spoken() {
    let app = app(&[]).await;
    let mut stream = connect(&app).await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let text = rest(&mut stream).await;
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{text}");
}

/// The request that has begun is finished; a new one finds nobody.
#[tokio::test]
async fn shutdown_finishes_what_has_begun() {
    let app = app(&[]).await;
    fill_usage_logs(app.pool(), &person(1).id, 100_000).await.unwrap();
    let ada = app.sign_in(1).await;
    let mut file = ada.get("/api/privacy/export").send().await.unwrap();
    let mut text = file.chunk().await.unwrap().unwrap().to_vec();
    app.stop_gracefully();
    eventually("no connection is accepted", async || {
        TcpStream::connect(app.url.trim_start_matches("http://")).await.is_err()
    })
    .await;
    while let Some(chunk) = file.chunk().await.unwrap() {
        text.extend_from_slice(&chunk);
    }
    assert!(serde_json::from_slice::<serde_json::Value>(&text).is_ok(), "the file is complete");
}
